// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMIO transport (virtio 1.2, 4.2), version 2: no legacy drivers.
 *
 * Kicks: all queues share one register, so that each has an ioeventfd for its
 * own value there.  If KVM did not take one, the write comes here and signals
 * the same eventfd.
 *
 * Interrupts: one for all queues, and edge-triggered.  A level would need a
 * resample for each, an exit and a thread that wakes, and would tell no more:
 * every event sets its bit and then makes an edge of its own, though an earlier
 * one may not be acknowledged yet.  So the driver's handler runs once more after
 * the bit was set; or it acknowledged the bit with earlier ones, before it looked
 * at the rings.  If an acknowledgement leaves bits, which would keep a level up,
 * that makes an edge, too.  The interrupt controller drops edges while the pin
 * is masked: Linux runs the handler after it has masked it, but not when it moves
 * the interrupt off a CPU that goes offline; then the next event makes up for it.
 */
#include "virtio/mmio.h"
#include "kvm/bus.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include "log.h"
#include "virtio/device.h"
#include "virtio/regs.h"
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x74726976	/* "virt" */
#define VERSION 2
#define QUEUE_RESET 0x0c0	/* not in every uapi header */
#define SHM_NONE 0xffffffff	/* length and address -1: no such region */

struct virtio_mmio {
	struct virtio_device *dev;
	struct vm *vm;
	u64 addr;
	u32 gsi;
	int irq_fd;		/* an edge of the interrupt */
	u32 status;		/* InterruptStatus; atomically, any thread */
};

/* Registers of 4 bytes below the configuration space, by their number. */
#define REGISTER(offset) [(offset) / 4]
static const enum virtio_reg mmio_registers[VIRTIO_MMIO_CONFIG / 4] = {
	REGISTER(VIRTIO_MMIO_DEVICE_FEATURES) = VIRTIO_REG_DEVICE_FEATURES,
	REGISTER(VIRTIO_MMIO_DEVICE_FEATURES_SEL) =
		VIRTIO_REG_DEVICE_FEATURES_SELECT,
	REGISTER(VIRTIO_MMIO_DRIVER_FEATURES) = VIRTIO_REG_DRIVER_FEATURES,
	REGISTER(VIRTIO_MMIO_DRIVER_FEATURES_SEL) =
		VIRTIO_REG_DRIVER_FEATURES_SELECT,
	REGISTER(VIRTIO_MMIO_QUEUE_SEL) = VIRTIO_REG_QUEUE_SELECT,
	REGISTER(VIRTIO_MMIO_QUEUE_NUM_MAX) = VIRTIO_REG_QUEUE_SIZE_MAX,
	REGISTER(VIRTIO_MMIO_QUEUE_NUM) = VIRTIO_REG_QUEUE_SIZE,
	REGISTER(VIRTIO_MMIO_QUEUE_READY) = VIRTIO_REG_QUEUE_READY,
	REGISTER(VIRTIO_MMIO_STATUS) = VIRTIO_REG_STATUS,
	REGISTER(VIRTIO_MMIO_QUEUE_DESC_LOW) = VIRTIO_REG_QUEUE_DESC_LOW,
	REGISTER(VIRTIO_MMIO_QUEUE_DESC_HIGH) = VIRTIO_REG_QUEUE_DESC_HIGH,
	REGISTER(VIRTIO_MMIO_QUEUE_AVAIL_LOW) = VIRTIO_REG_QUEUE_DRIVER_LOW,
	REGISTER(VIRTIO_MMIO_QUEUE_AVAIL_HIGH) = VIRTIO_REG_QUEUE_DRIVER_HIGH,
	REGISTER(VIRTIO_MMIO_QUEUE_USED_LOW) = VIRTIO_REG_QUEUE_DEVICE_LOW,
	REGISTER(VIRTIO_MMIO_QUEUE_USED_HIGH) = VIRTIO_REG_QUEUE_DEVICE_HIGH,
	REGISTER(QUEUE_RESET) = VIRTIO_REG_QUEUE_RESET,
	REGISTER(VIRTIO_MMIO_CONFIG_GENERATION) = VIRTIO_REG_GENERATION,
};

static void mmio_event(struct virtio_device *dev, u32 bit)
{
	struct virtio_mmio *mmio = dev->transport_priv;

	__atomic_fetch_or(&mmio->status, bit, __ATOMIC_RELEASE);
	event_signal(mmio->irq_fd);
}

static bool mmio_queue_interrupt(struct virtio_device *dev, unsigned int q)
{
	(void)q;
	mmio_event(dev, VIRTIO_MMIO_INT_VRING);
	return true;
}

static void mmio_config_interrupt(struct virtio_device *dev)
{
	mmio_event(dev, VIRTIO_MMIO_INT_CONFIG);
}

static const struct virtio_transport_ops mmio_transport_ops = {
	.queue_interrupt = mmio_queue_interrupt,
	.config_interrupt = mmio_config_interrupt,
};

static void mmio_acknowledge(struct virtio_mmio *mmio, u32 bits)
{
	if (__atomic_and_fetch(&mmio->status, ~bits, __ATOMIC_ACQ_REL))
		event_signal(mmio->irq_fd);
}

static u32 mmio_device_read(struct virtio_mmio *mmio, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&mmio->dev->lock);
	value = virtio_reg_read(mmio->dev, mmio_registers[offset / 4]);
	pthread_mutex_unlock(&mmio->dev->lock);
	return value;
}

static void mmio_device_write(struct virtio_mmio *mmio, u32 offset, u32 value)
{
	pthread_mutex_lock(&mmio->dev->lock);
	virtio_reg_write(mmio->dev, mmio_registers[offset / 4], value);
	/* The queues have stopped: no event comes any more. */
	if (offset == VIRTIO_MMIO_STATUS && !value)
		__atomic_store_n(&mmio->status, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&mmio->dev->lock);
}

/* An interrupt or a kick does not wait for a reset that another vCPU makes. */
static u32 mmio_register_read(struct virtio_mmio *mmio, u32 offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return mmio->dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VIRTIO_VENDOR;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return __atomic_load_n(&mmio->status, __ATOMIC_ACQUIRE);
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return SHM_NONE;
	default:
		return mmio_device_read(mmio, offset);
	}
}

static void mmio_register_write(struct virtio_mmio *mmio, u32 offset, u32 value)
{
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (value < mmio->dev->nqueues)
			event_signal(mmio->dev->queues[value].kick_fd);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		mmio_acknowledge(mmio, value);
		break;
	default:
		mmio_device_write(mmio, offset, value);
	}
}

/* 4.2.2.2: drivers access registers by 32 bits; anything else is ignored. */
static bool mmio_is_register(u64 offset, unsigned int len)
{
	return len == 4 && !(offset % 4);
}

static void mmio_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	struct virtio_mmio *mmio = ctx;
	__le32 le;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		virtio_config_read(mmio->dev, (u32)offset - VIRTIO_MMIO_CONFIG,
				   data, len);
	} else if (mmio_is_register(offset, len)) {
		le = cpu_to_le32(mmio_register_read(mmio, (u32)offset));
		memcpy(data, &le, len);
	}
}

static void mmio_write(void *ctx, u64 offset, const void *data, unsigned int len)
{
	struct virtio_mmio *mmio = ctx;
	__le32 le;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		virtio_config_write(mmio->dev, (u32)offset - VIRTIO_MMIO_CONFIG,
				    data, len);
	} else if (mmio_is_register(offset, len)) {
		memcpy(&le, data, len);
		mmio_register_write(mmio, (u32)offset, le32_to_cpu(le));
	}
}

static const struct bus_ops mmio_bus_ops = { .read = mmio_read, .write = mmio_write };

static struct kick_address mmio_kick(const struct virtio_mmio *mmio, unsigned int q)
{
	return (struct kick_address){
		.addr = mmio->addr + VIRTIO_MMIO_QUEUE_NOTIFY,
		.matched = true,
		.value = q,
	};
}

static int mmio_connect(struct virtio_mmio *mmio)
{
	mmio->irq_fd = event_new();
	if (mmio->irq_fd < 0) {
		log_error("%s: cannot create an eventfd for its interrupt: %s; raise the limit of open files (ulimit -n)",
			  mmio->dev->name, strerror(-mmio->irq_fd));
		return mmio->irq_fd;
	}
	return irqfd_attach(mmio->vm, mmio->irq_fd, mmio->gsi, -1);
}

int virtio_mmio_new(struct virtio_mmio **mp, struct vm *vm,
		    struct virtio_device *dev, u64 addr, u32 gsi)
{
	struct virtio_mmio *mmio = calloc(1, sizeof(*mmio));
	int err;

	if (!mmio)
		return log_no_memory();
	mmio->dev = dev;
	mmio->vm = vm;
	mmio->addr = addr;
	mmio->gsi = gsi;
	err = mmio_connect(mmio);
	if (err) {
		if (mmio->irq_fd >= 0)
			close(mmio->irq_fd);
		free(mmio);
		return err;
	}
	for (unsigned int q = 0; q < dev->nqueues; q++)
		kick_attach(vm, dev->queues[q].kick_fd, mmio_kick(mmio, q));
	dev->transport = &mmio_transport_ops;
	dev->transport_priv = mmio;
	bus_add(&vm->mmio, addr, VIRTIO_MMIO_SIZE, &mmio_bus_ops, mmio);
	*mp = mmio;
	return 0;
}

void virtio_mmio_free(struct virtio_mmio *mmio)
{
	struct virtio_device *dev = mmio->dev;

	bus_remove(&mmio->vm->mmio, mmio->addr);
	for (unsigned int q = 0; q < dev->nqueues; q++)
		kick_detach(mmio->vm, dev->queues[q].kick_fd,
			    mmio_kick(mmio, q));
	irqfd_detach(mmio->vm, mmio->irq_fd, mmio->gsi);
	close(mmio->irq_fd);
	free(mmio);
}
