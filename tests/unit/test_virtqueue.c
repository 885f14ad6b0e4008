// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of a virtqueue against a driver's side in this process:
 * chains of any shape, indices that wrap, notifications left out, and a guest
 * that makes a mess in every way that virtqueue.c tells of.
 */
/* helpers: guest_ring.c race_ring.c */
#include "guest_ring.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_SIZE (4u << 20)
#define BUF_SIZE 4096u
#define EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define PACKED (1ull << VIRTIO_F_RING_PACKED)
#define MAX_BUFS VIRTQUEUE_SIZE_MAX

static struct arena arena;
static struct guest_ring ring;
static struct virtqueue vq;
static struct virtqueue_chain chain;
static struct iovec iov[MAX_BUFS];
static u64 buf;		/* guest memory for data */
static u64 layout;	/* PACKED or 0, of every ring */

static void setup(void)
{
	layout = 0;
	arena_init(&arena, ARENA_SIZE);
	buf = arena_alloc(&arena, 16 * BUF_SIZE, BUF_SIZE);
}

static void setup_packed(void)
{
	setup();
	layout = PACKED;
}

static void teardown(void)
{
	arena_exit(&arena);
}

static void start(u16 size, u64 features)
{
	ring_init(&ring, &arena, size, features | layout);
	ck_assert_int_eq(virtqueue_init(&vq, &arena.mem, &ring.config,
					features | layout),
			 0);
}

static int pop(void)
{
	return virtqueue_pop(&vq, &chain, iov, MAX_BUFS);
}

/* Add a chain of one readable buffer, let it be seen. */
static int add_one(void)
{
	struct ring_buf b = { buf, 512, false };

	return ring_add(&ring, &b, 1);
}

static void expect_buffers(const struct ring_buf *bufs, unsigned int n)
{
	unsigned int out = 0;

	while (out < n && !bufs[out].in)
		out++;
	expect(chain.nout == out);
	expect(chain.nin == n - out);
	for (unsigned int i = 0; i < n; i++) {
		expect(iov[i].iov_len == bufs[i].len);
		expect(iov[i].iov_base == arena_ptr(&arena, bufs[i].gpa, bufs[i].len));
	}
}

/* --- what is right ------------------------------------------------------- */

/* The last ones are for packed rings only. */
static const u16 sizes[] = { 1, 2, 4, 8, 16, 64, 128, 256, 512, 1024,
			     3, 5, 7, 100, 1023 };
#define SIZES_PACKED ((int)(sizeof(sizes) / sizeof(sizes[0])))
#define SIZES (SIZES_PACKED - 5)

START_TEST(test_empty)
{
	start(sizes[_i], INDIRECT);
	ck_assert_int_eq(pop(), 0);
	ck_assert(!virtqueue_publish(&vq));
	ck_assert(!virtqueue_unpublished(&vq));
	ck_assert(!virtqueue_kicks_on(&vq, 1));
	/* What is added but not exposed is not there. */
	add_one();
	ck_assert_int_eq(pop(), 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	ck_assert_int_eq(pop(), 0);
}
END_TEST

/* A full ring, popped whole, pushed in reverse, published once. */
START_TEST(test_full_ring)
{
	static struct virtqueue_chain chains[VIRTQUEUE_SIZE_MAX];
	u16 size = sizes[_i];
	u32 id, len;

	start(size, 0);
	for (unsigned int i = 0; i < size; i++)
		ck_assert_int_ge(add_one(), 0);
	ck_assert_int_eq(add_one(), -1);
	ring_expose(&ring);
	for (unsigned int i = 0; i < size; i++) {
		ck_assert_int_eq(pop(), 1);
		chains[i] = chain;
	}
	ck_assert_int_eq(pop(), 0);
	for (unsigned int i = size; i--;)
		virtqueue_push(&vq, &chains[i], 100 + i);
	ck_assert(virtqueue_unpublished(&vq));
	ck_assert_uint_eq(ring_used_idx(&ring), 0);
	ck_assert(virtqueue_publish(&vq));
	ck_assert(!virtqueue_unpublished(&vq));
	ck_assert_uint_eq(ring_used_idx(&ring), size);
	ck_assert(!virtqueue_publish(&vq));
	for (unsigned int i = size; i--;) {
		ck_assert(ring_get(&ring, &id, &len));
		ck_assert_uint_eq(id, chains[i].id);
		ck_assert_uint_eq(len, 100 + i);
	}
	ck_assert(!ring_get(&ring, &id, &len));
}
END_TEST

/* Chains of @n buffers, @out of them readable, of all lengths up to BUF_SIZE. */
static void make_bufs(struct ring_buf *bufs, unsigned int n, unsigned int out)
{
	for (unsigned int i = 0; i < n; i++)
		bufs[i] = (struct ring_buf){ buf + 8 * i, (7 * i) % BUF_SIZE,
					     i >= out };
}

/* Any split into readable and writable, direct, indirect or mixed. */
START_TEST(test_framing)
{
	struct ring_buf bufs[32];
	u64 table = arena_alloc(&arena, 16 * 32, 16);
	u32 id, len;

	start(sizes[_i], INDIRECT);
	for (unsigned int n = 1; n <= 32; n++)
		for (unsigned int out = 0; out <= n; out++)
			for (unsigned int direct = 0; direct <= n; direct++) {
				int head;

				make_bufs(bufs, n, out);
				head = direct == n ?
					       ring_add(&ring, bufs, n) :
					       ring_add_mixed(&ring, table,
							      bufs, n, direct);
				if (head < 0)
					continue;	/* ring too small */
				ring_expose(&ring);
				expect(pop() == 1);
				expect(chain.id == head);
				expect_buffers(bufs, n);
				virtqueue_push(&vq, &chain, n);
				virtqueue_publish(&vq);
				expect(ring_get(&ring, &id, &len));
				expect((int)id == head);
				expect(len == n);
			}
	expect(ring.nfree == ring.size);
}
END_TEST

/* The longest chains: the whole ring, a table of the greatest size. */
START_TEST(test_longest_chains)
{
	static struct ring_buf bufs[MAX_BUFS];
	u64 table = arena_alloc(&arena, 16 * MAX_BUFS, 16);

	start(1024, INDIRECT);
	make_bufs(bufs, MAX_BUFS, 1);
	ck_assert_int_ge(ring_add(&ring, bufs, MAX_BUFS), 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	expect_buffers(bufs, MAX_BUFS);

	start(4, INDIRECT);
	ck_assert_int_ge(ring_add_indirect(&ring, table, bufs, MAX_BUFS), 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	expect_buffers(bufs, MAX_BUFS);
}
END_TEST

/* Descriptors linked backwards and across the table. */
START_TEST(test_any_link_order)
{
	u64 table = arena_alloc(&arena, 48, 16);
	void *t = arena_ptr(&arena, table, 48);
	struct ring_buf want[] = { { buf, 16, false },
				   { buf + 16, 512, true },
				   { buf + 600, 1, true } };

	start(8, INDIRECT);
	ring_desc(ring.desc, 7, want[0].gpa, want[0].len, VRING_DESC_F_NEXT, 2);
	ring_desc(ring.desc, 2, want[1].gpa, want[1].len,
		  VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 5);
	ring_desc(ring.desc, 5, want[2].gpa, want[2].len, VRING_DESC_F_WRITE,
		  0xffff);
	ring_post(&ring, 7);
	ring_desc(t, 0, want[0].gpa, want[0].len, VRING_DESC_F_NEXT, 2);
	ring_desc(t, 2, want[1].gpa, want[1].len,
		  VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_desc(t, 1, want[2].gpa, want[2].len, VRING_DESC_F_WRITE, 0xffff);
	/* 2.7.5.3.2: the WRITE flag of what refers to a table means nothing. */
	ring_desc(ring.desc, 0, table, 48,
		  VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	ring_post(&ring, 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.id, 7);
	expect_buffers(want, 3);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.id, 0);
	expect_buffers(want, 3);
}
END_TEST

/* 2.7.5.3 asks for no alignment of an indirect table; any address must do. */
START_TEST(test_unaligned_indirect_table)
{
	struct ring_buf bufs[] = { { buf, 16, false }, { buf + 16, 512, true } };
	u64 table = arena_alloc(&arena, 64, 16);

	start(4, INDIRECT);
	for (unsigned int i = 0; i < 16; i++) {
		u32 id, len;

		ring_add_indirect(&ring, table + i, bufs, 2);
		ring_expose(&ring);
		ck_assert_int_eq(pop(), 1);
		expect_buffers(bufs, 2);
		virtqueue_push(&vq, &chain, 0);
		virtqueue_publish(&vq);
		ck_assert(ring_get(&ring, &id, &len));
	}
}
END_TEST

/* 2.7.5.3.2, 2.8.7: the write flag of what refers to a table means nothing. */
START_TEST(test_indirect_with_write_flag)
{
	struct ring_buf bufs[] = { { buf, 16, false }, { buf + 16, 512, true } };
	u64 table = arena_alloc(&arena, 32, 16);
	int head;

	start(4, INDIRECT);
	head = ring_add_indirect(&ring, table, bufs, 2);
	if (layout)
		ring.shown_flags |= VRING_DESC_F_WRITE;
	else
		ring.desc[head].flags |=
			(__force __virtio16)cpu_to_le16(VRING_DESC_F_WRITE);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	expect_buffers(bufs, 2);
}
END_TEST

/* 2.7.5.1: descriptors, avail ring, tables and what is readable are the driver's. */
START_TEST(test_only_the_used_ring_is_written)
{
	struct ring_buf bufs[] = { { buf, 512, false }, { buf + 512, 512, true } };
	u64 table = arena_alloc(&arena, 32, 16);
	const u64 parts[] = { 0, 0, table, buf };
	const u32 lens[] = { 16 * 8, 6 + 2 * 8, 32, 1024 };
	u64 at[4];
	u8 before[4][1024];
	u32 id, len;

	start(8, INDIRECT | (_i ? EVENT_IDX : 0));
	memcpy(at, parts, sizeof(at));
	at[0] = ring.config.desc;
	at[1] = ring.config.avail;
	for (unsigned int round = 0; round < 100; round++) {
		ring_add(&ring, bufs, 2);
		ring_add_indirect(&ring, table, bufs, 2);
		ring_expose(&ring);
		for (unsigned int i = 0; i < 4; i++)
			memcpy(before[i], arena_ptr(&arena, at[i], lens[i]),
			       lens[i]);
		virtqueue_kicks_off(&vq);
		while (pop() == 1)
			virtqueue_push(&vq, &chain, 512);
		virtqueue_publish(&vq);
		virtqueue_kicks_on(&vq, 1);
		for (unsigned int i = 0; i < 4; i++)
			ck_assert_mem_eq(before[i],
					 arena_ptr(&arena, at[i], lens[i]),
					 lens[i]);
		ck_assert(ring_get(&ring, &id, &len));
		ck_assert(ring_get(&ring, &id, &len));
	}
}
END_TEST

/* Everything goes round: 16-bit indices many times, in batches of all sizes. */
START_TEST(test_index_wrap)
{
	u16 size = sizes[_i];
	unsigned int total = test_scale(5 * 65536), done = 0, batch = 1;

	start(size, _i % 2 ? EVENT_IDX : 0);
	while (done < total) {
		unsigned int n = batch++ % size + 1;
		u32 id, len;
		int heads[VIRTQUEUE_SIZE_MAX];

		for (unsigned int i = 0; i < n; i++)
			heads[i] = add_one();
		ring_expose(&ring);
		for (unsigned int i = 0; i < n; i++) {
			expect(pop() == 1);
			expect(chain.id == heads[i]);
			virtqueue_push(&vq, &chain, done + i);
		}
		expect(pop() == 0);
		virtqueue_publish(&vq);
		for (unsigned int i = 0; i < n; i++) {
			expect(ring_get(&ring, &id, &len));
			expect((int)id == heads[i]);
			expect(len == done + i);
		}
		expect(!ring_used_pending(&ring));
		done += n;
	}
}
END_TEST

/* A descriptor that changes after it was popped changes nothing. */
START_TEST(test_popped_is_a_copy)
{
	struct ring_buf b = { buf, 512, false };
	int head;

	start(4, 0);
	head = ring_add(&ring, &b, 1);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	ring_desc(ring.desc, (unsigned int)head, ~0ull, ~0u, 0xffff, 0xffff);
	expect_buffers(&b, 1);
}
END_TEST

/* --- notifications ------------------------------------------------------- */

START_TEST(test_kicks_without_event_idx)
{
	start(8, 0);
	ck_assert(ring_expose(&ring));	/* on from the start */
	virtqueue_kicks_off(&vq);
	ck_assert_uint_eq(ring_used_flags(&ring), VRING_USED_F_NO_NOTIFY);
	add_one();
	ck_assert(!ring_expose(&ring));
	/* It came without a kick: the device must look again. */
	ck_assert(virtqueue_kicks_on(&vq, 1));
	ck_assert_uint_eq(ring_used_flags(&ring), 0);
	ck_assert_int_eq(pop(), 1);
	ck_assert(!virtqueue_kicks_on(&vq, 1));
	add_one();
	ck_assert(ring_expose(&ring));
}
END_TEST

START_TEST(test_kicks_with_event_idx)
{
	start(8, EVENT_IDX);
	add_one();
	ck_assert(ring_expose(&ring));	/* the first one, always */
	virtqueue_kicks_off(&vq);
	if (!layout)	/* 2.7.10.1 */
		ck_assert_uint_eq(ring_used_flags(&ring), 0);
	add_one();
	ck_assert(!ring_expose(&ring));
	ck_assert_int_eq(pop(), 1);
	ck_assert(virtqueue_kicks_on(&vq, 1));	/* one is left */
	ck_assert_int_eq(pop(), 1);
	ck_assert(!virtqueue_kicks_on(&vq, 1));
	ck_assert_uint_eq(ring_avail_event(&ring), 2);
	add_one();
	add_one();
	ck_assert(ring_expose(&ring));
	virtqueue_kicks_off(&vq);
	add_one();
	ck_assert(!ring_expose(&ring));
}
END_TEST

/* A kick for the third chain, not for the first two; too late: told at once. */
START_TEST(test_kick_at_the_third)
{
	start(8, EVENT_IDX);
	ck_assert(!virtqueue_kicks_on(&vq, 3));
	add_one();
	ck_assert(!ring_expose(&ring));
	add_one();
	ck_assert(!ring_expose(&ring));
	ck_assert(!virtqueue_kicks_on(&vq, 3));
	add_one();
	ck_assert(ring_expose(&ring));
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 3);
	ck_assert(virtqueue_kicks_on(&vq, 3));
	ck_assert(!virtqueue_kicks_on(&vq, 4));
	/* Set ahead of what was popped: off is off all the same. */
	ck_assert_int_eq(pop(), 1);
	virtqueue_kicks_off(&vq);
	for (unsigned int i = 0; i < 5; i++) {
		add_one();
		ck_assert(!ring_expose(&ring));
	}
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 7);
}
END_TEST

/* Without EVENT_IDX there is no third: the first kicks. */
START_TEST(test_kick_at_the_third_without_event_idx)
{
	start(8, 0);
	virtqueue_kicks_off(&vq);
	ck_assert(!virtqueue_kicks_on(&vq, 3));
	add_one();
	ck_assert(ring_expose(&ring));
	ck_assert(virtqueue_kicks_on(&vq, 3));
}
END_TEST

/* Kicks that are off stay off when the indices come round, more than twice. */
START_TEST(test_kicks_stay_off)
{
	u32 id, len;

	start(4, EVENT_IDX);
	for (unsigned int i = 0; i < 3 * 65536; i++) {
		virtqueue_kicks_off(&vq);
		add_one();
		expect(!ring_expose(&ring));
		while (pop() == 1)
			virtqueue_push(&vq, &chain, 0);
		virtqueue_publish(&vq);
		expect(ring_get(&ring, &id, &len));
	}
}
END_TEST

/* Linux shows each request at once, and asks behind the last whether to kick. */
START_TEST(test_kicks_stay_off_within_a_batch)
{
	u32 id, len;

	start(4, EVENT_IDX);
	for (unsigned int i = 0; i < test_scale(3 * 65536); i++) {
		u16 asked = ring.exposed;

		add_one();
		ring_expose(&ring);
		expect(pop() == 1);
		virtqueue_push(&vq, &chain, 0);
		virtqueue_kicks_off(&vq);
		add_one();
		ring.exposed = asked;
		expect(!ring_expose(&ring));
		expect(pop() == 1);
		virtqueue_push(&vq, &chain, 0);
		virtqueue_publish(&vq);
		while (ring_get(&ring, &id, &len))
			;
	}
}
END_TEST

/* A driver that batches is kicked for, wherever the re-arm fell in the batch. */
START_TEST(test_kick_at_every_index)
{
	u32 id, len;

	start(4, EVENT_IDX);
	for (unsigned int i = 0; i < test_scale(2 * 65536); i++) {
		unsigned int n = i % 4 + 1;

		expect(!virtqueue_kicks_on(&vq, 1));
		for (unsigned int k = 0; k < n; k++)
			add_one();
		expect(ring_expose(&ring));
		while (pop() == 1)
			virtqueue_push(&vq, &chain, 0);
		virtqueue_publish(&vq);
		while (ring_get(&ring, &id, &len))
			;
	}
}
END_TEST

static bool push_and_publish(unsigned int n)
{
	u32 id, len;
	bool wanted;

	for (unsigned int i = 0; i < n; i++)
		add_one();
	ring_expose(&ring);
	for (unsigned int i = 0; i < n; i++) {
		expect(pop() == 1);
		virtqueue_push(&vq, &chain, 0);
	}
	wanted = virtqueue_publish(&vq);
	while (ring_get(&ring, &id, &len))
		;
	return wanted;
}

START_TEST(test_interrupts_without_event_idx)
{
	start(8, 0);
	ck_assert(push_and_publish(3));
	ck_assert(push_and_publish(1));
	ring_calls_off(&ring);
	ck_assert(!push_and_publish(8));
	ring_calls_on(&ring);
	ck_assert(push_and_publish(1));
	ck_assert(!virtqueue_publish(&vq));	/* nothing new */
}
END_TEST

/* 2.7.7.2: without EVENT_IDX what stands behind the avail ring means nothing. */
START_TEST(test_used_event_ignored_without_event_idx)
{
	start(8, 0);
	for (unsigned int ahead = 0; ahead < 20; ahead++) {
		ring_set_used_event(&ring, (u16)(ring_used_idx(&ring) + ahead));
		ck_assert(push_and_publish(1));
	}
}
END_TEST

/* An interrupt when, and only when, the index passes used_event. */
START_TEST(test_used_event_window)
{
	start(16, EVENT_IDX);
	for (unsigned int i = 0; i < test_scale(65536); i++) {
		u16 old = ring_used_idx(&ring);
		unsigned int n = i % 16 + 1;
		int ahead = (int)(i / 16 % 20) - 2;	/* -2 .. 17 */
		bool want = ahead >= 0 && ahead < (int)n;

		ring_set_used_event(&ring, (u16)(old + ahead));
		expect(push_and_publish(n) == want);
	}
}
END_TEST

/* Half-way: passing used_event in many publications gives one interrupt. */
START_TEST(test_used_event_once)
{
	unsigned int interrupts = 0;

	start(16, EVENT_IDX);
	for (unsigned int round = 0; round < test_scale(4000); round++) {
		ring_set_used_event(&ring, (u16)(ring_used_idx(&ring) + 19));
		for (unsigned int i = 0; i < 20; i++)
			interrupts += push_and_publish(1);
		expect(interrupts == round + 1);
	}
}
END_TEST

/* With EVENT_IDX the avail flags mean nothing (2.7.7.1). */
START_TEST(test_flags_ignored_with_event_idx)
{
	start(8, EVENT_IDX);
	ring.avail->flags = cpu_to_le16(VRING_AVAIL_F_NO_INTERRUPT);
	ring_set_used_event(&ring, 0);
	ck_assert(push_and_publish(1));
	ck_assert(!push_and_publish(1));
}
END_TEST

/* --- a mess -------------------------------------------------------------- */

static void expect_malformed(const char *what)
{
	ring_expose(&ring);
	/* A loop that is not found is one: end it, forked or not. */
	alarm(10);
	ck_assert_int_eq(pop(), -EINVAL);
	alarm(0);
	ck_assert_str_eq(vq.error, what);
}

START_TEST(test_head_out_of_range)
{
	static const u16 heads[] = { 8, 9, 0x7fff, 0x8000, 0xffff };

	start(8, INDIRECT);
	ring_post(&ring, heads[_i]);
	expect_malformed("descriptor index");
}
END_TEST

START_TEST(test_next_out_of_range)
{
	u64 table = arena_alloc(&arena, 64, 16);
	static const u16 nexts[] = { 8, 1024, 0xffff };

	start(8, INDIRECT);
	if (_i < 3) {
		ring_desc(ring.desc, 3, buf, 16, VRING_DESC_F_NEXT, nexts[_i]);
	} else {	/* in the ring, but not in the table of four */
		ring_desc(arena_ptr(&arena, table, 64), 0, buf, 16,
			  VRING_DESC_F_NEXT, _i == 3 ? 4 : 7);
		ring_desc(ring.desc, 3, table, 64, VRING_DESC_F_INDIRECT, 0);
	}
	ring_post(&ring, 3);
	expect_malformed("descriptor index");
}
END_TEST

START_TEST(test_loop_direct)
{
	u16 n = _i ? 8 : 1;	/* to itself; all in a ring */

	start(8, INDIRECT);
	for (u16 i = 0; i < n; i++)
		ring_desc(ring.desc, i, buf, 16, VRING_DESC_F_NEXT,
			  (u16)((i + 1) % n));
	ring_post(&ring, 0);
	expect_malformed("looping chain");
}
END_TEST

START_TEST(test_loop_indirect)
{
	u16 n = _i ? 16 : 1;
	u64 table = arena_alloc(&arena, 16 * 16, 16);

	start(8, INDIRECT);
	for (u16 i = 0; i < n; i++)
		ring_desc(arena_ptr(&arena, table, 256), i, buf, 16,
			  VRING_DESC_F_NEXT, (u16)((i + 1) % n));
	ring_desc(ring.desc, 0, table, 256, VRING_DESC_F_INDIRECT, 0);
	ring_post(&ring, 0);
	expect_malformed("looping chain");
}
END_TEST

/* The ring's own table as an indirect one, whose entry refers to it again. */
START_TEST(test_loop_indirect_to_the_ring)
{
	start(8, INDIRECT);
	ring_desc(ring.desc, 0, ring.config.desc, 16 * 8, VRING_DESC_F_INDIRECT,
		  0);
	ring_post(&ring, 0);
	expect_malformed("indirect in indirect");
}
END_TEST

START_TEST(test_chain_too_long)
{
	struct ring_buf bufs[9];
	u64 table = arena_alloc(&arena, 16 * 9, 16);

	start(16, INDIRECT);
	make_bufs(bufs, 9, 4);
	if (_i)
		ring_add(&ring, bufs, 9);
	else
		ring_add_mixed(&ring, table, bufs, 9, 3);
	ring_expose(&ring);
	ck_assert_int_eq(virtqueue_pop(&vq, &chain, iov, 8), -EINVAL);
	ck_assert_str_eq(vq.error, "chain too long");
}
END_TEST

/* Room for exactly what there is. */
START_TEST(test_chain_just_fits)
{
	struct ring_buf bufs[9];

	start(16, 0);
	make_bufs(bufs, 9, 4);
	ring_add(&ring, bufs, 9);
	ring_expose(&ring);
	ck_assert_int_eq(virtqueue_pop(&vq, &chain, iov, 9), 1);
}
END_TEST

static const struct {
	u64 addr;
	u32 len;
} outside[] = {
	{ 0, 512 },
	{ ARENA_LOW - 1, 512 },
	{ ARENA_LOW - 512, 512 },
	{ ARENA_LOW + ARENA_SIZE / 2, 1 },
	{ ARENA_LOW + ARENA_SIZE / 2 - 1, 2 },		/* across the end */
	{ ARENA_LOW, ARENA_SIZE / 2 + 1 },
	{ ARENA_LOW, 0xffffffff },
	{ ARENA_HIGH - 1, 2 },
	{ ARENA_HIGH + ARENA_SIZE / 2 - 511, 512 },
	{ ARENA_HIGH + ARENA_SIZE / 2, 512 },
	{ ~0ull, 1 },
	{ ~0ull, 0xffffffff },		/* the sum overflows */
	{ ~0ull - 511, 512 },
	{ ~0ull - 511 + ARENA_LOW, 0xffffffff },
	{ 1ull << 63, 512 },
};
#define OUTSIDE ((int)(sizeof(outside) / sizeof(outside[0])))

START_TEST(test_buffer_outside)
{
	struct ring_buf bufs[] = {
		{ buf, 16, false },
		{ outside[_i].addr, outside[_i].len, true },
	};

	start(8, 0);
	ring_add(&ring, bufs, 2);
	expect_malformed("buffer address");
}
END_TEST

START_TEST(test_buffer_up_to_the_end)
{
	struct ring_buf bufs[] = {
		{ ARENA_LOW, ARENA_SIZE / 2, false },
		{ ARENA_HIGH, ARENA_SIZE / 2, false },
		{ ARENA_HIGH + ARENA_SIZE / 2 - 1, 1, true },
	};

	start(8, 0);
	ring_add(&ring, bufs, 3);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	expect_buffers(bufs, 3);
}
END_TEST

START_TEST(test_readable_after_writable)
{
	struct ring_buf bufs[] = {
		{ buf, 16, false }, { buf, 16, true }, { buf, 16, false },
	};
	u64 table = arena_alloc(&arena, 48, 16);

	start(8, INDIRECT);
	if (_i)
		ring_add(&ring, bufs, 3);
	else
		ring_add_mixed(&ring, table, bufs, 3, 2);
	expect_malformed("readable buffer after writable");
}
END_TEST

static void add_table(u64 table, u32 len, u16 flags)
{
	ring_desc(ring.desc, 0, table, len, VRING_DESC_F_INDIRECT | flags, 1);
	ring_desc(ring.desc, 1, buf, 16, 0, 0);
	ring_post(&ring, 0);
}

START_TEST(test_indirect_not_negotiated)
{
	u64 table = arena_alloc(&arena, 16, 16);

	start(8, EVENT_IDX);
	ring_desc(arena_ptr(&arena, table, 16), 0, buf, 16, 0, 0);
	add_table(table, 16, 0);
	expect_malformed("indirect not negotiated");
}
END_TEST

START_TEST(test_indirect_nested)
{
	u64 table = arena_alloc(&arena, 32, 16);

	start(8, INDIRECT);
	if (_i)
		ring_desc(arena_ptr(&arena, table, 16), 0, buf, 16,
			  VRING_DESC_F_NEXT, 1);
	ring_desc(arena_ptr(&arena, table, 32), _i ? 1 : 0, table, 32,
		  VRING_DESC_F_INDIRECT, 0);
	add_table(table, 32, 0);
	expect_malformed("indirect in indirect");
}
END_TEST

START_TEST(test_indirect_with_next)
{
	u64 table = arena_alloc(&arena, 16, 16);

	start(8, INDIRECT);
	ring_desc(arena_ptr(&arena, table, 16), 0, buf, 16, 0, 0);
	add_table(table, 16, VRING_DESC_F_NEXT);
	expect_malformed("indirect with next");
}
END_TEST

START_TEST(test_indirect_table_size)
{
	static const u32 bad[] = { 0, 1, 15, 17, 24, 16 * 1024 + 16,
				   1u << 20, 0xfffffff0, 0xffffffff };
	u64 table = arena_alloc(&arena, 1 << 20, 16);

	ck_assert_int_lt(_i, (int)(sizeof(bad) / sizeof(bad[0])));
	start(8, INDIRECT);
	add_table(table, bad[_i], 0);
	expect_malformed("indirect table size");
}
END_TEST

START_TEST(test_indirect_table_outside)
{
	static const u64 bad[] = { 0, ARENA_LOW - 16,
				   ARENA_LOW + ARENA_SIZE / 2 - 16,
				   ARENA_LOW + ARENA_SIZE / 2,
				   ARENA_HIGH - 16, ~0ull - 15, ~0ull };

	start(8, INDIRECT);
	add_table(bad[_i], 32, 0);
	expect_malformed("indirect table address");
}
END_TEST

START_TEST(test_avail_index_too_far)
{
	static const u16 ahead[] = { 9, 100, 0x8000, 0xffff };

	start(8, _i % 2 ? EVENT_IDX : 0);
	for (unsigned int i = 0; i < 20; i++)
		push_and_publish(1);
	ring.avail_idx = (u16)(ring.avail_idx + ahead[_i]);
	expect_malformed("avail index");
}
END_TEST

/* --- rings --------------------------------------------------------------- */

static void expect_refused(const struct virtqueue_config *config,
			   const char *what)
{
	ck_assert_int_eq(virtqueue_init(&vq, &arena.mem, config, layout), -EINVAL);
	ck_assert_str_eq(vq.error, what);
}

START_TEST(test_queue_size)
{
	static const u16 bad[] = { 0, 1025, 2048, 4096, 32768, 0xffff };
	static const u16 odd[] = { 3, 5, 6, 7, 9, 100, 1000, 1023 };
	struct virtqueue_config config;

	start(1024, 0);
	config = ring.config;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.size = bad[i];
		expect_refused(&config, "queue size");
	}
	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		config.size = odd[i];
		if (layout)	/* 2.8.10.1 */
			ck_assert_int_eq(virtqueue_init(&vq, &arena.mem,
							&config, layout), 0);
		else
			expect_refused(&config, "queue size");
	}
}
END_TEST

START_TEST(test_ring_alignment)
{
	struct virtqueue_config config;

	start(8, 0);
	for (unsigned int i = 1; i < 16; i++) {
		config = ring.config;
		config.desc += i;
		expect_refused(&config, "ring alignment");
	}
	for (unsigned int i = 1; i < (layout ? 4 : 2); i++) {
		config = ring.config;
		config.avail += i;
		expect_refused(&config, "ring alignment");
	}
	for (unsigned int i = 1; i < 4; i++) {
		config = ring.config;
		config.used += i;
		expect_refused(&config, "ring alignment");
	}
}
END_TEST

/* Each of the three parts at each end of memory: the last byte decides. */
START_TEST(test_ring_outside)
{
	const u64 lens[] = { 16 * 8, layout ? 4 : 6 + 2 * 8,
			     layout ? 4 : 6 + 8 * 8 };
	const u64 align[] = { 16, layout ? 4 : 2, 4 };
	u64 end = arena_low_end(&arena);
	struct virtqueue_config config;

	start(8, 0);
	for (unsigned int part = 0; part < 3; part++) {
		u64 *at = part == 0 ? &config.desc :
			  part == 1 ? &config.avail : &config.used;
		u64 last = (end - lens[part]) & ~(align[part] - 1);

		config = ring.config;
		*at = last;
		ck_assert_int_eq(virtqueue_init(&vq, &arena.mem, &config,
						layout),
				 0);
		*at = last + align[part];
		expect_refused(&config, "ring address");
		*at = ARENA_LOW - align[part];
		expect_refused(&config, "ring address");
		*at = 0;
		expect_refused(&config, "ring address");
		*at = (~0ull & ~(align[part] - 1));
		expect_refused(&config, "ring address");
	}
}
END_TEST

/* --- random chains ------------------------------------------------------- */

/* Whatever a descriptor table holds: an answer, and buffers inside memory. */
START_TEST(test_random_tables)
{
	u64 x = 88172645463325252ull + (u64)_i;

	for (unsigned int round = 0; round < test_scale(20000); round++) {
		int got;

		if (round % 64 == 0) {	/* a fresh ring */
			arena.next = buf + 16 * BUF_SIZE;
			start(16, INDIRECT);
		}
		for (unsigned int i = 0; i < 16; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			ring_desc(ring.desc, i,
				  x & 64 ? ring.config.desc :
					   ARENA_LOW + ((x >> 40) % ARENA_SIZE &
							~15ull),
				  x & 128 ? 256 : (u32)(x >> 20) % 70000,
				  (u16)(x & 7), (u16)((x >> 8) % 17));
		}
		ring_post(&ring, (u16)(x >> 50) % 16);
		ring_expose(&ring);
		alarm(10);
		got = virtqueue_pop(&vq, &chain, iov, 8);
		alarm(0);
		if (got < 0) {
			virtqueue_init(&vq, &arena.mem, &ring.config, INDIRECT);
			ring_reset(&ring, INDIRECT);
			continue;
		}
		expect(got == 1);
		expect(chain.nout + chain.nin <= 8);
		for (unsigned int i = 0; i < chain.nout + chain.nin; i++) {
			const u8 *at = iov[i].iov_base;
			const u8 *base = arena.mem.base;

			expect(at >= base && at + iov[i].iov_len <=
							base + ARENA_SIZE);
		}
	}
}
END_TEST

static TCase *tcase_of(Suite *suite, const char *name, bool packed, double s)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, s);
	tcase_add_checked_fixture(tc, packed ? setup_packed : setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

static void add_well_formed(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "well-formed, packed" : "well-formed",
			     packed, 60);
	int n = packed ? SIZES_PACKED : SIZES;

	tcase_add_loop_test(tc, test_empty, 0, n);
	tcase_add_loop_test(tc, test_full_ring, 0, n);
	tcase_add_loop_test(tc, test_framing, 2, n);
	tcase_add_test(tc, test_longest_chains);
	tcase_add_test(tc, test_unaligned_indirect_table);
	tcase_add_test(tc, test_indirect_with_write_flag);
	tcase_add_loop_test(tc, test_index_wrap, 0, n);
	tcase_add_test(tc, test_popped_is_a_copy);
	if (packed)
		return;
	tcase_add_test(tc, test_any_link_order);
	tcase_add_loop_test(tc, test_only_the_used_ring_is_written, 0, 2);
}

static void add_notifications(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "notifications, packed" : "notifications",
			     packed, 60);

	tcase_add_test(tc, test_kicks_without_event_idx);
	tcase_add_test(tc, test_kicks_with_event_idx);
	tcase_add_test(tc, test_kick_at_the_third);
	tcase_add_test(tc, test_kick_at_the_third_without_event_idx);
	tcase_add_test(tc, test_kicks_stay_off);
	if (!packed)	/* whose driver shows a batch at once */
		tcase_add_test(tc, test_kicks_stay_off_within_a_batch);
	tcase_add_test(tc, test_kick_at_every_index);
	tcase_add_test(tc, test_interrupts_without_event_idx);
	tcase_add_test(tc, test_used_event_ignored_without_event_idx);
	tcase_add_test(tc, test_used_event_window);
	tcase_add_test(tc, test_used_event_once);
	if (!packed)
		tcase_add_test(tc, test_flags_ignored_with_event_idx);
}

/* What any layout refuses. */
static void add_malformed(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "malformed, packed" : "malformed",
			     packed, 5);

	tcase_add_loop_test(tc, test_chain_too_long, 0, 2);
	tcase_add_test(tc, test_chain_just_fits);
	tcase_add_loop_test(tc, test_buffer_outside, 0, OUTSIDE);
	tcase_add_test(tc, test_buffer_up_to_the_end);
	tcase_add_loop_test(tc, test_readable_after_writable, 0, 2);
	tcase_add_test(tc, test_queue_size);
	tcase_add_test(tc, test_ring_alignment);
	tcase_add_test(tc, test_ring_outside);
}

static void add_malformed_split(Suite *suite)
{
	TCase *tc = tcase_of(suite, "malformed, split", false, 5);

	tcase_add_loop_test(tc, test_head_out_of_range, 0, 5);
	tcase_add_loop_test(tc, test_next_out_of_range, 0, 5);
	tcase_add_loop_test(tc, test_loop_direct, 0, 2);
	tcase_add_loop_test(tc, test_loop_indirect, 0, 2);
	tcase_add_test(tc, test_loop_indirect_to_the_ring);
	tcase_add_test(tc, test_indirect_not_negotiated);
	tcase_add_loop_test(tc, test_indirect_nested, 0, 2);
	tcase_add_test(tc, test_indirect_with_next);
	tcase_add_loop_test(tc, test_indirect_table_size, 0, 9);
	tcase_add_loop_test(tc, test_indirect_table_outside, 0, 7);
	tcase_add_loop_test(tc, test_avail_index_too_far, 0, 4);
	tcase_add_loop_test(tc, test_random_tables, 0, 4);
}

int main(void)
{
	Suite *suite = suite_create("virtqueue");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++) {
		add_well_formed(suite, packed);
		add_notifications(suite, packed);
		add_malformed(suite, packed);
	}
	add_malformed_split(suite);
	suite_add_tcase(suite, race_ring_tcase());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
