// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AIO context of an I/O thread, see aio_context.h: a client of the thread,
 * shared by all queues that the thread owns, of whatever disks.  Its run reaps,
 * its flush submits, both without a lock, an allocation or a log line; set-up
 * and tear-down run on the thread that builds the machine.
 */
#include "disk/aio_context.h"
#include "barrier.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AIO_RING_MAGIC 0xa10a10a1
#define AIO_UNHEARD_NS 1000000	/* how long a kick may wait meanwhile */
#define AIO_REAP_BATCH 64	/* without a mapped ring */

/* At the address that io_setup() returns; fs/aio.c of the kernel. */
struct aio_ring {
	u32 id;
	u32 nr;			/* of events */
	u32 head;		/* ours */
	u32 tail;		/* the kernel's */
	u32 magic;
	u32 compat;
	u32 incompat;
	u32 header_length;
	struct io_event events[];
};

/* --- completions --------------------------------------------------------- */

static void aio_complete(struct aio_context *ctx, const struct io_event *event)
{
	struct aio_call *call = event->data;

	ctx->inflight--;
	if (!(call->iocb.u.c.flags & AIO_SIGNAL))
		ctx->unheard--;
	call->complete(call, (long)event->res);
}

/* A kernel whose ring looks different. */
static bool aio_reap_by_call(struct aio_context *ctx)
{
	struct io_event events[AIO_REAP_BATCH];
	struct timespec now = { 0, 0 };
	bool any = false;
	int n;

	do {
		n = io_getevents(ctx->id, 0, AIO_REAP_BATCH, events, &now);
		for (int i = 0; i < n; i++)
			aio_complete(ctx, &events[i]);
		any |= n > 0;
	} while (n == AIO_REAP_BATCH);
	if (any)
		aio_count(&ctx->stats.reaps, 1);
	return any;
}

/*
 * Hand on what has completed.  complete() may stage new calls meanwhile: that
 * touches neither the ring nor the calls that are still in it.
 */
static bool aio_reap(struct aio_context *ctx)
{
	struct aio_ring *ring = ctx->ring;
	u32 head, tail;

	if (!ring)
		return aio_reap_by_call(ctx);
	head = ring->head;
	/* Pairs with the kernel's barrier between event and tail. */
	tail = load_acquire(&ring->tail);
	if (head == tail)
		return false;
	do {
		aio_complete(ctx, &ring->events[head]);
		if (++head == ring->nr)
			head = 0;
	} while (head != tail);
	/* The kernel may overwrite the events only after we have read them. */
	store_release(&ring->head, head);
	aio_count(&ctx->stats.reaps, 1);
	return true;
}

/* --- submission ---------------------------------------------------------- */

static void aio_unpend(struct aio_context *ctx, unsigned int n)
{
	ctx->npending -= n;
	if (ctx->npending)
		memmove(ctx->pending, ctx->pending + n,
			ctx->npending * sizeof(struct iocb *));
}

/* The first @n are the kernel's now. */
static void aio_submitted(struct aio_context *ctx, unsigned int n)
{
	ctx->inflight += n;
	for (unsigned int i = 0; i < n; i++)
		if (!(ctx->pending[i]->u.c.flags & AIO_SIGNAL))
			ctx->unheard++;
}

/* io_submit() refused the first: fail that one, and it alone. */
static void aio_refused(struct aio_context *ctx, int err)
{
	struct aio_call *call = ctx->pending[0]->data;

	aio_unpend(ctx, 1);
	call->complete(call, err);
}

/*
 * All that is staged, in one system call; more of them only if the kernel stops
 * in between.  What complete() stages meanwhile is left for the next turn.
 */
static void aio_submit(struct aio_context *ctx)
{
	unsigned int left = ctx->npending;
	int n;

	ctx->full = false;
	while (left) {
		n = io_submit(ctx->id, left, ctx->pending);
		aio_count(&ctx->stats.submits, 1);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			ctx->full = true;
			aio_count(&ctx->stats.retried, 1);
			return;
		}
		if (n > 0) {
			aio_count(&ctx->stats.submitted, (u64)n);
			aio_submitted(ctx, (unsigned int)n);
			aio_unpend(ctx, (unsigned int)n);
			left -= (unsigned int)n;
		} else {
			aio_refused(ctx, n ? n : -EIO);
			left--;
		}
	}
}

static void aio_complete_deferred(struct aio_context *ctx)
{
	for (unsigned int n = ctx->ndeferred; n; n--) {
		struct iocb *iocb = ctx->deferred[--ctx->ndeferred];
		struct aio_call *call = iocb->data;

		call->complete(call, (long)iocb->u.c.offset);
	}
}

/* --- the thread's turn --------------------------------------------------- */

static bool aio_run(struct iothread_client *c)
{
	return aio_reap((struct aio_context *)c);
}

static void aio_flush(struct iothread_client *c)
{
	struct aio_context *ctx = (struct aio_context *)c;

	if (ctx->ndeferred)
		aio_complete_deferred(ctx);
	if (!ctx->npending)
		return;
	aio_submit(ctx);
	/* Fast devices and page cache hits are done by now... */
	aio_reap(ctx);
	/* ...the rest is looked for in the next turns, if there are any. */
	if (ctx->inflight)
		c->ready = true;
	/*
	 * A signal for what is reaped here already would wake the thread for
	 * nothing: a device that is done so soon gets none next time.
	 */
	ctx->quiet = !ctx->inflight;
}

/*
 * A device that was quick is slow now, this once: wait for it in the kernel.
 * Kicks are looked for in between: the thread's clients stay ready.
 */
static void aio_wait_unheard(struct aio_context *ctx)
{
	struct timespec patience = { .tv_nsec = AIO_UNHEARD_NS };
	struct io_event event;

	if (io_getevents(ctx->id, 1, 1, &event, &patience) == 1)
		aio_complete(ctx, &event);
}

/* The eventfd tells of every completion: there is nothing to arm. */
static bool aio_sleep(struct iothread_client *c)
{
	struct aio_context *ctx = (struct aio_context *)c;
	struct aio_ring *ring = ctx->ring;

	if (ctx->unheard) {
		aio_wait_unheard(ctx);
		return true;
	}
	if (ring && ring->head != read_once(&ring->tail))
		return true;
	if (ctx->ndeferred)
		return true;
	/* After EAGAIN a completion makes room, if there is one to come. */
	return ctx->npending && !(ctx->full && ctx->inflight);
}

/* --- set-up and tear-down ------------------------------------------------ */

static unsigned long long aio_sysctl(const char *path)
{
	unsigned long long value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static int aio_setup_failed(const struct aio_context *ctx, int err)
{
	unsigned long long used = aio_sysctl("/proc/sys/fs/aio-nr");
	unsigned long long max = aio_sysctl("/proc/sys/fs/aio-max-nr");
	unsigned long long raised = 1u << 20;

	while (raised < used + 2ull * ctx->depth)
		raised *= 2;
	if (err == -EAGAIN)
		log_error("--disk %s: %u requests in flight are needed, but fs.aio-max-nr is %llu, and %llu are taken; raise it with `sysctl -w fs.aio-max-nr=%llu`, or use fewer or smaller queues",
			  ctx->path, ctx->depth, max, used, raised);
	else
		log_error("--disk %s: io_setup for %u requests: %s; use fewer or smaller queues",
			  ctx->path, ctx->depth, strerror(-err));
	return err;
}

static int aio_start(struct iothread_client *c)
{
	struct aio_context *ctx = (struct aio_context *)c;
	struct aio_ring *ring;
	int err;

	ctx->pending = calloc(ctx->depth, sizeof(struct iocb *));
	ctx->deferred = calloc(ctx->depth, sizeof(struct iocb *));
	if (!ctx->pending || !ctx->deferred) {
		log_error("--disk %s: no memory for %u requests; use fewer or smaller queues",
			  ctx->path, ctx->depth);
		return -ENOMEM;
	}
	err = io_setup((int)ctx->depth, &ctx->id);
	if (err) {
		ctx->id = NULL;
		return aio_setup_failed(ctx, err);
	}
	ring = (struct aio_ring *)ctx->id;
	if (ring->magic == AIO_RING_MAGIC && !ring->incompat &&
	    ring->header_length == sizeof(*ring))
		ctx->ring = ring;
	return 0;
}

static const struct iothread_ops aio_context_ops = {
	.start = aio_start,
	.run = aio_run,
	.flush = aio_flush,
	.sleep = aio_sleep,
};

static int aio_context_new(struct iothread *thread, const char *path,
			   struct aio_context **ctxp)
{
	struct aio_context *ctx;
	int err;

	ctx = aligned_alloc(AIO_LINE, sizeof(*ctx));
	if (!ctx) {
		log_error("--disk %s: out of memory", path);
		return -ENOMEM;
	}
	memset(ctx, 0, sizeof(*ctx));
	ctx->path = path;
	ctx->client.ops = &aio_context_ops;
	ctx->client.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ctx->client.fd < 0) {
		err = -errno;
		log_error("--disk %s: no event descriptor: %s; raise `ulimit -n`",
			  path, strerror(-err));
		goto free_ctx;
	}
	err = iothread_add(thread, &ctx->client);
	if (err)
		goto close_fd;
	*ctxp = ctx;
	return 0;
close_fd:
	close(ctx->client.fd);
free_ctx:
	free(ctx);
	return err;
}

int aio_context_get(struct iothread *thread, const char *path,
		    unsigned int depth, struct aio_context **ctxp)
{
	struct aio_context *ctx =
		(struct aio_context *)iothread_find(thread, &aio_context_ops);
	int err;

	if (!ctx) {
		err = aio_context_new(thread, path, &ctx);
		if (err)
			return err;
	}
	ctx->users++;
	ctx->depth += depth;
	*ctxp = ctx;
	return 0;
}

void aio_context_put(struct aio_context *ctx)
{
	if (--ctx->users)
		return;
	assert(!ctx->inflight && !ctx->npending && !ctx->ndeferred);
	if (ctx->id)
		io_destroy(ctx->id);
	close(ctx->client.fd);
	free(ctx->deferred);
	free(ctx->pending);
	free(ctx);
}

void aio_call_init(struct aio_context *ctx, struct aio_call *call,
		   void (*complete)(struct aio_call *call, long res))
{
	call->iocb.data = call;
	call->complete = complete;
	io_set_eventfd(&call->iocb, ctx->client.fd);
}
