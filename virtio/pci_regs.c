// SPDX-License-Identifier: GPL-2.0-only
/*
 * The common configuration registers (virtio 1.2, 4.1.4.3): what a driver reads
 * of a device and its queues, and how it sets them up.  vCPU threads, under the
 * device's lock.
 */
#include "virtio/pci_regs.h"
#include "barrier.h"
#include "kvm/msix.h"
#include "virtio/device.h"
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

/* The queue that queue_select names; NULL if there is none (4.1.4.3.1). */
static struct virtio_queue *vp_queue(struct virtio_pci *vp)
{
	if (vp->queue_select >= vp->dev->nqueues)
		return NULL;
	return &vp->dev->queues[vp->queue_select];
}

static u32 vp_feature_word(u64 features, u32 select)
{
	return select < 2 ? (u32)(features >> 32 * select) : 0;
}

static u32 vp_queue_read(struct virtio_pci *vp, u32 offset)
{
	const struct virtio_queue *queue = vp_queue(vp);

	if (!queue)
		return 0;	/* queue_size 0: not available */
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->config.size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return vp->queue_vector[vp->queue_select];
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return queue->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
	case VIRTIO_PCI_COMMON_Q_NDATA:
		return vp->queue_select;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return (u32)queue->config.desc;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return (u32)(queue->config.desc >> 32);
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return (u32)queue->config.avail;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return (u32)(queue->config.avail >> 32);
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return (u32)queue->config.used;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return (u32)(queue->config.used >> 32);
	default:	/* Q_RESET: a reset is over when its write returns */
		return 0;
	}
}

static u32 vp_common_read(struct virtio_pci *vp, u32 offset)
{
	const struct virtio_device *dev = vp->dev;

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return vp->feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return vp_feature_word(dev->features, vp->feature_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return vp->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return vp_feature_word(dev->driver_features,
				       vp->driver_feature_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return vp->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return dev->nqueues;
	case VIRTIO_PCI_COMMON_STATUS:
		return virtio_device_status(dev);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return dev->generation & 0xff;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return vp->queue_select;
	default:
		return vp_queue_read(vp, offset);
	}
}

static void vp_set_low(u64 *reg, u32 value)
{
	*reg = (*reg & ~0xffffffffULL) | value;
}

static void vp_set_high(u64 *reg, u32 value)
{
	*reg = (*reg & 0xffffffff) | (u64)value << 32;
}

/* 4.1.5.1.2: a vector that cannot be used reads back as NO_VECTOR. */
static u16 vp_vector(const struct virtio_pci *vp, u32 value)
{
	return value < msix_vectors(vp->msix) ? (u16)value :
						VIRTIO_MSI_NO_VECTOR;
}

/* 4.1.4.3.2: what describes a ring is fixed once the queue is enabled. */
static void vp_queue_setup(const struct virtio_device *dev,
			   struct virtio_queue *queue, u32 offset, u32 value)
{
	struct virtqueue_config *config = &queue->config;

	if (queue->enabled)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (virtio_device_size_ok(dev, queue, value))
			config->size = (u16)value;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		vp_set_low(&config->desc, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		vp_set_high(&config->desc, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		vp_set_low(&config->avail, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		vp_set_high(&config->avail, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		vp_set_low(&config->used, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		vp_set_high(&config->used, value);
		break;
	}
}

static void vp_queue_write(struct virtio_pci *vp, u32 offset, u32 value)
{
	struct virtio_queue *queue = vp_queue(vp);

	if (!queue)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_MSIX:
		write_once(&vp->queue_vector[vp->queue_select],
			   vp_vector(vp, value));
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			virtio_device_enable_queue(vp->dev, vp->queue_select);
		break;
	case VIRTIO_PCI_COMMON_Q_RESET:
		if (value == 1 && virtio_device_has(vp->dev, VIRTIO_F_RING_RESET))
			virtio_device_reset_queue(vp->dev, vp->queue_select);
		break;
	default:
		vp_queue_setup(vp->dev, queue, offset, value);
	}
}

/* What a device reset resets of the transport. */
void vp_regs_reset(struct virtio_pci *vp)
{
	vp->feature_select = 0;
	vp->driver_feature_select = 0;
	vp->queue_select = 0;
	write_once(&vp->isr, 0);
	write_once(&vp->config_vector, VIRTIO_MSI_NO_VECTOR);
	for (unsigned int q = 0; q < vp->dev->nqueues; q++)
		write_once(&vp->queue_vector[q], VIRTIO_MSI_NO_VECTOR);
}

static void vp_set_driver_features(struct virtio_pci *vp, u32 value)
{
	u64 features = vp->dev->driver_features;

	if (vp->driver_feature_select == 0)
		vp_set_low(&features, value);
	else if (vp->driver_feature_select == 1)
		vp_set_high(&features, value);
	else if (value)
		features |= vp->dev->features + 1;	/* bits nobody offered */
	virtio_device_set_features(vp->dev, features);
}

static void vp_common_write(struct virtio_pci *vp, u32 offset, u32 value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		vp_set_driver_features(vp, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		write_once(&vp->config_vector, vp_vector(vp, value));
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_device_set_status(vp->dev, (u8)value);
		if (!(u8)value)
			vp_regs_reset(vp);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = (u16)value;
		break;
	default:
		vp_queue_write(vp, offset, value);
	}
}

/* Width of the register at @offset; 0: there is none. */
static unsigned int vp_common_width(u32 offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_STATUS:
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return 1;
	case VIRTIO_PCI_COMMON_DFSELECT:
	case VIRTIO_PCI_COMMON_DF:
	case VIRTIO_PCI_COMMON_GFSELECT:
	case VIRTIO_PCI_COMMON_GF:
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return 4;
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_NUMQ:
	case VIRTIO_PCI_COMMON_Q_SELECT:
	case VIRTIO_PCI_COMMON_Q_SIZE:
	case VIRTIO_PCI_COMMON_Q_MSIX:
	case VIRTIO_PCI_COMMON_Q_ENABLE:
	case VIRTIO_PCI_COMMON_Q_NOFF:
	case VIRTIO_PCI_COMMON_Q_NDATA:
	case VIRTIO_PCI_COMMON_Q_RESET:
		return 2;
	default:
		return 0;
	}
}

/* 4.1.3.1: accesses are of the field's width, 64-bit fields in two halves. */
void vp_regs_access(struct virtio_pci *vp, u32 offset, void *data,
		    unsigned int len, bool write)
{
	__le32 le = 0;

	if (len == 8) {
		vp_regs_access(vp, offset, data, 4, write);
		vp_regs_access(vp, offset + 4, (u8 *)data + 4, 4, write);
		return;
	}
	if (len != vp_common_width(offset))
		return;
	pthread_mutex_lock(&vp->dev->lock);
	if (write) {
		memcpy(&le, data, len);
		vp_common_write(vp, offset, le32_to_cpu(le));
	} else {
		le = cpu_to_le32(vp_common_read(vp, offset));
		memcpy(data, &le, len);
	}
	pthread_mutex_unlock(&vp->dev->lock);
}
