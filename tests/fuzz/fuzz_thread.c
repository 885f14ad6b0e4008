// SPDX-License-Identifier: GPL-2.0-only
/*
 * An I/O thread without a thread: see fuzz_thread.h.  And a log without lines:
 * what a guest does wrong is no news here.
 */
#include "fuzz_thread.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>

#define TURNS_MAX 100000	/* no disk here delays a request for so long */
#define READING_NS 100		/* what it takes to look at the clock */

struct iothread {
	struct iothread_clock clock;	/* first: see iothread.h */
	struct iothread_client *clients;
	struct iothread_stats stats;
	u64 time;
};

int iothread_new(struct iothread **tp, const char *name)
{
	(void)name;
	*tp = calloc(1, sizeof(**tp));
	return *tp ? 0 : -ENOMEM;
}

void iothread_free(struct iothread *t)
{
	free(t);
}

int iothread_add(struct iothread *t, struct iothread_client *c)
{
	struct iothread_client **end = &t->clients;

	while (*end)
		end = &(*end)->next;
	*end = c;
	c->next = NULL;
	return 0;
}

struct iothread_client *iothread_find(struct iothread *t,
				      const struct iothread_ops *ops)
{
	struct iothread_client *c = t->clients;

	while (c && c->ops != ops)
		c = c->next;
	return c;
}

u64 iothread_read_clock(struct iothread *t)
{
	fuzz_meanwhile();
	t->time += READING_NS;
	t->clock.now = t->time;
	return t->clock.now;
}

bool fuzz_turn(struct iothread *t)
{
	struct iothread_client *c;
	bool worked = false;

	t->clock.now = 0;
	for (c = t->clients; c; c = c->next)
		if (c->ops->take && c->ops->take(c))
			worked = true;
	t->clock.now = 0;
	for (c = t->clients; c; c = c->next)
		if (c->ops->run && c->ops->run(c))
			worked = true;
	t->clock.now = 0;
	for (c = t->clients; c; c = c->next)
		if (c->ops->flush)
			c->ops->flush(c);
	t->clock.now = 0;
	for (c = t->clients; c; c = c->next)
		if (c->ops->publish)
			c->ops->publish(c);
	return worked;
}

static bool fuzz_rearm(struct iothread *t)
{
	for (struct iothread_client *c = t->clients; c; c = c->next)
		if (c->ops->sleep && c->ops->sleep(c))
			return true;
	return false;
}

static u64 fuzz_patience(const struct iothread *t)
{
	u64 patience = 0;

	for (const struct iothread_client *c = t->clients; c; c = c->next)
		if (c->patience && (!patience || c->patience < patience))
			patience = c->patience;
	return patience;
}

void fuzz_sleep(struct iothread *t)
{
	if (!fuzz_rearm(t))
		t->time += fuzz_patience(t);
}

void fuzz_settle(struct iothread *t)
{
	unsigned int turns = 0;
	bool more = true;

	while (more) {
		if (++turns > TURNS_MAX)
			abort();	/* it never ends */
		more = fuzz_turn(t) || fuzz_rearm(t);
		if (!more && fuzz_patience(t)) {
			t->time += fuzz_patience(t);
			more = true;
		}
	}
}

/* There is no other thread that could. */
void iothread_post(struct iothread *t, struct iothread_post *post)
{
	(void)t;
	post->fn(post);
}

void iothread_call(struct iothread *t, void (*fn)(void *arg), void *arg)
{
	(void)t;
	fn(arg);
}

/* --- log.h --------------------------------------------------------------- */

void log_error(const char *fmt, ...)
{
	(void)fmt;
}

void log_warn(const char *fmt, ...)
{
	(void)fmt;
}

void log_info(const char *fmt, ...)
{
	(void)fmt;
}

int log_no_memory(void)
{
	return -ENOMEM;
}
