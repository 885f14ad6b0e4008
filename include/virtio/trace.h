/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recording requests for --trace (the file: trace_format.h).
 *
 * Each queue has a ring of records of its own, which its I/O thread fills and one
 * writer thread empties into the file.  Recording is a few stores: no lock, no
 * allocation, no system call.  Where the writer cannot keep up records are
 * dropped and counted.
 */
#ifndef LKVM_VIRTIO_TRACE_H
#define LKVM_VIRTIO_TRACE_H

#include "virtio/trace_format.h"

#define TRACE_RING 65536u	/* records of a queue */

struct trace;

/* Of trace.c; here for trace_request() to be inlined. */
struct trace_queue {
	/* The I/O thread's. */
	_Alignas(128) u64 head;		/* records made */
	u64 limit;			/* there is room up to here */
	struct trace_record *records;
	u64 popped;			/* not submitted yet; 0: none */
	u32 npopped;
	/* Written by it, read by the writer. */
	u64 shown;			/* up to here they are whole */
	u64 dropped;
	/* The writer's, read by the I/O thread. */
	_Alignas(128) u64 tail;		/* records written */
	u64 dropped_told;
	u32 index;
	struct trace_lane lane;
	struct trace_queue *next;
};

/*
 * Begin the regular file @path, which outlives it.  A file that is there is
 * overwritten only if it is a trace that nobody writes, or empty; devices and pipes
 * are refused.
 * 0 or -errno with a message.
 */
int trace_open(struct trace **tp, const char *path);
/* Before trace_start(); freed by trace_close().  0 or -ENOMEM with a message. */
int trace_add(struct trace *t, const char *disk, unsigned int queue,
	      unsigned int depth, struct trace_queue **qp);
/* All queues are there: begin to write.  0 or -errno with a message. */
int trace_start(struct trace *t);
/* The I/O threads have stopped: write what is left, and the end. */
void trace_stop(struct trace *t);
void trace_close(struct trace *t);

/* --- on the I/O thread of the queue; times as of iothread_now() ----------- */

/* Requests were popped at @now. */
void trace_popped(struct trace_queue *q, u64 now, unsigned int n);
/* Whether trace_popped() came since trace_submit(). */
static inline bool trace_pending(const struct trace_queue *q)
{
	return q->popped;
}

/* They are about to be submitted. */
void trace_submit(struct trace_queue *q, u64 now);
/* The last @n requests are shown to the guest. */
void trace_publish(struct trace_queue *q, u64 now, unsigned int n);
void trace_interrupt(struct trace_queue *q, u64 now, bool sent);

/* The ring seems full.  Returns whether it is not, else counts a dropped record. */
bool trace_room(struct trace_queue *q);

static inline void trace_add_record(struct trace_queue *q,
				    struct trace_record record)
{
	if (q->head == q->limit && !trace_room(q))
		return;
	q->records[q->head++ % TRACE_RING] = record;
}

/* A request that was popped at @popped is complete; @offset and @len in bytes. */
static inline void trace_request(struct trace_queue *q, u64 now, u64 popped,
				 enum trace_op op, u8 status, u64 offset,
				 u64 len)
{
	trace_add_record(q, (struct trace_record){ .ns = now,
						   .popped = popped,
						   .sector = offset >> 9,
						   .count = (u32)(len >> 9),
						   .kind = TRACE_REQUEST,
						   .op = (u8)op,
						   .status = status });
}

#endif
