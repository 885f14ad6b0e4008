// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine for files in the host's page cache, where io_submit() would block
 * its thread: a bounded pool of workers per context, which make the system
 * calls and wait for them.
 *
 * run, flush and sleep are the I/O thread's; workers touch struct pool alone,
 * under its lock, and the call that they carry out.  Calls are handed over and
 * taken back in batches: the I/O thread takes the lock once to submit and once
 * to reap, and not at all to see that nothing is complete.  complete() runs on
 * the I/O thread.
 */
#include "disk/aio_context.h"
#include "log.h"
#include "probes.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKERS_MAX 8

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	unsigned int nworkers;
	pthread_t workers[WORKERS_MAX];
	int fd;			/* wakes the I/O thread */

	/* Under the lock; ndone is also read without it. */
	unsigned int idle;	/* workers that wait for work */
	bool asleep;		/* the I/O thread wants a signal */
	bool stop;
	struct aio_call **todo;	/* a ring of depth: each call is in it once */
	unsigned int depth;
	unsigned int first;
	unsigned int ntodo;
	unsigned int ndone;
	struct aio_call **done;	/* their results in iocb.u.c.offset */
};

struct threads_context {
	struct aio_context ctx;	/* first: found from it */
	struct pool *pool;
	struct aio_call **reaped;	/* the I/O thread's, swapped with done */
};

/* --- workers ------------------------------------------------------------- */

static long worker_rw(const struct iocb *iocb)
{
	struct iovec iov = { iocb->u.c.buf, iocb->u.c.nbytes };
	struct iovec *v = &iov;
	int n = 1;

	if (iocb->aio_lio_opcode == IO_CMD_PREADV ||
	    iocb->aio_lio_opcode == IO_CMD_PWRITEV) {
		v = iocb->u.c.buf;
		n = (int)iocb->u.c.nbytes;
	}
	if (iocb->aio_lio_opcode == IO_CMD_PREADV ||
	    iocb->aio_lio_opcode == IO_CMD_PREAD)
		return preadv(iocb->aio_fildes, v, n, iocb->u.c.offset);
	return pwritev2(iocb->aio_fildes, v, n, iocb->u.c.offset,
			iocb->aio_rw_flags);
}

/* Bytes or a negative errno. */
static long worker_carry_out(const struct iocb *iocb)
{
	long n;

	do {
		if (iocb->aio_lio_opcode == IO_CMD_FDSYNC)
			n = fdatasync(iocb->aio_fildes);
		else
			n = worker_rw(iocb);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Lock held.  The next call, or NULL: end. */
static struct aio_call *worker_take(struct pool *p)
{
	struct aio_call *call;

	while (!p->ntodo && !p->stop) {
		p->idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	if (!p->ntodo)
		return NULL;
	call = p->todo[p->first];
	p->first = p->first + 1 == p->depth ? 0 : p->first + 1;
	p->ntodo--;
	return call;
}

/* Lock held. */
static void worker_give(struct pool *p, struct aio_call *call)
{
	p->done[p->ndone] = call;
	write_once(&p->ndone, p->ndone + 1);
	if (p->asleep) {
		p->asleep = false;
		eventfd_write(p->fd, 1);
	}
}

static void *worker_main(void *arg)
{
	struct aio_call *call;
	struct pool *p = arg;

	pthread_setname_np(pthread_self(), "lkvm/worker");
	pthread_mutex_lock(&p->lock);
	while ((call = worker_take(p))) {
		pthread_mutex_unlock(&p->lock);
		call->iocb.u.c.offset = worker_carry_out(&call->iocb);
		pthread_mutex_lock(&p->lock);
		worker_give(p, call);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- the thread's turn --------------------------------------------------- */

static bool threads_reap(struct threads_context *tc)
{
	struct aio_context *ctx = &tc->ctx;
	struct pool *p = tc->pool;
	struct aio_call **batch;
	unsigned int n;

	if (!read_once(&p->ndone))
		return false;
	pthread_mutex_lock(&p->lock);
	batch = p->done;
	n = p->ndone;
	p->done = tc->reaped;
	write_once(&p->ndone, 0);
	pthread_mutex_unlock(&p->lock);
	tc->reaped = batch;
	ctx->inflight -= n;
	aio_count_reaped(ctx, n);
	for (unsigned int i = 0; i < n; i++)
		batch[i]->complete(batch[i], (long)batch[i]->iocb.u.c.offset);
	return true;
}

/* All that is staged, and as many workers as can share it. */
static void threads_submit(struct threads_context *tc)
{
	struct aio_context *ctx = &tc->ctx;
	unsigned int n = ctx->npending, wake;
	struct pool *p = tc->pool;

	pthread_mutex_lock(&p->lock);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int at = p->first + p->ntodo++;

		p->todo[at < p->depth ? at : at - p->depth] =
			ctx->pending[i]->data;
	}
	wake = n < p->idle ? n : p->idle;
	pthread_mutex_unlock(&p->lock);
	while (wake--)
		pthread_cond_signal(&p->work);
	ctx->npending = 0;
	ctx->inflight += n;
	counter_add(&ctx->stats.submits, 1);
	counter_add(&ctx->stats.submitted, n);
	probe_submit(aio_threads.name, n);
}

static bool threads_run(struct iothread_client *c)
{
	return threads_reap((struct threads_context *)c);
}

static void threads_flush(struct iothread_client *c)
{
	struct threads_context *tc = (struct threads_context *)c;
	struct aio_context *ctx = &tc->ctx;

	if (ctx->ndeferred)
		aio_complete_deferred(ctx);
	if (!ctx->npending)
		return;
	threads_submit(tc);
}

static bool threads_sleep(struct iothread_client *c)
{
	struct threads_context *tc = (struct threads_context *)c;
	struct pool *p = tc->pool;
	bool any;

	if (aio_wants_turn(&tc->ctx, tc->ctx.npending))
		return true;
	if (!tc->ctx.inflight)
		return false;
	pthread_mutex_lock(&p->lock);
	any = p->ndone;
	p->asleep = !any;
	pthread_mutex_unlock(&p->lock);
	return any;
}

/* --- set-up and tear-down ------------------------------------------------ */

static void threads_stop(struct aio_context *ctx)
{
	struct threads_context *tc = (struct threads_context *)ctx;
	struct pool *p = tc->pool;

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	while (p->nworkers)
		pthread_join(p->workers[--p->nworkers], NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(tc->reaped);
	free(p->done);
	free(p->todo);
	free(p);
}

/* As many as are of use; at least one, else -errno. */
static int threads_start_workers(struct pool *p)
{
	while (p->nworkers < WORKERS_MAX && p->nworkers < p->depth) {
		int err = pthread_create(&p->workers[p->nworkers], NULL,
					 worker_main, p);

		if (err)
			return p->nworkers ? 0 : -err;
		p->nworkers++;
	}
	return 0;
}

static int threads_start(struct aio_context *ctx)
{
	struct threads_context *tc = (struct threads_context *)ctx;
	struct pool *p = aligned_alloc(AIO_LINE, (sizeof(*p) + AIO_LINE - 1) /
							 AIO_LINE * AIO_LINE);
	int err = -ENOMEM;

	if (!p)
		goto fail;
	*p = (struct pool){
		.fd = ctx->client.fd,
		.depth = ctx->depth,
		.todo = calloc(ctx->depth, sizeof(struct aio_call *)),
		.done = calloc(ctx->depth, sizeof(struct aio_call *)),
	};
	tc->pool = p;
	tc->reaped = calloc(ctx->depth, sizeof(struct aio_call *));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	if (p->todo && p->done && tc->reaped)
		err = threads_start_workers(p);
	if (!err)
		return 0;
	threads_stop(ctx);
fail:
	log_error("--disk %s: no threads for aio=threads: %s; raise `ulimit -u`, or use fewer or smaller queues",
		  ctx->path, strerror(-err));
	return err;
}

const struct aio_engine aio_threads = {
	.name = "threads",
	.thread = {
		.start = aio_context_start,
		.run = threads_run,
		.flush = threads_flush,
		.sleep = threads_sleep,
	},
	.size = sizeof(struct threads_context),
	.start = threads_start,
	.stop = threads_stop,
};
