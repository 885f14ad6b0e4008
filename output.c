// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that lkvm writes: see output.h.
 */
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_MAX 16

bool output_is_harmless(const char *path, const char *magic)
{
	size_t len = strlen(magic);
	char begin[MAGIC_MAX];
	struct stat st;
	bool ours;
	int fd;

	if (stat(path, &st))
		return true;
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return !S_ISBLK(st.st_mode);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	ours = len <= sizeof(begin) && read(fd, begin, len) == (ssize_t)len &&
	       !memcmp(begin, magic, len);
	close(fd);
	return ours;
}

int output_open(const char *path, int flags, bool *created)
{
	int fd;

	flags |= O_CREAT | O_CLOEXEC;
	fd = open(path, flags | O_EXCL, 0666);
	*created = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags, 0666);
	return fd < 0 ? -errno : fd;
}

void output_remove(int fd, const char *path)
{
	struct stat st, there;

	if (!fstat(fd, &st) && !st.st_size && !lstat(path, &there) &&
	    there.st_dev == st.st_dev && there.st_ino == st.st_ino)
		unlink(path);
}
