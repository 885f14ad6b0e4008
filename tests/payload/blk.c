// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the block device: requests, and the transport around them.
 */
#include "virtio.h"

#define VECTOR 0x50
#define NEW_BAR0 0xd0000000u
#define NEW_PORTS 0xd000

static struct device dev, dev2;
static struct queue q, q2;
static u8 data[16 * SECTOR] __attribute__((aligned(4096)));
static u8 back[16 * SECTOR] __attribute__((aligned(4096)));

bool write_and_read(struct queue *queue, u64 sector, u32 len, u32 seed)
{
	fill(data, len, seed);
	memset(back, 0, len);
	return queue_do(queue, T_OUT, sector, data, len) == S_OK &&
	       queue_do(queue, T_IN, sector, back, len) == S_OK &&
	       filled(back, len, seed);
}

static void try_features(u64 features)
{
	reg_write(&dev, R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	reg_write(&dev, R_DRIVER_FEATURE_SELECT, 0);
	reg_write(&dev, R_DRIVER_FEATURE, (u32)features);
	reg_write(&dev, R_DRIVER_FEATURE_SELECT, 1);
	reg_write(&dev, R_DRIVER_FEATURE, (u32)(features >> 32));
	reg_write(&dev, R_STATUS,
	       STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
}

/* FEATURES_OK only for what was offered, and with VERSION_1. */
static void case_features(void)
{
	u64 offered, bad;

	device_find(&dev, 0);
	offered = device_offered(&dev);
	CHECK(offered & F_VERSION_1 && offered & F_BLK_FLUSH);
	CHECK(offered & F_INDIRECT && offered & F_EVENT_IDX);
	CHECK(offered & F_RING_RESET && offered & F_BLK_SEG_MAX);
	CHECK(!(offered & (F_BLK_LIFETIME | F_SR_IOV)));	/* there is none */
	for (bad = 1; offered & bad; bad <<= 1)
		;
	try_features(F_VERSION_1 | bad);
	CHECK(device_status(&dev) == (STATUS_ACKNOWLEDGE | STATUS_DRIVER));
	device_reset(&dev);
	try_features(F_BLK_FLUSH);	/* a legacy driver */
	CHECK(!(device_status(&dev) & STATUS_FEATURES_OK));
	device_reset(&dev);
	try_features(F_VERSION_1 | 1ull << 63);
	CHECK(!(device_status(&dev) & STATUS_FEATURES_OK));
	device_reset(&dev);
	try_features(offered);
	CHECK(device_status(&dev) & STATUS_FEATURES_OK);
	/* DRIVER_OK without queues, and a bit that a driver cannot clear */
	device_ok(&dev);
	reg_write(&dev, R_STATUS, STATUS_ACKNOWLEDGE);
	CHECK(device_status(&dev) & STATUS_DRIVER_OK);
	device_reset(&dev);
	CHECK(read16(dev.config + C_NUM_QUEUES) == param("queues", 1));
	CHECK(dev.mmio || read16(dev.common + R_NUM_QUEUES) == param("queues", 1));
	reg_write(&dev, R_QUEUE_SELECT, param("queues", 1));
	CHECK(reg_read(&dev, R_QUEUE_SIZE) == 0);
}

/* The runner looks at the image afterwards. */
static void case_rw(void)
{
	disk_start(&dev, &q, 0);
	CHECK(device_sectors(&dev) == param("sectors", 0));
	CHECK(write_and_read(&q, 8, sizeof(data), 1));
	CHECK(write_and_read(&q, param("sectors", 0) - 1, SECTOR, 2));
	CHECK(write_and_read(&q, 100, 3 * SECTOR, 3));
	CHECK(queue_do(&q, T_FLUSH, 0, NULL, 0) == S_OK);
	memset(back, 'x', 32);
	CHECK(queue_do(&q, T_GET_ID, 0, back, 20) == S_OK);
	CHECK(!memcmp(back, "payload-serial\0\0\0\0\0\0x", 21));
	CHECK(queue_do(&q, 77, 0, NULL, 0) == S_UNSUPP);
	CHECK(queue_do(&q, 77, 0, back, SECTOR) == S_UNSUPP);
	/* Behind the end, across it, no whole sectors */
	CHECK(queue_do(&q, T_IN, param("sectors", 0), back, SECTOR) == S_IOERR);
	CHECK(queue_do(&q, T_OUT, param("sectors", 0) - 1, data, 2 * SECTOR) == S_IOERR);
	CHECK(queue_do(&q, T_IN, ~0ull, back, SECTOR) == S_IOERR);
	CHECK(queue_do(&q, T_IN, 0, back, 100) == S_IOERR);
	/* It has survived all that. */
	CHECK(write_and_read(&q, 200, sizeof(data), 4));
	for (u32 i = 0; i < 100; i++)	/* the ring's index wraps */
		CHECK(queue_do(&q, T_IN, 8, back, SECTOR) == S_OK);
	CHECK(device_status(&dev) < STATUS_NEEDS_RESET);
}

static void case_null(void)
{
	disk_start(&dev, &q, 0);
	CHECK(device_sectors(&dev) == 16 << 11);
	CHECK(queue_do(&q, T_OUT, 0, data, sizeof(data)) == S_OK);
	CHECK(queue_do(&q, T_IN, (16 << 11) - 16, back, sizeof(back)) == S_OK);
	CHECK(queue_do(&q, T_FLUSH, 0, NULL, 0) == S_OK);
	CHECK(queue_do(&q, T_IN, 16 << 11, back, SECTOR) == S_IOERR);
}

static void case_ro(void)
{
	disk_start(&dev, &q, 0);
	CHECK(device_offered(&dev) & F_BLK_RO);
	fill(data, SECTOR, 1);
	CHECK(queue_do(&q, T_OUT, 0, data, SECTOR) == S_IOERR);
	CHECK(queue_do(&q, T_IN, 0, back, SECTOR) == S_OK);
	CHECK(!memcmp(back, "read-only", 9));
}

/*
 * Three writes and two flushes in the mode the disk starts in, one write in the
 * other; the runner counts what reaches the host.
 */
static void case_cache(void)
{
	u8 writeback = (u8)param("writeback", 1);

	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1 | F_BLK_FLUSH | F_BLK_CONFIG_WCE);
	queue_setup(&dev, &q, 0, 64, NO_VECTOR);
	device_ok(&dev);
	CHECK(read8(dev.config + C_WRITEBACK) == writeback);
	fill(data, sizeof(data), 1);
	for (u32 i = 0; i < 3; i++)
		CHECK(queue_do(&q, T_OUT, 16 * i, data, sizeof(data)) == S_OK);
	CHECK(queue_do(&q, T_FLUSH, 0, NULL, 0) == S_OK);
	CHECK(queue_do(&q, T_FLUSH, 0, NULL, 0) == S_OK);
	write8(dev.config + C_WRITEBACK, !writeback);
	CHECK(read8(dev.config + C_WRITEBACK) == !writeback);
	CHECK(queue_do(&q, T_OUT, 48, data, sizeof(data)) == S_OK);
}

static u8 erase(u32 type, u64 sector, u32 sectors, u32 flags)
{
	static struct range range;

	range = (struct range){ sector, sectors, flags };
	return queue_do(&q, type, 0, &range, sizeof(range));
}

static bool zero(u64 sector)
{
	memset(back, 'x', SECTOR);
	if (queue_do(&q, T_IN, sector, back, SECTOR) != S_OK)
		return false;
	for (u32 i = 0; i < SECTOR; i++)
		if (back[i])
			return false;
	return true;
}

/* An image full of data: the runner looks at its space afterwards. */
static void case_erase(void)
{
	u32 most;

	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1 | F_BLK_FLUSH | F_BLK_DISCARD |
			       F_BLK_WRITE_ZEROES);
	queue_setup(&dev, &q, 0, 64, NO_VECTOR);
	device_ok(&dev);
	if (!param("discard", 1)) {
		CHECK(!(device_offered(&dev) & F_BLK_DISCARD));
		CHECK(erase(T_DISCARD, 0, 2048, 0) == S_UNSUPP);
		CHECK(erase(T_WRITE_ZEROES, 512, 512, 1) == S_OK);
		CHECK(zero(512) && zero(1023));
		return;
	}
	CHECK(device_offered(&dev) & F_BLK_DISCARD);
	CHECK(read32(dev.config + C_MAX_DISCARD_SEG) == 1);
	most = read32(dev.config + C_MAX_DISCARD_SECTORS);
	CHECK(most >= 2048);
	CHECK(read32(dev.config + C_MAX_WRITE_ZEROES_SECTORS) >= 2048);
	CHECK(erase(T_DISCARD, 512, 512, 0) == S_OK);
	CHECK(erase(T_WRITE_ZEROES, 1024, 256, 1) == S_OK);
	CHECK(erase(T_WRITE_ZEROES, 1280, 255, 0) == S_OK);
	CHECK(zero(512) && zero(1023) && zero(1024) && zero(1280) && zero(1534));
	CHECK(!zero(511) && !zero(1535));
	CHECK(erase(T_DISCARD, 2047, 2, 0) == S_IOERR);
	CHECK(erase(T_DISCARD, 0, most + 1, 0) == S_IOERR);
	CHECK(erase(T_DISCARD, 0, 8, 1) == S_UNSUPP);
	CHECK(erase(T_WRITE_ZEROES, 0, 8, 2) == S_UNSUPP);
	CHECK(!zero(0));
	CHECK(queue_do(&q, T_FLUSH, 0, NULL, 0) == S_OK);
}

/* Header in two parts, data in three, status with the last of them. */
static void offer_odd_framing(void)
{
	const u32 addr[] = { (u32)&q.request[0], (u32)&q.request[0] + 5,
			     (u32)back, (u32)back + 1, (u32)back + 501 };
	static const u32 len[] = { 5, 11, 1, 500, 12 };
	static const u16 at[] = { 0, 7, 2, 9, 4 };

	q.ndescs[1] = 5;
	for (u32 i = 0; i < 5; i++) {
		u16 flags = (i < 2 ? 0 : DESC_WRITE) | (i < 4 ? DESC_NEXT : 0);

		if (q.is_packed)
			queue_put(&q, addr[i], len[i], flags, 1);
		else
			q.desc[at[i]] = (struct desc){ addr[i], len[i], flags,
						       i < 4 ? at[i + 1] : 0 };
	}
	if (q.is_packed)
		queue_show(&q, 1);
	else
		queue_offer(&q, 0);
}

/* Buffers that O_DIRECT does not take, and framing that no driver uses. */
static void case_framing(void)
{
	disk_start(&dev, &q, 0);
	fill(data + 1, SECTOR, 9);
	CHECK(queue_do(&q, T_OUT, 3, data + 1, SECTOR) == S_OK);
	CHECK(queue_do(&q, T_IN, 3, back + 3, SECTOR) == S_OK);
	CHECK(!memcmp(data + 1, back + 3, SECTOR));
	memset(back, 0, sizeof(back));
	q.request[0].type = T_IN;
	q.request[0].sector = 3;
	back[512] = 0xff;
	offer_odd_framing();
	queue_kick(&q);
	CHECK(queue_wait(&q));
	CHECK(back[512] == S_OK && !memcmp(data + 1, back, SECTOR));
	CHECK((q.is_packed ? q.last_len : q.used.ring[2].len) == SECTOR + 1);
}

/* Where the device wants to be kicked next; avail_event stands behind ring[size]. */
static bool kick_wanted_next(void)
{
	u16 place = (u16)(q.written % q.size | (q.written / q.size % 2 ? 0 : 0x8000));

	if (!q.is_packed)
		return read16((u32)&q.used.ring[4]) == q.submitted;
	return q.device_event.flags == EVENT_DESC && q.device_event.place == place;
}

static void case_indirect(void)
{
	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1 | F_INDIRECT | F_EVENT_IDX);
	queue_setup(&dev, &q, 0, 4, NO_VECTOR);	/* smaller than offered */
	device_ok(&dev);
	for (u32 i = 0; i < 20; i++) {
		CHECK(write_and_read(&q, 16 * i, sizeof(data), i));
		CHECK(WAIT(kick_wanted_next()));
	}
}

/* INTx is level-triggered: again and again until the ISR is read. */
static volatile u32 leave_isr, left, served, spurious;

static void intx_hook(u32 vector)
{
	(void)vector;
	if (leave_isr) {
		leave_isr--;
		left++;
	} else if (read8(dev.isr)) {
		served++;
	} else {
		spurious++;	/* legal, but wasteful */
	}
}

/* What the interrupt controllers hold, for when something is lost. */
static bool all_served(u32 n, u32 gsi)
{
	if (WAIT(served == n))
		return true;
	write32(0xfec00000, 0x10 + 2 * gsi);
	print("served %u of %u, left %u, spurious %u; IOAPIC %x IRR %x ISR %x, ",
	      served, n, left, spurious, read32(0xfec00010),
	      read32(LAPIC + 0x200 + VECTOR / 32 * 16),
	      read32(LAPIC + 0x100 + VECTOR / 32 * 16));
	print("device %u\n", read8(dev.isr));
	return false;
}

static void case_intx(void)
{
	u32 gsi;

	irq_init();
	disk_start(&dev, &q, 0);
	gsi = pci_read(dev.slot, 0x3c, 1);
	CHECK(pci_read(dev.slot, 0x3d, 1) == 1 && gsi >= 16 && gsi < 24);
	irq_hook = intx_hook;
	ioapic_route(gsi, VECTOR, true, true);
	for (u32 i = 1; i <= 8; i++) {
		CHECK(queue_do(&q, T_IN, 0, back, SECTOR) == S_OK);
		CHECK(all_served(i, gsi));
	}
	linger();
	CHECK(served == 8);
	leave_isr = 2;
	CHECK(queue_do(&q, T_IN, 0, back, SECTOR) == S_OK);
	CHECK(all_served(9, gsi) && left == 2);
	for (u32 i = 0; i < 10; i++)	/* let what is spurious come now */
		linger();
	CHECK(served == 9 && read8(dev.isr) == 0);
	/* Disabled in the command register it waits until it is enabled. */
	pci_write(dev.slot, 4, 0x406, 2);
	CHECK(queue_do(&q, T_IN, 0, back, SECTOR) == S_OK);
	linger();
	CHECK(served == 9);
	pci_write(dev.slot, 4, 0x006, 2);
	CHECK(all_served(10, gsi));
	linger();
	print("%u spurious\n", spurious);
	CHECK(served == 10);
}

/* A guest moves the registers; kicks follow. */
static void case_bar_move(void)
{
	u32 old;

	disk_start(&dev, &q, 0);
	old = dev.bar[0];
	CHECK(write_and_read(&q, 8, SECTOR, 1));
	for (u32 i = 0; i < 3; i++) {
		pci_write(dev.slot, 4, 0, 2);
		pci_write(dev.slot, 0x10, NEW_BAR0 + i * 0x100000, 4);
		CHECK(read32(old) == 0xffffffff);
		device_map(&dev);
		CHECK(dev.bar[0] == NEW_BAR0 + i * 0x100000);
		CHECK(device_status(&dev) & STATUS_DRIVER_OK);
		q.notify = dev.notify;
		CHECK(write_and_read(&q, 8, SECTOR, 2 + i));
		CHECK(read32(old) == 0xffffffff);
		/* A kick to where it was reaches nobody. */
		queue_add(&q, 0, T_IN, 8, back, SECTOR);
		write16(old + (q.notify - dev.bar[0]), 0);
		linger();
		CHECK(!queue_done(&q));
		queue_kick(&q);
		CHECK(queue_wait(&q));
		old = dev.bar[0];
	}
}

static bool kicked_by_port(void)
{
	queue_add(&q, 0, T_IN, 8, back, SECTOR);
	queue_kick_port(&q);
	return queue_wait(&q) && q.request[0].status == S_OK;
}

/* Kicks by OUT, where the BAR is, if it decodes, and nowhere else. */
static void case_ports(void)
{
	u16 old;

	disk_start(&dev, &q, 0);
	CHECK(dev.port && kicked_by_port());
	old = dev.port;
	pci_write(dev.slot, 0x18, NEW_PORTS, 4);
	device_map(&dev);
	CHECK(dev.port == NEW_PORTS && kicked_by_port());
	queue_add(&q, 0, T_IN, 8, back, SECTOR);
	outw(old, 0);
	linger();
	CHECK(!queue_done(&q));
	pci_write(dev.slot, 4, 6, 2);	/* memory alone decodes */
	queue_kick_port(&q);
	linger();
	CHECK(!queue_done(&q));
	queue_kick(&q);
	CHECK(queue_wait(&q));
}

static void window(u32 bar, u32 offset, u32 len)
{
	pci_write(dev.slot, dev.pci_cfg + 4, bar, 1);
	pci_write(dev.slot, dev.pci_cfg + 8, offset, 4);
	pci_write(dev.slot, dev.pci_cfg + 12, len, 4);
}

/* Registers and a kick through configuration space alone. */
static void case_pci_cfg(void)
{
	u8 at;

	disk_start(&dev, &q, 0);
	at = dev.pci_cfg + 16;
	window(0, dev.common - dev.bar[0] + R_STATUS, 1);
	CHECK(pci_read(dev.slot, at, 1) == device_status(&dev));
	window(0, dev.common - dev.bar[0] + R_NUM_QUEUES, 2);
	CHECK(pci_read(dev.slot, at, 2) == 1);
	window(0, dev.common - dev.bar[0] + R_DRIVER_FEATURE_SELECT, 4);
	pci_write(dev.slot, at, 1, 4);
	CHECK(read32(dev.common + R_DRIVER_FEATURE_SELECT) == 1);
	CHECK(pci_read(dev.slot, at, 4) == 1);
	queue_add(&q, 0, T_IN, 0, back, SECTOR);
	window(0, q.notify - dev.bar[0], 2);
	pci_write(dev.slot, at, 0, 2);
	CHECK(queue_wait(&q) && q.request[0].status == S_OK);
	/* Not legal: no BAR, behind its end, misaligned, odd length */
	window(5, 0, 4);
	pci_read(dev.slot, at, 4);
	pci_write(dev.slot, at, 0, 4);
	window(0, 0xfffffffc, 4);
	pci_write(dev.slot, at, 0, 4);
	window(0, R_STATUS + 1, 3);
	pci_write(dev.slot, at, 0, 4);
	CHECK(device_status(&dev) & STATUS_DRIVER_OK);
	/* Reset by it while the BARs do not decode at all */
	pci_write(dev.slot, 4, 0, 2);
	window(0, dev.common - dev.bar[0] + R_STATUS, 1);
	pci_write(dev.slot, at, 0, 1);
	CHECK(pci_read(dev.slot, at, 1) == 0);
}

/* Two disks; the first is broken by its driver, in the way "how" says. */
static void break_ring(u32 how)
{
	q.request[0].type = T_IN;
	q.request[0].status = 0xff;
	q.desc[0] = (struct desc){ (u32)&q.request[0], 16, DESC_NEXT, 1 };
	q.desc[1] = (struct desc){ (u32)back, SECTOR, DESC_WRITE | DESC_NEXT, 2 };
	q.desc[2] = (struct desc){ (u32)&q.request[0].status, 1, DESC_WRITE, 0 };
	switch (how) {
	case 0:		/* a loop */
		q.desc[2].flags |= DESC_NEXT;
		q.desc[2].next = 1;
		break;
	case 1:		/* no such descriptor */
		q.desc[1].next = 64;
		break;
	case 2:		/* memory that is not there */
		q.desc[1].addr = 0xc0000000;
		break;
	case 3:		/* memory that ends in the middle, and wraps */
		q.desc[1].addr = ~0ull - 100;
		break;
	case 4:		/* no status byte */
		q.desc[0].flags = 0;
		break;
	case 5:		/* a short header */
		q.desc[0].len = 15;
		break;
	case 6:		/* readable behind writable */
		q.desc[2].flags = 0;
		break;
	case 7:		/* not negotiated */
		q.desc[1].flags = DESC_INDIRECT;
		break;
	case 8:		/* no such head */
		queue_offer(&q, 64);
		return;
	case 9:		/* more than the ring holds */
		q.submitted += 65;
		break;
	}
	queue_offer(&q, 0);
}

static void case_broken(void)
{
	disk_start(&dev, &q, 0);
	disk_start(&dev2, &q2, 1);
	irq_init();
	/* 4.1.4.5, 4.2.2: configuration changes by a vector of their own */
	device_route(&dev, VECTOR);
	break_ring(param("how", 0));
	queue_kick(&q);
	CHECK(WAIT(device_status(&dev) & STATUS_NEEDS_RESET));
	CHECK(WAIT(irq_count[VECTOR] == 1));
	queue_kick(&q);		/* nothing more is taken, nothing more is said */
	linger();
	CHECK(irq_count[VECTOR] == 1);
	CHECK(write_and_read(&q2, 0, sizeof(data), 5));
	CHECK(!(device_status(&dev2) & STATUS_NEEDS_RESET));
	disk_start(&dev, &q, 0);
	CHECK(!(device_status(&dev) & STATUS_NEEDS_RESET));
	CHECK(write_and_read(&q, 0, sizeof(data), 6));
}

/* Rings that cannot be: seen when the device starts to use them. */
static void case_bad_ring(void)
{
	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1);
	reg_write(&dev, R_QUEUE_SELECT, 0);
	reg_write(&dev, R_QUEUE_SIZE, 64);
	reg_write(&dev, R_QUEUE_DESC, (u32)q.desc);
	reg_write(&dev, R_QUEUE_DRIVER, (u32)&q.avail);
	reg_write(&dev, R_QUEUE_DEVICE, (u32)&q.used);
	switch (param("how", 0)) {
	case 0:		/* misaligned */
		reg_write(&dev, R_QUEUE_DESC, (u32)q.desc + 8);
		break;
	case 1:		/* nowhere */
		reg_write(&dev, R_QUEUE_DEVICE, 0xc0000000);
		break;
	case 2:		/* ends behind the end of memory */
		reg_write(&dev, R_QUEUE_DRIVER,
			  (512u << 20) - (param("packed", 0) ? 0 : 16));
		break;
	case 3:		/* wraps */
		reg_write(&dev, R_QUEUE_DESC, 0xfffffff0);
		reg_write(&dev, R_QUEUE_DESC + 4, 0xffffffff);
		break;
	}
	reg_write(&dev, R_QUEUE_ENABLE, 1);
	reg_write(&dev, R_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
					  STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	CHECK(WAIT(device_status(&dev) & STATUS_NEEDS_RESET));
	device_kick(&dev, dev.notify, 0);
	linger();
	disk_start(&dev, &q, 0);
	CHECK(write_and_read(&q, 0, sizeof(data), 6));
}

/* Sizes that no split ring can have are not taken. */
static void case_ring_size(void)
{
	static const u16 bad[] = { 63, 0, 3, 0xffff, 0x8000 };

	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1);
	write16(dev.common + R_QUEUE_SELECT, 0);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write16(dev.common + R_QUEUE_SIZE, 32);
		write16(dev.common + R_QUEUE_SIZE, bad[i]);
		CHECK(read16(dev.common + R_QUEUE_SIZE) == 32);
	}
	disk_start(&dev, &q, 0);
	CHECK(write_and_read(&q, 0, sizeof(data), 6));
}

const struct payload_case blk_cases[] = {
	{ "features", case_features },
	{ "rw", case_rw },
	{ "null", case_null },
	{ "ro", case_ro },
	{ "cache", case_cache },
	{ "erase", case_erase },
	{ "framing", case_framing },
	{ "indirect", case_indirect },
	{ "intx", case_intx },
	{ "bar-move", case_bar_move },
	{ "ports", case_ports },
	{ "pci-cfg", case_pci_cfg },
	{ "broken", case_broken },
	{ "bad-ring", case_bad_ring },
	{ "ring-size", case_ring_size },
	{ NULL, NULL },
};
