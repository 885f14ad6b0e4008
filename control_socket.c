// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sockets of guests in the file system: names, directories, and who owns
 * one, see control_socket.h.
 */
#include "control_socket.h"
#include "log.h"
#include "options.h"
#include <ctype.h>
#include <dirent.h>
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

int control_check_name(const char *option, const char *name)
{
	size_t len = 0;

	if (is_alphanumeric(*name))
		while (is_alphanumeric(name[len]) ||
		       (name[len] && strchr("-._", name[len])))
			len++;
	if (len && len <= CONTROL_NAME_MAX && !name[len])
		return 0;
	log_error("%s%s: not a name of a guest; give up to %d letters, digits, '-', '_' and '.', a letter or digit first",
		  option, log_word(name), CONTROL_NAME_MAX);
	return -EINVAL;
}

/* Ours alone: nobody else may put a socket there, or reach one. */
static bool dir_is_private(const char *path, uid_t uid)
{
	struct stat st;

	return !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid &&
	       !(st.st_mode & 077);
}

static bool is_owned(const char *path, uid_t uid)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == uid;
}

enum {
	DIR_RUNTIME, DIR_RUN, DIR_TMP, DIR_SESSION,
	DIR_SUDO_SESSION, DIR_SUDO_TMP,
};

/* Whom root acts for by sudo: that user's guests are root's to control, too. */
static uid_t sudo_uid(void)
{
	const char *text = getenv("SUDO_UID");
	unsigned int uid;

	if (geteuid() || !text || parse_number(text, 0, UINT_MAX - 1, &uid))
		return geteuid();
	return uid;
}

static uid_t dir_uid(unsigned int i)
{
	return i < CONTROL_OWN_DIRS ? geteuid() : sudo_uid();
}

/* Where systemd has the sockets of a login session. */
static int session_path(uid_t uid, char *path)
{
	char session[32];

	snprintf(session, sizeof(session), "/run/user/%u", uid);
	return is_owned(session, uid) ?
		       snprintf(path, PATH_MAX, "%s/lkvm", session) : 0;
}

static bool dir_path(unsigned int i, char *path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int len = 0;

	switch (i) {
	case DIR_RUNTIME:
		if (runtime && *runtime == '/' && is_owned(runtime, geteuid()))
			len = snprintf(path, PATH_MAX, "%s/lkvm", runtime);
		break;
	case DIR_RUN:
		len = snprintf(path, PATH_MAX, "/run/lkvm");
		break;
	case DIR_TMP:
	case DIR_SUDO_TMP:
		len = snprintf(path, PATH_MAX, "/tmp/lkvm-%u", dir_uid(i));
		break;
	case DIR_SESSION:
	case DIR_SUDO_SESSION:
		len = session_path(dir_uid(i), path);
	}
	return len > 0 && len < PATH_MAX;
}

static bool is_same(const char *a, const char *b)
{
	struct stat s, t;

	return !stat(a, &s) && !stat(b, &t) && s.st_dev == t.st_dev &&
	       s.st_ino == t.st_ino;
}

bool control_dir(unsigned int i, char *path)
{
	char other[PATH_MAX];

	if (!dir_path(i, path) || !dir_is_private(path, dir_uid(i)))
		return false;
	while (i--)
		if (dir_path(i, other) && is_same(path, other))
			return false;
	return true;
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

/*
 * 0: nobody has it; -EADDRINUSE: someone listens, a full backlog is someone's; another
 * error: that is not known.
 */
static int socket_free(const struct sockaddr_un *addr)
{
	int fd = connect_to(addr);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	return fd == -ENOENT || fd == -ECONNREFUSED ? 0 : fd;
}

bool control_name_of(const char *file, char *name)
{
	size_t len = strlen(file), suffix = strlen(CONTROL_SUFFIX);

	if (len <= suffix || len - suffix > CONTROL_NAME_MAX ||
	    strcmp(file + len - suffix, CONTROL_SUFFIX) != 0)
		return false;
	memcpy(name, file, len - suffix);
	name[len - suffix] = 0;
	return true;
}

/* The directory is locked. */
static void dir_clean(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[CONTROL_NAME_MAX + 1];
		struct sockaddr_un addr;

		if (control_name_of(entry->d_name, name) &&
		    address(&addr, path, name) && !socket_free(&addr))
			unlink(addr.sun_path);
	}
	if (dir)
		closedir(dir);
}

void control_clean(const char *dir)
{
	int lock = dir_lock(dir);

	if (lock < 0)
		return;
	dir_clean(dir);
	close(lock);
}

/*
 * The first directory that is there, or can be made.  That of a session is one only
 * for those whose environment says so: it goes with the session.
 */
static int dir_choose(char *path)
{
	for (unsigned int i = 0; i < DIR_SESSION; i++) {
		if (!dir_path(i, path))
			continue;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			continue;
		if (dir_is_private(path, geteuid()) && !access(path, W_OK | X_OK))
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

/* In any directory: this user may have had another environment. */
static int name_free(const char *name)
{
	char dir[PATH_MAX];
	struct sockaddr_un addr;
	int err = 0;

	for (unsigned int i = 0; i < CONTROL_OWN_DIRS && !err; i++)
		if (control_dir(i, dir) && address(&addr, dir, name))
			err = socket_free(&addr);
	return err;
}

static int claim_in(struct control_socket *s, const char *dir, const char *name)
{
	int lock = dir_lock(dir), err;

	if (lock < 0)
		return lock;
	dir_clean(dir);
	err = name_free(name);
	if (!err)
		err = socket_listen(s);
	close(lock);
	return err;
}

int control_claim(struct control_socket *s, const char *name)
{
	char dir[PATH_MAX];
	int err = control_check_name("--name ", name);

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
