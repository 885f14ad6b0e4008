// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring 3: keep requests in flight as Linux's virtio-blk does - indirect
 * descriptors, one publication and at most one kick per batch, and that only
 * where EVENT_IDX asks for it - and note what it costs in real time.
 *
 * Nothing here enters kernel mode, but for the kicks (MMIO) and interrupts.
 */
#include "ring3.h"

static u64 next_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Upper bits: power of two; lower three: which eighth of it. */
static u32 bucket_of(u64 v)
{
	u32 power;

	if (v < 8)
		return (u32)v;
	power = 63 - (u32)__builtin_clzll(v);
	return (power - 2) * 8 + (u32)(v >> (power - 3) & 7);
}

/* The middle of a bucket. */
u64 bucket_value(u32 bucket)
{
	u32 shift = bucket / 8 - 1;

	if (bucket < 8)
		return bucket;
	return ((bucket % 8 + 8ull) << shift) + (1ull << shift) / 2;
}

static void pattern_write(u8 *data, u64 block)
{
	u64 *word = (u64 *)data;

	for (u32 i = 0; i < BLOCK / 8; i++)
		word[i] = block << 32 | i;
}

static bool pattern_is(const u8 *data, u64 block)
{
	const u64 *word = (const u64 *)data;

	for (u32 i = 0; i < BLOCK / 8; i++)
		if (word[i] != (block << 32 | i))
			return false;
	return true;
}

/* The block of the lane's next request. */
static u64 next_block(struct lane *l)
{
	if (l->job->verify)
		return l->index * l->job->count + l->requests;
	return ((next_random(&l->random) >> 32) * l->job->blocks) >> 32;
}

static void prepare(struct lane *l, u16 slot, u64 now)
{
	struct slot *s = &l->slot[slot];
	u64 block = next_block(l);

	s->request.type = l->job->write ? T_OUT : T_IN;
	s->request.sector = block * BLOCK_SECTORS;
	s->request.status = 0xff;
	s->started = now;
	if (l->job->write)
		pattern_write(l->data[slot], block);
	else if (l->job->verify)
		*(u64 *)l->data[slot] = ~0ull;
	l->avail.ring[l->submitted++ % l->size] = slot;
	l->requests++;
	l->in_flight++;
}

/* More requests, up to the depth, published together. */
static void refill(struct lane *l)
{
	u64 now = rdtsc();
	u16 was = l->submitted;

	while (l->in_flight < l->job->depth) {
		if (l->job->count ? l->requests == l->job->count : now >= l->deadline)
			break;
		prepare(l, l->free[l->in_flight], now);
	}
	if (l->submitted != was)
		__atomic_store_n(&l->avail.idx, l->submitted, __ATOMIC_RELEASE);
}

/* 2.7.10.1: when the device has come as far as it wanted to be told. */
static void kick(struct lane *l)
{
	u16 fresh = (u16)(l->submitted - l->kicked), since;

	if (!fresh)
		return;
	mb();
	since = (u16)(l->submitted - l->used.avail_event - 1);
	l->kicked = l->submitted;
	if (since >= fresh)
		return;
	l->kicks++;
	write16(l->notify, l->index);
}

static void complete(struct lane *l, u16 slot, u64 now)
{
	struct slot *s = &l->slot[slot % DEPTH_MAX];
	u64 latency = now - s->started;

	if (slot >= l->job->depth || s->request.status != S_OK)
		l->errors++;
	if (l->job->verify && !l->job->write &&
	    !pattern_is(l->data[slot], s->request.sector / BLOCK_SECTORS))
		l->mismatches++;
	l->latency += latency;
	l->histogram[bucket_of(latency)]++;
	l->completed++;
	l->free[--l->in_flight] = slot;
}

static void reap(struct lane *l)
{
	u16 upto = __atomic_load_n(&l->used.idx, __ATOMIC_ACQUIRE);
	u64 now = rdtsc();

	for (; l->reaped != upto; l->reaped++)
		complete(l, (u16)l->used.ring[l->reaped % l->size].id, now);
	l->finished = now;
}

/* Ask for an interrupt at the next completion.  True: one has come already. */
static bool interrupts_on(struct lane *l)
{
	l->avail.used_event = l->reaped;
	mb();
	return __atomic_load_n(&l->used.idx, __ATOMIC_RELAXED) != l->reaped;
}

/* As far away as an index can be. */
static void interrupts_off(struct lane *l)
{
	l->avail.used_event = (u16)(l->reaped - 1);
}

static void turn_polling(struct lane *l)
{
	if (__atomic_load_n(&l->used.idx, __ATOMIC_RELAXED) == l->reaped) {
		__builtin_ia32_pause();
		return;
	}
	interrupts_off(l);
	reap(l);
	refill(l);
	kick(l);
}

static void turn_interrupts(struct lane *l)
{
	u32 irqs = *l->irqs;

	if (irqs == l->irqs_seen) {
		__builtin_ia32_pause();
		return;
	}
	l->irqs_seen = irqs;
	do {
		interrupts_off(l);
		reap(l);
		refill(l);
		kick(l);
	} while (interrupts_on(l));
}

static void begin(struct lane *l)
{
	l->begun = rdtsc();
	l->deadline = l->begun + l->job->ticks;
	l->irqs_seen = *l->irqs;
	if (l->job->irq)
		interrupts_on(l);
	else
		interrupts_off(l);
	refill(l);
	kick(l);
}

void drive(struct cpu *cpu)
{
	u32 running = 0;

	for (u32 i = 0; i < cpu->nr_lanes; i++) {
		begin(cpu->lanes[i]);
		running++;
	}
	while (running) {
		running = 0;
		for (u32 i = 0; i < cpu->nr_lanes; i++) {
			struct lane *l = cpu->lanes[i];

			if (!l->in_flight)
				continue;
			running++;
			if (l->job->irq)
				turn_interrupts(l);
			else
				turn_polling(l);
		}
	}
}
