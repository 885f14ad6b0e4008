// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event loop of an I/O thread: turns while there is work, then sleep.
 *
 * Wake-ups are eventfds in an edge-triggered epoll set.  Their counters are
 * never read: each signal is an edge of its own, and an edge only says "look",
 * what there is to do is in the rings.  That saves a read(2) per wake-up.
 */
#include "kvm/iothread.h"
#include "arch.h"
#include "barrier.h"
#include "kvm/event.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 16
#define THREAD_NAME_MAX 16	/* pthread_setname_np(3), with the final 0 */

/* Gathering, see iothread_gather(). */
#define GATHER_MAX 36		/* requests to wait for: more bring little */
#define GATHER_GAPS 32		/* longest wait for the next, in mean gaps ... */
#define GATHER_GAP_NS 1000000	/* ... and at most */
#define GATHER_FIRST_NS 50000	/* while no gap is known */
#define GATHER_TIME_NS 2000000	/* longest wait of one turn */
#define GATHER_SHARE_SHIFT 1	/* a vain wait pays for twice its length ... */
#define GATHER_SHARE_MAX 5	/* ... doubled each time in a row, up to 32 times */

/* What another thread wants done on this one; lives on the caller's stack. */
struct iothread_request {
	void (*fn)(void *arg);
	void *arg;
	bool done;
	struct iothread_request *next;
};

/* What the thread has learnt of its guest's pace. */
struct iothread_pace {
	unsigned int expected;	/* requests worth waiting for, 1: none */
	unsigned int share;	/* shift: how long a vain wait pays for */
	u64 no_more_until;	/* ns: when to expect more than now */
	u64 gap_ns;		/* mean time between two requests, 0: unknown */
};

struct iothread {
	/* Owned by the thread. */
	struct iothread_client *clients;
	struct iothread_pace pace;
	struct iothread_stats stats;
	int epoll_fd;
	int wake_fd;
	char name[THREAD_NAME_MAX];

	/* Set by others, seen in the next turn; wake_fd ends a sleep. */
	_Alignas(128) bool attention;
	bool stop;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;	/* guards requests and their done */
	pthread_cond_t done;
	struct iothread_request *requests;
};

#define iothread_for_each(c, t) \
	for (struct iothread_client *c = (t)->clients; c; c = c->next)

static int iothread_watch(struct iothread *t, int fd, struct iothread_client *c)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLET,
		.data.ptr = c,
	};

	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int err = -errno;

		log_error("I/O thread %s: epoll_ctl: %s", t->name,
			  strerror(-err));
		return err;
	}
	return 0;
}

int iothread_new(struct iothread **tp, const char *name)
{
	struct iothread *t = aligned_alloc(128, sizeof(*t));
	int err;

	if (!t)
		return log_no_memory();
	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->done, NULL);

	t->pace.share = GATHER_SHARE_SHIFT;
	t->wake_fd = event_new();
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->wake_fd < 0 || t->epoll_fd < 0) {
		err = t->wake_fd < 0 ? t->wake_fd : -errno;
		log_error("I/O thread %s: %s; raise the limit of open files (ulimit -n)",
			  name, strerror(-err));
		goto fail;
	}
	err = iothread_watch(t, t->wake_fd, NULL);
	if (err)
		goto fail;
	*tp = t;
	return 0;
fail:
	iothread_free(t);
	return err;
}

void iothread_free(struct iothread *t)
{
	assert(!t->started);
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	pthread_cond_destroy(&t->done);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int iothread_add(struct iothread *t, struct iothread_client *c)
{
	struct iothread_client **end = &t->clients;

	assert(!t->started);
	while (*end)
		end = &(*end)->next;
	if (c->fd >= 0) {
		int err = iothread_watch(t, c->fd, c);

		if (err)
			return err;
	}
	*end = c;
	c->next = NULL;
	return 0;
}

struct iothread_client *iothread_find(struct iothread *t,
				      const struct iothread_ops *ops)
{
	iothread_for_each(c, t)
		if (c->ops == ops)
			return c;
	return NULL;
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static unsigned int iothread_take(struct iothread *t)
{
	unsigned int n = 0;

	iothread_for_each(c, t)
		if (c->ready && c->ops->take)
			n += c->ops->take(c);
	return n;
}

/*
 * The guest waits for us: it has no more in flight, or something else to do.
 * The time lost buys a longer time without another try for more, so that a
 * guest of a fixed small depth pays next to nothing.
 */
static void iothread_pace_missed(struct iothread_pace *pace, unsigned int got,
				 u64 waited)
{
	pace->expected = got > 1 ? (pace->expected + got) / 2 : 1;
	pace->no_more_until = now_ns() + (waited << pace->share);
	if (pace->share < GATHER_SHARE_MAX)
		pace->share++;
}

static void iothread_pace_met(struct iothread_pace *pace, unsigned int got)
{
	if (got < 2 || pace->expected >= GATHER_MAX ||
	    now_ns() < pace->no_more_until)
		return;
	pace->expected += 1 + pace->expected / 4;
	if (pace->expected > GATHER_MAX)
		pace->expected = GATHER_MAX;
}

static u64 iothread_patience(const struct iothread_pace *pace)
{
	u64 patience = GATHER_GAPS * pace->gap_ns;

	if (!pace->gap_ns)
		return GATHER_FIRST_NS;
	return patience < GATHER_GAP_NS ? patience : GATHER_GAP_NS;
}

/* Wait for the expected number of requests, of which @got are there. */
static void iothread_gather_wait(struct iothread *t, unsigned int got)
{
	struct iothread_pace *pace = &t->pace;
	u64 start = now_ns(), last = start, now = start;
	u64 patience = iothread_patience(pace);

	write_once(&t->stats.gathers, t->stats.gathers + 1);
	while (got < pace->expected && now - last < patience &&
	       now - start < GATHER_TIME_NS && !read_once(&t->attention)) {
		unsigned int more = iothread_take(t);
		u64 gap;

		arch_relax();
		now = now_ns();
		if (!more)
			continue;
		gap = (now - last) / more;
		pace->gap_ns = pace->gap_ns ? (7 * pace->gap_ns + gap) / 8 : gap;
		last = now;
		got += more;
	}
	if (got >= pace->expected) {
		pace->share = GATHER_SHARE_SHIFT;
		iothread_pace_met(pace, got);
		return;
	}
	write_once(&t->stats.gathers_in_vain, t->stats.gathers_in_vain + 1);
	iothread_pace_missed(pace, got, now - start);
}

/*
 * A guest hands over its requests one by one.  If the device answers at once
 * and each is served alone, each costs the guest a kick and an interrupt, which
 * are dearer than the request.  So a turn that finds several waits a little for
 * those that usually follow, up to the number that came lately; how many that
 * is and how fast they come is learnt.  Requests that come alone make no turn
 * wait, but for the first after a burst, once; nor does any while the device is
 * busy: then requests gather by themselves.
 */
static bool iothread_gather(struct iothread *t)
{
	unsigned int got = iothread_take(t);

	if (!got)
		return false;
	iothread_for_each(c, t)
		if (c->busy)
			return true;
	if (got < t->pace.expected)
		iothread_gather_wait(t, got);
	else
		iothread_pace_met(&t->pace, got);
	return true;
}

/* One turn of the loop.  Returns whether any client found work. */
static bool iothread_turn(struct iothread *t)
{
	bool worked = iothread_gather(t);

	iothread_for_each(c, t)
		if (c->ready && c->ops->run && c->ops->run(c))
			worked = true;
	iothread_for_each(c, t)
		if (c->ops->flush)
			c->ops->flush(c);
	iothread_for_each(c, t)
		if (c->ops->publish)
			c->ops->publish(c);
	if (worked)
		write_once(&t->stats.turns, t->stats.turns + 1);
	return worked;
}

/* Re-arm all wake-ups.  Returns whether work slipped in meanwhile. */
static bool iothread_rearm(struct iothread *t)
{
	bool again = false;

	iothread_for_each(c, t)
		if (c->ready && c->ops->sleep && c->ops->sleep(c))
			again = true;
	if (again)
		return true;
	iothread_for_each(c, t)
		c->ready = false;
	return false;
}

/* While the thread is awake it looks after all of its clients. */
static void iothread_wait(struct iothread *t)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n;

	write_once(&t->stats.sleeps, t->stats.sleeps + 1);
	n = epoll_wait(t->epoll_fd, events, EVENTS_PER_WAIT, -1);
	for (int i = 0; i < n; i++) {
		struct iothread_client *c = events[i].data.ptr;

		if (c)
			write_once(&c->wakeups, c->wakeups + 1);
	}
	iothread_for_each(c, t)
		c->ready = true;
}

static void iothread_serve(struct iothread *t)
{
	struct iothread_request *r, *next;

	pthread_mutex_lock(&t->lock);
	write_once(&t->attention, false);
	r = t->requests;
	t->requests = NULL;
	pthread_mutex_unlock(&t->lock);

	for (; r; r = next) {
		next = r->next;
		r->fn(r->arg);
		pthread_mutex_lock(&t->lock);
		r->done = true;
		pthread_cond_broadcast(&t->done);
		pthread_mutex_unlock(&t->lock);
	}
}

/*
 * Where cores are short, do not push a vCPU off its core at each kick: it is
 * about to add more requests.  An idle core is still taken at once.
 */
static void iothread_be_patient(void)
{
	const struct sched_param param = { .sched_priority = 0 };

	sched_setscheduler(0, SCHED_BATCH, &param);
}

static void *iothread_main(void *arg)
{
	struct iothread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	iothread_be_patient();
	while (!read_once(&t->stop)) {
		if (read_once(&t->attention))
			iothread_serve(t);
		if (iothread_turn(t))
			continue;
		if (!iothread_rearm(t))
			iothread_wait(t);
	}
	iothread_serve(t);	/* nobody waits for a thread that is gone */
	return NULL;
}

int iothread_start(struct iothread *t)
{
	int err;

	iothread_for_each(c, t) {
		err = c->ops->start ? c->ops->start(c) : 0;
		if (err)
			return err;
	}
	write_once(&t->stop, false);
	err = pthread_create(&t->thread, NULL, iothread_main, t);
	if (err) {
		log_error("I/O thread %s: %s; raise the limit of threads (ulimit -u)",
			  t->name, strerror(err));
		return -err;
	}
	t->started = true;
	return 0;
}

void iothread_stop(struct iothread *t)
{
	if (!t->started)
		return;
	write_once(&t->stop, true);
	event_signal(t->wake_fd);
	pthread_join(t->thread, NULL);
	t->started = false;
}

void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg)
{
	struct iothread_request request = { .fn = fn, .arg = arg };

	if (!t->started) {
		fn(arg);
		return;
	}
	pthread_mutex_lock(&t->lock);
	request.next = t->requests;
	t->requests = &request; /* cppcheck-suppress autoVariables */
	write_once(&t->attention, true);
	event_signal(t->wake_fd);
	while (!request.done)
		pthread_cond_wait(&t->done, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

const char *iothread_name(const struct iothread *t)
{
	return t->name;
}

const struct iothread_stats *iothread_stats(const struct iothread *t)
{
	return &t->stats;
}
