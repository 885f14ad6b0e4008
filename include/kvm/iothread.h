/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An I/O thread: one event loop that owns its clients (virtqueues, AIO
 * contexts).  Nothing a client owns is touched by another thread while the
 * thread runs, except through iothread_call() and iothread_post().
 *
 * One turn of the loop:
 *	take	each client takes the requests that are there, and stages
 *		their I/O
 *	run	each client does what else there is to do
 *	flush	all that was staged by all clients is submitted at once
 *	publish	each client shows the guest what completed, one interrupt each
 * Turns repeat while they find work, and if polling lately paid, for a while
 * longer.  Then each client re-arms its wake-up (sleep), looks once more, and
 * the thread waits for any client's fd.
 */
#ifndef LKVM_KVM_IOTHREAD_H
#define LKVM_KVM_IOTHREAD_H

#include "endian.h"

struct inspector;
struct iothread;
struct iothread_client;
struct poll_trial;

/* All are called on the I/O thread itself, but for start().  Unused: NULL. */
struct iothread_ops {
	/* Before the thread runs, on its creator: take resources.  0 or -errno. */
	int (*start)(struct iothread_client *c);
	/* Before the first turn, and after the last one. */
	void (*enter)(struct iothread_client *c);
	void (*leave)(struct iothread_client *c);
	/* A source of requests: stage them.  Returns whether there were any. */
	bool (*take)(struct iothread_client *c);
	/* Do what is ready.  Returns whether there was anything. */
	bool (*run)(struct iothread_client *c);
	/* Submit what was staged by any client. */
	void (*flush)(struct iothread_client *c);
	/* Show completions. */
	void (*publish)(struct iothread_client *c);
	/*
	 * Ask to be woken through fd again.  True: work is already there, go on
	 * with turns; then not all clients may have been asked.
	 */
	bool (*sleep)(struct iothread_client *c);
};

struct iothread_client {
	const struct iothread_ops *ops;
	int fd;			/* eventfd that wakes the thread for it, or -1 */
	unsigned int index;	/* for probes: which queue ... */
	const char *name;	/* ... of which disk; NULL: it is none */
	u64 patience;		/* the client's: ns to sleep at most, 0: any time */
	bool resting;		/* the client's: it wants no polling meanwhile */
	u64 served;		/* the client's: requests completed; others may read it */
	u64 wakeups;		/* by its fd; written by the thread alone */
	struct iothread_client *next;
};

/* Written by the thread alone; others may read at any time (read_once()). */
struct iothread_stats {
	u64 turns;		/* turns that found work */
	u64 sleeps;		/* calls of epoll_wait() */
	/* Adaptive polling, DESIGN rule 3. */
	u64 poll_max_ns;	/* its largest budget, as set */
	u64 polls;		/* attempts: an empty turn that stayed awake */
	u64 polls_found;	/* and found work before its budget was spent */
	u64 poll_found_ns;	/* time polling with success */
	u64 poll_vain_ns;	/* time polling in vain */
	u64 wait_ns;		/* time asleep */
};

/* How long a thread without work looks for more before it sleeps. */
struct iothread_poll {
	bool always;		/* never sleep */
	u64 max_ns;		/* the budget is learnt, up to this; 0: no polling */
	struct poll_trial *trial;	/* whether it pays; NULL: it is believed */
};

/* @name is visible in top -H, cut to 15 characters.  0 or -errno. */
int iothread_new(struct iothread **tp, const char *name);
/* The thread must not run.  Clients are forgotten, not freed. */
void iothread_free(struct iothread *t);

/* Any thread but this one; a new thread does not poll. */
void iothread_set_poll(struct iothread *t, const struct iothread_poll *poll);

/* Before iothread_start().  The host CPU that it runs on; -1, and at first: any. */
void iothread_set_cpu(struct iothread *t, int cpu);

/* Before iothread_start().  The client stays the caller's. */
int iothread_add(struct iothread *t, struct iothread_client *c);
/* The client of @t with these ops, or NULL: one AIO context serves a thread. */
struct iothread_client *iothread_find(struct iothread *t,
				      const struct iothread_ops *ops);

int iothread_start(struct iothread *t);
/* Ends the loop after the current turn and joins.  Idle when not started. */
void iothread_stop(struct iothread *t);

/* What another thread wants done on this one; not touched once fn runs. */
struct iothread_post {
	void (*fn)(struct iothread_post *post);
	struct iothread_post *next;	/* the thread's */
};

/* Have @post->fn run on the thread, between two turns.  Any thread. */
void iothread_post(struct iothread *t, struct iothread_post *post);
/* Run @fn(@arg) on the thread, between two turns, and wait for its end. */
void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg);

/*
 * Whether the thread gets to its calls within @ns: else it waits for the host, and
 * an iothread_call() would wait with it.
 */
bool iothread_answers(struct iothread *t, u64 ns);

/* Every thread begins with it. */
struct iothread_clock {
	u64 now;	/* 0: not read in this step */
};
u64 iothread_read_clock(struct iothread *t);

/*
 * CLOCK_MONOTONIC in ns as of the current step of the turn (take, run, flush,
 * publish): read once in a step, and only if asked for.  On the thread alone.
 */
static inline u64 iothread_now(struct iothread *t)
{
	const struct iothread_clock *clock = (struct iothread_clock *)t;

	return clock->now ? clock->now : iothread_read_clock(t);
}

const char *iothread_name(const struct iothread *t);
/* How it polls; on the thread. */
void iothread_inspect(const struct iothread *t, const struct inspector *to);
const struct iothread_stats *iothread_stats(const struct iothread *t);

#endif
