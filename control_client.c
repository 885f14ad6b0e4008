// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ask a running guest something, see control_client.h.
 */
#include "control_client.h"
#include "clock.h"
#include "control.h"
#include "control_socket.h"
#include "log.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 10000		/* of a guest that is alive */
#define PROBE_MS 1000
#define NS_PER_MS 1000000
#define READ_SIZE 65536
#define RECONNECT_NS 100000000

/* --- which guests there are ----------------------------------------------- */

static void peer_init(struct control_peer *peer, const char *name, int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	*peer = (struct control_peer){ .name = name, .fd = fd };
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		peer->pid = cred.pid;
}

void control_disconnect(struct control_peer *peer)
{
	close(peer->fd);
	free(peer->buffer);
}

static void each_in(const char *dir, const char *file,
		    void (*found)(void *ctx, struct control_peer *peer),
		    void *ctx)
{
	char name[CONTROL_NAME_MAX + 1];
	struct control_peer peer;
	int fd;

	if (!control_name_of(file, name))
		return;
	fd = control_connect_in(dir, name);
	if (fd < 0)
		return;
	peer_init(&peer, name, fd);
	found(ctx, &peer);
	control_disconnect(&peer);
}

void control_for_each(void (*found)(void *ctx, struct control_peer *peer),
		      void *ctx)
{
	for (unsigned int i = 0; i < CONTROL_DIRS; i++) {
		char path[PATH_MAX];
		struct dirent *entry;
		DIR *dir;

		if (!control_dir(i, path))
			continue;
		if (i < CONTROL_OWN_DIRS)
			control_clean(path);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			each_in(path, entry->d_name, found, ctx);
		if (dir)
			closedir(dir);
	}
}

struct known {
	char text[512];
	size_t len;
};

static void add_known(void *ctx, struct control_peer *peer)
{
	struct known *known = ctx;

	if (known->len < sizeof(known->text))
		known->len += (size_t)snprintf(known->text + known->len,
					       sizeof(known->text) - known->len,
					       " %s", peer->name);
}

static int no_such_guest(const char *name)
{
	struct known known = { "", 0 };

	control_for_each(add_known, &known);
	if (known.len)
		log_error("%s: no such guest; there are:%s", name, known.text);
	else
		log_error("%s: no such guest; none of yours is running%s", name,
			  geteuid() ? "" :
			  " (those of USER: runuser -u USER -- lkvm list)");
	return -ENOENT;
}

/* No other error tells that nobody is there. */
static bool is_gone(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED;
}

/* A descriptor or -errno. */
static int connect_name(const char *name)
{
	char dir[PATH_MAX];
	int fd = -ENOENT;

	for (unsigned int i = 0; i < CONTROL_DIRS && is_gone(fd); i++)
		if (control_dir(i, dir))
			fd = control_connect_in(dir, name);
	return fd;
}

int control_connect(struct control_peer *peer, const char *name)
{
	int fd, err = control_check_name("", name);

	if (err)
		return err;
	fd = connect_name(name);
	if (is_gone(fd))
		return no_such_guest(name);
	if (fd == -EAGAIN)
		log_error("%s: the guest does not answer: too many others ask it; is its lkvm stopped?",
			  name);
	else if (fd < 0)
		log_error("%s: cannot reach the guest: %s", name, strerror(-fd));
	if (fd < 0)
		return fd;
	peer_init(peer, name, fd);
	return 0;
}

/*
 * The connection has ended, which its guest need not have.  0: there is another one;
 * -EPIPE: the guest is gone, though another may have its name by now.
 */
static int peer_reconnect(struct control_peer *peer)
{
	int fd = connect_name(peer->name);
	struct control_peer again;

	if (fd < 0)
		return is_gone(fd) ? -EPIPE : fd;
	peer_init(&again, peer->name, fd);
	if (again.pid != peer->pid) {
		close(fd);
		return -EPIPE;
	}
	close(peer->fd);
	peer->fd = fd;
	peer->len = 0;
	return 0;
}

/* --- asking --------------------------------------------------------------- */

static int peer_poll(const struct control_peer *peer, short events, u64 until)
{
	struct pollfd p = { .fd = peer->fd, .events = events };
	u64 now = now_ns();
	int n;

	if (now >= until)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)((until - now) / NS_PER_MS) + 1);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int peer_send(const struct control_peer *peer, const char *text,
		     size_t len, u64 until)
{
	while (len) {
		ssize_t n = send(peer->fd, text, len, MSG_NOSIGNAL);
		int err = 0;

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			err = peer_poll(peer, POLLOUT, until);
		} else {
			err = -EPIPE;
		}
		if (err)
			return err;
	}
	return 0;
}

static int peer_receive(struct control_peer *peer, u64 until)
{
	ssize_t n;
	int err = peer_poll(peer, POLLIN, until);

	if (err)
		return err;
	if (peer->room - peer->len < READ_SIZE) {
		size_t room = 2 * peer->room + READ_SIZE;
		char *buffer = realloc(peer->buffer, room);

		if (!buffer)
			return -ENOMEM;
		peer->buffer = buffer;
		peer->room = room;
	}
	n = recv(peer->fd, peer->buffer + peer->len, READ_SIZE, 0);
	if (n > 0)
		peer->len += (size_t)n;
	else if (!n || errno != EAGAIN)
		return -EPIPE;
	return 0;
}

/* One line of it as JSON. */
static int peer_read(struct control_peer *peer, u64 until, json_t **reply)
{
	char *end = NULL;
	size_t seen = 0, len;

	while (peer->len == seen ||
	       !(end = memchr(peer->buffer + seen, '\n', peer->len - seen))) {
		int err;

		seen = peer->len;
		err = peer_receive(peer, until);
		if (err)
			return err;
	}
	len = (size_t)(end - peer->buffer);
	*reply = json_loadb(peer->buffer, len, 0, NULL);
	peer->len -= len + 1;
	memmove(peer->buffer, end + 1, peer->len);
	return *reply ? 0 : -EPROTO;
}

static int peer_ask(struct control_peer *peer, const char *request,
		    json_t *fields, int ms, json_t **reply)
{
	u64 until = now_ns() + (u64)ms * NS_PER_MS;
	json_t *whole = fields ? fields : json_object();
	char *text;
	int err;

	json_object_set_new(whole, "version", json_integer(CONTROL_VERSION));
	json_object_set_new(whole, "request", json_string(request));
	text = json_dumps(whole, JSON_COMPACT);
	json_decref(whole);
	if (!text)
		return -ENOMEM;
	err = peer_send(peer, text, strlen(text), until);
	if (!err)
		err = peer_send(peer, "\n", 1, until);
	free(text);
	if (err && err != -EPIPE)
		return err;
	return peer_read(peer, until, reply);	/* also what it said last */
}

/* What @reply, which it takes over, says: a result, or an error to be told. */
static int peer_result(const struct control_peer *peer, json_t *reply,
		       json_t **result)
{
	json_t *error = json_object_get(reply, "error");

	*result = json_incref(json_object_get(reply, "result"));
	if (json_is_string(error))
		log_error("%s: %s", peer->name, json_string_value(error));
	json_decref(reply);
	return *result ? 0 : -EREMOTEIO;
}

static void tell_no_answer(const struct control_peer *peer, int err)
{
	switch (err) {
	case -EINTR:
		break;
	case -EPIPE:
		log_error("%s: the guest has ended", peer->name);
		break;
	case -ETIMEDOUT:
		log_error("%s: the guest does not answer; see whether its lkvm, process %d, is stopped or waits for the host's disk, or end it by kill -9 %d",
			  peer->name, peer->pid, peer->pid);
		break;
	default:
		log_error("%s: no answer from the guest: %s", peer->name,
			  strerror(-err));
	}
}

/* -EPIPE: the guest, not only the connection, has ended. */
static int peer_ask_again(struct control_peer *peer, const char *request,
			  json_t *fields, int ms, json_t **reply)
{
	int err = peer_ask(peer, request, json_incref(fields), ms, reply);

	if (err == -EPIPE) {
		err = peer_reconnect(peer);
		if (!err)
			err = peer_ask(peer, request, json_incref(fields), ms,
				       reply);
	}
	json_decref(fields);
	return err;
}

int control_ask(struct control_peer *peer, const char *request, json_t *fields,
		json_t **result)
{
	json_t *reply = NULL;
	int err = peer_ask_again(peer, request, fields, ANSWER_MS, &reply);

	if (!err)
		return peer_result(peer, reply, result);
	tell_no_answer(peer, err);
	return err;
}

int control_probe(struct control_peer *peer, const char *request,
		  json_t **result)
{
	json_t *reply = NULL;
	int err = peer_ask_again(peer, request, NULL, PROBE_MS, &reply);

	*result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return err || *result ? err : -EREMOTEIO;
}

int control_request(const char *name, const char *request, json_t *fields,
		    json_t **result)
{
	struct control_peer peer;
	json_t *answer = NULL;
	int err = control_connect(&peer, name);

	if (err) {
		json_decref(fields);
		return err;
	}
	err = control_ask(&peer, request, fields, &answer);
	control_disconnect(&peer);
	if (!err && result)
		*result = answer;
	else
		json_decref(answer);
	return err;
}

bool control_wait_end(struct control_peer *peer, int ms)
{
	u64 until = ms < 0 ? ~0ull : now_ns() + (u64)ms * NS_PER_MS;
	const struct timespec pause = { .tv_nsec = RECONNECT_NS };

	while (now_ns() < until) {
		peer->len = 0;	/* nothing was asked */
		if (peer_receive(peer, until) != -EPIPE)
			continue;
		if (peer_reconnect(peer) == -EPIPE)
			return true;
		nanosleep(&pause, NULL);	/* it may have too many clients */
	}
	return false;
}

/* --- command lines -------------------------------------------------------- */

static int wrong_words(const struct control_command *c, int n, char **words)
{
	if (n > c->max)
		return options_unexpected(c->name, words[c->max]);
	log_error("%s: too few arguments: lkvm %s %s; see lkvm %s --help",
		  c->name, c->name, c->usage, c->name);
	return -EINVAL;
}

int control_parse(const struct control_command *c, int argc, char **argv)
{
	bool help = false;
	const struct option_spec only_help[] = {
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct option_spec *specs = c->specs ? c->specs : only_help;
	int n = 0, at = 1, next;

	while (at < argc) {
		next = options_parse(specs, c->name, argc - at + 1,
				     argv + at - 1);
		if (next < 0)
			return next;
		at += next - 1;
		if (at < argc)
			argv[1 + n++] = argv[at++];
	}
	if (c->specs ? *c->help : help) {
		printf("usage: lkvm %s %s\n\n", c->name, c->usage);
		options_help(specs);
		if (c->about)
			printf("\n%s", c->about);
		return -1;
	}
	return n < c->min || n > c->max ? wrong_words(c, n, argv + 1) : n;
}
