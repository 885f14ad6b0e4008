// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine for Linux AIO: a turn is one io_submit(), and completions are read
 * from the ring that the kernel maps, without a system call.  Its run reaps,
 * its flush submits, both on the I/O thread, without a lock, an allocation or a
 * log line; start and stop run at set-up and tear-down.
 */
#include "disk/aio_context.h"
#include "log.h"
#include "probes.h"
#include <errno.h>
#include <string.h>

#define AIO_RING_MAGIC 0xa10a10a1
#define UNHEARD_NS 10000	/* to the first look for what has no signal, ... */
#define UNHEARD_MAX_NS 1000000	/* twice as long to each next one, up to this */
#define REAP_BATCH 64		/* without a mapped ring */

/* At the address that io_setup() returns; fs/aio.c of the kernel. */
struct native_ring {
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

struct native_context {
	struct aio_context ctx;	/* first: found from it */
	io_context_t id;
	struct native_ring *ring;	/* NULL: not the layout we know */
	unsigned int unheard;	/* in flight without a signal to come */
	u64 unheard_ns;		/* until the last look for them */
};

/* --- completions --------------------------------------------------------- */

static void native_complete(struct native_context *nc,
			    const struct io_event *event)
{
	struct aio_call *call = event->data;

	nc->ctx.inflight--;
	if (!(call->iocb.u.c.flags & AIO_SIGNAL))
		nc->unheard--;
	call->complete(call, (long)event->res);
}

/* A kernel whose ring looks different. */
static bool native_reap_by_call(struct native_context *nc)
{
	struct io_event events[REAP_BATCH];
	struct timespec now = { 0, 0 };
	unsigned int reaped = 0;
	int n;

	do {
		n = io_getevents(nc->id, 0, REAP_BATCH, events, &now);
		for (int i = 0; i < n; i++)
			native_complete(nc, &events[i]);
		if (n > 0)
			reaped += (unsigned int)n;
	} while (n == REAP_BATCH);
	if (reaped)
		aio_count_reaped(&nc->ctx, reaped);
	return reaped;
}

/*
 * Hand on what has completed.  complete() may stage new calls meanwhile: that
 * touches neither the ring nor the calls that are still in it.
 */
static bool native_reap(struct native_context *nc)
{
	struct native_ring *ring = nc->ring;
	u32 head, tail, n;

	if (!ring)
		return native_reap_by_call(nc);
	head = ring->head;
	/* Pairs with the kernel's barrier between event and tail. */
	tail = load_acquire(&ring->tail);
	if (head == tail)
		return false;
	n = tail - head + (tail < head ? ring->nr : 0);
	do {
		native_complete(nc, &ring->events[head]);
		if (++head == ring->nr)
			head = 0;
	} while (head != tail);
	/* The kernel may overwrite the events only after we have read them. */
	store_release(&ring->head, head);
	aio_count_reaped(&nc->ctx, n);
	return true;
}

/* --- submission ---------------------------------------------------------- */

/* The first @n are the kernel's now. */
static void native_submitted(struct native_context *nc, unsigned int n)
{
	struct aio_context *ctx = &nc->ctx;
	unsigned int heard = 0;

	counter_add(&ctx->stats.submitted, n);
	probe_submit(aio_native.name, n);
	ctx->inflight += n;
	for (unsigned int i = 0; i < n; i++)
		heard += ctx->pending[i]->u.c.flags;	/* AIO_SIGNAL or 0 */
	nc->unheard += n - heard;
	aio_unpend(ctx, n);
}

/* io_submit() refused the first: fail that one, and it alone. */
static void native_refused(struct aio_context *ctx, int err)
{
	struct aio_call *call = ctx->pending[0]->data;

	aio_unpend(ctx, 1);
	call->complete(call, err);
}

/*
 * All that is staged, in one system call; more of them only if the kernel stops
 * in between, or for batch=.  What complete() stages meanwhile is left for the
 * next turn.
 */
static void native_submit(struct native_context *nc)
{
	struct aio_context *ctx = &nc->ctx;
	unsigned int left = ctx->npending;
	int n;

	ctx->full = false;
	while (left) {
		n = io_submit(nc->id, left < ctx->batch ? left : ctx->batch,
			      ctx->pending);
		counter_add(&ctx->stats.submits, 1);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			ctx->full = true;
			counter_add(&ctx->stats.retried, 1);
			return;
		}
		if (n > 0) {
			native_submitted(nc, (unsigned int)n);
			left -= (unsigned int)n;
		} else {
			native_refused(ctx, n ? n : -EIO);
			left--;
		}
	}
}

/* --- the thread's turn --------------------------------------------------- */

static bool native_run(struct iothread_client *c)
{
	return native_reap((struct native_context *)c);
}

static void native_submit_and_reap(struct native_context *nc)
{
	nc->unheard_ns = UNHEARD_NS;
	native_submit(nc);
	/* Fast devices and page cache hits are done by now... */
	native_reap(nc);
	/*
	 * ...and a signal for them would wake the thread for nothing: a device
	 * that is done so soon gets none next time.
	 */
	nc->ctx.quiet = !nc->ctx.inflight;
}

static void native_flush(struct iothread_client *c)
{
	struct native_context *nc = (struct native_context *)c;

	if (nc->ctx.npending)
		native_submit_and_reap(nc);
	if (nc->ctx.ndeferred)
		aio_complete_deferred(&nc->ctx);
}

/*
 * The eventfd tells of every completion: there is nothing to arm.  But a device
 * that was quick may be slow now, this once: then look again soon.
 */
static bool native_sleep(struct iothread_client *c)
{
	struct native_context *nc = (struct native_context *)c;
	struct native_ring *ring = nc->ring;

	c->patience = 0;
	if (nc->unheard) {
		nc->unheard_ns *= 2;
		if (nc->unheard_ns > UNHEARD_MAX_NS)
			nc->unheard_ns = UNHEARD_MAX_NS;
		c->patience = nc->unheard_ns;
	}
	if (ring && ring->head != read_once(&ring->tail))
		return true;
	return aio_wants_turn(&nc->ctx, nc->ctx.npending);
}

/* --- set-up and tear-down ------------------------------------------------ */

static int native_setup_failed(const struct aio_context *ctx, int err)
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

static int native_start(struct aio_context *ctx)
{
	struct native_context *nc = (struct native_context *)ctx;
	struct native_ring *ring;
	int err;

	err = io_setup((int)ctx->depth, &nc->id);
	if (err)
		return native_setup_failed(ctx, err);
	ring = (struct native_ring *)nc->id;
	if (ring->magic == AIO_RING_MAGIC && !ring->incompat &&
	    ring->header_length == sizeof(*ring))
		nc->ring = ring;
	return 0;
}

static void native_stop(struct aio_context *ctx)
{
	io_destroy(((struct native_context *)ctx)->id);
}

const struct aio_engine aio_native = {
	.name = "native",
	.thread = {
		.start = aio_context_start,
		.run = native_run,
		.flush = native_flush,
		.sleep = native_sleep,
	},
	.size = sizeof(struct native_context),
	.start = native_start,
	.stop = native_stop,
};
