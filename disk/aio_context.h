/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The AIO context of an I/O thread: what all its queues stage goes to the kernel
 * in one io_submit() per turn, and what completes is read from the ring that
 * the kernel maps.  Private to disk/aio.c.
 *
 * Each call staged is completed exactly once, with the kernel's result, from
 * the thread's run or flush, never from the staging functions themselves.
 */
#ifndef LKVM_DISK_AIO_CONTEXT_H
#define LKVM_DISK_AIO_CONTEXT_H

#include "barrier.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include <assert.h>
#include <libaio.h>

#define AIO_LINE 128		/* one cache line on POWER8 */

#define AIO_SIGNAL 1	/* IOCB_FLAG_RESFD of linux/aio_abi.h */

/* Part of the owner's request. */
struct aio_call {
	struct iocb iocb;
	/* @res: bytes or a negative errno.  May stage this call and others. */
	void (*complete)(struct aio_call *call, long res);
};

/* Owned by the I/O thread. */
struct aio_context {
	_Alignas(AIO_LINE) struct iothread_client client; /* found from it */
	io_context_t id;
	struct aio_ring *ring;	/* NULL: not the layout we know */
	unsigned int depth;	/* of all queues: calls that may be staged */
	unsigned int inflight;
	unsigned int npending;
	unsigned int ndeferred;
	bool full;		/* the kernel took no more: wait for completions */
	bool quiet;		/* the device completes inside io_submit() */
	unsigned int unheard;	/* in flight without a signal to come */
	struct iocb **pending;	/* staged */
	struct iocb **deferred;	/* need no I/O, only complete() */
	struct disk_thread_stats stats;

	unsigned int users;	/* queues */
	const char *path;	/* of the first, for messages */
};

/*
 * Before @thread runs: its context, with room for @depth calls more.  @path
 * outlives it.  0 or -errno, with a message; then @thread must not be started.
 */
int aio_context_get(struct iothread *thread, const char *path,
		    unsigned int depth, struct aio_context **ctxp);
/* After the thread has stopped; it must not be started again. */
void aio_context_put(struct aio_context *ctx);

void aio_call_init(struct aio_context *ctx, struct aio_call *call,
		   void (*complete)(struct aio_call *call, long res));

static inline void aio_count(u64 *counter, u64 n)
{
	write_once(counter, *counter + n);
}

/* Submit it in this turn's flush. */
static inline void aio_call_stage(struct aio_context *ctx,
				  struct aio_call *call)
{
	assert(ctx->npending < ctx->depth);
	call->iocb.u.c.flags = ctx->quiet ? 0 : AIO_SIGNAL;
	ctx->pending[ctx->npending++] = &call->iocb;
	ctx->client.ready = true;
}

/* Complete it with @res in this turn's flush, without any I/O. */
static inline void aio_call_defer(struct aio_context *ctx,
				  struct aio_call *call, int res)
{
	assert(ctx->ndeferred < ctx->depth);
	call->iocb.u.c.offset = res;
	ctx->deferred[ctx->ndeferred++] = &call->iocb;
	ctx->client.ready = true;
}

#endif
