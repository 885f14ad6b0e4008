/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The AIO context of an I/O thread: what all its queues stage goes to the kernel
 * together, once per turn, by way of an engine.  Private to disk/.
 *
 * Each call staged is completed exactly once, with the kernel's result, from
 * the thread's run or flush, never from the staging functions themselves.
 *
 * What the engines share is in aio_context.c.  An engine is a file with one
 * const struct aio_engine, whose thread operations are clients of the I/O
 * thread themselves: nothing stands between a turn and its engine.  It takes
 * calls from pending, keeps count of those in flight, and completes them.
 */
#ifndef LKVM_DISK_AIO_CONTEXT_H
#define LKVM_DISK_AIO_CONTEXT_H

#include "barrier.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include <assert.h>
#include <libaio.h>

#define AIO_LINE 128		/* the longest cache line there is */

#define AIO_FILES 16		/* known to a context, the first ones */

#define AIO_SIGNAL 1u	/* IOCB_FLAG_RESFD of linux/aio_abi.h */

/* Part of the owner's request.  One kernel call, as an iocb for all engines. */
struct aio_call {
	struct iocb iocb;
	/* @res: bytes or a negative errno.  May stage this call and others. */
	void (*complete)(struct aio_call *call, long res);
};

struct aio_context;

struct aio_engine {
	const char *name;
	struct iothread_ops thread;	/* start is aio_context_start() */
	size_t size;	/* of its context, which begins with struct aio_context */
	/*
	 * Before the thread runs.  0 or -errno, with a message.  May make
	 * native the context's engine, and start that.
	 */
	int (*start)(struct aio_context *ctx);
	/* Undoes start, after the thread has stopped. */
	void (*stop)(struct aio_context *ctx);
};

/* Owned by the I/O thread. */
struct aio_context {
	_Alignas(AIO_LINE) struct iothread_client client; /* found from it */
	unsigned int depth;	/* of all queues: calls that may be staged */
	unsigned int inflight;
	unsigned int npending;
	unsigned int ndeferred;
	bool full;		/* the kernel took no more: wait for completions */
	bool quiet;		/* native: the device completes inside io_submit() */
	unsigned int batch;	/* calls that one submission may carry */
	struct iocb **pending;	/* staged */
	struct iocb **deferred;	/* need no I/O, only complete() */
	struct disk_thread_stats stats;

	/* For set-up and tear-down. */
	const struct aio_engine *engine;
	bool started;
	unsigned int users;	/* queues */
	const char *path;	/* of the first, for messages */
	struct disk_info *info;	/* of the first, which tells the engine */
	unsigned int nfiles;	/* that calls name, for io_uring to register: */
	int files[AIO_FILES];
	struct iovec memory;	/* of most buffers, for io_uring to pin */
};

extern const struct aio_engine aio_native;
extern const struct aio_engine aio_uring;
extern const struct aio_engine aio_threads;

/* Why a disk has native instead. */
#define AIO_URING_REFUSED "the kernel refuses io_uring"
/* Whether the kernel lets @path have io_uring; if not, warns that native is used. */
bool aio_uring_allowed(const char *path);

/*
 * Before @thread runs: its context for @engine, with room for @depth calls more.
 * @path outlives it.  0 or -errno, with a message; then @thread must not be
 * started.
 */
int aio_context_get(struct iothread *thread, const struct aio_engine *engine,
		    const char *path, unsigned int depth,
		    struct aio_context **ctxp);
/* After the thread has stopped; it must not be started again. */
void aio_context_put(struct aio_context *ctx);

/* Calls will name @fd, if it is not -1.  Before the thread runs. */
void aio_context_add_file(struct aio_context *ctx, int fd);

void aio_call_init(struct aio_context *ctx, struct aio_call *call,
		   void (*complete)(struct aio_call *call, long res));

/* --- for staging --------------------------------------------------------- */

/*
 * Submit it in this turn's flush.  @durable: it waits for the medium, and so is
 * not complete when io_submit() returns.
 */
static inline void aio_call_stage(struct aio_context *ctx,
				  struct aio_call *call, bool durable)
{
	assert(ctx->npending < ctx->depth);
	call->iocb.u.c.flags = ctx->quiet && !durable ? 0 : AIO_SIGNAL;
	ctx->pending[ctx->npending++] = &call->iocb;
}

/* Complete it with @res in this turn's flush, without any I/O. */
static inline void aio_call_defer(struct aio_context *ctx,
				  struct aio_call *call, int res)
{
	assert(ctx->ndeferred < ctx->depth);
	call->iocb.u.c.offset = res;
	ctx->deferred[ctx->ndeferred++] = &call->iocb;
}

/* --- for engines --------------------------------------------------------- */

int aio_context_start(struct iothread_client *c);
/* The first @n of pending are the engine's now. */
void aio_unpend(struct aio_context *ctx, unsigned int n);
void aio_complete_deferred(struct aio_context *ctx);
/* A number from /proc/sys or /sys, 0 if there is none. */
unsigned long long aio_sysctl(const char *path);

/* A reap that found @n. */
static inline void aio_count_reaped(struct aio_context *ctx, unsigned int n)
{
	counter_add(&ctx->stats.reaps, 1);
	counter_add(&ctx->stats.reaped, n);
}

/* Whether @left calls, or deferred ones, want another turn at once. */
static inline bool aio_wants_turn(const struct aio_context *ctx,
				  unsigned int left)
{
	/* If there was no room a completion makes some, if one is to come. */
	return ctx->ndeferred || (left && !(ctx->full && ctx->inflight));
}

#endif
