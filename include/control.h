/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket of a running guest: JSON lines, docs/control.md.
 *
 * Served by the main thread between its other events.  Clients may be slow,
 * hostile or gone: nothing waits for them, each has one line of input and one
 * reply in memory, and when there are too many, one more is told so.
 */
#ifndef LKVM_CONTROL_H
#define LKVM_CONTROL_H

#include <jansson.h>
#include <stddef.h>

#define CONTROL_VERSION 1
#define CONTROL_LINE_MAX 4096
#define CONTROL_CLIENTS_MAX 32

struct control;
struct vm;

/* What is asked, and what comes of it. */
struct control_call {
	void *ctx;
	json_t *request;	/* an object, without "version" and "request" */
	json_t *result;		/* the answer's, or NULL: ... */
	char error[512];	/* ... why not */
};

struct control_request {
	const char *name;
	/* On the main thread; sets ->result or ->error. */
	void (*serve)(struct control_call *call);
};

/* Sets the error of @call. */
void control_refuse(struct control_call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Make the socket of guest @name, and serve @requests, which end with a NULL
 * name, by vm_watch().  0 or -errno, with a message.
 */
int control_new(struct control **cp, struct vm *vm, const char *name,
		const struct control_request *requests, void *ctx);
/* Remove the socket, drop all clients.  @c may be NULL. */
void control_free(struct control *c);

#endif
