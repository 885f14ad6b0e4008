/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lkvm trace makes of requests: sums (trace_table.c) or a picture
 * (trace_svg.c).  Requests that the user has not asked for never get here.
 */
#ifndef LKVM_TRACE_SHOW_H
#define LKVM_TRACE_SHOW_H

#include "trace_read.h"
#include <stdio.h>

/* What a request does from one time to the next. */
enum trace_stage {
	TRACE_STAGE_SUBMIT,	/* decoded, checked, merged with others */
	TRACE_STAGE_DISK,
	TRACE_STAGE_PUBLISH,	/* others of its batch complete */
	TRACE_STAGE_TOTAL,	/* from first to last */
	TRACE_STAGES
};

/* Its length in ns, or TRACE_UNKNOWN. */
u64 trace_stage_ns(const struct trace_request *r, enum trace_stage stage);

struct trace_table;

/* For @n queues; @lanes outlive it.  0 or -ENOMEM with a message. */
int trace_table_new(struct trace_table **tp, const struct trace_lane *lanes,
		    u32 n);
void trace_table_free(struct trace_table *t);
/* The user has not asked for @lane: nothing of it comes, nor is it shown. */
void trace_table_leave_out(struct trace_table *t, u32 lane);
/* 0 or -ENOMEM with a message. */
int trace_table_request(struct trace_table *t, const struct trace_request *r);
void trace_table_batch(struct trace_table *t, u32 lane, u32 requests);
void trace_table_publish(struct trace_table *t, u32 lane);
void trace_table_interrupt(struct trace_table *t, u32 lane, bool sent);
void trace_table_dropped(struct trace_table *t, u32 lane, u64 n);
/* For a person; or as JSON: 0 or -ENOMEM with a message. */
void trace_table_print(const struct trace_table *t, FILE *to);
int trace_table_json(const struct trace_table *t, FILE *to);

/* A timeline of @n requests, which it sorts.  0 or -ENOMEM with a message. */
int trace_svg(FILE *to, const struct trace_lane *lanes,
	      struct trace_request *requests, size_t n);

#endif
