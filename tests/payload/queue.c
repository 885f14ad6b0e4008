// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of many queues: vectors, masks, resets.
 */
#include "virtio.h"

#define VECTOR 0x50
#define QUEUES 4
#define DEPTH 8
#define BLOCK 4096

static struct device dev;
static struct queue q[QUEUES];
static u8 data[QUEUES][DEPTH][BLOCK] __attribute__((aligned(4096)));

static void start_with(u16 first_entry)
{
	device_negotiate(&dev, F_VERSION_1 | F_BLK_FLUSH | F_BLK_MQ | F_RING_RESET);
	CHECK(dev.mmio || read16(dev.common + R_NUM_QUEUES) == QUEUES);
	for (u16 i = 0; i < QUEUES; i++)
		queue_setup(&dev, &q[i], i, 64,
			    first_entry == NO_VECTOR ? NO_VECTOR : first_entry + i);
	device_ok(&dev);
}

static void start(void)
{
	device_find(&dev, 0);
	CHECK(read16(dev.config + C_NUM_QUEUES) == QUEUES);
	start_with(NO_VECTOR);
}

/* DEPTH writes on each queue, each to its own place. */
static void submit_all(u32 type)
{
	for (u32 i = 0; i < QUEUES; i++) {
		for (u32 j = 0; j < DEPTH; j++)
			queue_add(&q[i], j, type, 8 * (DEPTH * i + j), data[i][j], BLOCK);
		queue_kick(&q[i]);
	}
}

static void wait_all(void)
{
	for (u32 i = 0; i < QUEUES; i++) {
		CHECK(queue_wait(&q[i]));
		for (u32 j = 0; j < DEPTH; j++)
			CHECK(q[i].request[j].status == S_OK);
	}
}

/* With "spin=1" it goes on for ever, so that the host can look. */
static void case_mq(void)
{
	start();
	for (u32 i = 0; i < QUEUES; i++)
		for (u32 j = 0; j < QUEUES; j++)
			CHECK(i == j || dev.mmio || q[i].notify != q[j].notify);
	for (u32 i = 0; i < QUEUES; i++)
		for (u32 j = 0; j < DEPTH; j++)
			fill(data[i][j], BLOCK, 16 * i + j);
	submit_all(T_OUT);
	wait_all();
	memset(data, 0, sizeof(data));
	submit_all(T_IN);
	wait_all();
	for (u32 i = 0; i < QUEUES; i++)
		for (u32 j = 0; j < DEPTH; j++)
			CHECK(filled(data[i][j], BLOCK, 16 * i + j));
	/* A kick reaches its queue only, or the queues of one thread. */
	queue_add(&q[1], 0, T_IN, 0, data[1][0], BLOCK);
	queue_kick(&q[2]);
	linger();
	CHECK(param("shared", 0) || !queue_done(&q[1]));
	queue_kick(&q[1]);
	CHECK(queue_wait(&q[1]));
	if (!param("spin", 0))
		return;
	print("READY\n");
	for (;;)
		__asm__ volatile("pause");
}

static void case_msix(void)
{
	device_find(&dev, 0);
	irq_init();
	for (u32 i = 0; i < QUEUES; i++)
		msix_set(&dev, 1 + i, (u8)(VECTOR + i));
	msix_on(&dev);
	start_with(1);
	for (u32 i = 0; i < 2 * QUEUES; i++) {
		u32 was[QUEUES];

		for (u32 j = 0; j < QUEUES; j++)
			was[j] = irq_count[VECTOR + j];
		CHECK(queue_do(&q[i % QUEUES], T_IN, 0, data[0][0], BLOCK) == S_OK);
		CHECK(WAIT(irq_count[VECTOR + i % QUEUES] == was[i % QUEUES] + 1));
		for (u32 j = 0; j < QUEUES; j++)
			CHECK(j == i % QUEUES || irq_count[VECTOR + j] == was[j]);
	}
	CHECK(read8(dev.isr) == 0);	/* 4.1.4.5.1: INTx only */
	/* No such entry: it reads back as none. */
	write16(dev.common + R_QUEUE_SELECT, 0);
	write16(dev.common + R_QUEUE_VECTOR, QUEUES + 1);
	CHECK(read16(dev.common + R_QUEUE_VECTOR) == NO_VECTOR);
	/* NO_INTERRUPT is heeded */
	queue_calls_off(&q[1]);
	CHECK(queue_do(&q[1], T_IN, 0, data[0][0], BLOCK) == S_OK);
	linger();
	CHECK(irq_count[VECTOR + 1] == 2);
}

/* What comes for a masked vector pends, and is delivered once afterwards. */
static void pend(void (*mask)(bool masked))
{
	u32 was = irq_count[VECTOR];

	mask(true);
	CHECK(queue_do(&q[0], T_IN, 0, data[0][0], BLOCK) == S_OK);
	CHECK(queue_do(&q[0], T_IN, 0, data[0][0], BLOCK) == S_OK);
	linger();
	CHECK(irq_count[VECTOR] == was);
	CHECK(msix_pending(&dev, 0) && !msix_pending(&dev, 1));
	mask(false);
	CHECK(WAIT(irq_count[VECTOR] == was + 1));
	linger();
	CHECK(irq_count[VECTOR] == was + 1 && !msix_pending(&dev, 0));
	CHECK(queue_do(&q[0], T_IN, 0, data[0][0], BLOCK) == S_OK);
	CHECK(WAIT(irq_count[VECTOR] == was + 2));
}

static void mask_vector(bool masked)
{
	msix_mask(&dev, 0, masked);
}

static void mask_function(bool masked)
{
	pci_write(dev.slot, dev.msix + 2, masked ? 0xc000 : 0x8000, 2);
}

/* A message can be changed while its vector is masked. */
static void move_message(void)
{
	u32 was = irq_count[VECTOR + 8];

	msix_mask(&dev, 0, true);
	CHECK(queue_do(&q[0], T_IN, 0, data[0][0], BLOCK) == S_OK);
	linger();
	msix_set(&dev, 0, VECTOR + 8);
	CHECK(WAIT(irq_count[VECTOR + 8] == was + 1));
	msix_set(&dev, 0, VECTOR);
}

static void case_mask(void)
{
	device_find(&dev, 0);
	irq_init();
	for (u32 i = 0; i < QUEUES; i++)
		msix_set(&dev, i, (u8)(VECTOR + i));
	msix_on(&dev);
	start_with(0);
	pend(mask_vector);
	pend(mask_function);
	move_message();
	pend(mask_vector);
}

static void case_ring_reset(void)
{
	start();
	submit_all(T_IN);
	wait_all();
	for (u32 round = 0; round < 5; round++) {
		submit_all(T_IN);
		reg_write(&dev, R_QUEUE_SELECT, 2);
		reg_write(&dev, R_QUEUE_RESET, 1);
		CHECK(WAIT(reg_read(&dev, R_QUEUE_RESET) == 0));
		CHECK(reg_read(&dev, R_QUEUE_ENABLE) == 0);
		/* None of its requests may come any more. */
		memset(data[2], 0xee, sizeof(data[2]));
		linger();
		for (u32 j = 0; j < DEPTH; j++)
			CHECK(data[2][j][0] == 0xee && data[2][j][BLOCK - 1] == 0xee);
		queue_setup(&dev, &q[2], 2, 32, NO_VECTOR);
		for (u32 i = 0; i < QUEUES; i++)
			CHECK(i == 2 || queue_wait(&q[i]));
		CHECK(queue_do(&q[2], T_IN, 0, data[2][0], BLOCK) == S_OK);
		CHECK(queue_do(&q[1], T_IN, 0, data[1][0], BLOCK) == S_OK);
	}
	CHECK(!(device_status(&dev) & STATUS_NEEDS_RESET));
}

/* Reset with requests in flight: when status reads 0, nothing comes any more. */
static void case_reset_load(void)
{
	device_find(&dev, 0);
	for (u32 round = 0; round < 20; round++) {
		start_with(NO_VECTOR);
		submit_all(T_IN);
		device_reset(&dev);
		memset(data, 0xee, sizeof(data));
		CHECK(!(dev.features & F_RING_RESET) ||
		      reg_read(&dev, R_QUEUE_ENABLE) == 0);
		if (round % 5 == 4)
			linger();
		for (u32 i = 0; i < QUEUES; i++)
			for (u32 j = 0; j < DEPTH; j++)
				CHECK(data[i][j][0] == 0xee &&
				      data[i][j][BLOCK - 1] == 0xee);
	}
	start_with(NO_VECTOR);
	submit_all(T_OUT);
	wait_all();
}

/*
 * The ring is full when the device starts: long reads, and then a chain without
 * a status byte.  A reset has to wait for the reads all the same.
 */
#define LONG_READ (8u << 20)
#define LONG_READS 8
static void case_prefilled(void)
{
	u8 *buffer = (u8 *)0x10000000;

	device_find(&dev, 0);
	for (u32 round = 0; round < 3; round++) {
		device_negotiate(&dev, F_VERSION_1);
		queue_setup(&dev, &q[0], 0, 64, NO_VECTOR);
		for (u32 i = 0; i < LONG_READS; i++)
			queue_add(&q[0], i, T_IN, 0, buffer, LONG_READ);
		queue_add(&q[0], LONG_READS, T_FLUSH, 0, NULL, 0);
		if (q[0].is_packed)
			q[0].packed[3 * LONG_READS].flags &= (u16)~DESC_NEXT;
		else
			q[0].desc[3 * LONG_READS].flags = 0;
		device_ok(&dev);
		queue_kick(&q[0]);
		if (round)	/* or at once */
			CHECK(WAIT(device_status(&dev) & STATUS_NEEDS_RESET));
		device_reset(&dev);
		buffer[0] = 0xee;
		buffer[LONG_READ - 1] = 0xee;
		linger();
		CHECK(buffer[0] == 0xee && buffer[LONG_READ - 1] == 0xee);
	}
	start_with(NO_VECTOR);
	submit_all(T_IN);
	wait_all();
}

/* The machine ends while requests are on their way, by the runner's choice. */
static void case_busy(void)
{
	start();
	for (u32 i = 0; i < QUEUES; i++) {
		for (u32 j = 0; j < LONG_READS; j++)
			queue_add(&q[i], j, T_IN, 0, (u8 *)0x10000000, LONG_READ);
		queue_kick(&q[i]);
	}
	print("PASS\nREADY\n");
	if (param("triple", 0))
		__asm__ volatile("lidt %0; ud2" : : "m"(*(const u64 *)"\0\0\0\0\0\0\0"));
	if (!param("spin", 0))
		power_off();
	for (;;)
		__asm__ volatile("pause");
}

/* One queue of four, and the second one at that. */
static void case_fewer(void)
{
	device_find(&dev, 0);
	device_negotiate(&dev, F_VERSION_1 | F_BLK_MQ);
	queue_setup(&dev, &q[1], 1, 8, NO_VECTOR);
	device_ok(&dev);
	for (u32 i = 0; i < 20; i++)
		CHECK(queue_do(&q[1], T_IN, 8 * i, data[1][0], BLOCK) == S_OK);
	device_kick(&dev, dev.notify, 0);		/* a kick for a queue that is not on */
	linger();
	CHECK(!(device_status(&dev) & STATUS_NEEDS_RESET));
}

/* EVENT_IDX: the second and third request share the interrupt for the third. */
static void case_idx(void)
{
	device_find(&dev, 0);
	irq_init();
	msix_set(&dev, 1, VECTOR);
	msix_on(&dev);
	device_negotiate(&dev, F_VERSION_1 | F_EVENT_IDX);
	queue_setup(&dev, &q[0], 0, QUEUE_SIZE_MAX, 1);
	device_ok(&dev);
	fill(data[0][0], BLOCK, 7);
	CHECK(queue_do(&q[0], T_OUT, 0, data[0][0], BLOCK) == S_OK);
	CHECK(WAIT(irq_count[VECTOR] == 1));
	q[0].avail.used_event = 2;
	CHECK(queue_do(&q[0], T_OUT, 8, data[0][0], BLOCK) == S_OK);
	linger();
	CHECK(irq_count[VECTOR] == 1);
	CHECK(queue_do(&q[0], T_IN, 8, data[0][1], BLOCK) == S_OK);
	CHECK(WAIT(irq_count[VECTOR] == 2));
	CHECK(filled(data[0][1], BLOCK, 7));
	CHECK(queue_do(&q[0], T_IN, 8, data[0][1], BLOCK) == S_OK);
	linger();
	CHECK(irq_count[VECTOR] == 2);
}

const struct payload_case queue_cases[] = {
	{ "mq", case_mq },
	{ "msix", case_msix },
	{ "mask", case_mask },
	{ "ring-reset", case_ring_reset },
	{ "reset-load", case_reset_load },
	{ "fewer", case_fewer },
	{ "idx", case_idx },
	{ "prefilled", case_prefilled },
	{ "busy", case_busy },
	{ NULL, NULL },
};
