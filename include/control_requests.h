/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a running guest does for its clients: the requests of docs/control.md.
 */
#ifndef LKVM_CONTROL_REQUESTS_H
#define LKVM_CONTROL_REQUESTS_H

#include "control.h"
#include <stdbool.h>

/* Their context is the struct run.  Ends with a NULL name. */
extern const struct control_request control_requests[];

/* control_disk.c */
void control_resize(struct control_call *call);
void control_throttle(struct control_call *call);
void control_set_poll(struct control_call *call);
/* control_debug.c */
void control_debug(struct control_call *call);

/* Refuses a request that has other fields, too; @fields end with NULL. */
bool control_takes(struct control_call *call, const char *const *fields);
#define CONTROL_TAKES(call, ...) \
	control_takes(call, (const char *const[]){ __VA_ARGS__, NULL })
#define CONTROL_TAKES_NOTHING(call) \
	control_takes(call, (const char *const[]){ NULL })
/* The field @key, true or false (also if it is not there); else refuses. */
bool control_bool(struct control_call *call, const char *key, bool *value);

#endif
