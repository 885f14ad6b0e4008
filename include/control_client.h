/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's side of control sockets: find a guest, ask it, tell what went
 * wrong.  Everything here is for commands: it blocks, but no longer than a guest
 * may take to answer.
 */
#ifndef LKVM_CONTROL_CLIENT_H
#define LKVM_CONTROL_CLIENT_H

#include "options.h"
#include <jansson.h>
#include <sys/types.h>

/* A connection to a guest. */
struct control_peer {
	const char *name;
	int fd;
	pid_t pid;		/* of its lkvm */
	char *buffer;		/* what it has said, and nobody has read */
	size_t len;
	size_t room;
};

/* 0 or -errno with a message, which for an unknown name has the known ones. */
int control_connect(struct control_peer *peer, const char *name);
void control_disconnect(struct control_peer *peer);

/*
 * Send a request: @name, and the fields of @fields, which it takes over, or NULL.
 * 0 and *@result, which is the caller's; or -errno, with the guest's own message:
 * -EREMOTEIO if it refused, -EPIPE if it has ended.
 */
int control_ask(struct control_peer *peer, const char *request, json_t *fields,
		json_t **result);
/* The same with a connection for it alone; @result may be NULL. */
int control_request(const char *name, const char *request, json_t *fields,
		    json_t **result);

/* Wait until the guest has ended, so many ms, -1: for ever.  False: it has not. */
bool control_wait_end(struct control_peer *peer, int ms);

/*
 * Call @found for each guest, in no order; what is left of those that have died is
 * removed.  @peer is connected, and closed when it returns.
 */
void control_for_each(void (*found)(void *ctx, struct control_peer *peer),
		      void *ctx);
/*
 * The same as control_ask(), but quiet, and soon: -ETIMEDOUT.  -EREMOTEIO also if it
 * has too many clients.
 */
int control_probe(struct control_peer *peer, const char *request,
		  json_t **result);

/* The command line of a control command. */
struct control_command {
	const char *name;
	const char *usage;		/* "NAME DISK SIZE [--shrink]" */
	const char *about;		/* lines behind the options, or NULL */
	const struct option_spec *specs;	/* with its own --help, into *help; */
	const bool *help;			/* NULL: it has no other option */
	int min, max;			/* words beside options */
};

/*
 * Options may stand before, between and behind the words, which are moved to
 * argv[1...].  Returns how many there are, 0 or more; after --help, which it
 * prints, -1; -EINVAL with a message.
 */
int control_parse(const struct control_command *command, int argc, char **argv);

#endif
