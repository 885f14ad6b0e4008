/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What blk.c (requests, on the I/O threads) and blk_device.c (the device, on
 * vCPU threads) share.
 */
#ifndef LKVM_VIRTIO_BLK_QUEUE_H
#define LKVM_VIRTIO_BLK_QUEUE_H

#include "barrier.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include "probes.h"
#include "virtio/blk.h"
#include "virtio/blk_buffers.h"
#include "virtio/device.h"
#include "virtio/limit.h"
#include "virtio/pace.h"
#include "virtio/trace.h"
#include <linux/virtio_blk.h>
#include <semaphore.h>

#define SECTOR_SIZE 512
#define SECTOR_SHIFT 9

struct blk_queue;

struct blk_request {
	struct disk_req disk;
	struct blk_queue *queue;
	u8 *status;		/* in guest memory */
	struct virtqueue_chain chain;
	u64 writable;		/* bytes before the status */
	u64 start;		/* ns: when it was popped */
	struct blk_request *next_kept;
};

/* Interrupt moderation, see blk_interrupt(). */
struct blk_irq {
	bool wanted;		/* not sent yet */
	u64 since;		/* ns: when it began to wait, 0: it does not */
	u64 last;		/* ns: publication before */
	u64 gap_ns;		/* mean time from completion to completion */
};

struct blk_queue {
	_Alignas(128) struct iothread_client client;
	struct virtqueue vq;
	bool active;		/* requests are taken */
	bool started;		/* what the last start said */
	bool stopping;		/* post drained when none is in flight */
	struct virtio_blk *blk;
	struct disk_queue *disk_queue;
	struct blk_request *requests;
	struct iovec *iovs;	/* depth for each request, and a gap */
	u16 *free;		/* a stack: what is in the cache is used first */
	u16 nfree;
	u16 depth;
	u16 peak;		/* most in flight since none was */
	struct pace pace;
	struct limit_share share;
	u64 throttled_since;	/* ns: requests are left for the limit, 0: none */
	struct blk_irq irq;
	struct blk_request *kept;	/* failed, and not to be completed so */
	u64 kicks_seen;		/* wake-ups up to the last batch */
	struct virtio_blk_stats stats;
	struct iothread *thread;
	struct trace_queue *trace;	/* of --trace, or NULL */
	sem_t drained;
};

/* Failures of the host's disk; of each kind one line, however often it fails. */
enum blk_complaint {
	BLK_REPORTED,
	BLK_IGNORED,
	BLK_CACHE_STAYS_ON,
	BLK_COMPLAINTS
};

struct virtio_blk {
	struct virtio_device dev;
	struct disk *disk;
	u64 sectors;		/* set by the main thread, seen by I/O threads */
	bool readonly;
	bool write_through;	/* set by a vCPU; writes are durable when done */
	int flush_error;	/* of the host, that no flush has told the driver */
	bool complained[BLK_COMPLAINTS];
	char serial[VIRTIO_BLK_ID_BYTES];
	u64 irq_delay_ns;
	bool irq_delay_auto;
	pthread_mutex_t config_lock;	/* guards capacity; held across no wait */
	struct virtio_blk_config config;
	struct limit limits[2];	/* the queues are on one, or go over to it */
	bool limit_used;
	struct virtio_blk_on_error on_error;
	struct blk_queue *queues;
};

/* The queue as a client of its thread. */
extern const struct iothread_ops virtio_blk_queue_ops;

/* Allocate for up to @depth requests in flight.  0 or -ENOMEM. */
int blk_queue_alloc(struct blk_queue *q, unsigned int depth);
void blk_queue_free(struct blk_queue *q);

/* blk_other.c: neither read, write nor flush. */
void blk_other(struct blk_request *req, u32 type, struct buffers out,
	       struct buffers in);
/* Not for the disk: not in its range, or of no length. */
__attribute__((cold))
void blk_end_early(struct blk_request *req, enum disk_op op, u64 sector,
		   u64 len, u8 status);
/* blk.c: complete it; @written bytes at the start of its buffers hold data. */
void blk_end_as(struct blk_request *req, enum trace_op op, u8 status,
		u32 written);
_Static_assert((int)TRACE_READ == DISK_READ &&
		       (int)TRACE_SECURE_ERASE == DISK_SECURE_ERASE &&
		       (int)TRACE_OTHER == DISK_SECURE_ERASE + 1,
	       "trace_format.h: a file has the numbers of disk.h");
static inline void blk_end(struct blk_request *req, u8 status, u32 written)
{
	blk_end_as(req, (enum trace_op)req->disk.op, status, written);
}
/* blk_error.c: the host failed it. */
void blk_failed(struct blk_request *req, int err);
/* What was kept is tried again, but for flushes; or completed with an error. */
void blk_retry(struct blk_queue *q);
void blk_give_up(struct blk_queue *q);

/* Whether no request is in flight. */
static inline bool blk_queue_idle(const struct blk_queue *q)
{
	return q->nfree == q->depth;
}

static inline void blk_throttle_end(struct blk_queue *q, u64 now)
{
	counter_add(&q->stats.throttled_ns, now - q->throttled_since);
	q->throttled_since = 0;
}

/* Whether it is the first of its kind. */
static inline bool blk_complains(struct virtio_blk *blk,
				 enum blk_complaint kind)
{
	return !__atomic_exchange_n(&blk->complained[kind], true,
				    __ATOMIC_RELAXED);
}

static inline void blk_prepare(struct blk_request *req, enum disk_op op,
			       u64 offset, const struct buffers *data, u64 len)
{
	req->disk.op = op;
	req->disk.offset = offset;
	req->disk.len = len;
	req->disk.iov = data->iov;
	req->disk.niov = data->n;
}

static inline __attribute__((always_inline)) void
blk_hand_over(struct blk_request *req)
{
	struct blk_queue *q = req->queue;

	probe_stage(q->client.name, q->client.index, req->disk.tag,
		    req->disk.op, req->disk.offset, req->disk.len);
	disk_stage(q->disk_queue, &req->disk);
}

static inline __attribute__((always_inline)) void
blk_stage(struct blk_request *req, enum disk_op op, u64 offset,
	  const struct buffers *data, u64 len)
{
	blk_prepare(req, op, offset, data, len);
	blk_hand_over(req);
}

static inline bool blk_range_ok(const struct virtio_blk *blk, u64 sector, u64 len)
{
	u64 sectors = read_once(&blk->sectors);

	return !(len % SECTOR_SIZE) && sector <= sectors &&
	       len >> SECTOR_SHIFT <= sectors - sector;
}

static inline unsigned int blk_queue_index(const struct blk_queue *q)
{
	return q->client.index;
}

#endif
