// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that rewrites rings and tables while the device reads them, split and
 * packed: whatever the device took, it is in memory and there is room for it.
 */
/* helpers: guest_ring.c */
#include "barrier.h"
#include "guest_ring.h"
#include <linux/virtio_config.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define REWRITE_SIZE 16
#define REWRITE_POPS 100000u
#define REWRITE_SECONDS 3	/* at most; by then there is some of everything */
#define REWRITE_BUFS 8
#define REWRITE_ARENA (1u << 20)
#define HOSTILE __attribute__((no_sanitize("thread"))) static

/* Laid out as packed: a split descriptor has flags for id, and next for flags. */
struct rewriter {
	struct guest_ring *ring;
	volatile struct vring_packed_desc *table;
	u64 table_gpa;
	u64 random;
	bool stop;
};

HOSTILE u64 rewrite_random(struct rewriter *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	return w->random ^= w->random << 17;
}

HOSTILE u64 rewrite_addr(const struct rewriter *w, u64 x)
{
	switch (x % 64) {
	case 0:
		return ~0ull - x / 64 % 64;
	case 1:
		return arena_low_end(w->ring->arena) - x / 64 % 64;
	case 2:
		return w->ring->config.desc;
	default:
		return x & 64 ? w->table_gpa : ARENA_HIGH + x / 128 % 65536;
	}
}

/* One field of one descriptor. */
HOSTILE void rewrite_desc(struct rewriter *w,
			  volatile struct vring_packed_desc *d, u64 x)
{
	static const u16 whose[] = { RING_AVAIL, RING_USED };
	static const u16 some_flags[] = {
		0, 0, VRING_DESC_F_WRITE, VRING_DESC_F_WRITE, VRING_DESC_F_WRITE,
		VRING_DESC_F_NEXT, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		VRING_DESC_F_INDIRECT,
	};
	static const u32 lens[] = { 16, 32, 48, 16, 32, 64, 513, 1u << 31 };
	bool packed = w->ring->packed;
	u16 flags = some_flags[x / 4 % 8];

	switch (x % 4) {
	case 0:
		d->addr = cpu_to_le64(rewrite_addr(w, x / 4));
		break;
	case 1:
		d->len = cpu_to_le32(lens[x / 4 % 8]);
		break;
	case 2:
		d->id = cpu_to_le16(packed ? (u16)(x / 4) : flags);
		break;
	case 3:
		d->flags = cpu_to_le16(packed ? flags | whose[x / 32 % 2] :
						(u16)(x / 4 % (REWRITE_SIZE + 1)));
		break;
	}
}

/* What says that there is more; on a packed ring that is any descriptor. */
HOSTILE void rewrite_avail(struct guest_ring *r, u64 x)
{
	volatile struct vring_avail *avail = r->avail;
	u16 used = le16_to_cpu(((volatile struct vring_used *)r->used)->idx);

	if (r->packed)
		return;
	avail->ring[x % REWRITE_SIZE] =
		cpu_to_le16(x / 16 % 64 ? x / 1024 % REWRITE_SIZE : REWRITE_SIZE);
	avail->idx = cpu_to_le16((u16)(used + x / 65536 % REWRITE_SIZE));
}

HOSTILE void *rewriter_main(void *arg)
{
	struct rewriter *w = arg;
	volatile struct vring_packed_desc *ring = w->ring->pdesc;

	while (!read_once(&w->stop)) {
		u64 x = rewrite_random(w), y = rewrite_random(w);

		rewrite_desc(w, &(x & 1 ? ring : w->table)[x / 2 % REWRITE_SIZE], y);
		if (x / 64 % 8 == 0)
			rewrite_avail(w->ring, y);
	}
	return NULL;
}

/* All buffers in memory, and no more of them than there is room for. */
static void expect_in_memory(const struct guest_memory *mem,
			     const struct virtqueue_chain *c,
			     const struct iovec *iov)
{
	const u8 *base = mem->base;

	expect(c->nout + c->nin <= REWRITE_BUFS);
	for (unsigned int i = 0; i < c->nout + c->nin; i++) {
		const u8 *at = iov[i].iov_base;

		expect(at >= base && at <= base + REWRITE_ARENA);
		expect(iov[i].iov_len <= (size_t)(base + REWRITE_ARENA - at));
	}
}

/* Take all there is and give it back; returns how many, or -EINVAL. */
static int rewritten_turn(struct virtqueue *vq)
{
	struct virtqueue_chain chains[REWRITE_SIZE];
	struct iovec iov[REWRITE_BUFS];
	int n = 0, got;

	while (n < REWRITE_SIZE &&
	       (got = virtqueue_pop(vq, &chains[n], iov, REWRITE_BUFS)) > 0)
		expect_in_memory(vq->mem, &chains[n++], iov);
	for (int i = n; i--;)
		virtqueue_push(vq, &chains[i], (u32)i);
	if (n)
		virtqueue_publish(vq);
	virtqueue_kicks_on(vq, REWRITE_SIZE / 2);
	return n < REWRITE_SIZE && got < 0 ? got : n;
}

static u64 seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec;
}

/* What is checked is what is used, whatever it is a moment later. */
START_TEST(test_rewritten_while_read)
{
	u64 features = 1ull << VIRTIO_RING_F_INDIRECT_DESC |
		       1ull << VIRTIO_RING_F_EVENT_IDX |
		       (_i ? 1ull << VIRTIO_F_RING_PACKED : 0);
	struct guest_ring ring;
	struct rewriter w = { .ring = &ring, .random = 88172645463325252ull };
	u64 end = seconds() + REWRITE_SECONDS;
	unsigned int popped = 0, malformed = 0;
	struct arena arena;
	struct virtqueue vq;
	pthread_t thread;

	arena_init(&arena, REWRITE_ARENA);
	ring_init(&ring, &arena, REWRITE_SIZE, features);
	w.table_gpa = arena_alloc(&arena, 16 * REWRITE_SIZE, 16);
	w.table = arena_ptr(&arena, w.table_gpa, 16 * REWRITE_SIZE);
	virtqueue_init(&vq, &arena.mem, &ring.config, features);
	ck_assert_int_eq(pthread_create(&thread, NULL, rewriter_main, &w), 0);
	while ((popped < test_scale(REWRITE_POPS) || malformed < 100) &&
	       seconds() < end) {
		int n = rewritten_turn(&vq);

		if (n > 0) {
			popped += (unsigned int)n;
			continue;
		}
		if (n < 0) {	/* as after a reset */
			malformed++;
			if (!_i)
				write_once(&ring.used->idx, cpu_to_le16(0));
			virtqueue_init(&vq, &arena.mem, &ring.config, features);
		}
		sched_yield();
	}
	write_once(&w.stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(popped, 0);
	ck_assert_uint_gt(malformed, 0);
	arena_exit(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rewrite");
	TCase *tc = tcase_create("rewrite");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_rewritten_while_read, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
