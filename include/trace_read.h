/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of --trace as requests, each with the times of all its stages: what
 * lkvm trace makes its tables and pictures of.
 */
#ifndef LKVM_TRACE_READ_H
#define LKVM_TRACE_READ_H

#include "virtio/trace_format.h"

/*
 * Times in ns since the trace began, each at least the one before it;
 * TRACE_UNKNOWN: its record was dropped.
 */
#define TRACE_UNKNOWN (~0ull)

struct trace_request {
	u32 lane;		/* index of its queue */
	enum trace_op op;
	u8 status;
	u64 sector;
	u64 bytes;
	u64 popped;		/* never unknown */
	u64 submitted;		/* popped, if it was never for the disk */
	u64 completed;		/* never unknown */
	u64 published;
};

/* What the file says, in its order; within a queue that is the order of publication. */
struct trace_sink {
	/* The queues, before all else; they last until trace_read() is over. */
	int (*begin)(void *ctx, const struct trace_lane *lanes, u32 n);
	/* 0, or -errno with a message, which ends it. */
	int (*request)(void *ctx, const struct trace_request *r);
	void (*batch)(void *ctx, u32 lane, u64 ns, u32 n);
	void (*publish)(void *ctx, u32 lane, u64 ns, u32 n);
	void (*interrupt)(void *ctx, u32 lane, u64 ns, bool sent);
	void (*dropped)(void *ctx, u32 lane, u64 n);
	/* All was read; 0 or -errno with a message. */
	int (*end)(void *ctx);
};

/*
 * Read the file @path, which may be hostile.  Warns if it ends too early, as after
 * kill -9.  0 or -errno with a message.
 */
int trace_read(const char *path, const struct trace_sink *sink, void *ctx);

const char *trace_op_name(enum trace_op op);

#endif
