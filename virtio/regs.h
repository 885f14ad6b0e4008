/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers that every transport has, each at places of its own (virtio 1.2,
 * 4.1.4.3 and 4.2.2): features, status, and what describes a queue.  Private to
 * the transports.
 */
#ifndef LKVM_VIRTIO_REGS_H
#define LKVM_VIRTIO_REGS_H

#include "endian.h"

struct virtio_device;

#define VIRTIO_VENDOR 0x1af4

enum virtio_reg {
	VIRTIO_REG_NONE,	/* reads as 0 */
	VIRTIO_REG_DEVICE_FEATURES_SELECT,
	VIRTIO_REG_DEVICE_FEATURES,
	VIRTIO_REG_DRIVER_FEATURES_SELECT,
	VIRTIO_REG_DRIVER_FEATURES,
	VIRTIO_REG_STATUS,
	VIRTIO_REG_GENERATION,
	VIRTIO_REG_QUEUE_SELECT,
	/* Of the selected queue; 0 if there is none. */
	VIRTIO_REG_QUEUE_SIZE_MAX,
	VIRTIO_REG_QUEUE_SIZE,
	VIRTIO_REG_QUEUE_ENABLE,
	VIRTIO_REG_QUEUE_READY,	/* the same, and 0 stops it */
	VIRTIO_REG_QUEUE_RESET,
	VIRTIO_REG_QUEUE_DESC_LOW,
	VIRTIO_REG_QUEUE_DESC_HIGH,
	VIRTIO_REG_QUEUE_DRIVER_LOW,
	VIRTIO_REG_QUEUE_DRIVER_HIGH,
	VIRTIO_REG_QUEUE_DEVICE_LOW,
	VIRTIO_REG_QUEUE_DEVICE_HIGH,
};

/* A guest access; the device's lock is held. */
u32 virtio_reg_read(const struct virtio_device *dev, enum virtio_reg reg);
void virtio_reg_write(struct virtio_device *dev, enum virtio_reg reg, u32 value);

/*
 * A guest access of any width at @offset of the configuration space; takes the
 * device's lock.  What does not lie in it is left as it is.
 */
void virtio_config_read(struct virtio_device *dev, u32 offset, void *data,
			unsigned int len);
void virtio_config_write(struct virtio_device *dev, u32 offset, const void *data,
			 unsigned int len);

#endif
