// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is the packed layout's own (virtio 1.2, 2.8): whose a descriptor is, ids,
 * places of events, and the mess that a guest can make of them.  What both
 * layouts must do is in test_virtqueue.c.
 */
/* helpers: guest_ring.c */
#include "guest_ring.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_SIZE (4u << 20)
#define PACKED (1ull << VIRTIO_F_RING_PACKED)
#define EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define TABLE VRING_DESC_F_INDIRECT
#define MAX_BUFS 64

static struct arena arena;
static struct guest_ring ring;
static struct virtqueue vq;
static struct virtqueue_chain chain;
static struct iovec iov[MAX_BUFS];
static u64 buf;

static void setup(void)
{
	arena_init(&arena, ARENA_SIZE);
	buf = arena_alloc(&arena, 65536, 4096);
}

static void teardown(void)
{
	arena_exit(&arena);
}

static void start(u16 size, u64 features)
{
	ring_init(&ring, &arena, size, PACKED | features);
	ck_assert_int_eq(virtqueue_init(&vq, &arena.mem, &ring.config,
					PACKED | features),
			 0);
}

static int pop(void)
{
	return virtqueue_pop(&vq, &chain, iov, MAX_BUFS);
}

/* A descriptor as it ought to be. */
static void desc(u16 id, u16 flags)
{
	ring_packed_desc(&ring, buf, 512, id, flags, 0);
}

static struct virtqueue_chain pop_one(void)
{
	expect(pop() == 1);
	return chain;
}

static void push(struct virtqueue_chain c, u32 len)
{
	virtqueue_push(&vq, &c, len);
}

static void expect_used(unsigned int at, u16 id, u32 len, bool wrap)
{
	const struct vring_packed_desc *d = &ring.pdesc[at];
	u16 flags = wrap ? RING_AVAIL | RING_USED : 0;

	ck_assert_uint_eq(le16_to_cpu(d->id), id);
	ck_assert_uint_eq(le32_to_cpu(d->len), len);
	ck_assert_uint_eq(le16_to_cpu(d->flags), flags | (len ? WRITE : 0));
}

/* --- what is right ------------------------------------------------------- */

/* 2.8.1: available is AVAIL as the driver's counter, USED as its inverse. */
START_TEST(test_whose_descriptor)
{
	static const u16 wrong[] = { RING_AVAIL, RING_USED,
				     RING_AVAIL | RING_USED };

	start(3, 0);
	for (unsigned int round = 0; round < 7 * 3; round++) {
		u32 id, len;

		for (unsigned int i = 0; i < 3; i++) {
			ring_packed_desc(&ring, buf, 512, 9, 0, wrong[i]);
			ring_expose(&ring);
			ck_assert_int_eq(pop(), 0);
			ck_assert_int_eq(virtqueue_waiting(&vq, 9), 0);
			ck_assert(!virtqueue_kicks_on(&vq, 1));
			ring.written = --ring.shown;
		}
		ck_assert_int_ge(ring_add(&ring, &(struct ring_buf){ buf, 512, false }, 1), 0);
		ring_expose(&ring);
		push(pop_one(), 0);
		ck_assert(virtqueue_publish(&vq));
		ck_assert(ring_get(&ring, &id, &len));
	}
}
END_TEST

/* A batch appears at once: its first descriptor is the driver's to the end. */
START_TEST(test_batch_appears_at_once)
{
	struct virtqueue_chain chains[3];
	u16 flags;

	start(8, 0);
	for (u16 i = 0; i < 3; i++) {
		desc(0xffff, NEXT);
		desc(i, WRITE);
	}
	ring_expose(&ring);
	for (unsigned int i = 0; i < 3; i++)
		chains[i] = pop_one();
	flags = le16_to_cpu(ring.pdesc[0].flags);
	push(chains[2], 7);
	push(chains[0], 0);
	ck_assert_uint_eq(le16_to_cpu(ring.pdesc[0].flags), flags);
	expect_used(2, 0, 0, true);
	ck_assert_uint_eq(virtqueue_unpublished(&vq), 2);
	ck_assert(virtqueue_publish(&vq));
	expect_used(0, 2, 7, true);
	push(chains[1], 512);
	ck_assert_uint_ne(le16_to_cpu(ring.pdesc[4].flags) & RING_USED, RING_USED);
	ck_assert(virtqueue_publish(&vq));
	expect_used(4, 1, 512, true);
}
END_TEST

/* Chains across the end of a ring of any size; the counter toggles there. */
START_TEST(test_chain_across_the_end)
{
	struct ring_buf bufs[] = { { buf, 16, false }, { buf, 512, true },
				   { buf + 600, 1, true } };

	start((u16)_i, 0);
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int n = 1 + round % 3;
		u32 id, len;
		int head = ring_add(&ring, bufs, n);

		expect(head >= 0);
		ring_expose(&ring);
		expect(pop() == 1);
		expect(chain.id == head && chain.ndescs == n);
		expect(chain.nout == 1 && chain.nin == n - 1);
		push(chain, round);
		virtqueue_publish(&vq);
		expect(ring_get(&ring, &id, &len));
		expect((int)id == head && len == round);
	}
}
END_TEST

/* 2.8.7: in a table WRITE alone counts; nothing there leads anywhere. */
START_TEST(test_flags_in_a_table)
{
	u64 table = arena_alloc(&arena, 48, 16);
	void *t = arena_ptr(&arena, table, 48);

	start(4, INDIRECT);
	for (unsigned int i = 0; i < 3; i++)
		ring_desc(t, i, buf + i, 8, 0xabcd,
			  (u16)(i ? 0xffff : 0xffff & ~WRITE));
	ring_packed_desc(&ring, table, 48, 3, TABLE | WRITE, 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 1);
	ck_assert_uint_eq(chain.id, 3);
	ck_assert_uint_eq(chain.ndescs, 1);
	ck_assert_uint_eq(chain.nout, 1);
	ck_assert_uint_eq(chain.nin, 2);
	ck_assert_ptr_eq(iov[2].iov_base, arena_ptr(&arena, buf + 2, 8));
}
END_TEST

/* 2.8.15: used descriptors and the device's event area; nothing else. */
START_TEST(test_only_what_is_used_is_written)
{
	struct ring_buf bufs[] = { { buf, 512, false }, { buf + 512, 512, true } };
	u64 table = arena_alloc(&arena, 32, 16);
	static u8 before[4][1024];
	struct virtqueue_chain chains[2];
	u32 id, len;

	start(8, INDIRECT | (_i ? EVENT_IDX : 0));
	for (unsigned int round = 0; round < 100; round++) {
		const u64 at[] = { ring.config.desc, ring.config.avail, table, buf };
		const u32 lens[] = { 16 * 8, 4, 32, 1024 };
		unsigned int first = ring.written % 8;

		ring_add(&ring, bufs, 2);
		ring_add_indirect(&ring, table, bufs, 2);
		ring_expose(&ring);
		for (unsigned int i = 0; i < 4; i++)
			memcpy(before[i], arena_ptr(&arena, at[i], lens[i]), lens[i]);
		virtqueue_kicks_off(&vq);
		chains[0] = pop_one();
		chains[1] = pop_one();
		push(chains[0], 512);
		push(chains[1], 512);
		/* Its address is nobody's, the rest is the device's now. */
		memcpy(before[0] + 16 * first + 8, &ring.pdesc[first].len, 8);
		memcpy(before[0] + 16 * ((first + 2) % 8) + 8,
		       &ring.pdesc[(first + 2) % 8].len, 8);
		virtqueue_publish(&vq);
		memcpy(before[0] + 16 * first + 14, &ring.pdesc[first].flags, 2);
		virtqueue_kicks_on(&vq, 1);
		for (unsigned int i = 0; i < 4; i++)
			ck_assert_mem_eq(before[i], arena_ptr(&arena, at[i], lens[i]),
					 lens[i]);
		ck_assert(ring_get(&ring, &id, &len));
		ck_assert(ring_get(&ring, &id, &len));
	}
}
END_TEST

/* After a reset of the queue both counters are 1 again, at any place. */
START_TEST(test_counters_after_reset)
{
	u32 id, len;

	for (unsigned int before = 0; before < 7; before++) {
		start(3, EVENT_IDX);
		for (unsigned int i = 0; i < before; i++) {
			ring_add(&ring, &(struct ring_buf){ buf, 1, false }, 1);
			ring_expose(&ring);
			push(pop_one(), 0);
			virtqueue_publish(&vq);
			ck_assert(ring_get(&ring, &id, &len));
		}
		ring_reset(&ring, PACKED);
		ck_assert_int_eq(virtqueue_init(&vq, &arena.mem, &ring.config,
						PACKED), 0);
		ck_assert_int_eq(pop(), 0);
		desc(1, 0);
		ring_expose(&ring);
		push(pop_one(), 3);
		ck_assert(virtqueue_publish(&vq));
		expect_used(0, 1, 3, true);
	}
}
END_TEST

/* --- events -------------------------------------------------------------- */

/* Each place of both rounds, for each number of descriptors used at once. */
START_TEST(test_event_at_every_place)
{
	enum { SIZE = 5 };

	for (unsigned int begin = 0; begin < 2 * SIZE; begin++)
		for (unsigned int n = 1; n <= SIZE; n++)
			for (unsigned int event = 0; event < 2 * SIZE; event++) {
				unsigned int ahead = (event + 2 * SIZE - begin) % (2 * SIZE);

				arena.next = buf + 65536;
				start(SIZE, EVENT_IDX);
				for (unsigned int i = 0; i < begin; i++) {
					desc(1, 0);
					ring_expose(&ring);
					push(pop_one(), 0);
					virtqueue_publish(&vq);
				}
				for (unsigned int i = 0; i < n; i++)
					desc(1, 0);
				ring_expose(&ring);
				ring_set_used_event(&ring, (u16)event);
				for (unsigned int i = 0; i < n; i++)
					push(pop_one(), 0);
				expect(virtqueue_publish(&vq) == (ahead < n));
			}
}
END_TEST

/* A chain of three: the event may be at any of its descriptors. */
START_TEST(test_event_inside_a_chain)
{
	for (u16 event = 0; event < 8; event++) {
		start(8, EVENT_IDX);
		desc(1, NEXT);
		desc(1, NEXT);
		desc(1, 0);
		ring_expose(&ring);
		ring_set_used_event(&ring, event);
		push(pop_one(), 0);
		ck_assert(virtqueue_publish(&vq) == (event < 3));
	}
}
END_TEST

static void set_driver_event(u16 place, u16 flags)
{
	ring.driver_event->off_wrap = cpu_to_le16(place);
	ring.driver_event->flags = cpu_to_le16(flags);
}

/* 2.8.10: flags that a driver may not set, places that are in no ring. */
START_TEST(test_hostile_events)
{
	static const u16 places[] = { 4, 0x8004, 5, 0x7fff, 0xffff };

	for (u16 flags = 0; flags < 8; flags++) {
		start(4, 0);
		desc(1, 0);
		ring_expose(&ring);
		set_driver_event(0x7fff, flags);
		push(pop_one(), 0);
		/* DISABLE alone: without EVENT_IDX there is no DESC. */
		ck_assert(virtqueue_publish(&vq) == (flags % 4 != 1));
	}
	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		start(4, EVENT_IDX);
		for (unsigned int k = 0; k < 40; k++) {
			desc(1, 0);
			ring_expose(&ring);
			set_driver_event(places[i], VRING_PACKED_EVENT_FLAG_DESC);
			push(pop_one(), 0);
			virtqueue_publish(&vq);		/* either way, in bounds */
		}
	}
}
END_TEST

/* With chains of three descriptors a kick at the fourth chain comes early. */
START_TEST(test_kick_with_long_chains)
{
	start(64, EVENT_IDX);
	for (unsigned int i = 0; i < 3; i++) {
		bool kicked;

		ck_assert(!virtqueue_kicks_on(&vq, 4));
		kicked = false;
		for (unsigned int k = 0; !kicked && k < 4; k++) {
			desc(1, NEXT);
			desc(1, NEXT);
			desc(1, 0);
			kicked = ring_expose(&ring);
		}
		ck_assert(kicked);
		if (virtqueue_waiting(&vq, 100) >= 4)
			break;
	}
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 4);
	ck_assert(virtqueue_kicks_on(&vq, 4));
}
END_TEST

/* Chains that wait are counted as chains, no further than asked for. */
START_TEST(test_waiting)
{
	start(32, 0);
	for (unsigned int i = 0; i < 5; i++) {
		desc(1, NEXT);
		desc(1, 0);
	}
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 0);
	ring_expose(&ring);
	ck_assert_int_eq(virtqueue_waiting(&vq, 1), 1);
	ck_assert_int_eq(virtqueue_waiting(&vq, 4), 4);
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 5);
	pop_one();
	ck_assert_int_eq(virtqueue_waiting(&vq, 100), 4);
}
END_TEST

/* --- a mess -------------------------------------------------------------- */

static void expect_malformed(const char *what)
{
	ring_expose(&ring);
	alarm(10);
	ck_assert_int_eq(pop(), -EINVAL);
	alarm(0);
	ck_assert_str_eq(vq.error, what);
}

/* An id is the driver's: it comes back as it came, twice if it came twice. */
START_TEST(test_ids_come_back)
{
	static const u16 ids[] = { 5, 5, 8, 0x7fff, 0xffff, 0, 5 };
	struct virtqueue_chain chains[7];

	start(8, 0);
	for (unsigned int i = 0; i < 7; i++)
		desc(ids[i], WRITE);
	ring_expose(&ring);
	for (unsigned int i = 0; i < 7; i++)
		chains[i] = pop_one();
	for (unsigned int i = 0; i < 7; i++)
		push(chains[i], i + 1);
	virtqueue_publish(&vq);
	for (unsigned int i = 0; i < 7; i++)
		expect_used(i, ids[i], i + 1, true);
}
END_TEST

/* Descriptors that the device holds are made available once more, and again. */
START_TEST(test_overtaken)
{
	struct virtqueue_chain chains[4];

	start(4, 0);
	for (u16 i = 0; i < 4; i++)
		desc(i, 0);
	ring_expose(&ring);
	for (unsigned int i = 0; i < 4; i++)
		chains[i] = pop_one();
	for (u16 i = 0; i < 4; i++)
		desc((u16)(100 + i), 0);
	ring_expose(&ring);
	ck_assert_int_eq(pop(), 0);
	ck_assert_int_eq(virtqueue_waiting(&vq, 9), 0);
	ck_assert(!virtqueue_kicks_on(&vq, 1));
	for (unsigned int i = 4; i--;)
		push(chains[i], 0);
	virtqueue_publish(&vq);
	for (u16 i = 0; i < 4; i++)
		expect_used(i, (u16)(3 - i), 0, true);
	ck_assert_int_eq(pop(), 0);	/* theirs were overwritten */
}
END_TEST

/* What is in flight leaves less room for a chain than the ring has. */
START_TEST(test_chain_longer_than_the_ring)
{
	start(8, 0);
	for (int i = 0; i < _i; i++)
		desc(1, 0);
	for (int i = 0; i < 9 - _i; i++)
		desc(1, NEXT);
	ring_expose(&ring);
	for (int i = 0; i < _i; i++)
		pop_one();
	expect_malformed("chain longer than the ring");
}
END_TEST

/* 2.8.17: no chain is available before all of it is. */
START_TEST(test_chain_without_an_end)
{
	static const u16 wrong[] = { RING_AVAIL, RING_USED,
				     RING_AVAIL | RING_USED };

	start(8, 0);
	desc(1, NEXT);
	ring_packed_desc(&ring, buf, 512, 1, 0, wrong[_i]);
	ring_expose(&ring);
	ck_assert_int_eq(virtqueue_waiting(&vq, 9), 1);
	expect_malformed("chain without an end");
}
END_TEST

START_TEST(test_indirect_behind_direct)
{
	u64 table = arena_alloc(&arena, 32, 16);

	start(8, INDIRECT);
	desc(1, NEXT);
	ring_packed_desc(&ring, table, 32, 1, TABLE, 0);
	expect_malformed("indirect behind direct");
}
END_TEST

START_TEST(test_indirect_with_next)
{
	u64 table = arena_alloc(&arena, 32, 16);

	start(8, INDIRECT);
	ring_packed_desc(&ring, table, 32, 1, TABLE | NEXT, 0);
	desc(1, 0);
	expect_malformed("indirect with next");
}
END_TEST

START_TEST(test_indirect_not_negotiated)
{
	u64 table = arena_alloc(&arena, 32, 16);

	start(8, EVENT_IDX);
	ring_packed_desc(&ring, table, 32, 1, TABLE, 0);
	expect_malformed("indirect not negotiated");
}
END_TEST

START_TEST(test_indirect_table_size)
{
	static const u32 bad[] = { 0, 1, 15, 17, 24, 16 * 1024 + 16,
				   1u << 20, 0xfffffff0, 0xffffffff };
	u64 table = arena_alloc(&arena, 1 << 20, 16);

	start(8, INDIRECT);
	ring_packed_desc(&ring, table, bad[_i], 1, TABLE, 0);
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
	ring_packed_desc(&ring, bad[_i], 32, 1, TABLE, 0);
	expect_malformed("indirect table address");
}
END_TEST

static u64 random_next(u64 x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

/* Whatever the ring holds: an answer, buffers in memory, and room for each. */
START_TEST(test_random_rings)
{
	u64 x = 88172645463325252ull + (u64)_i;
	unsigned int popped = 0;

	for (unsigned int round = 0; round < test_scale(20000); round++) {
		struct virtqueue_chain taken[16];
		unsigned int n = 0;
		int got;

		if (round % 64 == 0) {
			arena.next = buf + 65536;
			start((u16)(1 + round / 64 % 16), INDIRECT | EVENT_IDX);
		}
		for (unsigned int i = 0; i < ring.size; i++) {
			x = random_next(x);
			ring_desc(ring.pdesc, i,
				  x & 64 ? ring.config.desc :
					   ARENA_LOW + ((x >> 40) % ARENA_SIZE & ~15ull),
				  x & 128 ? 32 : (u32)(x >> 20) % 70000, (u16)(x >> 8),
				  (u16)(x >> 30 & (x & 0x300 ? 0x8083 : 0x8087)));
		}
		set_driver_event((u16)(x >> 7), (u16)(x >> 50));
		alarm(10);
		while ((got = virtqueue_pop(&vq, &chain, iov, 8)) > 0) {
			expect(n < ring.size);
			taken[n++] = chain;
			expect(chain.nout + chain.nin <= 8);
			for (unsigned int i = 0; i < chain.nout + chain.nin; i++) {
				const u8 *at = iov[i].iov_base;
				const u8 *base = arena.mem.base;

				expect(at >= base && at + iov[i].iov_len <=
								base + ARENA_SIZE);
			}
		}
		alarm(0);
		popped += n;
		expect(vq.packed.taken <= ring.size);
		while (n--)
			push(taken[n], n);
		virtqueue_publish(&vq);
		expect(!vq.packed.taken);
		virtqueue_kicks_on(&vq, 1);
		if (got < 0)
			virtqueue_init(&vq, &arena.mem, &ring.config,
				       PACKED | INDIRECT | EVENT_IDX);
	}
	ck_assert_uint_gt(popped, test_scale(20000) / 100);
}
END_TEST

static void add_well_formed(Suite *suite)
{
	TCase *tc = tcase_create("well-formed");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_whose_descriptor);
	tcase_add_test(tc, test_batch_appears_at_once);
	tcase_add_loop_test(tc, test_chain_across_the_end, 3, 9);
	tcase_add_test(tc, test_flags_in_a_table);
	tcase_add_loop_test(tc, test_only_what_is_used_is_written, 0, 2);
	tcase_add_test(tc, test_counters_after_reset);
	tcase_add_test(tc, test_event_at_every_place);
	tcase_add_test(tc, test_event_inside_a_chain);
	tcase_add_test(tc, test_kick_with_long_chains);
	tcase_add_test(tc, test_waiting);
	suite_add_tcase(suite, tc);
}

static void add_hostile(Suite *suite)
{
	TCase *tc = tcase_create("hostile");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_hostile_events);
	tcase_add_test(tc, test_ids_come_back);
	tcase_add_test(tc, test_overtaken);
	tcase_add_loop_test(tc, test_chain_longer_than_the_ring, 0, 8);
	tcase_add_loop_test(tc, test_chain_without_an_end, 0, 3);
	tcase_add_test(tc, test_indirect_behind_direct);
	tcase_add_test(tc, test_indirect_with_next);
	tcase_add_test(tc, test_indirect_not_negotiated);
	tcase_add_loop_test(tc, test_indirect_table_size, 0, 9);
	tcase_add_loop_test(tc, test_indirect_table_outside, 0, 7);
	tcase_add_loop_test(tc, test_random_rings, 0, 4);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("packed");
	SRunner *runner;
	int failed;

	add_well_formed(suite);
	add_hostile(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
