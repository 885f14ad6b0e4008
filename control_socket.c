// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sockets of guests in the file system: names, directories, and who owns
 * one, see control_socket.h.
 */
#include "control_socket.h"
#include "log.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

static bool is_alphanumeric(char c)
{
	return isalnum((unsigned char)c);
}

int control_check_name(const char *name)
{
	size_t len = 0;

	if (is_alphanumeric(*name))
		while (is_alphanumeric(name[len]) ||
		       (name[len] && strchr("-._", name[len])))
			len++;
	if (len && len <= CONTROL_NAME_MAX && !name[len])
		return 0;
	log_error("%s: not a name of a guest; give up to %d letters, digits, '-', '_' and '.', a letter or digit first",
		  *name ? name : "(empty)", CONTROL_NAME_MAX);
	return -EINVAL;
}

/* Ours alone: nobody else may put a socket there, or reach one. */
static bool dir_is_private(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & 077);
}

static bool is_own(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

static bool dir_path(unsigned int i, char *path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int len = 0;

	switch (i) {
	case 0:
		if (runtime && *runtime == '/' && is_own(runtime))
			len = snprintf(path, PATH_MAX, "%s/lkvm", runtime);
		break;
	case 1:
		len = snprintf(path, PATH_MAX, "/run/lkvm");
		break;
	case 2:
		len = snprintf(path, PATH_MAX, "/tmp/lkvm-%u", geteuid());
	}
	return len > 0 && len < PATH_MAX;
}

bool control_dir(unsigned int i, char *path)
{
	return dir_path(i, path) && dir_is_private(path);
}

/* Locked until it is closed; or -errno. */
static int dir_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0) {
		int err = -errno;

		if (err == -EINTR)
			continue;
		close(fd);
		return err;
	}
	return fd;
}

/* False: it does not fit. */
static bool address(struct sockaddr_un *addr, const char *dir, const char *name)
{
	int len;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(addr->sun_path, sizeof(addr->sun_path),
		       "%s/%s" CONTROL_SUFFIX, dir, name);
	return len > 0 && len < (int)sizeof(addr->sun_path);
}

static int connect_to(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int control_connect_in(const char *dir, const char *name)
{
	struct sockaddr_un addr;

	return address(&addr, dir, name) ? connect_to(&addr) : -ENOENT;
}

/* Whether someone listens; a full backlog is someone's. */
static bool socket_lives(const struct sockaddr_un *addr)
{
	int fd = connect_to(addr);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EAGAIN;
}

void control_clean(const char *dir, const char *name)
{
	struct sockaddr_un addr;
	int lock = dir_lock(dir);

	if (lock < 0)
		return;
	if (address(&addr, dir, name) && !socket_lives(&addr))
		unlink(addr.sun_path);
	close(lock);
}

/* The first directory that is there, or can be made. */
static int dir_choose(char *path)
{
	for (unsigned int i = 0; i < CONTROL_DIRS; i++) {
		if (!dir_path(i, path))
			continue;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			continue;
		if (dir_is_private(path) && !access(path, W_OK | X_OK))
			return 0;
	}
	log_error("no directory for the control socket: neither $XDG_RUNTIME_DIR/lkvm nor /run/lkvm nor /tmp/lkvm-%u can be made, owned by you and with mode 0700; set XDG_RUNTIME_DIR to a directory of yours",
		  geteuid());
	return -EACCES;
}

/* The directory is locked: it listens before anybody looks. */
static int socket_listen(struct control_socket *s)
{
	struct stat st;
	int err;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	unlink(s->addr.sun_path);	/* left by one that has died */
	if (!bind(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) &&
	    !chmod(s->addr.sun_path, 0600) && !listen(s->fd, BACKLOG) &&
	    !stat(s->addr.sun_path, &st)) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
		return 0;
	}
	err = -errno;
	unlink(s->addr.sun_path);
	close(s->fd);
	return err;
}

/* A guest of that name in another directory: this user had another environment. */
static bool name_is_used(const char *name, const char *except)
{
	char dir[PATH_MAX];
	struct sockaddr_un addr;

	for (unsigned int i = 0; i < CONTROL_DIRS; i++)
		if (control_dir(i, dir) && strcmp(dir, except) != 0 &&
		    address(&addr, dir, name) && socket_lives(&addr))
			return true;
	return false;
}

static int claim_in(struct control_socket *s, const char *dir, const char *name)
{
	int lock = dir_lock(dir), err;

	if (lock < 0)
		return lock;
	err = name_is_used(name, dir) || socket_lives(&s->addr) ?
		      -EADDRINUSE : socket_listen(s);
	close(lock);
	return err;
}

int control_claim(struct control_socket *s, const char *name)
{
	char dir[PATH_MAX];
	int err = control_check_name(name);

	*s = (struct control_socket){ .fd = -1 };
	if (!err)
		err = dir_choose(dir);
	if (err)
		return err;
	if (!address(&s->addr, dir, name)) {
		log_error("--name %s: %s/%s" CONTROL_SUFFIX " is longer than a socket's path can be (%zu); give a shorter name",
			  name, dir, name, sizeof(s->addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	err = claim_in(s, dir, name);
	if (err == -EADDRINUSE)
		log_error("--name %s: a guest of this name is running; give another name, or end it by lkvm stop %s",
			  name, name);
	else if (err)
		log_error("--name %s: cannot make its control socket %s: %s%s",
			  name, s->addr.sun_path, strerror(-err),
			  err == -EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
	if (err)
		s->fd = -1;
	return err;
}

void control_release(struct control_socket *s)
{
	char dir[sizeof(s->addr.sun_path)];
	struct stat st;
	int lock;

	if (s->fd < 0)
		return;
	memcpy(dir, s->addr.sun_path, sizeof(dir));
	*strrchr(dir, '/') = 0;
	lock = dir_lock(dir);
	if (!stat(s->addr.sun_path, &st) && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->addr.sun_path);
	if (lock >= 0)
		close(lock);
	close(s->fd);
	s->fd = -1;
}
