/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a virtio PCI function, and its common configuration registers
 * (virtio 1.2, 4.1.4.3).  Private to virtio/pci.c and virtio/pci_regs.c.
 */
#ifndef LKVM_VIRTIO_PCI_REGS_H
#define LKVM_VIRTIO_PCI_REGS_H

#include "endian.h"
#include "kvm/pci.h"

struct msix;
struct virtio_device;
struct vm;

struct virtio_pci {
	struct pci_function fn;
	struct virtio_device *dev;
	struct vm *vm;
	struct msix *msix;
	unsigned int cfg_cap;	/* offset of the PCI_CFG capability */

	/* Registers of its own; written under the device's lock, but for isr. */
	u8 isr;			/* set and cleared atomically */
	u16 config_vector;
	u16 *queue_vector;

	/* Where the ioeventfds are; bridge lock. */
	u64 kick_base, kick_port_base;
};

/* As after a device reset. */
void vp_regs_reset(struct virtio_pci *vp);

/* A guest access of @len bytes at @offset of the register block. */
void vp_regs_access(struct virtio_pci *vp, u32 offset, void *data,
		    unsigned int len, bool write);

#endif
