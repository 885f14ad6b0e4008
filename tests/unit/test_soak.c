// SPDX-License-Identifier: GPL-2.0-only
/*
 * Very many requests through virtio-blk on real I/O threads, on disks that fail,
 * delay, reorder, cut transfers short and refuse submissions, with resets of queues
 * and of the device in between.  Each request has a number: none may be
 * completed twice, and none may be missing but those that a reset cut off.
 *
 * LKVM_SOAK is how many there are in each test; tests/soak.sh.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c fault_engine.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANE_SLOTS (SLOTS / 2)
#define SLOT_SECTORS 8u		/* of the disk, each slot's own */
#define UNKNOWN (~0ull)		/* what a sector holds that was not written yet */
#define NOBODY 0xdd		/* the status byte of a request that is over */
#define EPOCH 20000u		/* requests of a queue from reset to reset */

/* A request in flight. */
struct soak_req {
	bool busy;
	u64 id;
	u32 type;
	u32 len;
	u64 holds[SLOT_SECTORS];	/* what was written there last */
};

/* A queue and the thread that drives it. */
struct lane {
	unsigned int q;
	u64 random;
	u64 sent, done, cut, failed, resets;
	u64 until;		/* it stops when so many are sent */
	u8 *times;		/* that each request was completed */
	struct soak_req reqs[LANE_SLOTS];
	int slot_of_head[VIRTQUEUE_SIZE_MAX];
};

static struct lane lanes[QUEUES_MAX];

static unsigned int lane_random(struct lane *l, unsigned int below)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return (unsigned int)((l->random >> 32) % below);
}

static u64 *sector_of(const struct slot *s, unsigned int i)
{
	return (u64 *)(void *)(slot_data(s) + i * 512);
}

static u32 lane_type(struct lane *l)
{
	unsigned int r = lane_random(l, 100);

	if (r < 90)
		return r % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
	return r < 95 ? VIRTIO_BLK_T_FLUSH :
	       r < 98 ? VIRTIO_BLK_T_GET_ID : 77;
}

static void lane_send(struct lane *l, unsigned int i)
{
	struct soak_req *r = &l->reqs[i];
	struct slot *s = slot_of(l->q, i);
	u64 first = (u64)(s - slots) * SLOT_SECTORS;
	struct ring_buf bufs[3];
	unsigned int n;
	int head;

	r->id = l->sent++;
	r->type = lane_type(l);
	r->len = r->type == VIRTIO_BLK_T_FLUSH || r->type == 77 ? 0 :
		 r->type == VIRTIO_BLK_T_GET_ID ? 20 :
		 512 * (1 + lane_random(l, SLOT_SECTORS));
	r->busy = true;
	for (unsigned int k = 0; k < r->len / 512; k++)
		*sector_of(s, k) = r->type == VIRTIO_BLK_T_OUT ? r->id : UNKNOWN;
	expect(*status_byte(s) == NOBODY);	/* nobody came late */
	n = request_bufs(s, r->type, first, r->len, bufs);
	head = lane_random(l, 2) ? ring_add(&rings[l->q], bufs, n) :
				   ring_add_indirect(&rings[l->q], s->table,
						     bufs, n);
	expect(head >= 0 && l->slot_of_head[head] < 0);
	l->slot_of_head[head] = (int)i;
}

/*
 * What was read is what was written last with success: a write that fails here
 * or that a reset cuts off has not begun.
 */
static void lane_check(struct soak_req *r, const struct slot *s, u8 status)
{
	for (unsigned int k = 0; k < r->len / 512; k++) {
		if (r->type == VIRTIO_BLK_T_OUT && status == VIRTIO_BLK_S_OK)
			r->holds[k] = r->id;
		if (r->type == VIRTIO_BLK_T_IN && status == VIRTIO_BLK_S_OK)
			expect(r->holds[k] == UNKNOWN ||
			       r->holds[k] == *sector_of(s, k));
	}
}

static void lane_done(struct lane *l, u32 head)
{
	int i = l->slot_of_head[head];
	struct soak_req *r;
	struct slot *s;
	u8 status;

	expect(i >= 0);		/* it is in flight: not done before */
	r = &l->reqs[i];
	s = slot_of(l->q, (unsigned int)i);
	expect(r->busy && ++l->times[r->id] == 1);
	status = *status_byte(s);
	if (r->type == 77)
		expect(status == VIRTIO_BLK_S_UNSUPP);
	else if (r->type == VIRTIO_BLK_T_GET_ID)
		expect(status == VIRTIO_BLK_S_OK);
	else
		expect(status == VIRTIO_BLK_S_OK || status == VIRTIO_BLK_S_IOERR);
	l->failed += status == VIRTIO_BLK_S_IOERR;
	lane_check(r, s, status);
	*status_byte(s) = NOBODY;
	r->busy = false;
	l->slot_of_head[head] = -1;
	l->done++;
}

/* After a reset: what was taken is in the used ring, all else was not touched. */
static void lane_was_reset(struct lane *l)
{
	struct guest_ring *ring = &rings[l->q];
	u32 head, len;

	while (ring_get(ring, &head, &len))
		lane_done(l, head);
	for (unsigned int i = 0; i < LANE_SLOTS; i++) {
		if (!l->reqs[i].busy)
			continue;
		expect(*status_byte(slot_of(l->q, i)) == 0xee);
		*status_byte(slot_of(l->q, i)) = NOBODY;
		l->reqs[i].busy = false;
		l->cut++;
	}
	memset(l->slot_of_head, -1, sizeof(l->slot_of_head));
	l->resets++;
}

static void lane_reset(struct lane *l)
{
	pthread_mutex_lock(&dev->lock);
	virtio_device_reset_queue(dev, l->q);
	lane_was_reset(l);
	ring_reset(&rings[l->q], DRIVER_FEATURES);
	enable_queue(l->q);
	pthread_mutex_unlock(&dev->lock);
}

/* Until enough is sent; what is in flight then is left to the device's reset. */
static void *lane_run(void *arg)
{
	struct lane *l = arg;
	struct guest_ring *ring = &rings[l->q];
	u32 head, len;

	for (;;) {
		for (unsigned int i = 0; i < SLOTS / nrings; i++)
			if (!l->reqs[i].busy && l->sent < l->until)
				lane_send(l, i);
		ring_kick(ring);
		if (l->sent == l->until)
			return NULL;
		if (!lane_random(l, 200)) {
			lane_reset(l);
			continue;
		}
		head = ring_wait_used(ring, &len);
		do
			lane_done(l, head);
		while (ring_get(ring, &head, &len));
	}
}

static void lanes_init(u64 each)
{
	for (unsigned int q = 0; q < nrings; q++) {
		struct lane *l = &lanes[q];

		memset(l, 0, sizeof(*l));
		l->q = q;
		l->random = 0x9e3779b97f4a7c15 * (q + 1);
		l->times = calloc(each, 1);
		memset(l->slot_of_head, -1, sizeof(l->slot_of_head));
		for (unsigned int i = 0; i < LANE_SLOTS; i++)
			memset(l->reqs[i].holds, -1, sizeof(l->reqs[i].holds));
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		*status_byte(&slots[i]) = NOBODY;
}

/* All lanes at once, from DRIVER_OK to a reset with requests in flight. */
static void epoch(u64 until)
{
	pthread_t drivers[QUEUES_MAX];

	drive(DRIVER_FEATURES);
	for (unsigned int q = 0; q < nrings; q++) {
		lanes[q].until = until;
		ck_assert_int_eq(pthread_create(&drivers[q], NULL, lane_run,
						&lanes[q]), 0);
	}
	for (unsigned int q = 0; q < nrings; q++)
		pthread_join(drivers[q], NULL);
	set_status(0);
	for (unsigned int q = 0; q < nrings; q++)
		lane_was_reset(&lanes[q]);
}

static void lanes_exit(u64 each, const char *what)
{
	u64 done = 0, cut = 0, failed = 0, resets = 0;

	for (unsigned int q = 0; q < nrings; q++) {
		u64 once = 0;

		for (u64 id = 0; id < each; id++)
			once += lanes[q].times[id];
		ck_assert_uint_eq(lanes[q].sent, each);
		ck_assert_uint_eq(once, lanes[q].done);
		ck_assert_uint_eq(once + lanes[q].cut, each);
		done += lanes[q].done;
		cut += lanes[q].cut;
		failed += lanes[q].failed;
		resets += lanes[q].resets;
		free(lanes[q].times);
	}
	ck_assert_uint_gt(failed, done / 100);
	printf("soak - %s: %llu requests: %llu completed once, %llu of them with errors, %llu cut off by %llu resets, none lost or twice\n",
	       what, (unsigned long long)each * nrings,
	       (unsigned long long)done, (unsigned long long)failed,
	       (unsigned long long)cut, (unsigned long long)resets);
}

static u64 soak_total(void)
{
	const char *text = getenv("LKVM_SOAK");

	return text ? strtoull(text, NULL, 0) : test_scale(200000);
}

static void soak(const char *what)
{
	u64 each = soak_total() / nrings;

	lanes_init(each);
	for (u64 until = 0; until < each;) {
		until = until + EPOCH < each ? until + EPOCH : each;
		fault_host.again = 20;
		fault_host.interrupt = 20;
		epoch(until);
	}
	lanes_exit(each, what);
	close_blk();
}

/* Four queues on two threads; errors, delays, any order. */
START_TEST(test_soak_in_memory)
{
	struct rig_capture c;

	rig_capture_start(&c);
	open_blk(rig_open(&disk_fault_ops, "fault:7:5:4:memory:1048576"), 4, 2,
		 64);
	soak("memory");
	rig_capture_end(&c);
}
END_TEST

/* By Linux AIO, which moreover takes few at a time, and cuts transfers short. */
START_TEST(test_soak_on_a_file)
{
	char file[256], path[300];
	struct rig_capture c;

	rig_file(file, sizeof(file), "/dev/shm", DISK_BYTES);
	snprintf(path, sizeof(path), "fault:8:5:4:%s", file);
	memset(&fault_host, 0, sizeof(fault_host));
	fault_host.cut = 1536;
	fault_host.take = 3;
	rig_capture_start(&c);
	open_blk(rig_open(&disk_fault_ops, path), 2, 1, 128);
	soak("file");
	rig_capture_end(&c);
	unlink(file);
}
END_TEST

static void add_soak(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "soak, packed" : "soak", packed);

	tcase_set_timeout(tc, 900);
	tcase_add_test(tc, test_soak_in_memory);
	tcase_add_test(tc, test_soak_on_a_file);
}

int main(void)
{
	Suite *suite = suite_create("soak");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_soak(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
