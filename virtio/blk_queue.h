/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What blk.c (requests, on the I/O threads) and blk_device.c (the device, on
 * vCPU threads) share.
 */
#ifndef LKVM_VIRTIO_BLK_QUEUE_H
#define LKVM_VIRTIO_BLK_QUEUE_H

#include "disk/disk.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include <linux/virtio_blk.h>
#include <semaphore.h>

#define SECTOR_SIZE 512
#define SECTOR_SHIFT 9

struct blk_queue;

struct blk_request {
	struct disk_req disk;
	struct blk_queue *queue;
	u8 *status;		/* in guest memory */
	u16 head;
	u64 writable;		/* bytes before the status */
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
	struct iovec *iovs;	/* depth for each request */
	u16 *free;		/* a stack: what is in the cache is used first */
	u16 nfree;
	u16 depth;
	struct virtio_blk_stats stats;
	struct iothread *thread;
	sem_t drained;
};

struct virtio_blk {
	struct virtio_device dev;
	struct disk *disk;
	u64 sectors;
	bool readonly;
	bool complained;	/* one line for a failing host disk */
	char serial[VIRTIO_BLK_ID_BYTES];
	struct virtio_blk_config config;
	struct blk_queue *queues;
};

/* The queue as a client of its thread. */
extern const struct iothread_ops virtio_blk_queue_ops;

/* Allocate for up to @depth requests in flight.  0 or -ENOMEM. */
int blk_queue_alloc(struct blk_queue *q, unsigned int depth);
void blk_queue_free(struct blk_queue *q);

/* Whether no request is in flight. */
static inline bool blk_queue_idle(const struct blk_queue *q)
{
	return q->nfree == q->depth;
}

static inline unsigned int blk_queue_index(const struct blk_queue *q)
{
	return (unsigned int)(q - q->blk->queues);
}

#endif
