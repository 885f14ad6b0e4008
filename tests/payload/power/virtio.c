// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of virtio.h.
 */
#include "virtio.h"

#define CAP_POINTER 0x34
#define CAP_VENDOR 0x09
#define CAP_MSIX 0x11
#define MSIX_ENABLE 0x8000
#define VIRTIO_BLK_ID 0x10421af4

/* Common configuration registers: offsets in 4.1.4.3 */
#define R_FEATURE_SELECT 0x08
#define R_FEATURE 0x0c
#define R_CONFIG_VECTOR 0x10
#define R_STATUS 0x14
#define R_QUEUE_SELECT 0x16
#define R_QUEUE_SIZE 0x18
#define R_QUEUE_VECTOR 0x1a
#define R_QUEUE_ENABLE 0x1c
#define R_QUEUE_NOTIFY_OFF 0x1e
#define R_QUEUE_DESC 0x20
#define R_QUEUE_DRIVER 0x28
#define R_QUEUE_DEVICE 0x30

#define ACKNOWLEDGE 1
#define DRIVER 2
#define DRIVER_OK 4
#define FEATURES_OK 8
#define F_BLK_MQ (1u << 12)
#define F_VERSION_1 (1u << 0)	/* of the upper word */

#define DESC_NEXT 1
#define DESC_WRITE 2
#define T_IN 0

struct device disk;

static u64 cap_address(u32 at)
{
	return map(disk.bar[pci_read(disk.slot, at + 4, 1)] +
		   pci_read(disk.slot, at + 8, 4));
}

static void disk_cap(u32 at)
{
	if (pci_read(disk.slot, at, 1) == CAP_MSIX) {
		u32 table = pci_read(disk.slot, at + 4, 4);

		disk.msix = at;
		disk.msix_table = map(disk.bar[table & 7] + (table & ~7u));
	}
	if (pci_read(disk.slot, at, 1) != CAP_VENDOR)
		return;
	switch (pci_read(disk.slot, at + 3, 1)) {
	case 1:
		disk.common = cap_address(at);
		break;
	case 2:
		CHECK_EQ(pci_read(disk.slot, at + 4, 1), 0);
		disk.notify_offset = pci_read(disk.slot, at + 8, 4);
		disk.notify = cap_address(at);
		disk.notify_step = pci_read(disk.slot, at + 16, 4);
		break;
	case 3:
		disk.isr = cap_address(at);
		break;
	}
}

static void disk_find(void)
{
	disk.slot = 1;
	while (pci_read(disk.slot, 0, 4) != VIRTIO_BLK_ID)
		CHECK(++disk.slot < 32);
	for (u32 i = 0; i < 6; i += 2) {
		u32 reg = PCI_BAR0 + 4 * i;

		disk.bar[i] = (u64)pci_read(disk.slot, reg + 4, 4) << 32 |
			      (pci_read(disk.slot, reg, 4) & ~0xfu);
	}
	for (u32 at = pci_read(disk.slot, CAP_POINTER, 1); at;
	     at = pci_read(disk.slot, at + 1, 1))
		disk_cap(at);
	CHECK(disk.common && disk.isr && disk.notify && disk.msix);
	CHECK_EQ(disk.bar[0] >> 32, 0x210);	/* it is in the window of 64 bits */
	pci_write(disk.slot, PCI_COMMAND, COMMAND_ON, 2);
}

void disk_move(u64 bus, u64 gpa)
{
	u64 notify = map(gpa + disk.notify_offset);

	pci_write(disk.slot, PCI_COMMAND, 0, 2);
	pci_write(disk.slot, PCI_BAR0, (u32)bus, 4);
	pci_write(disk.slot, PCI_BAR0 + 4, (u32)(bus >> 32), 4);
	pci_write(disk.slot, PCI_COMMAND, COMMAND_ON | COMMAND_INTX_DISABLE, 2);
	for (u32 i = 0; i < 2; i++)
		disk.queue[i].notify += notify - disk.notify;
	disk.notify = notify;
}

static void write_address(u32 reg, u64 addr)
{
	write32(disk.common + reg, (u32)addr);
	write32(disk.common + reg + 4, (u32)(addr >> 32));
}

static void queue_start(u16 index, u16 vector)
{
	struct queue *q = &disk.queue[index];
	u64 common = disk.common;

	memset(q, 0, sizeof(*q));
	write16(common + R_QUEUE_SELECT, index);
	CHECK(read16(common + R_QUEUE_SIZE) >= QUEUE_SIZE);
	write16(common + R_QUEUE_SIZE, QUEUE_SIZE);
	write16(common + R_QUEUE_VECTOR, vector);
	CHECK_EQ(read16(common + R_QUEUE_VECTOR), vector);
	write_address(R_QUEUE_DESC, (u64)q->desc);
	write_address(R_QUEUE_DRIVER, (u64)&q->avail);
	write_address(R_QUEUE_DEVICE, (u64)&q->used);
	q->notify = disk.notify +
		    read16(common + R_QUEUE_NOTIFY_OFF) * disk.notify_step;
	write16(common + R_QUEUE_ENABLE, 1);
	CHECK_EQ(read16(common + R_QUEUE_ENABLE), 1);
}

void disk_start(bool msix)
{
	u8 status = ACKNOWLEDGE | DRIVER;

	disk_find();
	if (msix)
		msix_on();
	write8(disk.common + R_STATUS, 0);
	write8(disk.common + R_STATUS, status);
	write32(disk.common + R_FEATURE_SELECT, 0);
	write32(disk.common + R_FEATURE, F_BLK_MQ);
	write32(disk.common + R_FEATURE_SELECT, 1);
	write32(disk.common + R_FEATURE, F_VERSION_1);
	write8(disk.common + R_STATUS, status |= FEATURES_OK);
	CHECK_EQ(read8(disk.common + R_STATUS), status);
	queue_start(0, msix ? 1 : NO_VECTOR);
	queue_start(1, msix ? 2 : NO_VECTOR);
	write8(disk.common + R_STATUS, status |= DRIVER_OK);
	CHECK_EQ(read8(disk.common + R_STATUS), status);
}

/* LoPAPR 7.3.10.5: 4 asks for MSI-X; an edge is 1. */
void msix_on(void)
{
	u32 addr = disk.slot << 11, ret[2];

	CHECK_EQ(rtas("ibm,change-msi", ARGS(addr, BUID, 4, VECTORS, 1), ret, 2), 0);
	CHECK_EQ(ret[0], VECTORS);
	for (u32 i = 0; i < VECTORS; i++) {
		CHECK_EQ(rtas("ibm,query-interrupt-source-number",
			      ARGS(addr, BUID, i), ret, 2), 0);
		CHECK_EQ(ret[1], 1);
		disk.source[i] = ret[0];
		for (u32 j = 0; j < i; j++)
			CHECK(disk.source[j] != disk.source[i]);
	}
	pci_write(disk.slot, disk.msix + 2, MSIX_ENABLE, 2);
}

void msix_mask(u32 vector, bool masked)
{
	write32(disk.msix_table + 16 * vector + 12, masked);
}

static void set_desc(struct desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct desc){ addr, len, flags, next };
}

/* Header, data, status */
static void queue_add_one(struct queue *q, u16 slot)
{
	volatile struct request *r = &q->request[slot];
	u16 first = (u16)(3 * slot);
	u64 at = (u64)r;

	r->type = T_IN;
	r->sector = slot;
	r->status = 0xff;
	set_desc(&q->desc[first], at, 16, DESC_NEXT, first + 1);
	set_desc(&q->desc[first + 1], at + offsetof(struct request, data),
		 SECTOR, DESC_NEXT | DESC_WRITE, first + 2);
	set_desc(&q->desc[first + 2], at + offsetof(struct request, status), 1,
		 DESC_WRITE, 0);
	q->avail.ring[q->submitted++ % QUEUE_SIZE] = first;
}

void queue_add(struct queue *q, u32 n)
{
	CHECK(n <= SLOTS);
	for (u16 slot = 0; slot < n; slot++)
		queue_add_one(q, slot);
	__sync_synchronize();
	q->avail.idx = q->submitted;
	__sync_synchronize();
}

void queue_kick(struct queue *q)
{
	write16(q->notify, (u16)(q - disk.queue));
}

bool queue_done(const struct queue *q)
{
	bool done = q->used.idx == q->submitted;

	__sync_synchronize();
	return done;
}

bool queue_wait(struct queue *q)
{
	if (!WAIT(queue_done(q)))
		return false;
	for (u32 slot = 0; slot < SLOTS; slot++)
		if (q->request[slot].status)
			return false;
	return true;
}
