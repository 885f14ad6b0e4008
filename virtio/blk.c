// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk requests (virtio 1.2, 5.2.6): decode, check, hand to the disk,
 * complete once.  Reads, writes and flushes are here, the rest in blk_other.c.
 *
 * Everything here runs on the queue's I/O thread, and touches this queue alone.
 */
#include "virtio/blk.h"
#include "barrier.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include "log.h"
#include "virtio/blk_buffers.h"
#include "virtio/blk_queue.h"
#include "virtio/device.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Between the buffers of two requests, so that they do not share cache sets. */
#define IOV_GAP (128 / sizeof(struct iovec))
#define IRQ_DELAY_FROM 4	/* in flight: with fewer no interrupt waits */
#define IRQ_DELAY_GAPS 8	/* irq-delay=auto: completions to wait for */

static struct blk_queue *to_blk_queue(struct iothread_client *c)
{
	return (struct blk_queue *)((char *)c -
				    offsetof(struct blk_queue, client));
}

static struct blk_request *blk_request_get(struct blk_queue *q)
{
	return &q->requests[q->free[--q->nfree]];
}

static void blk_request_put(struct blk_queue *q, struct blk_request *req)
{
	q->free[q->nfree++] = req->disk.tag;
}

static void blk_count_latency(struct blk_queue *q, u64 ns)
{
	unsigned int bucket = 63 - (unsigned int)__builtin_clzll(ns | 1);

	if (bucket >= VIRTIO_BLK_LATENCIES)
		bucket = VIRTIO_BLK_LATENCIES - 1;
	counter_add(&q->stats.latency[bucket], 1);
}

/*
 * Every request that was popped ends here, once.  @written: bytes at the start
 * of its writable buffers that hold data.  The status byte is their last; it
 * counts if there is no gap before it (2.7.8.2: used.len has no holes).
 */
static inline __attribute__((always_inline)) void
blk_complete(struct blk_request *req, u8 status, u32 written)
{
	struct blk_queue *q = req->queue;

	if (status != VIRTIO_BLK_S_OK)
		counter_add(&q->stats.errors, 1);
	blk_count_latency(q, iothread_now(q->thread) - req->start);
	probe_complete(q->client.name, q->client.index, req->disk.tag, status,
		       written, req->start);
	write_once(req->status, status);
	if (written == req->writable)
		written++;
	virtqueue_push(&q->vq, &req->chain, written);
	blk_request_put(q, req);
}

static inline __attribute__((always_inline)) void
blk_trace(const struct blk_request *req, enum trace_op op, u8 status)
{
	struct blk_queue *q = req->queue;
	bool ranged = op != TRACE_OTHER;

	trace_request(q->trace, iothread_now(q->thread), req->start, op, status,
		      ranged ? req->disk.offset : 0,
		      ranged ? req->disk.len : 0);
}

void blk_end_as(struct blk_request *req, enum trace_op op, u8 status,
		u32 written)
{
	if (req->queue->trace)
		blk_trace(req, op, status);
	blk_complete(req, status, written);
}

static inline __attribute__((always_inline)) void
blk_done_now(struct disk_req *disk, int err)
{
	struct blk_request *req = (struct blk_request *)disk;

	if (err)
		blk_failed(req, err);
	else
		blk_complete(req, VIRTIO_BLK_S_OK,
			     disk->op == DISK_READ ? (u32)req->writable : 0);
}

static void blk_done(struct disk_req *disk, int err)
{
	blk_done_now(disk, err);
}

/* With --trace in place of blk_done(): without, nothing is to be asked. */
static void blk_done_traced(struct disk_req *disk, int err)
{
	if (!err)
		blk_trace((struct blk_request *)disk, (enum trace_op)disk->op,
			  VIRTIO_BLK_S_OK);
	blk_done_now(disk, err);
}

static void blk_read(struct blk_request *req, u64 sector,
		     const struct buffers *data)
{
	struct blk_queue *q = req->queue;
	u64 len = req->writable;

	counter_add(&q->stats.reads, 1);
	if (!blk_range_ok(q->blk, sector, len)) {
		blk_end_early(req, DISK_READ, sector, len, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (!len) {
		blk_end_early(req, DISK_READ, sector, 0, VIRTIO_BLK_S_OK);
		return;
	}
	counter_add(&q->stats.read_bytes, len);
	req->disk.durable = false;
	blk_stage(req, DISK_READ, sector << SECTOR_SHIFT, data, len);
}

static void blk_write(struct blk_request *req, u64 sector,
		      const struct buffers *data)
{
	struct blk_queue *q = req->queue;
	u64 len = buffers_len(data);

	counter_add(&q->stats.writes, 1);
	/* 5.2.6.2: a read-only device fails writes, and changes nothing. */
	if (q->blk->readonly || !blk_range_ok(q->blk, sector, len)) {
		blk_end_early(req, DISK_WRITE, sector, len, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (!len) {
		blk_end_early(req, DISK_WRITE, sector, 0, VIRTIO_BLK_S_OK);
		return;
	}
	counter_add(&q->stats.written_bytes, len);
	req->disk.durable = read_once(&q->blk->write_through);
	blk_stage(req, DISK_WRITE, sector << SECTOR_SHIFT, data, len);
}

static void blk_flush(struct blk_request *req)
{
	static const struct buffers nothing;
	struct virtio_blk *blk = req->queue->blk;
	int err = read_once(&blk->flush_error);

	counter_add(&req->queue->stats.flushes, 1);
	blk_prepare(req, DISK_FLUSH, 0, &nothing, 0);
	if (err)
		err = __atomic_exchange_n(&blk->flush_error, 0, __ATOMIC_RELAXED);
	if (err)
		blk_failed(req, err);
	else
		blk_hand_over(req);
}

__attribute__((cold)) static void blk_break(struct blk_queue *q, const char *malformed)
{
	q->active = false;
	virtio_device_break(&q->blk->dev, blk_queue_index(q), malformed);
}

/*
 * Take header and status off the chain, wherever the driver put their
 * boundaries (2.7.4: no assumption about framing), and do what it says.
 * Returns what is malformed, or NULL.
 */
static const char *blk_handle(struct blk_request *req)
{
	struct buffers out = { req->disk.iov, req->chain.nout };
	struct buffers in = { req->disk.iov + req->chain.nout, req->chain.nin };
	struct virtio_blk_outhdr header;
	u64 sector;

	req->status = buffers_cut_last(&in);
	if (!req->status)
		return "request without a status byte";
	req->writable = buffers_len(&in);
	if (!buffers_take_whole(&out, &header, sizeof(header)) &&
	    !buffers_take(&out, &header, sizeof(header)))
		return "request header";
	sector = le64_to_cpu((__force __le64)header.sector);

	switch (le32_to_cpu((__force __le32)header.type)) {
	case VIRTIO_BLK_T_IN:
		blk_read(req, sector, &in);
		break;
	case VIRTIO_BLK_T_OUT:
		blk_write(req, sector, &out);
		break;
	case VIRTIO_BLK_T_FLUSH:
		blk_flush(req);
		break;
	default:
		blk_other(req, le32_to_cpu((__force __le32)header.type), out,
			  in);
	}
	return NULL;
}

/* Take one request.  Returns whether there was one. */
static inline __attribute__((always_inline)) bool
blk_take(struct blk_queue *q, u64 now)
{
	struct blk_request *req = blk_request_get(q);
	const char *malformed = NULL;
	int got;

	req->disk.iov = req->disk.iov_end - q->depth;
	req->start = now;
	got = virtqueue_pop(&q->vq, &req->chain, req->disk.iov, q->depth);
	if (got > 0) {
		probe_pop(q->client.name, q->client.index, req->disk.tag,
			  req->chain.id, now);
		malformed = blk_handle(req);
	} else if (got < 0) {
		malformed = q->vq.error;
	}
	if (got > 0 && !malformed)
		return true;
	blk_request_put(q, req);
	if (malformed)
		blk_break(q, malformed);
	return false;
}

/*
 * How long to leave those that wait, until more have come.  Only with nothing
 * in flight, else more gather by themselves; and only if the driver can be told
 * to kick for the last of them: without EVENT_IDX the pace is not learnt.
 */
static u64 blk_patience(struct blk_queue *q, unsigned int waiting)
{
	u64 patience;

	if (q->pace.want == 1 || !blk_queue_idle(q))
		return 0;
	patience = pace_patience(&q->pace, waiting, iothread_now(q->thread));
	if (!patience && !waiting)
		pace_give_up(&q->pace);
	return patience;
}

static void blk_count_batch(struct blk_queue *q, bool idle, unsigned int n)
{
	u64 kicks = q->client.wakeups;

	counter_add(&q->stats.batches, 1);
	if (kicks == q->kicks_seen)
		counter_add(&q->stats.kicks_suppressed, 1);
	q->kicks_seen = kicks;
	if (q->trace)
		trace_popped(q->trace, iothread_now(q->thread), n);
	if (q->depth - q->nfree > q->peak)
		q->peak = q->depth - q->nfree;
	if (!idle)
		return;
	switch (pace_took(&q->pace, n, iothread_now(q->thread))) {
	case PACE_NOT_HELD:
		break;
	case PACE_MISSED:
		counter_add(&q->stats.held_in_vain, 1);
		/* fall through */
	case PACE_MET:
		counter_add(&q->stats.held, 1);
	}
}

/* Take what there is.  Bounded: what fails here and now uses up no slot. */
static unsigned int blk_take_some(struct blk_queue *q, u64 now,
				  unsigned int most)
{
	unsigned int n = 0;

	while (n < most && q->nfree && blk_take(q, now))
		n++;
	return n;
}

/* What the limits count: not flushes, nor what has no data on the disk. */
static struct limit_amount blk_counted(const struct blk_queue *q)
{
	const struct virtio_blk_stats *s = &q->stats;

	return (struct limit_amount){
		.requests = s->reads + s->writes + s->discards +
			    s->write_zeroes + s->secure_erases,
		.bytes = s->read_bytes + s->written_bytes,
	};
}

/* Whether the limit leaves the requests in the ring, to be looked at in time. */
static bool blk_throttled(struct blk_queue *q, u64 now)
{
	u64 wait = limit_wait(&q->share, now);

	if (wait) {
		q->client.patience = wait;
		q->client.resting = true;
		if (!q->throttled_since) {
			q->throttled_since = now;
			counter_add(&q->stats.throttled, 1);
		}
	} else if (q->throttled_since) {
		blk_throttle_end(q, now);
	}
	return wait;
}

/* iops=, bps=: as many as the disk's limits have room for. */
static unsigned int blk_take_limited(struct blk_queue *q, u64 now)
{
	const struct limit_amount before = blk_counted(q);
	struct limit_amount taken = { 0 }, sum;
	unsigned int n = 0;

	if (blk_throttled(q, now))
		return 0;
	while (n < q->depth && limit_allows(&q->share, now, &taken) &&
	       blk_take_some(q, now, 1)) {
		sum = blk_counted(q);
		taken.requests = sum.requests - before.requests;
		taken.bytes = sum.bytes - before.bytes;
		n++;
	}
	limit_pay(&q->share, now, &taken);
	return n;
}

static bool blk_take_all(struct iothread_client *c)
{
	struct blk_queue *q = to_blk_queue(c);
	bool idle = blk_queue_idle(q) && !q->throttled_since;
	unsigned int n;
	int waiting;
	u64 now;

	c->patience = 0;
	c->resting = false;
	if (!q->active || read_once(&q->blk->dev.broken))
		return false;
	virtqueue_kicks_off(&q->vq);
	waiting = virtqueue_waiting(&q->vq, q->pace.want);
	if (waiting >= 0)
		c->patience = blk_patience(q, (unsigned int)waiting);
	if (!waiting || c->patience)
		return false;
	now = iothread_now(q->thread);
	n = q->share.limit ? blk_take_limited(q, now) :
			     blk_take_some(q, now, q->depth);
	if (n)
		blk_count_batch(q, idle, n);
	return n;
}

/*
 * The turn has taken all there is: what waited for a neighbour goes on.  An
 * interrupt that waits keeps the thread awake: it is a matter of microseconds.
 */
static bool blk_run(struct iothread_client *c)
{
	struct blk_queue *q = to_blk_queue(c);

	disk_unplug(q->disk_queue);
	if (q->trace && trace_pending(q->trace))
		trace_submit(q->trace, iothread_read_clock(q->thread));
	return q->irq.wanted;
}

/* How long an interrupt may wait for more completions, ns. */
static u64 blk_irq_delay(const struct blk_queue *q)
{
	u64 most = q->blk->irq_delay_ns, wanted;

	if (!most || q->depth - q->nfree < IRQ_DELAY_FROM)
		return 0;
	if (!q->blk->irq_delay_auto)
		return most;
	wanted = IRQ_DELAY_GAPS * q->irq.gap_ns;
	return wanted < most ? wanted : most;
}

/* While many requests are in flight, completions may gather for an interrupt. */
static void blk_interrupt(struct blk_queue *q)
{
	struct virtio_device *dev = &q->blk->dev;
	u64 delay = blk_irq_delay(q);
	bool sent;

	if (delay && !q->irq.since) {
		q->irq.since = iothread_now(q->thread);
		counter_add(&q->stats.delayed, 1);
	}
	if (delay && iothread_now(q->thread) - q->irq.since < delay)
		return;
	q->irq.wanted = false;
	sent = dev->transport->queue_interrupt(dev, blk_queue_index(q));
	counter_add(sent ? &q->stats.interrupts : &q->stats.suppressed, 1);
	probe_interrupt(q->client.name, q->client.index, sent);
	if (q->trace)
		trace_interrupt(q->trace, iothread_read_clock(q->thread), sent);
}

static void blk_irq_learn(struct blk_queue *q, unsigned int completions)
{
	u64 now = iothread_now(q->thread);
	u64 gap = (now - q->irq.last) / completions;

	q->irq.last = now;
	if (gap < q->blk->irq_delay_ns)		/* else it was a pause */
		q->irq.gap_ns = (7 * q->irq.gap_ns + gap) / 8;
}

/* The queue has nothing in flight any more: what had it, and what comes next? */
static void blk_learn_pace(struct blk_queue *q)
{
	int waiting = virtqueue_waiting(&q->vq, q->depth);
	unsigned int more = waiting > 0 ? (unsigned int)waiting : 0;

	pace_idle(&q->pace, q->peak + more, iothread_now(q->thread));
	q->peak = 0;
}

static void blk_publish_used(struct blk_queue *q)
{
	unsigned int n = virtqueue_unpublished(&q->vq);

	counter_add(&q->stats.publications, 1);
	counter_add(&q->client.served, n);
	if (blk_queue_idle(q) && q->vq.event_idx)
		blk_learn_pace(q);	/* before the driver brings more */
	if (q->blk->irq_delay_auto)
		blk_irq_learn(q, n);
	probe_publish(q->client.name, q->client.index, n);
	if (q->trace)
		trace_publish(q->trace, iothread_now(q->thread), n);
	if (!virtqueue_publish(&q->vq) || q->irq.wanted) {
		counter_add(&q->stats.suppressed, 1);
	} else {
		q->irq.wanted = true;
		q->irq.since = 0;
	}
}

static void blk_publish(struct iothread_client *c)
{
	struct blk_queue *q = to_blk_queue(c);

	if (virtqueue_unpublished(&q->vq))
		blk_publish_used(q);
	if (q->irq.wanted)
		blk_interrupt(q);
	if (q->stopping && blk_queue_idle(q)) {
		q->stopping = false;
		sem_post(&q->drained);
	}
}

/*
 * With all requests in flight, a completion looks for more, not a kick; where a
 * limit leaves some in the ring, time does.
 */
static bool blk_sleep(struct iothread_client *c)
{
	struct blk_queue *q = to_blk_queue(c);
	bool more;

	if (q->irq.wanted)	/* published since run */
		return true;
	if (!q->active || read_once(&q->blk->dev.broken) || !q->nfree ||
	    c->resting)
		return false;
	more = virtqueue_kicks_on(&q->vq, c->patience ? (u16)q->pace.want : 1);
	if (q->vq.error)
		blk_break(q, q->vq.error);
	return more;
}

/*
 * Room for the longest of all requests, of which most use a little: in pages of
 * its own, and small ones, or the host might back all of it at once.
 */
static struct iovec *blk_iovs_new(size_t size)
{
	void *iovs = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (iovs == MAP_FAILED)
		return NULL;
	madvise(iovs, size, MADV_NOHUGEPAGE);	/* a wish, no more */
	return iovs;
}

static size_t blk_iovs_size(unsigned int depth)
{
	return depth * (depth + IOV_GAP) * sizeof(struct iovec);
}

int blk_queue_alloc(struct blk_queue *q, unsigned int depth)
{
	size_t stride = depth + IOV_GAP;

	q->requests = calloc(depth, sizeof(*q->requests));
	q->iovs = blk_iovs_new(blk_iovs_size(depth));
	q->free = calloc(depth, sizeof(*q->free));
	q->depth = (u16)depth;
	if (!q->requests || !q->iovs || !q->free)
		return log_no_memory();
	for (unsigned int i = 0; i < depth; i++) {
		q->requests[i].queue = q;
		q->requests[i].disk.tag = (u16)i;
		q->requests[i].disk.iov_end = &q->iovs[i * stride + depth];
		q->requests[i].disk.done = q->trace ? blk_done_traced : blk_done;
		q->free[q->nfree++] = (u16)(depth - 1 - i);
	}
	return 0;
}

void blk_queue_free(struct blk_queue *q)
{
	free(q->requests);
	if (q->iovs)
		munmap(q->iovs, blk_iovs_size(q->depth));
	free(q->free);
}

const struct iothread_ops virtio_blk_queue_ops = {
	.take = blk_take_all,
	.run = blk_run,
	.publish = blk_publish,
	.sleep = blk_sleep,
};
