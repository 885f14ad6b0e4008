// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of several vCPUs: resets while others keep every queue busy, and rings
 * that another vCPU rewrites while the device reads them.
 */
#include "virtio.h"

#define LANES 4
#define DEPTH 8
#define AREA ((u8 *)0x8000000)	/* all that is scribbled about lies here */
#define AREA_SIZE (1u << 20)
#define LEN_MAX 0x10000u
#define QUICK_CYCLES 20000u

static struct device dev;

/* A queue; the vCPU that drives it stands still while the gate is closed. */
static struct lane {
	struct queue q;
	u8 data[SECTOR];
} lanes[LANES] __attribute__((aligned(4096)));
static volatile bool closed = true, parked[LANES + 1];
static u32 drivers = 1;

static u32 random(void)
{
	static u32 x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static void pause_for(u32 cycles)
{
	u64 end = rdtsc() + cycles;

	while (rdtsc() < end)
		__asm__ volatile("pause");
}

static void park(u32 id)
{
	parked[id] = true;
	while (closed)
		__asm__ volatile("pause" : : : "memory");
	parked[id] = false;
}

static void close_gate(void)
{
	closed = true;
	mb();
	for (u32 i = 1; i <= drivers; i++)
		CHECK(WAIT(parked[i]));
}

static void open_gate(void)
{
	closed = false;
	mb();
	for (u32 i = 1; i <= drivers; i++)
		CHECK(WAIT(!parked[i]));
}

/* --- resets -------------------------------------------------------------- */

/* Fill the queue. */
static void lane_drive(struct lane *lane)
{
	struct queue *q = &lane->q;
	u16 before = q->submitted;

	while ((u16)(q->submitted - q->used.idx) < DEPTH)
		queue_add(q, q->submitted % SLOTS, q->submitted % 3 ? T_IN : T_OUT,
			  q->index, lane->data, SECTOR);
	if (q->submitted != before)
		queue_kick(q);
}

/* Each driver has every queue that comes round to it. */
static void drive(u32 id)
{
	for (;;) {
		if (closed)
			park(id);
		for (u32 i = id - 1; i < LANES; i += drivers)
			lane_drive(&lanes[i]);
	}
}

static void lane_setup(u32 i)
{
	queue_setup(&dev, &lanes[i].q, (u16)i, 64, NO_VECTOR);
}

static void reset_queues(void)
{
	for (u16 i = 0; i < LANES; i++) {
		write16(dev.common + R_QUEUE_SELECT, i);
		write16(dev.common + R_QUEUE_RESET, 1);
		CHECK(WAIT(!read16(dev.common + R_QUEUE_RESET)));
		CHECK(!read16(dev.common + R_QUEUE_ENABLE));
	}
}

/* When it is reset, nothing comes any more, however much is offered. */
static void reset_round(bool queues)
{
	u16 used[LANES];

	if (queues)
		reset_queues();
	else
		device_reset(&dev);
	for (u32 i = 0; i < LANES; i++)
		used[i] = lanes[i].q.used.idx;
	pause_for(QUICK_CYCLES);
	close_gate();
	for (u32 i = 0; i < LANES; i++) {
		CHECK(lanes[i].q.used.idx == used[i]);
		CHECK((u16)(lanes[i].q.submitted - used[i]) <= DEPTH);
	}
}

/* "rounds" resets, in turn of the device and of each of its queues. */
static void case_reset_storm(void)
{
	u32 rounds = param("rounds", 100), requests = 0;

	device_find(&dev, 0);
	drivers = param("drivers", 1);
	cpus_start(1 + drivers, drive);
	for (u32 round = 0; round < rounds; round++) {
		if (round % 2 == 0)
			device_negotiate(&dev, F_VERSION_1 | F_BLK_MQ | F_RING_RESET);
		for (u32 i = 0; i < LANES; i++)
			lane_setup(i);
		if (round % 2 == 0)
			device_ok(&dev);
		open_gate();
		for (u32 i = 0; i < LANES; i++)
			CHECK(WAIT(lanes[i].q.used.idx >= round % 5));
		reset_round(round % 2 == 0);
		for (u32 i = 0; i < LANES; i++)
			requests += lanes[i].q.used.idx;
	}
	disk_start(&dev, &lanes[0].q, 0);
	CHECK(queue_do(&lanes[0].q, T_IN, 0, lanes[0].data, SECTOR) == S_OK);
	print("%u resets, %u requests\n", rounds, requests);
}

/* --- scribbles ----------------------------------------------------------- */

static volatile u32 scribbles;

static u64 some_address(void)
{
	u32 r = random();

	switch (r % 16) {
	case 0:
		return 0xc0000000u + r;
	case 1:
		return ~0ull - r % 64;
	default:
		return (u32)AREA + r / 16 % (AREA_SIZE - LEN_MAX);
	}
}

static u32 some_length(void)
{
	static const u32 lengths[] = { 0, 1, 15, 16, 17, 512, 513, 4096 };
	u32 r = random();

	return r % 64 ? r % 4 ? lengths[r / 64 % 8] : r / 64 % LEN_MAX : r | 1u << 31;
}

static void scribble_desc(volatile struct desc *d)
{
	switch (random() % 4) {
	case 0:
		d->addr = some_address();
		break;
	case 1:
		d->len = some_length();
		break;
	case 2:
		d->flags = (u16)(random() & 7);
		break;
	case 3:
		d->next = (u16)(random() % 70);
		break;
	}
}

/* The other vCPU: rewrites whatever the device reads, all of the time. */
static void scribble(u32 id)
{
	struct queue *q = &lanes[0].q;
	u32 r;

	for (;;) {
		if (closed)
			park(id);
		r = random();
		scribbles++;
		if (r % 8 < 3)
			scribble_desc(&q->desc[r / 8 % 64]);
		else if (r % 8 < 6)
			scribble_desc(&q->indirect[r / 8 % DEPTH][r / 64 % 3]);
		else if (r % 8 == 6)	/* headers, type and sector */
			*(volatile u32 *)(AREA + r / 8 % (DEPTH * SECTOR) / 4 * 4) = r / 8 % 16;
		else if (r % 1024 == 7)
			((volatile struct avail *)&q->avail)->idx = (u16)(r / 64);
		else
			((volatile struct avail *)&q->avail)->ring[r / 64 % 64] = (u16)(r / 64 % 66);
	}
}

/* A request whose every part lies in the area. */
static void add_in_area(struct queue *q, u32 slot)
{
	u32 at = (u32)AREA + slot * SECTOR, head = 3 * slot;
	struct desc *d = q->use_indirect ? q->indirect[slot] : &q->desc[head];
	u16 base = q->use_indirect ? 0 : (u16)head;

	*(struct request *)at = (struct request){ .type = T_IN };
	d[0] = (struct desc){ at, 16, DESC_NEXT, base + 1 };
	d[1] = (struct desc){ (u32)AREA + 0x20000, SECTOR, DESC_WRITE | DESC_NEXT,
			      base + 2 };
	d[2] = (struct desc){ at + 16, 1, DESC_WRITE, 0 };
	if (q->use_indirect)
		q->desc[head] = (struct desc){ (u32)d, 48, DESC_INDIRECT, 0 };
	queue_offer(q, (u16)head);
}

static bool scribble_round(bool indirect)
{
	struct queue *q = &lanes[0].q;
	u32 before;

	device_negotiate(&dev, F_VERSION_1 | (indirect ? F_INDIRECT : 0));
	queue_setup(&dev, q, 0, 64, NO_VECTOR);
	device_ok(&dev);
	for (u32 i = 0; i < DEPTH; i++)
		add_in_area(q, i);
	open_gate();
	for (u32 i = 0; i < DEPTH; i++) {
		before = scribbles;
		queue_kick(q);
		CHECK(WAIT(scribbles - before > 16));
		queue_offer(q, (u16)(i % DEPTH * 3));
	}
	close_gate();
	return device_status(&dev) & STATUS_NEEDS_RESET;
}

/* Whatever the device read, a reset and a good request work afterwards. */
static void case_scribble(void)
{
	u32 rounds = param("rounds", 100), broken = 0;

	device_find(&dev, 0);
	cpus_start(2, scribble);
	for (u32 round = 0; round < rounds; round++) {
		broken += scribble_round(round % 2);
		disk_start(&dev, &lanes[0].q, 0);
		CHECK(queue_do(&lanes[0].q, T_IN, 0, lanes[0].data, SECTOR) == S_OK);
	}
	print("%u of %u broken\n", broken, rounds);
	CHECK(broken > rounds / 4);
}

const struct payload_case storm_cases[] = {
	{ "reset-storm", case_reset_storm },
	{ "scribble", case_scribble },
	{ NULL, NULL },
};
