// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of virtio.h.
 */
#include "virtio.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_ON 7	/* ports, memory, bus master */
#define PCI_BAR0 0x10
#define PCI_CAP_POINTER 0x34
#define CAP_VENDOR 0x09
#define CAP_MSIX 0x11
#define MSIX_ENABLE 0x8000
#define VIRTIO_BLK_ID 0x10421af4

static void device_cap(struct device *dev, u8 at)
{
	u8 type = (u8)pci_read(dev->slot, at + 3, 1);
	u8 bar = (u8)pci_read(dev->slot, at + 4, 1);

	if (type == 2 && bar == 2) {
		dev->port = (u16)(pci_read(dev->slot, PCI_BAR0 + 8, 4) & ~3u);
		dev->port_step = pci_read(dev->slot, at + 16, 4);
		return;
	}
	u32 addr = dev->bar[bar & 7] + pci_read(dev->slot, at + 8, 4);

	if (type == 1)
		dev->common = addr;
	if (type == 2) {
		dev->notify = addr;
		dev->notify_step = pci_read(dev->slot, at + 16, 4);
	}
	if (type == 3)
		dev->isr = addr;
	if (type == 4)
		dev->config = addr;
	if (type == 5)
		dev->pci_cfg = at;
}

void device_map(struct device *dev)
{
	u8 at = (u8)pci_read(dev->slot, PCI_CAP_POINTER, 1);

	for (u8 i = 0; i < 6; i++)
		dev->bar[i] = pci_read(dev->slot, PCI_BAR0 + 4 * i, 4) & ~0xfu;
	for (; at; at = (u8)pci_read(dev->slot, at + 1, 1)) {
		u8 id = (u8)pci_read(dev->slot, at, 1);

		if (id == CAP_VENDOR)
			device_cap(dev, at);
		if (id == CAP_MSIX) {
			u32 table = pci_read(dev->slot, at + 4, 4);
			u32 pending = pci_read(dev->slot, at + 8, 4);

			dev->msix = at;
			dev->msix_table = dev->bar[table & 7] + (table & ~7u);
			dev->msix_pending = dev->bar[pending & 7] + (pending & ~7u);
		}
	}
	pci_write(dev->slot, PCI_COMMAND, PCI_COMMAND_ON, 2);
}

void device_find(struct device *dev, u32 n)
{
	memset(dev, 0, sizeof(*dev));
	for (u8 slot = 1; slot < 32; slot++) {
		if (pci_read(slot, 0, 4) != VIRTIO_BLK_ID || n--)
			continue;
		dev->slot = slot;
		device_map(dev);
		CHECK(dev->common && dev->isr && dev->config && dev->notify);
		CHECK(dev->pci_cfg && dev->msix);
		return;
	}
	CHECK(!"no such disk");
}

void device_reset(struct device *dev)
{
	write8(dev->common + R_STATUS, 0);
	CHECK(WAIT(read8(dev->common + R_STATUS) == 0));
}

u8 device_status(const struct device *dev)
{
	return read8(dev->common + R_STATUS);
}

u64 device_offered(const struct device *dev)
{
	u32 low;

	write32(dev->common + R_DEVICE_FEATURE_SELECT, 0);
	low = read32(dev->common + R_DEVICE_FEATURE);
	write32(dev->common + R_DEVICE_FEATURE_SELECT, 1);
	return (u64)read32(dev->common + R_DEVICE_FEATURE) << 32 | low;
}

static void device_accept(struct device *dev, u64 features)
{
	write32(dev->common + R_DRIVER_FEATURE_SELECT, 0);
	write32(dev->common + R_DRIVER_FEATURE, (u32)features);
	write32(dev->common + R_DRIVER_FEATURE_SELECT, 1);
	write32(dev->common + R_DRIVER_FEATURE, (u32)(features >> 32));
	dev->features = features;
}

void device_negotiate(struct device *dev, u64 want)
{
	device_reset(dev);
	write8(dev->common + R_STATUS, STATUS_ACKNOWLEDGE);
	write8(dev->common + R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	device_accept(dev, want & device_offered(dev));
	write8(dev->common + R_STATUS,
	       STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	CHECK(device_status(dev) & STATUS_FEATURES_OK);
}

void device_ok(struct device *dev)
{
	write8(dev->common + R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
					       STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	CHECK(device_status(dev) & STATUS_DRIVER_OK);
}

u64 device_sectors(const struct device *dev)
{
	return read32(dev->config) | (u64)read32(dev->config + 4) << 32;
}

void msix_on(struct device *dev)
{
	pci_write(dev->slot, dev->msix + 2,
		  pci_read(dev->slot, dev->msix + 2, 2) | MSIX_ENABLE, 2);
}

void msix_set(struct device *dev, u32 entry, u8 vector)
{
	msix_route(dev, entry, vector, 0);
}

void msix_route(struct device *dev, u32 entry, u8 vector, u8 apic)
{
	u32 at = dev->msix_table + 16 * entry;

	write32(at + 12, 1);
	write32(at, LAPIC | (u32)apic << 12);
	write32(at + 4, 0);
	write32(at + 8, vector);
	write32(at + 12, 0);
}

void msix_mask(struct device *dev, u32 entry, bool masked)
{
	write32(dev->msix_table + 16 * entry + 12, masked);
}

bool msix_pending(struct device *dev, u32 entry)
{
	return read32(dev->msix_pending + entry / 32 * 4) >> entry % 32 & 1;
}

static void write_address(u32 reg, const volatile void *addr)
{
	write32(reg, (u32)addr);
	write32(reg + 4, 0);
}

void queue_setup(struct device *dev, struct queue *q, u16 index, u16 size,
		 u16 entry)
{
	u32 common = dev->common;

	memset(q, 0, sizeof(*q));
	q->dev = dev;
	q->index = index;
	q->size = size;
	q->use_indirect = dev->features & F_INDIRECT;
	write16(common + R_QUEUE_SELECT, index);
	CHECK(read16(common + R_QUEUE_SIZE) >= size);
	CHECK(read16(common + R_QUEUE_ENABLE) == 0);
	write16(common + R_QUEUE_SIZE, size);
	write16(common + R_QUEUE_VECTOR, entry);
	CHECK(read16(common + R_QUEUE_VECTOR) == entry);
	write_address(common + R_QUEUE_DESC, q->desc);
	write_address(common + R_QUEUE_DRIVER, &q->avail);
	write_address(common + R_QUEUE_DEVICE, &q->used);
	q->notify = dev->notify +
		    read16(common + R_QUEUE_NOTIFY_OFF) * dev->notify_step;
	write16(common + R_QUEUE_ENABLE, 1);
	CHECK(read16(common + R_QUEUE_ENABLE) == 1);
}

static void set_desc(struct desc *d, const volatile void *addr, u32 len,
		     u16 flags, u16 next)
{
	*d = (struct desc){ (u32)addr, len, flags, next };
}

void queue_offer(struct queue *q, u16 head)
{
	q->avail.ring[q->submitted % q->size] = head;
	mb();
	q->avail.idx = ++q->submitted;
	mb();
}

/* Header, data, status: descriptors of the ring or of the slot's own table. */
void queue_add(struct queue *q, u32 slot, u32 type, u64 sector, void *data,
	       u32 len)
{
	struct request *r = &q->request[slot];
	u16 first = (u16)(3 * slot), base = q->use_indirect ? 0 : first;
	struct desc *d = q->use_indirect ? q->indirect[slot] : &q->desc[first];
	u16 dir = type == T_OUT || type == T_DISCARD || type == T_WRITE_ZEROES ?
		0 : DESC_WRITE;
	u32 n = 0;

	r->type = type;
	r->sector = sector;
	r->status = 0xff;
	set_desc(&d[n++], r, 16, DESC_NEXT, base + 1);
	if (len) {
		set_desc(&d[n], data, len, dir | DESC_NEXT, (u16)(base + n + 1));
		n++;
	}
	set_desc(&d[n++], &r->status, 1, DESC_WRITE, 0);
	if (q->use_indirect)
		set_desc(&q->desc[first], d, n * (u32)sizeof(*d), DESC_INDIRECT, 0);
	queue_offer(q, first);
}

void queue_kick(struct queue *q)
{
	write16(q->notify, q->index);
}

void queue_kick_port(struct queue *q)
{
	outw((u16)(q->dev->port + q->index * q->dev->port_step), q->index);
}

bool queue_wait(struct queue *q)
{
	return WAIT(q->used.idx == q->submitted);
}

u8 queue_do(struct queue *q, u32 type, u64 sector, void *data, u32 len)
{
	queue_add(q, 0, type, sector, data, len);
	queue_kick(q);
	CHECK(queue_wait(q));
	CHECK(q->used.ring[(u16)(q->submitted - 1) % q->size].id == 0);
	return q->request[0].status;
}

void disk_start(struct device *dev, struct queue *q, u32 n)
{
	device_find(dev, n);
	device_negotiate(dev, F_VERSION_1 | F_BLK_FLUSH | F_BLK_RO | F_BLK_MQ);
	queue_setup(dev, q, 0, 64, NO_VECTOR);
	device_ok(dev);
}

void fill(u8 *data, u32 len, u32 seed)
{
	memset(data, (int)(seed & 0xff), len);
	for (u32 i = 0; i < len; i += SECTOR)
		*(u32 *)(data + i) = seed * 65537 + i;
}

bool filled(const u8 *data, u32 len, u32 seed)
{
	for (u32 i = 0; i < len; i += SECTOR)
		if (*(const u32 *)(data + i) != seed * 65537 + i ||
		    data[i + 4] != (u8)seed || data[i + SECTOR - 1] != (u8)seed)
			return false;
	return true;
}
