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
#include "clock.h"
#include "inspect.h"
#include "kvm/event.h"
#include "kvm/polling.h"
#include "kvm/thread.h"
#include "log.h"
#include "probes.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 16
#define THREAD_NAME_MAX 16	/* pthread_setname_np(3), with the final 0 */

#define TIMER_SLACK_NS 1000	/* a client's patience is a few microseconds */

/* A post whose sender waits; lives on the caller's stack. */
struct iothread_call {
	struct iothread_post post;	/* first: found from it */
	struct iothread *thread;
	void (*fn)(void *arg);
	void *arg;
	bool done;
};

struct iothread {
	/* Owned by the thread. */
	struct iothread_clock clock;	/* first: read by iothread_now() */
	struct iothread_client *clients;	/* while threads run, as they are */
	struct polling polling;
	u64 idle_ns;		/* polled and slept since there was work */
	u64 woken;		/* when, if no work was found since; 0: not so */
	struct iothread_stats stats;
	int cpu;		/* the host's, -1: any */
	bool coarse;		/* no epoll_pwait2(): before Linux 5.11, or seccomp */
	int epoll_fd;
	int wake_fd;
	char name[THREAD_NAME_MAX];

	/* Set by others, seen in the next turn; wake_fd ends a sleep. */
	_Alignas(128) bool attention;
	bool stop;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;	/* guards posts, and done of those who wait */
	pthread_cond_t done;
	struct iothread_post *posts;
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
	t->cpu = -1;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->done, NULL);

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

void iothread_set_cpu(struct iothread *t, int cpu)
{
	assert(!t->started);
	t->cpu = cpu;
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

u64 iothread_read_clock(struct iothread *t)
{
	t->clock.now = now_ns();
	return t->clock.now;
}

/* One turn of the loop.  Returns whether any client found work. */
static bool iothread_turn(struct iothread *t)
{
	bool worked = false;

	t->clock.now = 0;
	iothread_for_each(c, t)
		if (c->ops->take && c->ops->take(c))
			worked = true;
	t->clock.now = 0;
	iothread_for_each(c, t)
		if (c->ops->run && c->ops->run(c))
			worked = true;
	t->clock.now = 0;
	iothread_for_each(c, t)
		if (c->ops->flush)
			c->ops->flush(c);
	t->clock.now = 0;
	iothread_for_each(c, t)
		if (c->ops->publish)
			c->ops->publish(c);
	if (worked) {
		counter_add(&t->stats.turns, 1);
		if (t->woken)
			polling_learn(&t->polling, t->idle_ns, t->woken);
		t->woken = 0;
		t->idle_ns = 0;
	}
	return worked;
}

static u64 iothread_served(const struct iothread *t)
{
	u64 served = 0;

	iothread_for_each(c, t)
		served += read_once(&c->served);
	return served;
}

/* Now and then, between two turns. */
static void iothread_compare(struct iothread *t, u64 now)
{
	struct poll_trial *trial = t->polling.trial;
	u64 served = 0;

	if (!trial || !poll_trial_begin(trial, now))
		return;
	for (unsigned int i = 0; i < trial->nthreads; i++)
		served += iothread_served(trial->threads[i]);
	poll_trial_compare(trial, now, served);
	poll_trial_end(trial);
}

static bool iothread_rests(const struct iothread *t)
{
	iothread_for_each(c, t)
		if (c->resting)
			return true;
	return false;
}

/*
 * Stay awake for a while, in which kicks stay off, looking at all rings.
 * Returns whether to go on with the loop, not to sleep.
 */
static bool iothread_poll(struct iothread *t)
{
	bool always = t->polling.always, worked = false;
	u64 start, last, now;

	if (!polling_budget(&t->polling) || (!always && iothread_rests(t)))
		return false;
	counter_add(&t->stats.polls, 1);
	probe_poll_start(t->name, polling_budget(&t->polling));
	start = last = now = now_ns();
	while (!worked && !read_once(&t->attention) &&
	       now - start < polling_budget(&t->polling)) {
		arch_relax();
		worked = iothread_turn(t);
		now = now_ns();
		if (!worked)
			polling_looked(&t->polling, now, now - last);
		last = now;
	}
	probe_poll_end(t->name, worked);
	if (worked) {
		counter_add(&t->stats.polls_found, 1);
		counter_add(&t->stats.poll_found_ns, now - start);
	} else {
		t->idle_ns += now - start;
		counter_add(&t->stats.poll_vain_ns, now - start);
	}
	iothread_compare(t, now);
	return worked || always || read_once(&t->attention);
}

/* Re-arm all wake-ups.  Returns whether work slipped in meanwhile. */
static bool iothread_rearm(struct iothread *t)
{
	iothread_for_each(c, t)
		if (c->ops->sleep && c->ops->sleep(c))
			return true;
	return false;
}

/* The soonest that any client wants to be looked after; 0: when it is woken. */
static u64 iothread_patience(const struct iothread *t)
{
	u64 patience = 0;

	iothread_for_each(c, t)
		if (c->patience && (!patience || c->patience < patience))
			patience = c->patience;
	return patience;
}

static int iothread_sleep(struct iothread *t, struct epoll_event *events)
{
	u64 patience = iothread_patience(t);
	struct timespec timeout = timespec_of(patience);
	int n;

	if (!patience)
		return epoll_wait(t->epoll_fd, events, EVENTS_PER_WAIT, -1);
	if (!t->coarse) {
		n = epoll_pwait2(t->epoll_fd, events, EVENTS_PER_WAIT,
				 &timeout, NULL);
		if (n >= 0 || errno == EINTR)
			return n;
		t->coarse = true;
	}
	return epoll_wait(t->epoll_fd, events, EVENTS_PER_WAIT,
			  (int)(patience / 1000000) + 1);
}

static void iothread_woken(const struct iothread *t, struct iothread_client *c)
{
	counter_add(&c->wakeups, 1);
	if (c->name)
		probe_kick(c->name, c->index, t->name);
}

static void iothread_wait(struct iothread *t)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	u64 start = now_ns(), end;
	int n;

	counter_add(&t->stats.sleeps, 1);
	n = iothread_sleep(t, events);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr)		/* not if it is wake_fd */
			iothread_woken(t, events[i].data.ptr);
	end = now_ns();
	counter_add(&t->stats.wait_ns, end - start);
	t->idle_ns += end - start;
	if (n)		/* not if a client's patience ended */
		t->woken = end;
	iothread_compare(t, end);
}

static void iothread_serve(struct iothread *t)
{
	struct iothread_post *p, *next;

	pthread_mutex_lock(&t->lock);
	write_once(&t->attention, false);
	p = t->posts;
	t->posts = NULL;
	pthread_mutex_unlock(&t->lock);

	t->clock.now = 0;
	for (; p; p = next) {
		next = p->next;
		p->fn(p);
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
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	iothread_be_patient();
	iothread_for_each(c, t)
		if (c->ops->enter)
			c->ops->enter(c);
	while (!read_once(&t->stop)) {
		if (read_once(&t->attention))
			iothread_serve(t);
		if (iothread_turn(t) || iothread_poll(t))
			continue;
		if (!iothread_rearm(t))
			iothread_wait(t);
	}
	iothread_serve(t);	/* nobody waits for a thread that is gone */
	iothread_for_each(c, t)
		if (c->ops->leave)
			c->ops->leave(c);
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
	err = thread_start(&t->thread, t->cpu, iothread_main, t);
	if (err == -EINVAL) {
		log_error("I/O thread %s cannot run on CPU %d; see lkvm topology for those that lkvm may use",
			  t->name, t->cpu);
		return err;
	}
	if (err) {
		log_error("I/O thread %s: %s; raise the limit of threads (ulimit -u)",
			  t->name, strerror(-err));
		return err;
	}
	t->started = true;
	return 0;
}

void iothread_stop(struct iothread *t)
{
	if (!t->started)
		return;
	write_once(&t->stop, true);
	write_once(&t->attention, true);
	event_signal(t->wake_fd);
	pthread_join(t->thread, NULL);
	t->started = false;
}

void iothread_post(struct iothread *t, struct iothread_post *post)
{
	pthread_mutex_lock(&t->lock);
	post->next = t->posts;
	t->posts = post;
	write_once(&t->attention, true);
	event_signal(t->wake_fd);
	pthread_mutex_unlock(&t->lock);
}

static void iothread_run_call(struct iothread_post *post)
{
	struct iothread_call *call = (struct iothread_call *)post;
	struct iothread *t = call->thread;

	call->fn(call->arg);
	pthread_mutex_lock(&t->lock);
	call->done = true;
	pthread_cond_broadcast(&t->done);
	pthread_mutex_unlock(&t->lock);
}

void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg)
{
	struct iothread_call call = {
		.post.fn = iothread_run_call,
		.thread = t,
		.fn = fn,
		.arg = arg,
	};

	if (!t->started) {
		fn(arg);
		return;
	}
	iothread_post(t, &call.post);
	pthread_mutex_lock(&t->lock);
	while (!call.done)
		pthread_cond_wait(&t->done, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static bool iothread_unpost(struct iothread *t, struct iothread_post *post)
{
	struct iothread_post **at = &t->posts;

	while (*at && *at != post)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = post->next;
	return true;
}

static void iothread_nothing(void *arg)
{
	(void)arg;
}

bool iothread_answers(struct iothread *t, u64 ns)
{
	struct iothread_call call = {
		.post.fn = iothread_run_call,
		.thread = t,
		.fn = iothread_nothing,
	};
	struct timespec deadline = timespec_of(now_ns() + ns);
	bool late = false;

	if (!t->started)
		return true;
	iothread_post(t, &call.post);
	pthread_mutex_lock(&t->lock);
	while (!call.done && !late)
		late = pthread_cond_clockwait(&t->done, &t->lock,
					      CLOCK_MONOTONIC, &deadline);
	/* Taken, but not done yet: it is about to be. */
	late = late && iothread_unpost(t, &call.post);
	while (!call.done && !late)
		pthread_cond_wait(&t->done, &t->lock);
	pthread_mutex_unlock(&t->lock);
	return !late;
}

struct iothread_poll_change {
	struct iothread *thread;
	const struct iothread_poll *poll;
};

/* Between two turns. */
static void iothread_change_poll(void *arg)
{
	const struct iothread_poll_change *change = arg;

	polling_set(&change->thread->polling, change->poll);
	write_once(&change->thread->stats.poll_max_ns, change->poll->max_ns);
}

void iothread_set_poll(struct iothread *t, const struct iothread_poll *poll)
{
	struct iothread_poll_change change = { .thread = t, .poll = poll };

	iothread_call(t, iothread_change_poll, &change);
}

void iothread_inspect(const struct iothread *t, const struct inspector *to)
{
	polling_inspect(&t->polling, to);
}

const char *iothread_name(const struct iothread *t)
{
	return t->name;
}

const struct iothread_stats *iothread_stats(const struct iothread *t)
{
	return &t->stats;
}
