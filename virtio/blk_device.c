// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio block device (virtio 1.2, 5.2): features, configuration space, and
 * the beginning and end of its queues.
 *
 * A queue starts and stops on its I/O thread, on behalf of the vCPU that asks.
 * Stopping ends when the last request that was taken is complete and published.
 */
#include "virtio/blk.h"
#include "barrier.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include "log.h"
#include "virtio/blk_queue.h"
#include "virtio/device.h"
#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct virtio_blk_config) >= VIRTIO_BLK_CONFIG_LEN,
	       "the transport offers what is there");

static struct virtio_blk *to_blk(struct virtio_device *dev)
{
	return (struct virtio_blk *)((char *)dev -
				     offsetof(struct virtio_blk, dev));
}

/* Runs on the queue's I/O thread. */
static void blk_queue_start(void *arg)
{
	struct blk_queue *q = arg;
	struct virtio_device *dev = &q->blk->dev;
	unsigned int index = blk_queue_index(q);

	assert(blk_queue_idle(q));
	q->started = false;
	if (virtqueue_init(&q->vq, dev->mem, &dev->queues[index].config,
			   dev->driver_features)) {
		virtio_device_break(dev, index, q->vq.error);
		return;
	}
	pace_init(&q->pace, q->vq.size);
	q->peak = 0;
	q->irq = (struct blk_irq){ 0 };
	q->started = true;
	q->active = true;
}

static int blk_start(struct virtio_device *dev, unsigned int index)
{
	struct blk_queue *q = &to_blk(dev)->queues[index];

	iothread_call(q->thread, blk_queue_start, q);
	/* Not active: the thread may have found a malformed chain by now. */
	return q->started ? 0 : -EINVAL;
}

/* Runs on the queue's I/O thread; blk_publish() ends what it begins. */
static void blk_queue_stop(void *arg)
{
	struct blk_queue *q = arg;

	q->active = false;
	q->stopping = true;
	if (q->throttled_since)
		blk_throttle_end(q, iothread_now(q->thread));
	blk_give_up(q);
}

static void blk_stop(struct virtio_device *dev, unsigned int index)
{
	struct blk_queue *q = &to_blk(dev)->queues[index];

	iothread_call(q->thread, blk_queue_stop, q);
	disk_cancel(q->disk_queue);
	while (sem_wait(&q->drained) < 0 && errno == EINTR)
		;
}

/* The I/O threads see it with each write. */
static void blk_set_write_through(struct virtio_blk *blk, bool on)
{
	blk->config.wce = !on;
	write_once(&blk->write_through, on);
}

/*
 * 5.2.5.2, 5.2.6.2: a driver that knows of no flush gets durable writes.  Else
 * the disk's cache= is where it starts.
 */
static void blk_negotiated(struct virtio_device *dev)
{
	struct virtio_blk *blk = to_blk(dev);
	bool no_flush = dev->status & VIRTIO_CONFIG_S_FEATURES_OK &&
			!virtio_device_has(dev, VIRTIO_BLK_F_FLUSH);

	blk_set_write_through(blk, no_flush ||
					   !disk_info(blk->disk)->write_cache);
}

static void blk_config_read(struct virtio_device *dev, u32 offset, void *data,
			    unsigned int len)
{
	struct virtio_blk *blk = to_blk(dev);

	pthread_mutex_lock(&blk->config_lock);
	memcpy(data, (const u8 *)&blk->config + offset, len);
	pthread_mutex_unlock(&blk->config_lock);
}

/*
 * Without its cache the disk keeps what was complete before, too: the driver may
 * flush no more.  Writes that are under way now are as they were marked (5.2.6.2
 * asks for no more).  If the host cannot, the cache stays on.
 */
static void blk_set_cache(struct virtio_blk *blk, bool on)
{
	bool was_on = blk->config.wce;
	int err;

	blk_set_write_through(blk, !on);
	err = was_on && !on ? disk_sync(blk->disk) : 0;
	if (!err)
		return;
	blk_set_write_through(blk, false);
	/* The host tells it once: now it is for the next flush to tell. */
	__atomic_store_n(&blk->flush_error, err, __ATOMIC_RELAXED);
	if (blk_complains(blk, BLK_CACHE_STAYS_ON))
		log_error("%s: its write cache stays on: the host's flush failed: %s; look at the host's disk and its log (told once)",
			  blk->dev.name, strerror(-err));
}

/* 5.2.5, 5.2.5.1: the driver chooses the cache mode; all else is read-only. */
static void blk_config_write(struct virtio_device *dev, u32 offset,
			     const void *data, unsigned int len)
{
	u8 wce = *(const u8 *)data;

	if (offset == offsetof(struct virtio_blk_config, wce) && len == 1 &&
	    wce <= 1 && dev->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    virtio_device_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		blk_set_cache(to_blk(dev), wce);
}

static const struct virtio_device_ops blk_device_ops = {
	.id = VIRTIO_ID_BLOCK,
	.config_len = VIRTIO_BLK_CONFIG_LEN,
	.queue_start = blk_start,
	.queue_stop = blk_stop,
	.negotiated = blk_negotiated,
	.config_read = blk_config_read,
	.config_write = blk_config_write,
};

static u64 blk_features(const struct disk_info *info, bool packed)
{
	u64 features = 1ULL << VIRTIO_F_VERSION_1 |
		       1ULL << VIRTIO_F_RING_RESET |
		       1ULL << VIRTIO_RING_F_EVENT_IDX |
		       1ULL << VIRTIO_RING_F_INDIRECT_DESC |
		       1ULL << VIRTIO_BLK_F_MQ |
		       1ULL << VIRTIO_BLK_F_SEG_MAX |
		       1ULL << VIRTIO_BLK_F_BLK_SIZE |
		       1ULL << VIRTIO_BLK_F_TOPOLOGY |
		       1ULL << VIRTIO_BLK_F_FLUSH |
		       1ULL << VIRTIO_BLK_F_CONFIG_WCE;

	if (packed)
		features |= 1ULL << VIRTIO_F_RING_PACKED;
	if (info->readonly)
		features |= 1ULL << VIRTIO_BLK_F_RO;
	if (info->discard_max)
		features |= 1ULL << VIRTIO_BLK_F_DISCARD;
	if (info->zeroes_max)
		features |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	if (info->secure_erase_max)
		features |= 1ULL << VIRTIO_BLK_F_SECURE_ERASE;
	return features;
}

static u8 log2_of(u32 value)
{
	return (u8)(31 - __builtin_clz(value));
}

static __virtio32 blk_sectors(u64 bytes)
{
	return (__force __virtio32)cpu_to_le32((u32)(bytes >> SECTOR_SHIFT));
}

/* Fields of what is not offered are 0. */
static void blk_fill_erasure(struct virtio_blk_config *c,
			     const struct disk_info *info)
{
	const __virtio32 one = (__force __virtio32)cpu_to_le32(1);

	if (info->discard_max) {
		c->max_discard_sectors = blk_sectors(info->discard_max);
		c->max_discard_seg = one;
		c->discard_sector_alignment = blk_sectors(info->discard_align);
	}
	if (info->zeroes_max) {
		c->max_write_zeroes_sectors = blk_sectors(info->zeroes_max);
		c->max_write_zeroes_seg = one;
		c->write_zeroes_may_unmap = info->zeroes_unmap;
	}
	if (info->secure_erase_max) {
		c->max_secure_erase_sectors =
			blk_sectors(info->secure_erase_max);
		c->max_secure_erase_seg = one;
		c->secure_erase_sector_alignment =
			blk_sectors(info->discard_align);
	}
}

/* 5.2.4; uapi declares the fields as guest-endian, modern devices are LE. */
static void blk_fill_config(struct virtio_blk *blk,
			    const struct virtio_blk_params *params)
{
	const struct disk_info *info = disk_info(blk->disk);
	struct virtio_blk_config *c = &blk->config;
	u32 block = info->block_size;

	blk->sectors = info->size >> SECTOR_SHIFT;
	c->capacity = (__force __virtio64)cpu_to_le64(blk->sectors);
	c->seg_max = (__force __virtio32)cpu_to_le32(params->queue_size - 2u);
	c->blk_size = (__force __virtio32)cpu_to_le32(block);
	c->physical_block_exp = log2_of(info->physical_size / block);
	c->min_io_size =
		(__force __virtio16)cpu_to_le16((u16)(info->physical_size / block));
	c->opt_io_size =
		(__force __virtio32)cpu_to_le32(info->optimal_size / block);
	blk_set_write_through(blk, !info->write_cache);
	blk_fill_erasure(c, info);
	c->num_queues = (__force __virtio16)cpu_to_le16((u16)params->nqueues);
}

static int blk_queue_init(struct virtio_blk *blk, unsigned int index,
			  const struct virtio_blk_params *params)
{
	struct blk_queue *q = &blk->queues[index];
	int err = 0;

	q->blk = blk;
	q->thread = params->threads[index % params->nthreads];
	if (limit_wanted(&params->limits))
		q->share.limit = &blk->limits[0];
	q->client.ops = &virtio_blk_queue_ops;
	q->client.fd = blk->dev.queues[index].kick_fd;
	q->client.index = index;
	q->client.name = params->name;
	sem_init(&q->drained, 0, 0);
	if (params->trace)
		err = trace_add(params->trace, params->name, index,
				params->queue_size, &q->trace);
	if (!err)
		err = blk_queue_alloc(q, params->queue_size);
	if (err)
		return err;
	err = disk_queue_new(blk->disk, q->thread, q->depth, &q->disk_queue);
	if (err)
		return err;
	return iothread_add(q->thread, &q->client);
}

int virtio_blk_new(struct virtio_blk **bp, const struct guest_memory *mem,
		   struct disk *disk, const struct virtio_blk_params *params)
{
	struct virtio_blk *blk = aligned_alloc(128, sizeof(*blk));
	size_t size = params->nqueues * sizeof(struct blk_queue);
	int err;

	if (!blk)
		return log_no_memory();
	memset(blk, 0, sizeof(*blk));
	pthread_mutex_init(&blk->config_lock, NULL);
	blk->disk = disk;
	blk->readonly = disk_info(disk)->readonly;
	blk->irq_delay_ns = params->irq_delay_ns;
	blk->irq_delay_auto = params->irq_delay_auto;
	limit_init(&blk->limits[0], &params->limits);
	blk->on_error = params->on_error;
	blk->dev.ops = &blk_device_ops;
	blk->dev.mem = mem;
	blk->dev.name = params->name;
	memcpy(blk->serial, params->serial,
	       strnlen(params->serial, sizeof(blk->serial)));
	blk_fill_config(blk, params);
	err = virtio_device_init(&blk->dev, params->nqueues, params->queue_size,
				 blk_features(disk_info(disk), params->packed));
	if (err)
		goto fail;
	blk->queues = aligned_alloc(128, size);
	if (!blk->queues) {
		err = log_no_memory();
		goto fail;
	}
	memset(blk->queues, 0, size);
	for (unsigned int i = 0; i < params->nqueues; i++) {
		err = blk_queue_init(blk, i, params);
		if (err)
			goto fail;
	}
	*bp = blk;
	return 0;
fail:
	virtio_blk_free(blk);
	return err;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	for (unsigned int i = 0; blk->queues && i < blk->dev.nqueues; i++) {
		struct blk_queue *q = &blk->queues[i];

		if (q->disk_queue)
			disk_queue_free(q->disk_queue);
		blk_queue_free(q);
	}
	free(blk->queues);
	virtio_device_exit(&blk->dev);
	pthread_mutex_destroy(&blk->config_lock);
	free(blk);
}

static void blk_queue_retry(void *arg)
{
	blk_retry(arg);
}

void virtio_blk_retry(struct virtio_blk *blk)
{
	for (unsigned int i = 0; i < blk->dev.nqueues; i++)
		iothread_call(blk->queues[i].thread, blk_queue_retry,
			      &blk->queues[i]);
}

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
	return &blk->dev;
}

const struct virtio_blk_stats *virtio_blk_stats(const struct virtio_blk *blk,
						unsigned int q)
{
	return &blk->queues[q].stats;
}

u64 virtio_blk_kicks(const struct virtio_blk *blk, unsigned int q)
{
	return read_once(&blk->queues[q].client.wakeups);
}

const struct disk_queue *virtio_blk_disk_queue(const struct virtio_blk *blk,
					       unsigned int q)
{
	return blk->queues[q].disk_queue;
}

struct iothread *virtio_blk_thread(const struct virtio_blk *blk, unsigned int q)
{
	return blk->queues[q].thread;
}
