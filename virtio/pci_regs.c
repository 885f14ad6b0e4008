// SPDX-License-Identifier: GPL-2.0-only
/*
 * The common configuration registers (virtio 1.2, 4.1.4.3): where the registers
 * of every transport are here, and those that PCI alone has.  vCPU threads,
 * under the device's lock.
 */
#include "virtio/pci_regs.h"
#include "barrier.h"
#include "kvm/msix.h"
#include "virtio/device.h"
#include "virtio/regs.h"
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

static const struct vp_register {
	u8 width;		/* 0: no register */
	enum virtio_reg reg;	/* VIRTIO_REG_NONE: PCI's own */
} vp_registers[] = {
	[VIRTIO_PCI_COMMON_DFSELECT] = { 4, VIRTIO_REG_DEVICE_FEATURES_SELECT },
	[VIRTIO_PCI_COMMON_DF] = { 4, VIRTIO_REG_DEVICE_FEATURES },
	[VIRTIO_PCI_COMMON_GFSELECT] = { 4, VIRTIO_REG_DRIVER_FEATURES_SELECT },
	[VIRTIO_PCI_COMMON_GF] = { 4, VIRTIO_REG_DRIVER_FEATURES },
	[VIRTIO_PCI_COMMON_MSIX] = { 2, VIRTIO_REG_NONE },
	[VIRTIO_PCI_COMMON_NUMQ] = { 2, VIRTIO_REG_NONE },
	[VIRTIO_PCI_COMMON_STATUS] = { 1, VIRTIO_REG_STATUS },
	[VIRTIO_PCI_COMMON_CFGGENERATION] = { 1, VIRTIO_REG_GENERATION },
	[VIRTIO_PCI_COMMON_Q_SELECT] = { 2, VIRTIO_REG_QUEUE_SELECT },
	[VIRTIO_PCI_COMMON_Q_SIZE] = { 2, VIRTIO_REG_QUEUE_SIZE },
	[VIRTIO_PCI_COMMON_Q_MSIX] = { 2, VIRTIO_REG_NONE },
	[VIRTIO_PCI_COMMON_Q_ENABLE] = { 2, VIRTIO_REG_QUEUE_ENABLE },
	[VIRTIO_PCI_COMMON_Q_NOFF] = { 2, VIRTIO_REG_NONE },
	[VIRTIO_PCI_COMMON_Q_DESCLO] = { 4, VIRTIO_REG_QUEUE_DESC_LOW },
	[VIRTIO_PCI_COMMON_Q_DESCHI] = { 4, VIRTIO_REG_QUEUE_DESC_HIGH },
	[VIRTIO_PCI_COMMON_Q_AVAILLO] = { 4, VIRTIO_REG_QUEUE_DRIVER_LOW },
	[VIRTIO_PCI_COMMON_Q_AVAILHI] = { 4, VIRTIO_REG_QUEUE_DRIVER_HIGH },
	[VIRTIO_PCI_COMMON_Q_USEDLO] = { 4, VIRTIO_REG_QUEUE_DEVICE_LOW },
	[VIRTIO_PCI_COMMON_Q_USEDHI] = { 4, VIRTIO_REG_QUEUE_DEVICE_HIGH },
	[VIRTIO_PCI_COMMON_Q_NDATA] = { 2, VIRTIO_REG_NONE },
	[VIRTIO_PCI_COMMON_Q_RESET] = { 2, VIRTIO_REG_QUEUE_RESET },
};
#define VP_REGISTERS (sizeof(vp_registers) / sizeof(vp_registers[0]))

/* PCI's own registers; those of a queue that is not there read as 0. */
static u32 vp_read(struct virtio_pci *vp, u32 offset)
{
	const struct virtio_device *dev = vp->dev;

	if (offset == VIRTIO_PCI_COMMON_MSIX)
		return vp->config_vector;
	if (offset == VIRTIO_PCI_COMMON_NUMQ)
		return dev->nqueues;
	if (dev->queue_select >= dev->nqueues)
		return 0;
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX)
		return vp->queue_vector[dev->queue_select];
	return dev->queue_select;	/* Q_NOFF, Q_NDATA */
}

/* 4.1.5.1.2: a vector that cannot be used reads back as NO_VECTOR. */
static u16 vp_vector(const struct virtio_pci *vp, u32 value)
{
	return value < msix_vectors(vp->msix) ? (u16)value :
						VIRTIO_MSI_NO_VECTOR;
}

static void vp_write(struct virtio_pci *vp, u32 offset, u32 value)
{
	const struct virtio_device *dev = vp->dev;

	if (offset == VIRTIO_PCI_COMMON_MSIX)
		write_once(&vp->config_vector, vp_vector(vp, value));
	else if (offset == VIRTIO_PCI_COMMON_Q_MSIX &&
		 dev->queue_select < dev->nqueues)
		write_once(&vp->queue_vector[dev->queue_select],
			   vp_vector(vp, value));
}

/* What a device reset resets of the transport. */
void vp_regs_reset(struct virtio_pci *vp)
{
	write_once(&vp->isr, 0);
	write_once(&vp->config_vector, VIRTIO_MSI_NO_VECTOR);
	for (unsigned int q = 0; q < vp->dev->nqueues; q++)
		write_once(&vp->queue_vector[q], VIRTIO_MSI_NO_VECTOR);
}

static u32 vp_register_read(struct virtio_pci *vp, u32 offset)
{
	enum virtio_reg reg = vp_registers[offset].reg;

	return reg == VIRTIO_REG_NONE ? vp_read(vp, offset) :
					virtio_reg_read(vp->dev, reg);
}

static void vp_register_write(struct virtio_pci *vp, u32 offset, u32 value)
{
	enum virtio_reg reg = vp_registers[offset].reg;

	if (reg == VIRTIO_REG_NONE)
		vp_write(vp, offset, value);
	else
		virtio_reg_write(vp->dev, reg, value);
	if (reg == VIRTIO_REG_STATUS && !value)
		vp_regs_reset(vp);
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
	if (offset >= VP_REGISTERS || len != vp_registers[offset].width)
		return;
	pthread_mutex_lock(&vp->dev->lock);
	if (write) {
		memcpy(&le, data, len);
		vp_register_write(vp, offset, le32_to_cpu(le));
	} else {
		le = cpu_to_le32(vp_register_read(vp, offset));
		memcpy(data, &le, len);
	}
	pthread_mutex_unlock(&vp->dev->lock);
}
