// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's side of the control socket, see control.h: connections, lines,
 * and which request is whose.
 *
 * All descriptors are in one epoll set, of which the main loop watches one
 * descriptor.  Each call serves one event: a request of one client, or a part of
 * a reply, or new clients.  So no client can keep the main
 * thread from its other work, or from other clients.
 */
#include "control.h"
#include "control_socket.h"
#include "json_text.h"
#include "kvm/vm.h"
#include "log.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	size_t len;
	char line[CONTROL_LINE_MAX];
	char *reply;		/* NULL: none under way */
	size_t reply_len;
	size_t sent;
	bool closing;		/* when its reply is sent */
};

struct control {
	struct control_socket socket;
	int epoll_fd;
	const struct control_request *requests;
	void *ctx;
	struct client *clients[CONTROL_CLIENTS_MAX];	/* NULL: free */
};

void control_refuse(struct control_call *call, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(call->error, sizeof(call->error), fmt, args);
	va_end(args);
}

/* --- requests ------------------------------------------------------------- */

static void unknown_request(const struct control *c, struct control_call *call,
			    const char *name)
{
	char known[256] = "";
	size_t len = 0;

	for (const struct control_request *r = c->requests; r->name; r++)
		if (len < sizeof(known))
			len += (size_t)snprintf(known + len,
						sizeof(known) - len, " %s",
						r->name);
	control_refuse(call, "unknown request %.64s; there are:%s", name, known);
}

static void control_dispatch(const struct control *c, struct control_call *call)
{
	const struct control_request *r = c->requests;
	json_t *version = json_object_get(call->request, "version");
	const char *name = json_string_value(
		json_object_get(call->request, "request"));

	if (!json_is_object(call->request)) {
		control_refuse(call, "a request is an object: {\"version\": %d, \"request\": NAME, ...}",
			       CONTROL_VERSION);
		return;
	}
	if (!json_is_integer(version) ||
	    json_integer_value(version) != CONTROL_VERSION) {
		control_refuse(call, "this guest's lkvm takes \"version\": %d; use an lkvm as old as that",
			       CONTROL_VERSION);
		return;
	}
	if (!name) {
		control_refuse(call, "\"request\" is missing, or no string");
		return;
	}
	while (r->name && strcmp(r->name, name) != 0)
		r++;
	if (!r->name) {
		unknown_request(c, call, name);
		return;
	}
	json_object_del(call->request, "version");
	json_object_del(call->request, "request");
	r->serve(call);
}

/* The reply to a line; NULL: out of memory. */
static json_t *control_answer(const struct control *c, const char *line,
			      size_t len)
{
	struct control_call call = { .ctx = c->ctx };
	json_error_t error;
	json_t *reply;

	call.request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (call.request)
		control_dispatch(c, &call);
	else
		control_refuse(&call, "not JSON: %s", error.text);
	if (call.result)
		reply = json_pack("{s:i, s:o}", "version", CONTROL_VERSION,
				  "result", call.result);
	else
		reply = json_pack("{s:i, s:o}", "version", CONTROL_VERSION,
				  "error", json_text(*call.error ?
							     call.error :
							     "out of memory"));
	json_decref(call.request);
	return reply;
}

/* --- clients -------------------------------------------------------------- */

static void client_drop(struct control *c, struct client *client)
{
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i] == client)
			c->clients[i] = NULL;
	close(client->fd);	/* and leaves the epoll set */
	free(client->reply);
	free(client);
}

/* Takes over @reply.  False: out of memory. */
static bool client_reply(struct client *client, json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

	json_decref(reply);
	if (!text)
		return false;
	client->reply_len = strlen(text) + 1;
	text[client->reply_len - 1] = '\n';	/* in place of the final 0 */
	client->reply = text;
	client->sent = 0;
	return true;
}

/* The last it hears.  False: out of memory. */
static bool client_refuse(struct client *client, const char *error)
{
	client->closing = true;
	client->len = 0;
	return client_reply(client, json_pack("{s:i, s:s}", "version",
					      CONTROL_VERSION, "error", error));
}

/* The next line that is there whole, if there is one.  False: drop it. */
static bool client_serve(struct control *c, struct client *client)
{
	char *end = memchr(client->line, '\n', client->len);
	size_t len;

	if (!end)
		return client->len < sizeof(client->line) ||
		       client_refuse(client, "the line is too long");
	len = (size_t)(end - client->line);
	if (!client_reply(client, control_answer(c, client->line, len)))
		return false;
	client->len -= len + 1;
	memmove(client->line, end + 1, client->len);
	return true;
}

static bool client_receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->line + client->len,
			 sizeof(client->line) - client->len, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n && client->len) {	/* the last line may lack its end */
		client->line[client->len++] = '\n';
		return true;
	}
	if (!n)
		return false;
	client->len += (size_t)n;
	return true;
}

static bool client_send(struct client *client)
{
	ssize_t n = send(client->fd, client->reply + client->sent,
			 client->reply_len - client->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += (size_t)n;
	if (client->sent < client->reply_len)
		return true;
	free(client->reply);
	client->reply = NULL;
	return !client->closing;
}

/* While it owes something it can only take its reply, not ask for more. */
static bool client_wait(const struct control *c, struct client *client)
{
	bool owed = client->reply || memchr(client->line, '\n', client->len);
	struct epoll_event event = {
		.events = owed ? EPOLLOUT : EPOLLIN,
		.data.ptr = client,
	};

	return !epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

static void client_ready(struct control *c, struct client *client)
{
	bool stay = true;

	if (!client->reply) {
		if (!memchr(client->line, '\n', client->len))
			stay = client_receive(client);
		stay = stay && client_serve(c, client);
	}
	if (stay && client->reply)
		stay = client_send(client);
	if (!stay || !client_wait(c, client))
		client_drop(c, client);
}

/* Nobody is there to hear an answer. */
static bool client_gone(const struct client *client)
{
	struct pollfd p = { .fd = client->fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* NULL: there are too many. */
static struct client **client_place(struct control *c)
{
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (!c->clients[i])
			return &c->clients[i];
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (!client_gone(c->clients[i]))
			continue;
		client_drop(c, c->clients[i]);
		return &c->clients[i];
	}
	return NULL;
}

static void client_new(struct control *c, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	struct client **place;

	if (!client || epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		free(client);
		close(fd);
		return;
	}
	client->fd = fd;
	place = client_place(c);
	if (place) {
		*place = client;
		return;
	}
	/* Those who are here may wait for the guest's end: they stay. */
	if (client_refuse(client, "it has too many clients; end one, like an lkvm stat --watch, and try again"))
		client_send(client);
	client_drop(c, client);
}

static void control_accept(struct control *c)
{
	int fd;

	while ((fd = accept4(c->socket.fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		client_new(c, fd);
}

static void control_ready(void *ctx)
{
	struct control *c = ctx;
	struct epoll_event event;

	if (epoll_wait(c->epoll_fd, &event, 1, 0) != 1)
		return;
	if (event.data.ptr)
		client_ready(c, event.data.ptr);
	else
		control_accept(c);
}

/* By edges: where descriptors have run out, those who wait do not wake us. */
static int control_listen(struct control *c)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd >= 0 &&
	    !epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->socket.fd, &event))
		return 0;
	log_error("control socket: %s; raise the limit of open files (ulimit -n)",
		  strerror(errno));
	return -EMFILE;
}

int control_new(struct control **cp, struct vm *vm, const char *name,
		const struct control_request *requests, void *ctx)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return log_no_memory();
	c->requests = requests;
	c->ctx = ctx;
	c->epoll_fd = -1;
	err = control_claim(&c->socket, name);
	if (!err)
		err = control_listen(c);
	if (err) {
		control_free(c);
		return err;
	}
	vm_watch(vm, c->epoll_fd, POLLIN, control_ready, c);
	*cp = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	control_release(&c->socket);
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i])
			client_drop(c, c->clients[i]);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	free(c);
}
