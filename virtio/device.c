// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state machine that every virtio device shares (virtio 1.2, 2.1, 3.1).
 *
 * What a driver did wrong is ignored or refused as the specification says;
 * there is no state in which a queue runs without agreed features.
 */
#include "virtio/device.h"
#include "barrier.h"
#include "kvm/event.h"
#include "log.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BREAKS_TOLD 8

static void virtio_queue_defaults(struct virtio_queue *queue)
{
	memset(&queue->config, 0, sizeof(queue->config));
	queue->config.size = queue->size_max;
	queue->enabled = false;
}

int virtio_device_init(struct virtio_device *dev, unsigned int nqueues,
		       u16 queue_size, u64 features)
{
	pthread_mutex_init(&dev->lock, NULL);
	dev->features = features;
	dev->queues = calloc(nqueues, sizeof(*dev->queues));
	if (!dev->queues)
		return log_no_memory();
	for (; dev->nqueues < nqueues; dev->nqueues++) {
		struct virtio_queue *queue = &dev->queues[dev->nqueues];

		queue->size_max = queue_size;
		virtio_queue_defaults(queue);
		queue->kick_fd = event_new();
		if (queue->kick_fd < 0) {
			log_error("cannot create an eventfd for each of %u queues; raise the limit of open files (ulimit -n) or use fewer queues",
				  nqueues);
			return queue->kick_fd;
		}
	}
	return 0;
}

void virtio_device_exit(struct virtio_device *dev)
{
	for (unsigned int q = 0; q < dev->nqueues; q++)
		close(dev->queues[q].kick_fd);
	free(dev->queues);
	pthread_mutex_destroy(&dev->lock);
}

static void virtio_queue_start(struct virtio_device *dev, unsigned int q)
{
	struct virtio_queue *queue = &dev->queues[q];

	if (queue->enabled && !queue->running && !read_once(&dev->broken))
		queue->running = !dev->ops->queue_start(dev, q);
}

static void virtio_queue_stop(struct virtio_device *dev, unsigned int q)
{
	struct virtio_queue *queue = &dev->queues[q];

	if (queue->running)
		dev->ops->queue_stop(dev, q);
	queue->running = false;
	virtio_queue_defaults(queue);
}

static void virtio_device_reset(struct virtio_device *dev)
{
	for (unsigned int q = 0; q < dev->nqueues; q++)
		virtio_queue_stop(dev, q);
	dev->device_features_select = 0;
	dev->driver_features_select = 0;
	dev->queue_select = 0;
	dev->driver_features = 0;
	dev->driver_high_words = 0;
	write_once(&dev->status, 0);
	dev->ops->negotiated(dev);
	write_once(&dev->broken, false);
}

u8 virtio_device_status(const struct virtio_device *dev)
{
	u8 broken = read_once(&dev->broken) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0;

	return read_once(&dev->status) | broken;
}

/* 3.1.1 step 5: all or nothing, and never without VERSION_1. */
static bool virtio_features_ok(const struct virtio_device *dev)
{
	return !dev->driver_high_words &&
	       !(dev->driver_features & ~dev->features) &&
	       virtio_device_has(dev, VIRTIO_F_VERSION_1);
}

void virtio_device_set_status(struct virtio_device *dev, u8 status)
{
	u8 set = status & ~dev->status & ~VIRTIO_CONFIG_S_NEEDS_RESET;

	if (!status) {
		virtio_device_reset(dev);
		return;
	}
	if (set & VIRTIO_CONFIG_S_FEATURES_OK && !virtio_features_ok(dev))
		set &= (u8)~VIRTIO_CONFIG_S_FEATURES_OK;
	/* 2.1.1: the driver must not clear a bit, but for a reset. */
	write_once(&dev->status, dev->status | set);
	if (set & VIRTIO_CONFIG_S_FEATURES_OK)
		dev->ops->negotiated(dev);
	/* No features agreed upon, no queues. */
	if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		write_once(&dev->status,
			   dev->status & (u8)~VIRTIO_CONFIG_S_DRIVER_OK);
	if (dev->status & set & VIRTIO_CONFIG_S_DRIVER_OK)
		for (unsigned int q = 0; q < dev->nqueues; q++)
			virtio_queue_start(dev, q);
}

void virtio_device_set_features(struct virtio_device *dev, u64 features)
{
	if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		dev->driver_features = features;
}

void virtio_device_set_high_features(struct virtio_device *dev, u32 word,
				     u32 features)
{
	u32 bit = 1u << (word < 31 ? word : 31);	/* the last: all others */

	if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (features)
		dev->driver_high_words |= bit;
	else
		dev->driver_high_words &= ~bit;
}

bool virtio_device_size_ok(const struct virtio_device *dev,
			   const struct virtio_queue *queue, u32 size)
{
	return size && size <= queue->size_max &&
	       (virtio_device_has(dev, VIRTIO_F_RING_PACKED) ||
		!(size & (size - 1)));
}

void virtio_device_enable_queue(struct virtio_device *dev, unsigned int q)
{
	dev->queues[q].enabled = true;
	/* 2.6.1.2: a queue that was reset starts while the device runs. */
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_queue_start(dev, q);
}

void virtio_device_reset_queue(struct virtio_device *dev, unsigned int q)
{
	virtio_queue_stop(dev, q);
}

void virtio_device_break(struct virtio_device *dev, unsigned int q,
			 const char *what)
{
	if (__atomic_exchange_n(&dev->broken, true, __ATOMIC_RELAXED))
		return;
	/* A guest can reset and break a device for ever: enough is enough. */
	if (__atomic_fetch_add(&dev->breaks, 1, __ATOMIC_RELAXED) < BREAKS_TOLD)
		log_error("%s: queue %u: malformed %s; the device needs a reset by its driver",
			  dev->name, q, what);
	dev->transport->config_interrupt(dev);
}
