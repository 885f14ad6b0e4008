// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of an I/O thread's queues, and the measurement: requests run for a
 * while, then a first sample is taken, a second one at the end, and what is in
 * flight drains.
 *
 * RING_TURNS: the driver is the last client of the I/O thread, so driver and
 * device take turns on one thread, and nothing but the device is left when the
 * driver's part is subtracted.  RING_THREADS: the driver is a thread beside it;
 * samples are still taken by the I/O thread, of which they tell.
 */
#include "bench/ring_lane.h"
#include "barrier.h"
#include "kvm/event.h"
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * A driver without completions spins, if a core is free: longer than a batch takes, so
 * that waking it is no part of what the device does.
 */
#define SPIN_NS 5000000ull

/* --- samples ------------------------------------------------------------------ */

static void lane_sample(struct ring_lane *l, unsigned int which)
{
	struct ring_sample *s = &l->samples[which];

	ring_sample_thread(s);
	s->driver_ns = l->driver_ns;
	s->requests = 0;
	s->batches = 0;
	s->interrupts = 0;
	for (unsigned int i = 0; i < l->nrings; i++) {
		s->requests += l->stats[i]->reads;
		s->batches += l->stats[i]->batches;
		s->interrupts += l->stats[i]->interrupts;
	}
}

/* Returns whether it is taken; if not, ask again. */
static bool lane_sample_taken(struct ring_lane *l, unsigned int which)
{
	if (l->run->mode != RING_THREADS) {
		lane_sample(l, which);
		return true;
	}
	write_once(&l->wanted, which + 1);
	return load_acquire(&l->taken) == which + 1;
}

/* On the I/O thread beside a driver, at the end of each turn. */
static void lane_serve_sample(struct ring_lane *l)
{
	unsigned int wanted = read_once(&l->wanted);

	if (wanted == l->taken)
		return;
	lane_sample(l, wanted - 1);
	store_release(&l->taken, wanted);
}

/* --- the driver ----------------------------------------------------------------- */

static void lane_enter(struct ring_lane *l, enum lane_state state)
{
	l->state = state;
	l->done = 0;
}

/* Whether it is time for the next state: after @count requests, or at @end. */
static bool lane_elapsed(const struct ring_lane *l, u64 count, u64 now, u64 end)
{
	return l->run->count ? l->done >= count : now >= end;
}

static bool lane_drained(const struct ring_lane *l)
{
	for (unsigned int i = 0; i < l->nrings; i++)
		if (l->rings[i]->inflight)
			return false;
	return true;
}

/* Go on to the next state when it is time. */
static void lane_step(struct ring_lane *l, u64 now)
{
	const struct ring_run *run = l->run;

	switch (l->state) {
	case LANE_WARM:
		if (lane_elapsed(l, run->count / 4, now, run->begin) &&
		    lane_sample_taken(l, 0))
			lane_enter(l, LANE_OPEN);
		break;
	case LANE_OPEN:
		if (lane_elapsed(l, run->count, now, run->begin + run->ns) &&
		    lane_sample_taken(l, 1))
			lane_enter(l, LANE_DRAIN);
		break;
	case LANE_DRAIN:
		if (lane_drained(l)) {
			l->state = LANE_IDLE;
			ring_counter_close();
			sem_post(&l->over);
		}
		break;
	case LANE_IDLE:
		break;
	}
}

/* Take and refill all rings.  Returns how many requests were complete. */
static unsigned int lane_drive(struct ring_lane *l)
{
	bool refill = l->state != LANE_DRAIN;
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->nrings; i++)
		n += ring_turn(l->rings[i], refill);
	l->done += n;
	return n;
}

static void lane_fill(struct ring_lane *l, bool calls)
{
	lane_enter(l, LANE_WARM);
	for (unsigned int i = 0; i < l->nrings; i++) {
		l->rings[i]->calls = calls;
		ring_fill(l->rings[i]);
	}
}

/* --- driver and device in turns --------------------------------------------------- */

static void lane_take_turn(struct ring_lane *l)
{
	struct ring_counts counts = ring_counts;	/* the device's */
	u64 start = ring_now(), now;

	if (l->run->counted && l->state == LANE_OPEN)
		ring_counter_off();
	lane_drive(l);
	now = ring_now();
	l->driver_ns += now - start;
	ring_counts = counts;
	lane_step(l, now);
	if (l->run->counted && l->state == LANE_OPEN)
		ring_counter_on();
}

/* On the I/O thread, between two turns. */
static void lane_begin(void *arg)
{
	struct ring_lane *l = arg;

	if (l->run->counted)
		ring_counter_open();
	lane_fill(l, true);
}

static void lane_publish(struct iothread_client *c)
{
	struct ring_lane *l = (struct ring_lane *)c;

	if (l->run->mode == RING_THREADS)
		lane_serve_sample(l);
	else if (l->state != LANE_IDLE)
		lane_take_turn(l);
}

static const struct iothread_ops lane_ops = {
	.publish = lane_publish,
};

/* --- the driver beside the device --------------------------------------------------- */

static void lane_sleep(struct ring_lane *l)
{
	struct pollfd p = { .fd = l->call_fd, .events = POLLIN };
	bool again = false;

	for (unsigned int i = 0; i < l->nrings; i++)
		again |= ring_calls_on(l->rings[i]);
	if (!again)
		poll(&p, 1, 1000);
	event_clear(l->call_fd);
	for (unsigned int i = 0; i < l->nrings; i++)
		l->rings[i]->calls = false;
}

/* Spins if there is a core for each thread, else waits for the interrupt. */
static void *lane_driver(void *arg)
{
	struct ring_lane *l = arg;
	bool cores = 2 * l->run->threads <=
		     (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	u64 spin_ns = cores ? SPIN_NS : 0, now, busy;

	lane_fill(l, false);
	busy = ring_now();
	while (l->state != LANE_IDLE) {
		now = ring_now();
		if (lane_drive(l))
			busy = now;
		lane_step(l, now);
		if (now - busy <= spin_ns)
			continue;
		lane_sleep(l);
		busy = ring_now();
	}
	return NULL;
}

/* --- set-up --------------------------------------------------------------------------- */

void ring_lane_init(struct ring_lane *l, const struct ring_run *run,
		    struct iothread *thread, unsigned int index)
{
	memset(l, 0, sizeof(*l));
	l->client.ops = &lane_ops;
	l->client.fd = -1;
	l->run = run;
	l->thread = thread;
	l->index = index;
	l->call_fd = event_new();
	if (l->call_fd < 0)
		ring_die("no eventfd; raise ulimit -n");
	sem_init(&l->over, 0, 0);
	if (iothread_add(thread, &l->client))
		ring_die("cannot add to an I/O thread");
}

void ring_lane_exit(struct ring_lane *l)
{
	close(l->call_fd);
	sem_destroy(&l->over);
}

void ring_lane_start(struct ring_lane *l)
{
	if (l->run->mode != RING_THREADS)
		iothread_call(l->thread, lane_begin, l);
	else if (pthread_create(&l->driver, NULL, lane_driver, l))
		ring_die("no thread");
}

void ring_lane_wait(struct ring_lane *l)
{
	sem_wait(&l->over);
	if (l->run->mode == RING_THREADS)
		pthread_join(l->driver, NULL);
}
