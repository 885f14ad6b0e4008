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
	volatile u16 used;	/* as the driver has last seen it */
	volatile bool over;	/* and that was behind a reset */
} lanes[LANES] __attribute__((aligned(4096)));
static volatile bool closed = true, parked[LANES + 1];
static volatile bool was_reset;
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

/* What is used of its queue; on a packed ring for the vCPU that drives it. */
static u16 lane_used(struct queue *q)
{
	queue_done(q);
	return q->is_packed ? q->used_count : q->used.idx;
}

/* Fill the queue; behind a reset (@over), what is used is the last. */
static void lane_drive(struct lane *lane, bool over)
{
	struct queue *q = &lane->q;
	u16 before = q->submitted;

	lane->used = lane_used(q);
	lane->over = over;
	while ((u16)(q->submitted - lane->used) < DEPTH)
		queue_add(q, q->submitted % SLOTS, q->submitted % 3 ? T_IN : T_OUT,
			  q->index, lane->data, SECTOR);
	if (q->submitted != before)
		queue_kick(q);
}

/* Each driver has every queue that comes round to it. */
static void drive(u32 id)
{
	for (;;) {
		bool over;

		if (closed)
			park(id);
		over = was_reset;
		for (u32 i = id - 1; i < LANES; i += drivers)
			lane_drive(&lanes[i], over);
	}
}

static void lane_setup(u32 i)
{
	queue_setup(&dev, &lanes[i].q, (u16)i, 64, NO_VECTOR);
	lanes[i].used = 0;
	lanes[i].over = false;
}

static void reset_queues(void)
{
	for (u16 i = 0; i < LANES; i++) {
		reg_write(&dev, R_QUEUE_SELECT, i);
		reg_write(&dev, R_QUEUE_RESET, 1);
		CHECK(WAIT(!reg_read(&dev, R_QUEUE_RESET)));
		CHECK(!reg_read(&dev, R_QUEUE_ENABLE));
	}
}

/* What was used when the reset ended, or, packed, when its driver looked then. */
static u16 lane_final(struct lane *lane)
{
	if (!lane->q.is_packed)
		return lane->q.used.idx;
	CHECK(WAIT(lane->over));
	return lane->used;
}

/* When it is reset, nothing comes any more, however much is offered. */
static u32 reset_round(bool queues)
{
	u16 used[LANES];
	u32 sum = 0;

	if (queues)
		reset_queues();
	else
		device_reset(&dev);
	was_reset = true;
	for (u32 i = 0; i < LANES; i++)
		used[i] = lane_final(&lanes[i]);
	pause_for(QUICK_CYCLES);
	close_gate();
	was_reset = false;
	for (u32 i = 0; i < LANES; i++) {
		CHECK(lane_used(&lanes[i].q) == used[i]);
		CHECK((u16)(lanes[i].q.submitted - used[i]) <= DEPTH);
		sum += used[i];
	}
	return sum;
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
			CHECK(WAIT(lanes[i].used >= round % 5));
		requests += reset_round(round % 2 == 0);
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

/* Mostly available in the first round. */
static u16 some_packed_flags(void)
{
	u32 r = random();

	return (u16)((r & 7) | (r & 0x300 ? DESC_AVAIL :
					    r & (DESC_AVAIL | DESC_USED)));
}

/* A packed one has its id where a split one has flags, and flags for next. */
static void scribble_desc(volatile struct desc *d, bool packed)
{
	switch (random() % 4) {
	case 0:
		d->addr = some_address();
		break;
	case 1:
		d->len = some_length();
		break;
	case 2:
		d->flags = (u16)(random() & (packed ? 0xffff : 7));
		break;
	case 3:
		d->next = packed ? some_packed_flags() : (u16)(random() % 70);
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
			scribble_desc(&q->desc[r / 8 % 64], q->is_packed);
		else if (r % 8 < 6)
			scribble_desc(&q->indirect[r / 8 % DEPTH][r / 64 % 3],
				      q->is_packed);
		else if (r % 8 == 6)	/* headers, type and sector */
			*(volatile u32 *)(AREA + r / 8 % (DEPTH * SECTOR) / 4 * 4) = r / 8 % 16;
		else if (q->is_packed)
			*(volatile u32 *)&q->driver_event = random();
		else if (r % 1024 == 7)
			((volatile struct avail *)&q->avail)->idx = (u16)(r / 64);
		else
			((volatile struct avail *)&q->avail)->ring[r / 64 % 64] = (u16)(r / 64 % 66);
	}
}

static void split_in_area(struct queue *q, u32 slot, u32 at)
{
	u32 head = 3 * slot;
	struct desc *d = q->use_indirect ? q->indirect[slot] : &q->desc[head];
	u16 base = q->use_indirect ? 0 : (u16)head;

	d[0] = (struct desc){ at, 16, DESC_NEXT, base + 1 };
	d[1] = (struct desc){ (u32)AREA + 0x20000, SECTOR, DESC_WRITE | DESC_NEXT,
			      base + 2 };
	d[2] = (struct desc){ at + 16, 1, DESC_WRITE, 0 };
	if (q->use_indirect)
		q->desc[head] = (struct desc){ (u32)d, 48, DESC_INDIRECT, 0 };
	queue_offer(q, (u16)head);
}

static void packed_in_area(struct queue *q, u32 slot, u32 at)
{
	struct desc *d = q->indirect[slot];

	if (q->use_indirect) {
		d[0] = (struct desc){ at, 16, 0, 0 };
		d[1] = (struct desc){ (u32)AREA + 0x20000, SECTOR, 0, DESC_WRITE };
		d[2] = (struct desc){ at + 16, 1, 0, DESC_WRITE };
		queue_put(q, (u32)d, 48, DESC_INDIRECT, (u16)slot);
	} else {
		queue_put(q, at, 16, DESC_NEXT, (u16)slot);
		queue_put(q, (u32)AREA + 0x20000, SECTOR, DESC_WRITE | DESC_NEXT,
			  (u16)slot);
		queue_put(q, at + 16, 1, DESC_WRITE, (u16)slot);
	}
	queue_show(q, 1);
}

/* A request whose every part lies in the area. */
static void add_in_area(struct queue *q, u32 slot)
{
	u32 at = (u32)AREA + slot * SECTOR;

	*(struct request *)at = (struct request){ .type = T_IN };
	if (q->is_packed)
		packed_in_area(q, slot, at);
	else
		split_in_area(q, slot, at);
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
		if (q->is_packed)
			packed_in_area(q, i, (u32)AREA + i * SECTOR);
		else
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
