/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio over MMIO, version 2 (virtio 1.2, 4.2): a window of registers and one
 * interrupt, for machines, or experiments, without PCI.
 */
#ifndef LKVM_VIRTIO_MMIO_H
#define LKVM_VIRTIO_MMIO_H

#include "endian.h"

struct virtio_device;
struct virtio_mmio;
struct vm;

#define VIRTIO_MMIO_SIZE 0x200	/* of the window, as the guest is told */

/*
 * Let @dev, whose ops and features are final, answer at @addr, and interrupt by
 * @gsi, an edge-triggered pin that nobody else uses.  0 or -errno.
 */
int virtio_mmio_new(struct virtio_mmio **mp, struct vm *vm,
		    struct virtio_device *dev, u64 addr, u32 gsi);
/* vCPUs have stopped; no queue is touched, no interrupt sent after it. */
void virtio_mmio_free(struct virtio_mmio *mmio);

#endif
