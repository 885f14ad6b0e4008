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

#define MMIO_SLOTS 0xe1000000u
#define MMIO_SLOT_SIZE 0x1000u
#define MMIO_MAGIC 0x74726976u
#define VIRTIO_ID_BLOCK 2

/* Width on PCI, offset on MMIO where all are of 32 bits. */
static const struct {
	u8 width, mmio;
} regs[] = {
	[R_DEVICE_FEATURE_SELECT] = { 4, 0x14 },
	[R_DEVICE_FEATURE] = { 4, 0x10 },
	[R_DRIVER_FEATURE_SELECT] = { 4, 0x24 },
	[R_DRIVER_FEATURE] = { 4, 0x20 },
	[R_STATUS] = { 1, 0x70 },
	[R_GENERATION] = { 1, 0xfc },
	[R_QUEUE_SELECT] = { 2, 0x30 },
	[R_QUEUE_SIZE] = { 2, 0x38 },
	[R_QUEUE_ENABLE] = { 2, 0x44 },
	[R_QUEUE_DESC] = { 4, 0x80 },
	[R_QUEUE_DESC + 4] = { 4, 0x84 },
	[R_QUEUE_DRIVER] = { 4, 0x90 },
	[R_QUEUE_DRIVER + 4] = { 4, 0x94 },
	[R_QUEUE_DEVICE] = { 4, 0xa0 },
	[R_QUEUE_DEVICE + 4] = { 4, 0xa4 },
	[R_QUEUE_RESET] = { 2, 0xc0 },
};
#define MMIO_QUEUE_SIZE_MAX 0x34	/* where PCI has it in R_QUEUE_SIZE */

u32 reg_read(const struct device *dev, u32 reg)
{
	u32 at = dev->common + reg;

	if (dev->mmio)
		return read32(dev->mmio + (reg == R_QUEUE_SIZE ?
						   MMIO_QUEUE_SIZE_MAX :
						   regs[reg].mmio));
	return regs[reg].width == 1 ? read8(at) :
	       regs[reg].width == 2 ? read16(at) : read32(at);
}

void reg_write(const struct device *dev, u32 reg, u32 value)
{
	u32 at = dev->common + reg;

	if (dev->mmio)
		write32(dev->mmio + regs[reg].mmio, value);
	else if (regs[reg].width == 1)
		write8(at, (u8)value);
	else if (regs[reg].width == 2)
		write16(at, (u16)value);
	else
		write32(at, value);
}

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

static void device_find_mmio(struct device *dev, u32 n)
{
	static const u8 gsi[] = { 5, 6, 7, 10, 11, 12, 14, 15 };
	u32 at = MMIO_SLOTS + n * MMIO_SLOT_SIZE;

	CHECK(n < sizeof(gsi) && read32(at + M_MAGIC) == MMIO_MAGIC);
	CHECK(read32(at + M_VERSION) == 2);
	CHECK(read32(at + M_DEVICE) == VIRTIO_ID_BLOCK);
	dev->mmio = at;
	dev->mmio_gsi = gsi[n];
	dev->config = at + M_CONFIG;
	dev->notify = at + M_NOTIFY;
}

void device_find(struct device *dev, u32 n)
{
	memset(dev, 0, sizeof(*dev));
	if (param_is("transport", "mmio")) {
		device_find_mmio(dev, n);
		return;
	}
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

void device_route(struct device *dev, u8 vector)
{
	if (dev->mmio) {
		ioapic_route(dev->mmio_gsi, vector, false, false);
		return;
	}
	msix_set(dev, 0, vector);
	msix_on(dev);
	write16(dev->common + R_CONFIG_VECTOR, 0);
	CHECK(read16(dev->common + R_CONFIG_VECTOR) == 0);
}

void device_kick(const struct device *dev, u32 notify, u16 index)
{
	if (dev->mmio)
		write32(notify, index);
	else
		write16(notify, index);
}

void device_reset(struct device *dev)
{
	reg_write(dev, R_STATUS, 0);
	CHECK(WAIT(reg_read(dev, R_STATUS) == 0));
}

u8 device_status(const struct device *dev)
{
	return reg_read(dev, R_STATUS);
}

u64 device_offered(const struct device *dev)
{
	u32 low;

	reg_write(dev, R_DEVICE_FEATURE_SELECT, 0);
	low = reg_read(dev, R_DEVICE_FEATURE);
	reg_write(dev, R_DEVICE_FEATURE_SELECT, 1);
	return (u64)reg_read(dev, R_DEVICE_FEATURE) << 32 | low;
}

static void device_accept(struct device *dev, u64 features)
{
	reg_write(dev, R_DRIVER_FEATURE_SELECT, 0);
	reg_write(dev, R_DRIVER_FEATURE, (u32)features);
	reg_write(dev, R_DRIVER_FEATURE_SELECT, 1);
	reg_write(dev, R_DRIVER_FEATURE, (u32)(features >> 32));
	dev->features = features;
}

void device_negotiate(struct device *dev, u64 want)
{
	device_reset(dev);
	reg_write(dev, R_STATUS, STATUS_ACKNOWLEDGE);
	reg_write(dev, R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	if (param("packed", 0)) {
		CHECK(device_offered(dev) & F_RING_PACKED);
		want |= F_RING_PACKED;
	}
	device_accept(dev, want & device_offered(dev));
	reg_write(dev, R_STATUS,
	       STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	CHECK(device_status(dev) & STATUS_FEATURES_OK);
}

void device_ok(struct device *dev)
{
	reg_write(dev, R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
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

static void write_address(const struct device *dev, u32 reg,
			  const volatile void *addr)
{
	reg_write(dev, reg, (u32)addr);
	reg_write(dev, reg + 4, 0);
}

/* What PCI has for each queue: a vector, and an address for its kicks. */
static void queue_setup_pci(struct queue *q, u16 entry)
{
	const struct device *dev = q->dev;
	u32 common = dev->common;

	write16(common + R_QUEUE_VECTOR, entry);
	CHECK(read16(common + R_QUEUE_VECTOR) == entry);
	q->notify += read16(common + R_QUEUE_NOTIFY_OFF) * dev->notify_step;
}

void queue_setup(struct device *dev, struct queue *q, u16 index, u16 size,
		 u16 entry)
{
	memset(q, 0, sizeof(*q));
	q->dev = dev;
	q->index = index;
	q->size = size;
	q->notify = dev->notify;
	q->use_indirect = dev->features & F_INDIRECT;
	q->is_packed = dev->features & F_RING_PACKED;
	reg_write(dev, R_QUEUE_SELECT, index);
	CHECK(reg_read(dev, R_QUEUE_SIZE) >= size);
	CHECK(reg_read(dev, R_QUEUE_ENABLE) == 0);
	reg_write(dev, R_QUEUE_SIZE, size);
	if (!dev->mmio)
		queue_setup_pci(q, entry);
	write_address(dev, R_QUEUE_DESC, q->desc);
	write_address(dev, R_QUEUE_DRIVER, &q->avail);
	write_address(dev, R_QUEUE_DEVICE, &q->used);
	reg_write(dev, R_QUEUE_ENABLE, 1);
	CHECK(reg_read(dev, R_QUEUE_ENABLE) == 1);
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

/* 2.8.1: the counter is 1 in the first round. */
static bool odd_round(const struct queue *q, u32 n)
{
	return n / q->size % 2;
}

void queue_put(struct queue *q, u64 addr, u32 len, u16 flags, u16 id)
{
	volatile struct packed_desc *d = &q->packed[q->written % q->size];

	flags ^= odd_round(q, q->written) ? DESC_USED : DESC_AVAIL;
	d->addr = addr;
	d->len = len;
	d->id = id;
	if (!q->hidden++)
		q->hidden_flags = flags;
	else
		d->flags = flags;
	q->written++;
}

void queue_show(struct queue *q, u16 n)
{
	mb();
	q->packed[(q->written - q->hidden) % q->size].flags = q->hidden_flags;
	q->hidden = 0;
	q->submitted += n;
	mb();
}

/* Take what is used. */
static void packed_take(struct queue *q)
{
	for (;;) {
		volatile struct packed_desc *d = &q->packed[q->taken % q->size];
		u16 want = odd_round(q, q->taken) ? 0 : DESC_AVAIL | DESC_USED;

		if (q->taken == q->written ||
		    (d->flags & (DESC_AVAIL | DESC_USED)) != want)
			return;
		mb();
		q->last_id = d->id;
		q->last_len = d->len;
		CHECK(q->last_id < QUEUE_SIZE_MAX && q->ndescs[q->last_id]);
		q->taken += q->ndescs[q->last_id];
		q->ndescs[q->last_id] = 0;
		q->used_count++;
	}
}

/* A part of a request. */
struct part {
	const volatile void *addr;
	u32 len;
	u16 flags;
};

static void packed_add(struct queue *q, u32 slot, const struct part *p, u32 n)
{
	CHECK(q->written - q->taken + n <= q->size);
	q->ndescs[slot] = (u16)n;
	for (u32 i = 0; i < n; i++)
		queue_put(q, (u32)p[i].addr, p[i].len,
			  p[i].flags | (i + 1 < n ? DESC_NEXT : 0), (u16)slot);
	queue_show(q, 1);
}

static void split_add(struct queue *q, u32 slot, const struct part *p, u32 n)
{
	u16 first = (u16)(3 * slot);

	for (u32 i = 0; i < n; i++)
		set_desc(&q->desc[first + i], p[i].addr, p[i].len,
			 p[i].flags | (i + 1 < n ? DESC_NEXT : 0),
			 (u16)(first + i + 1));
	queue_offer(q, first);
}

/* 2.8.7: a packed table has flags where a split one has next, and needs no next. */
static void fill_table(struct queue *q, struct desc *d, const struct part *p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (q->is_packed)
			set_desc(&d[i], p[i].addr, p[i].len, 0, p[i].flags);
		else
			set_desc(&d[i], p[i].addr, p[i].len,
				 p[i].flags | (i + 1 < n ? DESC_NEXT : 0),
				 (u16)(i + 1));
}

/* Header, data, status: descriptors of the ring or of the slot's own table. */
void queue_add(struct queue *q, u32 slot, u32 type, u64 sector, void *data,
	       u32 len)
{
	struct request *r = &q->request[slot];
	u16 dir = type == T_OUT || type == T_DISCARD || type == T_WRITE_ZEROES ?
		0 : DESC_WRITE;
	struct part p[3] = { { r, 16, 0 }, { data, len, dir } };
	u32 n = len ? 2 : 1;

	r->type = type;
	r->sector = sector;
	r->status = 0xff;
	p[n++] = (struct part){ &r->status, 1, DESC_WRITE };
	if (q->use_indirect) {
		fill_table(q, q->indirect[slot], p, n);
		p[0] = (struct part){ q->indirect[slot],
				      n * (u32)sizeof(struct desc), DESC_INDIRECT };
		n = 1;
	}
	if (q->is_packed)
		packed_add(q, slot, p, n);
	else
		split_add(q, slot, p, n);
}

void queue_kick(struct queue *q)
{
	device_kick(q->dev, q->notify, q->index);
}

void queue_kick_port(struct queue *q)
{
	outw((u16)(q->dev->port + q->index * q->dev->port_step), q->index);
}

bool queue_done(struct queue *q)
{
	if (!q->is_packed)
		return q->used.idx == q->submitted;
	packed_take(q);
	return q->used_count == q->submitted;
}

bool queue_wait(struct queue *q)
{
	return WAIT(queue_done(q));
}

void queue_calls_off(struct queue *q)
{
	if (q->is_packed)
		q->driver_event.flags = EVENT_DISABLE;
	else
		q->avail.flags = 1;
}

u8 queue_do(struct queue *q, u32 type, u64 sector, void *data, u32 len)
{
	queue_add(q, 0, type, sector, data, len);
	queue_kick(q);
	CHECK(queue_wait(q));
	CHECK((q->is_packed ? q->last_id :
			      q->used.ring[(u16)(q->submitted - 1) % q->size].id) == 0);
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
