/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device between its transport and its type: status and feature state
 * machine (virtio 1.2, 2.1, 2.2, 3.1), queue configuration, reset.
 *
 * All calls but virtio_device_status() and virtio_device_break() come from vCPU threads, under the
 * device's lock, which its transport takes.  The data path never comes here.
 */
#ifndef LKVM_VIRTIO_DEVICE_H
#define LKVM_VIRTIO_DEVICE_H

#include "endian.h"
#include "kvm/memory.h"
#include "virtio/virtqueue.h"
#include <pthread.h>

struct virtio_device;

/* The device type, e.g. block. */
struct virtio_device_ops {
	u32 id;		/* 5: Device Types */
	u32 config_len;	/* of the configuration space */
	/*
	 * Begin to serve a queue that the driver has enabled.  -EINVAL if its
	 * rings are malformed: the device then needs a reset.
	 */
	int (*queue_start)(struct virtio_device *dev, unsigned int q);
	/*
	 * Serve it no more.  When this returns, every request it had taken is
	 * complete, and nothing touches the rings.
	 */
	void (*queue_stop)(struct virtio_device *dev, unsigned int q);
	/* The driver's features are agreed on; or, by a reset, forgotten. */
	void (*negotiated)(struct virtio_device *dev);
	/* [offset, offset + len) lies in the configuration space. */
	void (*config_read)(struct virtio_device *dev, u32 offset, void *data,
			    unsigned int len);
	void (*config_write)(struct virtio_device *dev, u32 offset,
			     const void *data, unsigned int len);
};

/* What a device asks of its transport; any thread. */
struct virtio_transport_ops {
	/* On @q's I/O thread.  False: it has no vector, the driver polls it. */
	bool (*queue_interrupt)(struct virtio_device *dev, unsigned int q);
	void (*config_interrupt)(struct virtio_device *dev);
};

/* What the driver sets up of one queue. */
struct virtio_queue {
	struct virtqueue_config config;
	u16 size_max;
	bool enabled;
	bool running;	/* queue_start() has succeeded */
	int kick_fd;	/* eventfd that the driver's notification signals */
};

struct virtio_device {
	const struct virtio_device_ops *ops;
	const struct virtio_transport_ops *transport;
	void *transport_priv;
	const struct guest_memory *mem;
	const char *name;	/* "vda": for messages */
	pthread_mutex_t lock;

	u64 features;		/* offered */
	u64 driver_features;	/* accepted */
	u32 driver_high_words;	/* a bit for each word above them that is not 0 */
	u8 status;
	bool broken;		/* NEEDS_RESET; set by any thread */
	unsigned int breaks;	/* how often that was */
	u32 generation;		/* 4.1.4.3.1; set by the main thread */
	unsigned int nqueues;
	struct virtio_queue *queues;

	/* What the driver's next access is about; see virtio/regs.h. */
	u32 device_features_select;
	u32 driver_features_select;
	u32 queue_select;
};

/*
 * Queues with rings of up to @queue_size and a kick eventfd each.  0 or -errno.
 * The caller has zeroed @dev and set ops, mem and name.
 */
int virtio_device_init(struct virtio_device *dev, unsigned int nqueues,
		       u16 queue_size, u64 features);
void virtio_device_exit(struct virtio_device *dev);

/* Any thread, lock not needed. */
u8 virtio_device_status(const struct virtio_device *dev);
/* 0 resets the device, and returns when it is reset. */
void virtio_device_set_status(struct virtio_device *dev, u8 status);
void virtio_device_set_features(struct virtio_device *dev, u64 features);
/* @word: 2 and above, of bits that no device offers. */
void virtio_device_set_high_features(struct virtio_device *dev, u32 word,
				     u32 features);
void virtio_device_enable_queue(struct virtio_device *dev, unsigned int q);
/* 2.6.1: RING_RESET.  Returns when the queue is reset. */
void virtio_device_reset_queue(struct virtio_device *dev, unsigned int q);

/*
 * The guest has made a mess: one log line, NEEDS_RESET, no more requests until
 * it resets the device.  Any thread, lock not needed.
 */
void virtio_device_break(struct virtio_device *dev, unsigned int q,
			 const char *what);

/*
 * Whether the driver may set @size entries for @queue (4.1.4.3.2, 4.2.2.2): any
 * number for a packed ring, a power of two for a split one.
 */
bool virtio_device_size_ok(const struct virtio_device *dev,
			   const struct virtio_queue *queue, u32 size);

static inline bool virtio_device_has(const struct virtio_device *dev,
				     unsigned int feature)
{
	return dev->driver_features >> feature & 1;
}

#endif
