// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI transport (virtio 1.2, 4.1).
 *
 * BAR 0 holds the four register blocks, a page each; BAR 4 the MSI-X table; BAR
 * 2, where the machine has ports, the notify addresses once more: a port's exit
 * tells KVM all about it, while for an MMIO kick some must decode the instruction.
 * Drivers take what comes first (4.1.4), the ports.
 *
 * Kicks never come here: each queue's notify address is an ioeventfd.  If KVM
 * did not take one, or the kick comes through the PCI_CFG window, the write
 * signals the same eventfd from here.
 */
#include "virtio/pci.h"
#include "barrier.h"
#include "kvm/event.h"
#include "kvm/msix.h"
#include "kvm/pci.h"
#include "log.h"
#include "virtio/device.h"
#include "virtio/pci_regs.h"
#include "virtio/regs.h"
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERS_BAR 0
#define PORTS_BAR 2
#define MSIX_BAR 4
#define PORTS_MIN 16
#define PORTS_MAX 256	/* PCI Local Bus 3.0, 6.2.5.1 */

/* BAR 0 */
#define COMMON_OFFSET 0x0000
#define COMMON_SIZE 64
#define ISR_OFFSET 0x1000
#define ISR_SIZE 1
#define DEVICE_OFFSET 0x2000
#define NOTIFY_OFFSET 0x3000
#define NOTIFY_MULTIPLIER 4	/* 4.1.4.4: a notify address for each queue */
#define BAR_SIZE 0x4000

#define CFG_DATA offsetof(struct virtio_pci_cfg_cap, pci_cfg_data)

#define ISR_QUEUE 1	/* 4.1.4.5 */
#define ISR_CONFIG 2

/* 4.1.2: device ids are 0x1040 + virtio id, revision 1: no legacy driver. */
#define VIRTIO_PCI_DEVICE_BASE 0x1040
#define VIRTIO_PCI_REVISION 1

static struct virtio_pci *to_virtio_pci(struct pci_function *fn)
{
	return (struct virtio_pci *)((char *)fn -
				     offsetof(struct virtio_pci, fn));
}


static bool vp_queue_interrupt(struct virtio_device *dev, unsigned int q)
{
	struct virtio_pci *vp = dev->transport_priv;
	u16 vector;

	if (!msix_enabled(vp->msix)) {
		__atomic_fetch_or(&vp->isr, ISR_QUEUE, __ATOMIC_RELEASE);
		pci_function_intx(&vp->fn);
		return true;
	}
	vector = read_once(&vp->queue_vector[q]);
	if (vector == VIRTIO_MSI_NO_VECTOR)	/* the driver polls it */
		return false;
	event_signal(msix_fd(vp->msix, vector));
	return true;
}

static void vp_config_interrupt(struct virtio_device *dev)
{
	struct virtio_pci *vp = dev->transport_priv;
	u16 vector;

	__atomic_fetch_or(&vp->isr, ISR_CONFIG, __ATOMIC_RELEASE);
	if (!msix_enabled(vp->msix)) {
		pci_function_intx(&vp->fn);
		return;
	}
	vector = read_once(&vp->config_vector);
	if (vector != VIRTIO_MSI_NO_VECTOR)
		event_signal(msix_fd(vp->msix, vector));
}

static const struct virtio_transport_ops vp_transport_ops = {
	.queue_interrupt = vp_queue_interrupt,
	.config_interrupt = vp_config_interrupt,
};

static bool vp_intx_level(struct pci_function *fn)
{
	struct virtio_pci *vp = to_virtio_pci(fn);

	return !msix_enabled(vp->msix) && read_once(&vp->isr);
}

static void vp_bar_read(struct pci_function *fn, unsigned int bar, u32 offset,
			void *data, unsigned int len)
{
	struct virtio_pci *vp = to_virtio_pci(fn);

	memset(data, 0, len);
	if (bar == PORTS_BAR)
		return;
	if (bar == MSIX_BAR)
		msix_bar_read(vp->msix, offset, data, len);
	else if (offset < ISR_OFFSET)
		vp_regs_access(vp, offset, data, len, false);
	else if (offset == ISR_OFFSET)	/* 4.1.4.5.1: reading clears it */
		*(u8 *)data = __atomic_exchange_n(&vp->isr, 0,
						  __ATOMIC_ACQUIRE);
	else if (offset >= DEVICE_OFFSET && offset < NOTIFY_OFFSET)
		virtio_config_read(vp->dev, offset - DEVICE_OFFSET, data, len);
}

static void vp_kick(struct virtio_pci *vp, u32 offset)
{
	u32 q = offset / NOTIFY_MULTIPLIER;

	if (q < vp->dev->nqueues)
		event_signal(vp->dev->queues[q].kick_fd);
}

static void vp_bar_write(struct pci_function *fn, unsigned int bar, u32 offset,
			 const void *data, unsigned int len)
{
	struct virtio_pci *vp = to_virtio_pci(fn);
	u8 copy[8];

	if (bar == PORTS_BAR) {
		vp_kick(vp, offset);
	} else if (bar == MSIX_BAR) {
		msix_bar_write(vp->msix, offset, data, len);
	} else if (offset < ISR_OFFSET) {
		memcpy(copy, data, len);
		vp_regs_access(vp, offset, copy, len, true);
	} else if (offset >= DEVICE_OFFSET && offset < NOTIFY_OFFSET) {
		virtio_config_write(vp->dev, offset - DEVICE_OFFSET, data, len);
	} else if (offset >= NOTIFY_OFFSET) {
		vp_kick(vp, offset - NOTIFY_OFFSET);
	}
}

/* The ioeventfds go from *@base to @base_new; 0 is nowhere. */
static void vp_move_kicks(struct virtio_pci *vp, bool port, u64 *base,
			  u64 base_new)
{
	for (unsigned int q = 0; q < vp->dev->nqueues; q++) {
		int fd = vp->dev->queues[q].kick_fd;
		u64 offset = NOTIFY_MULTIPLIER * (u64)q;
		struct kick_address from = { *base + offset, .port = port };
		struct kick_address to = { base_new + offset, .port = port };

		if (*base)
			kick_detach(vp->vm, fd, from);
		if (base_new)	/* if KVM refuses, vp_bar_write() does it */
			kick_attach(vp->vm, fd, to);
	}
	*base = base_new;
}

static void vp_bar_moved(struct pci_function *fn, unsigned int bar, u64 addr)
{
	struct virtio_pci *vp = to_virtio_pci(fn);

	if (bar == REGISTERS_BAR)
		vp_move_kicks(vp, false, &vp->kick_base,
			      addr ? addr + NOTIFY_OFFSET : 0);
	if (bar == PORTS_BAR)
		vp_move_kicks(vp, true, &vp->kick_port_base, addr);
}

/*
 * 4.1.4.9: the PCI_CFG capability, a window of up to 4 bytes into any BAR.
 * Returns whether [offset, offset + len) touches its data and the window is a
 * legal one.
 */
static bool vp_window(struct virtio_pci *vp, unsigned int offset,
		      unsigned int len, struct virtio_pci_cap *window)
{
	struct pci_function *fn = &vp->fn;
	unsigned int data = vp->cfg_cap + CFG_DATA;
	u32 at, size;

	if (offset + len <= data || offset >= data + 4)
		return false;
	pci_function_get(fn, vp->cfg_cap, window, sizeof(*window));
	at = le32_to_cpu(window->offset);
	size = le32_to_cpu(window->length);
	if (size != 1 && size != 2 && size != 4)
		return false;
	if (window->bar >= PCI_BARS || at % size)
		return false;
	return at < fn->bar[window->bar].size &&
	       size <= fn->bar[window->bar].size - at;
}

static void vp_config_read(struct pci_function *fn, unsigned int offset,
			   unsigned int len)
{
	struct virtio_pci *vp = to_virtio_pci(fn);
	struct virtio_pci_cap window;
	u8 data[4] = { 0 };

	if (!vp_window(vp, offset, len, &window))
		return;
	vp_bar_read(fn, window.bar, le32_to_cpu(window.offset), data,
		    le32_to_cpu(window.length));
	pci_function_put(fn, vp->cfg_cap + CFG_DATA, data, sizeof(data));
}

static void vp_config_written(struct pci_function *fn, unsigned int offset,
			      unsigned int len)
{
	struct virtio_pci *vp = to_virtio_pci(fn);
	struct virtio_pci_cap window;
	u8 data[4];

	msix_config_written(vp->msix);
	if (!vp_window(vp, offset, len, &window))
		return;
	pci_function_get(fn, vp->cfg_cap + CFG_DATA, data, sizeof(data));
	vp_bar_write(fn, window.bar, le32_to_cpu(window.offset), data,
		     le32_to_cpu(window.length));
}

static const struct pci_function_ops vp_function_ops = {
	.bar_read = vp_bar_read,
	.bar_write = vp_bar_write,
	.bar_moved = vp_bar_moved,
	.config_read = vp_config_read,
	.config_written = vp_config_written,
	.intx_level = vp_intx_level,
};

/* 4.1.4: a capability that tells where in BAR 0 a block of registers is. */
static struct virtio_pci_cap vp_cap(u8 type, u8 size, u32 offset, u32 length)
{
	return (struct virtio_pci_cap){
		.cap_len = size,
		.cfg_type = type,
		.bar = REGISTERS_BAR,
		.offset = cpu_to_le32(offset),
		.length = cpu_to_le32(length),
	};
}

static void vp_add_cap(struct virtio_pci *vp, u8 type, u32 offset, u32 length)
{
	struct virtio_pci_cap cap = vp_cap(type, sizeof(cap), offset, length);

	pci_function_add_cap(&vp->fn, PCI_CAP_ID_VNDR, &cap, NULL, sizeof(cap));
}

static void vp_add_notify_cap(struct virtio_pci *vp, u8 bar, u32 offset)
{
	struct virtio_pci_notify_cap notify = {
		.cap = vp_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, sizeof(notify), offset,
			      NOTIFY_MULTIPLIER * vp->dev->nqueues),
		.notify_off_multiplier = cpu_to_le32(NOTIFY_MULTIPLIER),
	};

	notify.cap.bar = bar;
	pci_function_add_cap(&vp->fn, PCI_CAP_ID_VNDR, &notify, NULL,
			     sizeof(notify));
}

/* A power of two for all queues. */
static u32 vp_ports_size(const struct virtio_pci *vp)
{
	u32 size = PORTS_MIN;

	while (size < NOTIFY_MULTIPLIER * vp->dev->nqueues)
		size *= 2;
	return size;
}

static void vp_add_pci_cfg_cap(struct virtio_pci *vp)
{
	struct virtio_pci_cfg_cap cfg = {
		.cap = vp_cap(VIRTIO_PCI_CAP_PCI_CFG, sizeof(cfg), 0, 0),
	};
	struct virtio_pci_cfg_cap wmask = {
		.cap.bar = 0xff,
		.cap.offset = cpu_to_le32(~0u),
		.cap.length = cpu_to_le32(~0u),
		.pci_cfg_data = { 0xff, 0xff, 0xff, 0xff },
	};

	vp->cfg_cap = pci_function_add_cap(&vp->fn, PCI_CAP_ID_VNDR, &cfg,
					   &wmask, sizeof(cfg));
}

static void vp_init_function(struct virtio_pci *vp, u32 class_code)
{
	const struct pci_ids ids = {
		.vendor = VIRTIO_VENDOR,
		.device = (u16)(VIRTIO_PCI_DEVICE_BASE + vp->dev->ops->id),
		.subvendor = VIRTIO_VENDOR,
		.subdevice = (u16)(VIRTIO_PCI_DEVICE_BASE + vp->dev->ops->id),
		.revision = VIRTIO_PCI_REVISION,
		.class_code = class_code,
	};

	pci_function_init(&vp->fn, &vp_function_ops, &ids);
	pci_function_add_bar(&vp->fn, REGISTERS_BAR, BAR_SIZE);
	vp_add_cap(vp, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFFSET, COMMON_SIZE);
	vp_add_cap(vp, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFFSET, ISR_SIZE);
	vp_add_cap(vp, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_OFFSET,
		   vp->dev->ops->config_len);
	if (vp_ports_size(vp) <= PORTS_MAX &&
	    pci_function_add_io_bar(&vp->fn, PORTS_BAR, vp_ports_size(vp)))
		vp_add_notify_cap(vp, PORTS_BAR, 0);
	vp_add_notify_cap(vp, REGISTERS_BAR, NOTIFY_OFFSET);
	vp_add_pci_cfg_cap(vp);
}

int virtio_pci_new(struct virtio_pci **vpp, struct vm *vm,
		   struct pci_host *host, struct virtio_device *dev,
		   u32 class_code)
{
	struct virtio_pci *vp = calloc(1, sizeof(*vp));
	int err;

	if (!vp)
		return log_no_memory();
	vp->dev = dev;
	vp->vm = vm;
	vp_init_function(vp, class_code);
	vp->queue_vector = calloc(dev->nqueues, sizeof(*vp->queue_vector));
	if (!vp->queue_vector) {
		err = log_no_memory();
		goto fail;
	}
	vp_regs_reset(vp);
	/* One for each queue, and one for configuration changes. */
	err = msix_new(&vp->msix, vm, &vp->fn, MSIX_BAR, dev->nqueues + 1);
	if (err)
		goto fail;
	dev->transport = &vp_transport_ops;
	dev->transport_priv = vp;
	err = pci_function_add(host, &vp->fn);
	if (err)
		goto fail;
	*vpp = vp;
	return 0;
fail:
	virtio_pci_free(vp);
	return err;
}

void virtio_pci_free(struct virtio_pci *vp)
{
	vp_bar_moved(&vp->fn, REGISTERS_BAR, 0);
	vp_bar_moved(&vp->fn, PORTS_BAR, 0);
	pci_function_remove(&vp->fn);
	if (vp->msix)
		msix_free(vp->msix);
	free(vp->queue_vector);
	free(vp);
}
