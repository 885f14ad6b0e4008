// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the MMIO transport alone: its interrupt, its kicks, odd accesses.
 */
#include "virtio.h"

#define VECTOR 0x50
#define QUEUE_READY 0x44

static struct device dev;
static struct queue q;
static u8 data[SECTOR] __attribute__((aligned(SECTOR)));
static volatile u32 served, left, spurious, leave;

static void hook(u32 vector)
{
	u32 bits = read32(dev.mmio + M_INTERRUPT_STATUS);

	(void)vector;
	if (!bits) {
		spurious++;
	} else if (leave) {
		leave--;
		left++;
	} else {
		served++;
		write32(dev.mmio + M_INTERRUPT_ACK, bits);
	}
}

static bool one_read(void)
{
	return queue_do(&q, T_IN, 0, data, SECTOR) == S_OK;
}

/* One edge for each event, whether the one before was acknowledged or not. */
static void case_mmio_irq(void)
{
	irq_init();
	disk_start(&dev, &q, 0);
	irq_hook = hook;
	device_route(&dev, VECTOR);
	for (u32 i = 1; i <= 8; i++) {
		CHECK(one_read() && WAIT(served == i));
		CHECK(read32(dev.mmio + M_INTERRUPT_STATUS) == 0);
	}
	linger();
	CHECK(served == 8 && !spurious);
	leave = 2;
	CHECK(one_read() && WAIT(left == 1));
	linger();
	CHECK(left == 1);	/* no level: it is not told again */
	CHECK(one_read() && WAIT(left == 2));
	CHECK(one_read() && WAIT(served == 9));
	CHECK(read32(dev.mmio + M_INTERRUPT_STATUS) == 0);
	/* 2.7.7.2: the driver does not want any. */
	q.avail.flags = 1;
	CHECK(one_read());
	linger();
	CHECK(served == 9 && read32(dev.mmio + M_INTERRUPT_STATUS) == 0);
	q.avail.flags = 0;
	/* What was not acknowledged is gone after a reset. */
	leave = 1;
	CHECK(one_read() && WAIT(left == 3));
	device_reset(&dev);
	CHECK(read32(dev.mmio + M_INTERRUPT_STATUS) == 0);
}

static bool kicked(void)
{
	linger();
	return q.used.idx == q.submitted;
}

/* What is no kick of queue 0, or not the width of one. */
static void case_mmio_kick(void)
{
	disk_start(&dev, &q, 0);
	CHECK(one_read());
	linger();	/* until its thread has looked once more, and sleeps */
	queue_add(&q, 0, T_IN, 0, data, SECTOR);
	write32(dev.notify, 1);
	write32(dev.notify, 0xffff);
	write32(dev.notify, 0x10000);
	write16(dev.notify, 0);
	write8(dev.notify, 0);
	write32(dev.notify + 4, 0);
	CHECK(!kicked());
	queue_kick(&q);
	CHECK(queue_wait(&q));
	/* 4.2.2.2: stopped by 0 in QueueReady */
	reg_write(&dev, R_QUEUE_SELECT, 0);
	write32(dev.mmio + QUEUE_READY, 0);
	CHECK(read32(dev.mmio + QUEUE_READY) == 0);
	queue_add(&q, 0, T_IN, 0, data, SECTOR);
	queue_kick(&q);
	CHECK(!kicked());
	queue_setup(&dev, &q, 0, 32, NO_VECTOR);
	CHECK(one_read());
	CHECK(!(device_status(&dev) & STATUS_NEEDS_RESET));
}

/* All of the page, in every width, read and written: it can be used afterwards. */
static void case_mmio_any(void)
{
	disk_start(&dev, &q, 0);
	for (u32 i = 0; i < 0x1000; i++) {
		read8(dev.mmio + i);
		write8(dev.mmio + i, 0xff);
	}
	for (u32 i = 0; i < 0x1000 - 2; i++) {
		read16(dev.mmio + i);
		write16(dev.mmio + i, 0x1ff);
	}
	CHECK(device_status(&dev) & STATUS_DRIVER_OK);
	CHECK(one_read());
	for (u32 i = 0; i < 0x1000 - 4; i++) {
		read32(dev.mmio + i);
		write32(dev.mmio + i, i);
	}
	disk_start(&dev, &q, 0);
	CHECK(one_read());
	CHECK(read32(dev.mmio + 0x200) == 0xffffffff);
	CHECK(read32(dev.mmio + 0x1000) == 0xffffffff);	/* no second disk */
}

const struct payload_case mmio_cases[] = {
	{ "mmio-irq", case_mmio_irq },
	{ "mmio-kick", case_mmio_kick },
	{ "mmio-any", case_mmio_any },
	{ NULL, NULL },
};
