// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who else uses an image: an OFD lock against all who ask, and the name of the
 * process that has one.  Called at set-up, on any thread.
 */
#include "disk/image.h"
#include "log.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_US 50000

/* Whether /proc/@pid/fd/@fd is the file of @st, OFD-locked against us. */
static bool image_fd_locks(const char *pid, const char *fd,
			   const struct stat *st, bool shared)
{
	char path[PATH_MAX], line[256];
	bool found = false;
	struct stat other;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, fd);
	if (stat(path, &other) || other.st_ino != st->st_ino ||
	    other.st_dev != st->st_dev)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, "lock:", 5) && strstr(line, "OFDLCK") &&
			(!shared || strstr(line, "WRITE"));
	fclose(f);
	return found;
}

static bool image_process_locks(const char *pid, const struct stat *st,
				bool shared)
{
	bool found = false;
	struct dirent *e;
	char path[300];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.255s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (e = readdir(dir)))
		found = isdigit((unsigned char)e->d_name[0]) &&
			image_fd_locks(pid, e->d_name, st, shared);
	closedir(dir);
	return found;
}

/* F_OFD_GETLK tells no pid for OFD locks, so look for it. */
int image_find_holder(const struct stat *st, bool shared)
{
	struct dirent *e;
	int pid = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return 0;
	while (!pid && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]) &&
		    image_process_locks(e->d_name, st, shared))
			pid = atoi(e->d_name);
	closedir(dir);
	return pid;
}

static void image_process_name(int pid, char *name, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(name, size, "?");
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(name, (int)size, f))
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
}

int image_in_use(const struct disk_params *params, int pid,
		 const char *unknown)
{
	struct stat st;
	char name[32];

	if (pid <= 0 && !stat(params->path, &st))
		pid = image_find_holder(&st, params->readonly);
	if (pid <= 0) {
		log_error("--disk %s: in use by %s; stop that, or add `lock=off` to share it at your own risk",
			  params->path, unknown);
		return -EBUSY;
	}
	image_process_name(pid, name, sizeof(name));
	log_error("--disk %s: in use by pid %d (%s)%s; stop it, or add `lock=off` to share it at your own risk",
		  params->path, pid, name,
		  pid == getpid() ? ", this lkvm itself: is it given twice?" :
				    "");
	return -EBUSY;
}

/* Who has locked it against us; 0: nobody to be seen. */
static int image_lock_holder(const struct image *img, bool shared)
{
	struct flock lock = {
		.l_type = shared ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	struct stat st;

	if (!fcntl(img->fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK &&
	    lock.l_pid > 0)
		return lock.l_pid;
	return fstat(img->fd, &st) ? 0 : image_find_holder(&st, shared);
}

/*
 * The kernel ends the io_uring of a process that was killed a little after the
 * process, and its hold on files with it, as requests may still be in flight.
 */
bool image_wait_for_holder(unsigned int *patience)
{
	if (!*patience)
		return false;
	--*patience;
	usleep(LOCK_WAIT_US);
	return true;
}

int image_lock(struct image *img, const struct disk_params *params)
{
	struct flock lock = {
		.l_type = params->readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	unsigned int patience = IMAGE_LOCK_WAITS;
	int err, pid = 0;

	while (params->lock && fcntl(img->fd, F_OFD_SETLK, &lock)) {
		err = errno;
		if (err != EAGAIN && err != EACCES) {
			log_error("--disk %s: cannot be locked: %s; add `lock=off` if nobody else uses it",
				  params->path, strerror(err));
			return -err;
		}
		pid = image_lock_holder(img, params->readonly);
		if (pid || !image_wait_for_holder(&patience))
			return image_in_use(params, pid, "another process");
	}
	return 0;
}
