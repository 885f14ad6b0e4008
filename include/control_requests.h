/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a running guest does for its clients: the requests of docs/control.md.
 */
#ifndef LKVM_CONTROL_REQUESTS_H
#define LKVM_CONTROL_REQUESTS_H

#include "control.h"

/* Their context is the struct run.  Ends with a NULL name. */
extern const struct control_request control_requests[];

#endif
