// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver reads of a device and its queues, and how it sets them up,
 * whichever transport it comes by.  vCPU threads, under the device's lock.
 */
#include "virtio/regs.h"
#include "barrier.h"
#include "virtio/device.h"
#include <linux/virtio_config.h>

/* The queue that the select register names; NULL if there is none. */
static struct virtio_queue *virtio_selected(const struct virtio_device *dev)
{
	if (dev->queue_select >= dev->nqueues)
		return NULL;
	return &dev->queues[dev->queue_select];
}

static u32 virtio_feature_word(u64 features, u32 select)
{
	return select < 2 ? (u32)(features >> 32 * select) : 0;
}

static u32 virtio_queue_read(const struct virtio_queue *queue,
			     enum virtio_reg reg)
{
	const struct virtqueue_config *config = &queue->config;

	switch (reg) {
	case VIRTIO_REG_QUEUE_SIZE_MAX:
		return queue->size_max;
	case VIRTIO_REG_QUEUE_SIZE:
		return config->size;
	case VIRTIO_REG_QUEUE_ENABLE:
	case VIRTIO_REG_QUEUE_READY:
		return queue->enabled;
	case VIRTIO_REG_QUEUE_DESC_LOW:
		return (u32)config->desc;
	case VIRTIO_REG_QUEUE_DESC_HIGH:
		return (u32)(config->desc >> 32);
	case VIRTIO_REG_QUEUE_DRIVER_LOW:
		return (u32)config->avail;
	case VIRTIO_REG_QUEUE_DRIVER_HIGH:
		return (u32)(config->avail >> 32);
	case VIRTIO_REG_QUEUE_DEVICE_LOW:
		return (u32)config->used;
	case VIRTIO_REG_QUEUE_DEVICE_HIGH:
		return (u32)(config->used >> 32);
	default:	/* QUEUE_RESET: a reset is over when its write returns */
		return 0;
	}
}

u32 virtio_reg_read(const struct virtio_device *dev, enum virtio_reg reg)
{
	const struct virtio_queue *queue = virtio_selected(dev);

	switch (reg) {
	case VIRTIO_REG_DEVICE_FEATURES_SELECT:
		return dev->device_features_select;
	case VIRTIO_REG_DEVICE_FEATURES:
		return virtio_feature_word(dev->features,
					   dev->device_features_select);
	case VIRTIO_REG_DRIVER_FEATURES_SELECT:
		return dev->driver_features_select;
	case VIRTIO_REG_DRIVER_FEATURES:
		return virtio_feature_word(dev->driver_features,
					   dev->driver_features_select);
	case VIRTIO_REG_STATUS:
		return virtio_device_status(dev);
	case VIRTIO_REG_GENERATION:
		return read_once(&dev->generation);
	case VIRTIO_REG_QUEUE_SELECT:
		return dev->queue_select;
	default:
		return queue ? virtio_queue_read(queue, reg) : 0;
	}
}

static void virtio_set_low(u64 *reg, u32 value)
{
	*reg = (*reg & ~0xffffffffULL) | value;
}

static void virtio_set_high(u64 *reg, u32 value)
{
	*reg = (*reg & 0xffffffff) | (u64)value << 32;
}

/* 4.1.4.3.2, 4.2.2.2: what describes a ring is fixed once it is enabled. */
static void virtio_queue_setup(const struct virtio_device *dev,
			       struct virtio_queue *queue, enum virtio_reg reg,
			       u32 value)
{
	struct virtqueue_config *config = &queue->config;

	if (queue->enabled)
		return;
	switch (reg) {
	case VIRTIO_REG_QUEUE_SIZE:
		if (virtio_device_size_ok(dev, queue, value))
			config->size = (u16)value;
		break;
	case VIRTIO_REG_QUEUE_DESC_LOW:
		virtio_set_low(&config->desc, value);
		break;
	case VIRTIO_REG_QUEUE_DESC_HIGH:
		virtio_set_high(&config->desc, value);
		break;
	case VIRTIO_REG_QUEUE_DRIVER_LOW:
		virtio_set_low(&config->avail, value);
		break;
	case VIRTIO_REG_QUEUE_DRIVER_HIGH:
		virtio_set_high(&config->avail, value);
		break;
	case VIRTIO_REG_QUEUE_DEVICE_LOW:
		virtio_set_low(&config->used, value);
		break;
	case VIRTIO_REG_QUEUE_DEVICE_HIGH:
		virtio_set_high(&config->used, value);
		break;
	default:	/* to be read only, or not there */
		break;
	}
}

static void virtio_queue_write(struct virtio_device *dev, enum virtio_reg reg,
			       u32 value)
{
	struct virtio_queue *queue = virtio_selected(dev);

	if (!queue)
		return;
	switch (reg) {
	case VIRTIO_REG_QUEUE_READY:
		if (!value)
			virtio_device_reset_queue(dev, dev->queue_select);
		/* fall through */
	case VIRTIO_REG_QUEUE_ENABLE:
		if (value == 1)
			virtio_device_enable_queue(dev, dev->queue_select);
		break;
	case VIRTIO_REG_QUEUE_RESET:
		if (value == 1 && virtio_device_has(dev, VIRTIO_F_RING_RESET))
			virtio_device_reset_queue(dev, dev->queue_select);
		break;
	default:
		virtio_queue_setup(dev, queue, reg, value);
	}
}

static void virtio_set_driver_features(struct virtio_device *dev, u32 value)
{
	u64 features = dev->driver_features;
	u32 word = dev->driver_features_select;

	if (word > 1) {
		virtio_device_set_high_features(dev, word, value);
		return;
	}
	if (word)
		virtio_set_high(&features, value);
	else
		virtio_set_low(&features, value);
	virtio_device_set_features(dev, features);
}

void virtio_reg_write(struct virtio_device *dev, enum virtio_reg reg, u32 value)
{
	switch (reg) {
	case VIRTIO_REG_DEVICE_FEATURES_SELECT:
		dev->device_features_select = value;
		break;
	case VIRTIO_REG_DRIVER_FEATURES_SELECT:
		dev->driver_features_select = value;
		break;
	case VIRTIO_REG_DRIVER_FEATURES:
		virtio_set_driver_features(dev, value);
		break;
	case VIRTIO_REG_STATUS:
		if ((u8)value || !value)	/* only 0 itself resets */
			virtio_device_set_status(dev, (u8)value);
		break;
	case VIRTIO_REG_QUEUE_SELECT:
		dev->queue_select = value;
		break;
	default:
		virtio_queue_write(dev, reg, value);
	}
}

static bool virtio_config_holds(const struct virtio_device *dev, u32 offset,
				unsigned int len)
{
	return offset <= dev->ops->config_len &&
	       len <= dev->ops->config_len - offset;
}

void virtio_config_read(struct virtio_device *dev, u32 offset, void *data,
			unsigned int len)
{
	if (!virtio_config_holds(dev, offset, len))
		return;
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev, offset, data, len);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_config_write(struct virtio_device *dev, u32 offset, const void *data,
			 unsigned int len)
{
	if (!virtio_config_holds(dev, offset, len))
		return;
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_write(dev, offset, data, len);
	pthread_mutex_unlock(&dev->lock);
}
