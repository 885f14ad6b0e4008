// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio block device as the host's user changes it while the guest runs: its
 * size, its limits; and what its queues look like.
 *
 * Called on the main thread.  What belongs to a queue its I/O thread does.
 */
#include "barrier.h"
#include "disk/disk.h"
#include "inspect.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include "virtio/blk_queue.h"
#include "virtio/device.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

/* --- size ----------------------------------------------------------------- */

struct end_check {
	struct blk_queue *q;
	u64 bytes;
	bool beyond;	/* something is under way behind them */
};

/*
 * On the queue's I/O thread.  When it returns, the thread has seen the size that
 * was set before.
 */
static void blk_check_end(void *arg)
{
	struct end_check *check = arg;
	struct blk_queue *q = check->q;
	bool is_free[VIRTQUEUE_SIZE_MAX] = { false };

	for (u16 i = 0; i < q->nfree; i++)
		is_free[q->free[i]] = true;
	for (u16 i = 0; i < q->depth; i++) {
		const struct disk_req *req = &q->requests[i].disk;

		if (!is_free[i] && req->offset + req->len > check->bytes)
			check->beyond = true;
	}
}

static bool blk_beyond_end(struct virtio_blk *blk, u64 bytes)
{
	bool beyond = false;

	for (unsigned int i = 0; i < blk->dev.nqueues; i++) {
		struct end_check check = { .q = &blk->queues[i], .bytes = bytes };

		iothread_call(check.q->thread, blk_check_end, &check);
		beyond |= check.beyond;
	}
	return beyond;
}

int virtio_blk_cut(struct virtio_blk *blk, u64 bytes)
{
	u64 old = blk->sectors;

	write_once(&blk->sectors, bytes >> SECTOR_SHIFT);
	if (!blk_beyond_end(blk, bytes))
		return 0;
	write_once(&blk->sectors, old);
	return -EBUSY;
}

/*
 * 5.2.5.2, 4.1.4.3.1: another generation, and an interrupt that says so.  Without
 * the device's lock, which a vCPU holds while it waits for the host's disk.
 */
void virtio_blk_resize(struct virtio_blk *blk, u64 bytes)
{
	struct virtio_device *dev = &blk->dev;

	write_once(&blk->sectors, bytes >> SECTOR_SHIFT);
	pthread_mutex_lock(&blk->config_lock);
	blk->config.capacity = (__force __virtio64)cpu_to_le64(blk->sectors);
	write_once(&dev->generation, dev->generation + 1);
	pthread_mutex_unlock(&blk->config_lock);
	if (virtio_device_status(dev) & VIRTIO_CONFIG_S_DRIVER_OK)
		dev->transport->config_interrupt(dev);
}

/* --- limits --------------------------------------------------------------- */

struct limit_change {
	struct blk_queue *q;
	struct limit *limit;
};

/* On the queue's I/O thread: neither waits nor debts of the old one count. */
static void blk_change_limit(void *arg)
{
	const struct limit_change *change = arg;
	struct blk_queue *q = change->q;

	if (q->throttled_since)
		blk_throttle_end(q, iothread_now(q->thread));
	q->share = (struct limit_share){ .limit = change->limit };
}

/* The queues go over to buckets that none of them uses, one after the other. */
void virtio_blk_throttle(struct virtio_blk *blk,
			 const struct limit_params *params)
{
	struct limit *next = &blk->limits[!blk->limit_used];

	blk->limit_used = !blk->limit_used;
	limit_init(next, params);
	for (unsigned int i = 0; i < blk->dev.nqueues; i++) {
		struct limit_change change = {
			.q = &blk->queues[i],
			.limit = limit_wanted(params) ? next : NULL,
		};

		iothread_call(change.q->thread, blk_change_limit, &change);
	}
}

/* --- a look inside -------------------------------------------------------- */

struct look {
	struct blk_queue *q;
	const struct inspector *to;
};

static unsigned int blk_kept(const struct blk_queue *q)
{
	unsigned int n = 0;

	for (const struct blk_request *req = q->kept; req; req = req->next_kept)
		n++;
	return n;
}

static void blk_look(void *arg)
{
	const struct look *look = arg;
	const struct blk_queue *q = look->q;
	const struct inspector *to = look->to;

	inspect(to, "active", q->active);
	inspect(to, "in_flight", q->depth - q->nfree);
	inspect(to, "kept", blk_kept(q));
	inspect(to, "throttled", q->throttled_since != 0);
	inspect(to, "kicks_at", q->pace.want);
	inspect(to, "interrupt_waits", q->irq.wanted);
	if (q->started)
		virtqueue_inspect(&q->vq, to);
	iothread_inspect(q->thread, to);
}

void virtio_blk_inspect(struct virtio_blk *blk, unsigned int q,
			const struct inspector *to)
{
	struct look look = { .q = &blk->queues[q], .to = to };

	iothread_call(look.q->thread, blk_look, &look);
}
