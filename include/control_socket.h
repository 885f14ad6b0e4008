/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where guests are found: NAME.sock in $XDG_RUNTIME_DIR/lkvm, in /run/lkvm, or in
 * /tmp/lkvm-UID, the first of them that can be written.  A guest of a user is
 * looked for in all of them, and in /run/user/UID/lkvm; by root with SUDO_UID in both
 * of that user, too.
 *
 * Whoever makes or removes a socket holds a lock on its directory meanwhile, and
 * makes it listen before that is given back.  So a socket that refuses to be
 * connected is one whose owner has died.
 */
#ifndef LKVM_CONTROL_SOCKET_H
#define LKVM_CONTROL_SOCKET_H

#include "endian.h"
#include <sys/types.h>
#include <sys/un.h>

#define CONTROL_OWN_DIRS 4
#define CONTROL_DIRS 6	/* for sudo, those of the user behind it, too */
#define CONTROL_NAME_MAX 64
#define CONTROL_SUFFIX ".sock"

/* Whether a guest can have this name, of "--@option " or "".  0 or -EINVAL, with a message. */
int control_check_name(const char *option, const char *name);

/* A socket that listens, and is removed by control_release(). */
struct control_socket {
	int fd;			/* non-blocking */
	struct sockaddr_un addr;
	dev_t dev;
	ino_t ino;
};

/*
 * Make the socket of guest @name, which no other guest of this user may have; those
 * of dead ones go.
 * 0 or -errno with a message: -EADDRINUSE if one has.
 */
int control_claim(struct control_socket *s, const char *name);
/* Removed before it is closed: who sees the end may use the name again. */
void control_release(struct control_socket *s);

/*
 * The @i-th directory of sockets, of CONTROL_DIRS, into @path of PATH_MAX bytes; the
 * first CONTROL_OWN_DIRS are this user's own.  False: there is none.
 */
bool control_dir(unsigned int i, char *path);
/*
 * Connect to guest @name in @dir.  A non-blocking descriptor, -ENOENT if there is
 * none, -ECONNREFUSED if it has died.  No message.
 */
int control_connect_in(const char *dir, const char *name);
/* The NAME of @file, NAME.sock, into @name of CONTROL_NAME_MAX + 1 bytes. */
bool control_name_of(const char *file, char *name);
/* Remove what is left in @dir of guests that have died; others are left alone. */
void control_clean(const char *dir);

#endif
