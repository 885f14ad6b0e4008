// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver on one thread, a device on another, both asleep whenever the other
 * has not called: a kick or an interrupt that is lost ends in a sleep for ever,
 * which a timeout turns into a failure.  The device sleeps until any number of
 * chains wait, and a driver that stops before is found by looking again.
 *
 * And the four instructions that this hangs on, alone: each side stores, fences,
 * looks at what the other stores, at the same moment as nearly as can be.
 */
#include "barrier.h"
#include "guest_ring.h"
#include <linux/virtio_config.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RACE_REQUESTS 1000000u
#define RACE_TIMEOUT_NS 20000000000
#define RACE_PATIENCE_NS 20000

static const struct race {
	u16 size;
	bool event_idx;
	unsigned int batch;	/* the driver adds up to so many */
	unsigned int percent;	/* of RACE_REQUESTS */
} races[] = {
	{ 256, true, 64, 40 },
	{ 256, false, 64, 35 },
	{ 4, true, 1, 4 },	/* a sleep for nearly every request */
	{ 4, false, 3, 4 },
	{ 1024, true, 1024, 17 },
};
#define RACES ((int)(sizeof(races) / sizeof(races[0])))

struct device {
	struct virtqueue vq;
	int kick_fd;
	int call_fd;
	u32 random;
	unsigned int total;
	unsigned int served;
	unsigned int publications;
	unsigned int interrupts;
	unsigned int timeouts;
	const char *failed;
};

/* One look at the ring.  Returns whether there was anything. */
static bool device_turn(struct device *d)
{
	struct virtqueue_chain chain;
	struct iovec iov[4];
	u64 one = 1;
	bool any = false;
	int got;

	virtqueue_kicks_off(&d->vq);
	while ((got = virtqueue_pop(&d->vq, &chain, iov, 4)) > 0) {
		u32 value;

		memcpy(&value, iov[0].iov_base, sizeof(value));
		memcpy(iov[1].iov_base, &value, sizeof(value));
		virtqueue_push(&d->vq, &chain, value);
		d->served++;
		any = true;
	}
	if (got < 0)
		d->failed = d->vq.error;
	if (virtqueue_unpublished(&d->vq)) {
		d->publications++;
		if (virtqueue_publish(&d->vq)) {
			d->interrupts++;
			if (write(d->call_fd, &one, sizeof(one)) < 0)
				d->failed = "write";
		}
	}
	return any;
}

/* Every second time one; else any number that the ring may hold. */
static u16 device_wish(struct device *d)
{
	u32 r = (d->random = d->random * 1103515245u + 12345) >> 16;

	return r % 2 ? 1 : (u16)(1 + r / 2 % d->vq.size);
}

/* Returns whether there was a kick. */
static bool device_sleep(struct device *d, u64 ns)
{
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	struct pollfd p = { .fd = d->kick_fd, .events = POLLIN };
	u64 count;

	if (ppoll(&p, 1, &t, NULL) != 1)
		return false;
	if (read(d->kick_fd, &count, sizeof(count)) < 0)
		d->failed = "read";
	return true;
}

/* Who waits for more than one may wait in vain, but not if they are there. */
static void *device_main(void *arg)
{
	struct device *d = arg;

	while (d->served < d->total && !d->failed) {
		u16 n = device_wish(d), least = d->vq.event_idx ? n : 1;

		if (device_turn(d) || virtqueue_kicks_on(&d->vq, n))
			continue;
		if (device_sleep(d, least > 1 ? RACE_PATIENCE_NS : RACE_TIMEOUT_NS))
			continue;
		d->timeouts++;
		if (least == 1 || (virtqueue_waiting(&d->vq, least) >= least &&
				   !device_sleep(d, RACE_TIMEOUT_NS)))
			d->failed = "a kick was lost";
	}
	return NULL;
}

struct driver {
	struct arena arena;
	struct guest_ring ring;
	u64 slots;		/* one u32 to read, one to write, per head */
	u32 sent;
	u32 next_of[VIRTQUEUE_SIZE_MAX];	/* what each head carries */
	u32 finished;
};

static bool driver_add(struct driver *d)
{
	u64 slot = d->slots + 8ull * d->ring.first_free;
	struct ring_buf bufs[] = {
		{ slot, 4, false }, { slot + 4, 4, true },
	};
	int head;

	if (d->ring.nfree < 2)
		return false;
	memcpy(arena_ptr(&d->arena, slot, 4), &d->sent, 4);
	head = ring_add(&d->ring, bufs, 2);
	d->next_of[head] = d->sent++;
	return true;
}

static void driver_finish(struct driver *d, u32 id, u32 len)
{
	expect(len == d->next_of[id]);
	d->next_of[id] = ~0u;	/* a second time would be seen */
	d->finished++;
}

static void driver_run(struct driver *d, unsigned int total,
		       unsigned int max_batch)
{
	unsigned int batch = 0;
	u32 id, len;

	while (d->finished < total) {
		unsigned int n = 0;

		batch = batch * 1103515245u + 12345;
		while (n < 1 + (batch >> 16) % max_batch && d->sent < total &&
		       driver_add(d))
			n++;
		if (n)
			ring_kick(&d->ring);
		ring_calls_off(&d->ring);
		while (ring_get(&d->ring, &id, &len)) {
			driver_finish(d, id, len);
			n++;
		}
		if (n || d->finished == total)
			continue;	/* sleep only when there is no more to do */
		id = ring_wait_used(&d->ring, &len);
		driver_finish(d, id, len);
	}
}

START_TEST(test_race)
{
	const struct race *race = &races[_i / 2];
	u64 features = (race->event_idx ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
		       (_i % 2 ? 1ull << VIRTIO_F_RING_PACKED : 0);
	struct device device = { .kick_fd = eventfd(0, EFD_CLOEXEC),
				 .call_fd = eventfd(0, EFD_CLOEXEC) };
	struct driver driver = { .sent = 0 };
	pthread_t thread;

	device.total = test_scale(RACE_REQUESTS / 100 * race->percent);
	arena_init(&driver.arena, 1 << 20);
	ring_init(&driver.ring, &driver.arena, race->size, features);
	driver.slots = arena_alloc(&driver.arena, 8ull * race->size, 8);
	driver.ring.kick_fd = device.kick_fd;
	driver.ring.call_fd = device.call_fd;
	ck_assert_int_eq(virtqueue_init(&device.vq, &driver.arena.mem,
					&driver.ring.config, features),
			 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, device_main, &device),
			 0);
	driver_run(&driver, device.total, race->batch);
	pthread_join(thread, NULL);
	ck_assert_msg(!device.failed, "%s", device.failed);
	ck_assert_uint_eq(device.served, device.total);
	ck_assert_uint_eq(driver.finished, device.total);
	ck_assert_uint_le(device.interrupts, device.publications);
	ck_assert_uint_le(device.publications, device.served);
	ck_assert(!ring_used_pending(&driver.ring));
	/* Such a ring never holds three chains; packed, two are kicked for early. */
	if (race->size == 4 && race->event_idx && !driver.ring.packed)
		ck_assert_uint_gt(device.timeouts, 0);
	arena_exit(&driver.arena);
	close(device.kick_fd);
	close(device.call_fd);
}
END_TEST

/* --- the moment itself ------------------------------------------------------- */

#define DUELS 300000u
#define DUEL_SECONDS 2		/* at most, where both share a core */
#define DUEL_OVER ~0u
#define DUEL_SIZE 8

/* Who stores what, and looks for what, is the test's. */
struct duel {
	struct arena arena;
	struct guest_ring ring;
	struct virtqueue vq;
	u64 buf;
	bool kicks;		/* raced for: kicks, or else interrupts */
	u16 chains;		/* of this round: for so many the device waits */
	u16 early;		/* of these, offered before the moment */
	bool told;		/* the driver kicks, or sees what is used */
	unsigned int ready;	/* rounds, by the driver ... */
	unsigned int end;
	unsigned int go;	/* ... and by the device */
	unsigned int over;
};

/* False if there is no such round any more. */
static bool duel_wait(const unsigned int *at, unsigned int round)
{
	unsigned int now;

	for (unsigned int i = 1; (now = load_acquire(at)) != round; i++) {
		if (now == DUEL_OVER)
			return false;
		if (i % 1024 == 0)
			sched_yield();
	}
	return true;
}

/* Either may be the late one, by more or less. */
static void duel_delay(unsigned int n)
{
	while (n--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void *duel_driver(void *arg)
{
	struct duel *d = arg;
	struct ring_buf b = { d->buf, 8, true };
	u32 id, len;

	for (unsigned int round = 1; duel_wait(&d->over, round - 1); round++) {
		while (ring_get(&d->ring, &id, &len))
			;
		ring_calls_off(&d->ring);
		for (unsigned int n = 1; n <= d->chains; n++) {
			expect(ring_add(&d->ring, &b, 1) >= 0);
			if (n == d->early)
				ring_expose(&d->ring);
		}
		store_release(&d->ready, round);
		duel_wait(&d->go, round);
		duel_delay(round % 31);
		d->told = d->kicks ? ring_expose(&d->ring) :
				     ring_calls_on(&d->ring);
		store_release(&d->end, round);
	}
	return NULL;
}

static void duel_pop_and_push(struct duel *d)
{
	struct virtqueue_chain chain;
	struct iovec iov[4];

	for (unsigned int n = 0; n < d->chains; n++) {
		expect(virtqueue_pop(&d->vq, &chain, iov, 4) == 1);
		virtqueue_push(&d->vq, &chain, 8);
	}
}

/* Kicks: up to a ring full, all but the last ones early; interrupts: for one. */
static void duel_draw(struct duel *d, unsigned int round)
{
	d->chains = d->kicks ? (u16)(1 + round % DUEL_SIZE) : 1;
	d->early = d->kicks ? (u16)(round / DUEL_SIZE % d->chains) : 1;
}

/* Whether neither has told the other. */
static bool duel_device(struct duel *d, unsigned int round)
{
	bool told;

	duel_wait(&d->ready, round);
	virtqueue_kicks_off(&d->vq);
	if (!d->kicks)
		duel_pop_and_push(d);
	store_release(&d->go, round);
	duel_delay(round % 37);
	told = d->kicks ? virtqueue_kicks_on(&d->vq, d->chains) :
			  virtqueue_publish(&d->vq);
	duel_wait(&d->end, round);
	if (d->kicks) {
		duel_pop_and_push(d);
		virtqueue_publish(&d->vq);
	}
	told |= d->told;
	duel_draw(d, round + 1);
	store_release(&d->over, round);
	return !told;
}

static u64 seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec;
}

/* Barriers C and D: of two that look at the same moment, one sees the other. */
START_TEST(test_same_moment)
{
	u64 features = (_i & 1 ? 1ull << VIRTIO_F_RING_PACKED : 0) |
		       (_i & 2 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0);
	struct duel d = { .kicks = _i & 4 };
	u64 end = seconds() + DUEL_SECONDS;
	unsigned int round = 0, lost = 0;
	pthread_t driver;

	arena_init(&d.arena, 1 << 20);
	ring_init(&d.ring, &d.arena, DUEL_SIZE, features);
	duel_draw(&d, 1);
	d.buf = arena_alloc(&d.arena, 8, 8);
	ck_assert_int_eq(virtqueue_init(&d.vq, &d.arena.mem, &d.ring.config,
					features),
			 0);
	ck_assert_int_eq(pthread_create(&driver, NULL, duel_driver, &d), 0);
	while (++round <= test_scale(DUELS) && seconds() < end)
		lost += duel_device(&d, round);
	store_release(&d.over, DUEL_OVER);
	store_release(&d.go, round);
	pthread_join(driver, NULL);
	ck_assert_uint_eq(lost, 0);
	arena_exit(&d.arena);
}
END_TEST

TCase *race_ring_tcase(void)
{
	TCase *tc = tcase_create("race");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_race, 0, 2 * RACES);
	tcase_add_loop_test(tc, test_same_moment, 0, 8);
	return tc;
}
