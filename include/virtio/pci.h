/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio over PCI, modern (virtio 1.2, 4.1): all five capabilities, a notify
 * address and an MSI-X vector for each queue, INTx as the fallback.
 */
#ifndef LKVM_VIRTIO_PCI_H
#define LKVM_VIRTIO_PCI_H

#include "endian.h"

struct pci_host;
struct virtio_device;
struct virtio_pci;
struct vm;

/* The most queues that a device can have: vectors and one page of notifies. */
#define VIRTIO_PCI_QUEUES_MAX 256

/*
 * Plug @dev, whose ops and features are final, into @host.  @class_code as in
 * struct pci_ids.  0 or -errno.
 */
int virtio_pci_new(struct virtio_pci **vpp, struct vm *vm, struct pci_host *host,
		   struct virtio_device *dev, u32 class_code);
/* vCPUs have stopped; no queue is touched, no interrupt sent after it. */
void virtio_pci_free(struct virtio_pci *vp);

#endif
