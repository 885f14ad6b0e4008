// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O thread's loop: turns, wake-ups, calls from other threads, its end.
 */
/* helpers: guest_ring.c */
#include "barrier.h"
#include "guest_ring.h"
#include "kvm/event.h"
#include "kvm/iothread.h"
#include "kvm/poll_trial.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 4

static struct iothread *thread;

/* What happened in a turn, in order; touched by the thread alone. */
enum { START, RUN, FLUSH, PUBLISH, SLEEP, CALLBACKS };

struct client {
	struct iothread_client client;	/* first: found from it */
	unsigned int count[CALLBACKS];
	unsigned int work;		/* left to do */
	unsigned int done;
	unsigned int late;		/* found by sleep() */
	bool busy;			/* always has work */
	int start_error;
	pthread_t ran_on;
};

static struct client clients[CLIENTS];

static struct client *to_client(struct iothread_client *c)
{
	return (struct client *)c;
}

static int on_start(struct iothread_client *c)
{
	to_client(c)->count[START]++;
	return to_client(c)->start_error;
}

static bool on_run(struct iothread_client *c)
{
	struct client *client = to_client(c);

	client->count[RUN]++;
	client->ran_on = pthread_self();
	if (client->busy)
		return true;
	if (!client->work)
		return false;
	client->work--;
	client->done++;
	return true;
}

static void on_flush(struct iothread_client *c)
{
	to_client(c)->count[FLUSH]++;
}

static void on_publish(struct iothread_client *c)
{
	to_client(c)->count[PUBLISH]++;
}

static bool on_sleep(struct iothread_client *c)
{
	struct client *client = to_client(c);

	client->count[SLEEP]++;
	if (!client->late)
		return false;
	client->late--;
	client->work++;
	return true;
}

static const struct iothread_ops ops = {
	.start = on_start,
	.run = on_run,
	.flush = on_flush,
	.publish = on_publish,
	.sleep = on_sleep,
};

static const struct iothread_ops bare_ops = {
	.run = on_run,
};

static void setup(void)
{
	memset(clients, 0, sizeof(clients));
	ck_assert_int_eq(iothread_new(&thread, "lkvm/vda.q0"), 0);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i].client.ops = i == CLIENTS - 1 ? &bare_ops : &ops;
		clients[i].client.fd = event_new();
		ck_assert_int_eq(iothread_add(thread, &clients[i].client), 0);
	}
}

static void teardown(void)
{
	iothread_stop(thread);
	iothread_free(thread);
	for (unsigned int i = 0; i < CLIENTS; i++)
		close(clients[i].client.fd);
}

static void start(void)
{
	ck_assert_int_eq(iothread_start(thread), 0);
}

static void add_work(void *arg)
{
	struct client *c = arg;

	c->work++;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* --- calls --------------------------------------------------------------- */

static pthread_t called_on;

static void note_thread(void *arg)
{
	called_on = pthread_self();
	*(unsigned int *)arg += 1;
}

START_TEST(test_call)
{
	unsigned int n = 0;
	pthread_t worker = pthread_self();

	/* Not started: at once, here. */
	iothread_call(thread, note_thread, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert(pthread_equal(called_on, pthread_self()));
	start();
	for (unsigned int i = 2; i < 500; i++) {
		iothread_call(thread, note_thread, &n);
		expect(n == i);
		expect(!pthread_equal(called_on, pthread_self()));
		worker = i == 2 ? called_on : worker;
		expect(pthread_equal(called_on, worker));
	}
	iothread_stop(thread);
	iothread_call(thread, note_thread, &n);
	ck_assert(pthread_equal(called_on, pthread_self()));
}
END_TEST

static unsigned int calls, inside;

static void count_call(void *arg)
{
	(void)arg;
	expect(!inside);
	inside++;
	calls++;
	inside--;
}

static void *caller(void *arg)
{
	unsigned int n = test_scale(3000);

	(void)arg;
	for (unsigned int i = 0; i < n; i++)
		iothread_call(thread, count_call, NULL);
	return NULL;
}

/* From many threads at once, with the thread idle or busy. */
START_TEST(test_call_from_many)
{
	pthread_t callers[8];

	calls = 0;
	clients[0].busy = _i;
	start();
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&callers[i], NULL, caller,
						NULL),
				 0);
	for (unsigned int i = 0; i < 8; i++)
		pthread_join(callers[i], NULL);
	ck_assert_uint_eq(calls, 8 * test_scale(3000));
}
END_TEST

struct counted_post {
	struct iothread_post post;	/* first: found from it */
	unsigned int left;
};

static unsigned int posts_over;

/* May be posted again as soon as it runs. */
static void count_post(struct iothread_post *post)
{
	struct counted_post *p = (struct counted_post *)post;

	count_call(NULL);
	if (--p->left)
		iothread_post(thread, post);
	else
		write_once(&posts_over, posts_over + 1);
}

/* Nobody waits for a post, which runs once, on the thread, between two turns. */
START_TEST(test_post)
{
	struct counted_post posts[8];
	unsigned int n = test_scale(3000);

	calls = 0;
	posts_over = 0;
	clients[0].busy = _i;
	start();
	for (unsigned int i = 0; i < 8; i++) {
		posts[i] = (struct counted_post){ { count_post, NULL }, n };
		iothread_post(thread, &posts[i].post);
	}
	for (unsigned int i = 0; i < 10000 && read_once(&posts_over) < 8; i++)
		usleep(1000);
	ck_assert_uint_eq(read_once(&posts_over), 8);
	iothread_stop(thread);
	ck_assert_uint_eq(calls, 8 * n);
}
END_TEST

/* --- turns --------------------------------------------------------------- */

struct look {
	const struct client *client;
	unsigned int done;
};

/* On the thread, whose memory it is. */
static void look_done(void *arg)
{
	struct look *look = arg;

	look->done = look->client->done;
}

static unsigned int done_of(struct client *c)
{
	struct look look = { c, 0 };

	iothread_call(thread, look_done, &look);
	return look.done;
}

static void wait_done(struct client *c, unsigned int n)
{
	for (unsigned int i = 0; i < 20000 && done_of(c) < n; i++)
		usleep(1000);
	ck_assert_uint_eq(done_of(c), n);
}

/* Only the client whose fd was signalled runs, on the thread. */
START_TEST(test_wakes_one)
{
	start();
	for (unsigned int i = 0; i < 100; i++) {
		iothread_call(thread, add_work, &clients[i % CLIENTS]);
		event_signal(clients[i % CLIENTS].client.fd);
		wait_done(&clients[i % CLIENTS], i / CLIENTS + 1);
	}
	iothread_stop(thread);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		ck_assert_uint_eq(clients[i].client.wakeups, 25);
		ck_assert(!pthread_equal(clients[i].ran_on, pthread_self()));
	}
}
END_TEST

/* A kick before the start is not forgotten. */
START_TEST(test_kick_before_start)
{
	clients[2].work = 1;
	event_signal(clients[2].client.fd);
	start();
	wait_done(&clients[2], 1);
}
END_TEST

/* The order of a turn; clients without a callback do not mind. */
START_TEST(test_turn)
{
	clients[0].work = 3;
	start();
	wait_done(&clients[0], 3);
	iothread_stop(thread);
	ck_assert_uint_eq(clients[0].count[START], 1);
	ck_assert_uint_ge(clients[0].count[RUN], 4);
	ck_assert_uint_ge(clients[0].count[SLEEP], 1);
	/* All are flushed and published, with work or not. */
	ck_assert_uint_eq(clients[1].count[FLUSH], clients[0].count[FLUSH]);
	ck_assert_uint_eq(clients[1].count[PUBLISH],
			  clients[0].count[PUBLISH]);
	ck_assert_uint_eq(clients[3].count[FLUSH], 0);
	ck_assert_uint_ge(iothread_stats(thread)->turns, 3);
}
END_TEST

/* What slips in while the wake-up is re-armed is done without one. */
START_TEST(test_work_found_by_sleep)
{
	clients[1].late = 5;
	start();
	wait_done(&clients[1], 5);
	iothread_stop(thread);
	ck_assert_uint_eq(clients[1].client.wakeups, 0);
}
END_TEST

/* Idle is asleep. */
START_TEST(test_idle_sleeps)
{
	struct timespec cpu;
	clockid_t clock;
	u64 sleeps;

	start();
	iothread_call(thread, note_thread, &calls);
	usleep(2000);
	sleeps = __atomic_load_n(&iothread_stats(thread)->sleeps,
				 __ATOMIC_RELAXED);
	usleep(50000);
	ck_assert_uint_le(__atomic_load_n(&iothread_stats(thread)->sleeps,
					  __ATOMIC_RELAXED) - sleeps, 1);
	ck_assert_int_eq(pthread_getcpuclockid(called_on, &clock), 0);
	clock_gettime(clock, &cpu);
	ck_assert_int_eq(cpu.tv_sec, 0);
}
END_TEST

static void *kicker(void *arg)
{
	struct client *c = arg;

	for (unsigned int i = 0; i < test_scale(3000); i++) {
		iothread_call(thread, add_work, c);
		event_signal(c->client.fd);
	}
	return NULL;
}

/* Work and wake-ups from all sides: none is lost. */
START_TEST(test_kicks_from_many)
{
	pthread_t kickers[CLIENTS];

	start();
	for (unsigned int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&kickers[i], NULL, kicker,
						&clients[i]),
				 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_join(kickers[i], NULL);
	for (unsigned int i = 0; i < CLIENTS; i++)
		wait_done(&clients[i], test_scale(3000));
}
END_TEST

/* 40 fds ready at once: none is passed over. */
START_TEST(test_many_fds)
{
	static struct client many[40];

	memset(many, 0, sizeof(many));
	for (unsigned int i = 0; i < 40; i++) {
		many[i].client.ops = &ops;
		many[i].client.fd = event_new();
		many[i].work = 1;
		ck_assert_int_eq(iothread_add(thread, &many[i].client), 0);
		event_signal(many[i].client.fd);
	}
	start();
	for (unsigned int i = 0; i < 40; i++)
		wait_done(&many[i], 1);
	iothread_stop(thread);
	for (unsigned int i = 0; i < 40; i++)
		close(many[i].client.fd);
}
END_TEST

/* --- one for all --------------------------------------------------------- */

static bool heard;

static bool take_one(struct iothread_client *c)
{
	(void)c;
	return 1;
}

static bool always(struct iothread_client *c)
{
	(void)c;
	usleep(1000);
	return true;
}

static bool hear(struct iothread_client *c)
{
	(void)c;
	write_once(&heard, true);
	return false;
}

static bool never(struct iothread_client *c)
{
	(void)c;
	return false;
}

static const struct iothread_ops greedy_ops[] = {
	{ .take = take_one, .sleep = never },
	{ .run = always },
	{ .sleep = always },	/* as an AIO context that polls */
};

static const struct iothread_ops modest_ops = {
	.take = hear,
	.sleep = never,
};

/* A client that is never idle does not keep the others from being heard. */
START_TEST(test_nobody_starves)
{
	struct iothread_client greedy = { .ops = &greedy_ops[_i] };
	struct iothread_client modest = { .ops = &modest_ops };
	struct iothread *t;

	greedy.fd = event_new();
	modest.fd = event_new();
	ck_assert_int_eq(iothread_new(&t, "greedy"), 0);
	ck_assert_int_eq(iothread_add(t, &greedy), 0);
	ck_assert_int_eq(iothread_add(t, &modest), 0);
	ck_assert_int_eq(iothread_start(t), 0);
	event_signal(greedy.fd);
	usleep(20000);
	write_once(&heard, false);
	event_signal(modest.fd);
	for (unsigned int i = 0; i < 2000 && !read_once(&heard); i++)
		usleep(1000);
	ck_assert(read_once(&heard));
	iothread_stop(t);
	iothread_free(t);
	close(greedy.fd);
	close(modest.fd);
}
END_TEST

/* --- polling ------------------------------------------------------------- */

/* A guest that sets a flag, and kicks or not. */
struct guest {
	struct iothread_client client;	/* first: found from it */
	bool offered;
	unsigned int taken;
	unsigned int armed;		/* sleep() ran so often */
	u64 patience;			/* asked for each time */
	bool resting;
	unsigned int slow_us;		/* what a look in vain takes */
	unsigned int looks;		/* in vain */
};

static bool guest_take(struct iothread_client *c)
{
	struct guest *g = (struct guest *)c;

	c->resting = read_once(&g->resting);
	if (!read_once(&g->offered)) {
		write_once(&g->looks, g->looks + 1);
		if (read_once(&g->slow_us))
			usleep(read_once(&g->slow_us));
		return false;
	}
	write_once(&g->offered, false);
	__atomic_store_n(&g->taken, g->taken + 1, __ATOMIC_RELEASE);
	return true;
}

static bool guest_sleep(struct iothread_client *c)
{
	struct guest *g = (struct guest *)c;

	c->patience = read_once(&g->patience);
	write_once(&g->armed, g->armed + 1);
	return read_once(&g->offered);
}

static const struct iothread_ops guest_ops = {
	.take = guest_take,
	.sleep = guest_sleep,
};

static struct iothread *guest_start(struct guest *g,
				    const struct iothread_poll *poll)
{
	struct iothread *t;

	g->client.ops = &guest_ops;
	g->client.fd = event_new();
	ck_assert_int_eq(iothread_new(&t, "guest"), 0);
	if (poll)
		iothread_set_poll(t, poll);
	ck_assert_int_eq(iothread_add(t, &g->client), 0);
	ck_assert_int_eq(iothread_start(t), 0);
	return t;
}

static void guest_stop(struct guest *g, struct iothread *t)
{
	iothread_stop(t);
	iothread_free(t);
	close(g->client.fd);
}

/* Whether the offer is taken within 5 s; then @taken were, in all. */
static bool guest_offer(struct guest *g, bool kick, unsigned int taken)
{
	write_once(&g->offered, true);
	if (kick)
		event_signal(g->client.fd);
	for (unsigned int i = 0; i < 500000; i++) {
		if (__atomic_load_n(&g->taken, __ATOMIC_ACQUIRE) == taken)
			return true;
		usleep(10);
	}
	return false;
}

#define THREAD_STAT(t, name) read_once(&iothread_stats(t)->name)

START_TEST(test_no_poll)
{
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, NULL);

	for (unsigned int i = 1; i <= test_scale(200); i++)
		ck_assert(guest_offer(&g, true, i));
	ck_assert_uint_eq(THREAD_STAT(t, polls), 0);
	ck_assert_uint_gt(THREAD_STAT(t, wait_ns), 0);
	guest_stop(&g, t);
}
END_TEST

/* Nothing is kicked, nothing sleeps, all is found; a call and stop get in. */
START_TEST(test_poll_always)
{
	const struct iothread_poll poll = { .always = true };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);

	for (unsigned int i = 1; i <= test_scale(200); i++)
		ck_assert(guest_offer(&g, false, i));
	iothread_call(t, nothing, NULL);
	ck_assert_uint_eq(THREAD_STAT(t, sleeps), 0);
	ck_assert_uint_eq(read_once(&g.armed), 0);
	ck_assert_uint_eq(THREAD_STAT(t, turns), test_scale(200));
	/* What comes right behind the last is found by the turn that follows. */
	ck_assert_uint_gt(THREAD_STAT(t, polls_found), 0);
	ck_assert_uint_le(THREAD_STAT(t, polls_found), test_scale(200));
	ck_assert_uint_gt(THREAD_STAT(t, poll_found_ns), 0);
	guest_stop(&g, t);
}
END_TEST

/* An idle thread that polls always is seen to, while it does. */
START_TEST(test_poll_always_told)
{
	const struct iothread_poll poll = { .always = true };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);
	u64 vain = THREAD_STAT(t, poll_vain_ns);

	while (THREAD_STAT(t, poll_vain_ns) - vain < 20000000)
		usleep(1000);
	ck_assert_uint_eq(THREAD_STAT(t, sleeps), 0);
	guest_stop(&g, t);
}
END_TEST

/*
 * A look around of 1 ms is a slow machine's, where wake-ups are dear and the budget is
 * large; one of 4 ms is another thread's that needs this core, and gets it at once: then
 * there is one look in the turn behind the work, and one that ends the poll.
 */
START_TEST(test_poll_slow_looks)
{
	const struct iothread_poll poll = { .max_ns = 20000000000 };
	struct guest g = { .slow_us = _i ? 1000 : 4000 };
	struct iothread *t = guest_start(&g, &poll);
	unsigned int tries = _i ? 50 : 5, most = 0;

	/* On a busy machine 1 ms is longer, mostly. */
	for (unsigned int i = 1; i <= tries && most < 6; i++) {
		unsigned int looks = read_once(&g.looks);

		ck_assert(guest_offer(&g, true, i));
		usleep(300000);		/* longer than it rests */
		looks = read_once(&g.looks) - looks;
		if (looks > most)
			most = looks;
	}
	if (_i)
		ck_assert_uint_ge(most, 6);
	else
		ck_assert_uint_le(most, 3);
	guest_stop(&g, t);
}
END_TEST

static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* Offers that come soon make it poll; when they end, it soon ends, too. */
START_TEST(test_poll_adaptive)
{
	const struct iothread_poll poll = { .max_ns = 50000000 };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);
	u64 sleeps, polls, cpu;

	/* A machine under load, or valgrind, preempts it now and then. */
	for (unsigned int i = 1; i <= test_scale(20000); i++) {
		ck_assert(guest_offer(&g, true, i));
		if (i > 500 && THREAD_STAT(t, polls_found))
			break;
	}
	if (test_scale(100) < 100) {
		guest_stop(&g, t);
		return;		/* its turns take too long to be one's own */
	}
	ck_assert_uint_gt(THREAD_STAT(t, polls_found), 0);
	ck_assert_uint_le(THREAD_STAT(t, polls_found), THREAD_STAT(t, polls));
	usleep(100000);		/* the last poll is over */
	sleeps = THREAD_STAT(t, sleeps);
	polls = THREAD_STAT(t, polls);
	cpu = cpu_ns();
	usleep(300000);
	ck_assert_uint_lt(cpu_ns() - cpu, 30000000);
	ck_assert_uint_eq(THREAD_STAT(t, sleeps), sleeps);
	ck_assert_uint_eq(THREAD_STAT(t, polls), polls);
	guest_stop(&g, t);
}
END_TEST

/* A trial counts what all the threads of the disk served, whoever looks. */
START_TEST(test_poll_trial)
{
	struct guest guests[2] = { { .offered = false }, { .offered = false } };
	struct iothread *threads[2];
	struct poll_trial trial;
	const struct iothread_poll poll = { .max_ns = 200000, .trial = &trial };
	unsigned int n = 0;

	for (unsigned int i = 0; i < 2; i++)
		threads[i] = guest_start(&guests[i], NULL);
	poll_trial_init(&trial, threads, 2);
	for (unsigned int i = 0; i < 2; i++)
		iothread_set_poll(threads[i], &poll);
	/* On a busy machine some trials tell nothing. */
	while (!read_once(&trial.trials)) {
		ck_assert(guest_offer(&guests[0], true, ++n));
		counter_add(&guests[1].client.served, 100);
		usleep(500);
	}
	for (unsigned int i = 0; i < 2; i++)
		iothread_stop(threads[i]);
	for (unsigned int i = 0; i < 2; i++)
		guest_stop(&guests[i], threads[i]);
}
END_TEST

/* Offers that come rarely are not polled for, after the first few. */
START_TEST(test_poll_shrinks_to_zero)
{
	const struct iothread_poll poll = { .max_ns = 200000 };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);
	unsigned int n = 0;
	u64 polls;

	for (unsigned int i = 0; i < 200; i++)
		ck_assert(guest_offer(&g, true, ++n));
	for (unsigned int i = 0; i < 10; i++) {
		usleep(5000);
		ck_assert(guest_offer(&g, true, ++n));
	}
	usleep(5000);
	polls = THREAD_STAT(t, polls);
	for (unsigned int i = 0; i < 10; i++) {
		ck_assert(guest_offer(&g, true, ++n));
		usleep(5000);
	}
	ck_assert_uint_eq(THREAD_STAT(t, polls), polls);
	guest_stop(&g, t);
}
END_TEST

/* A wake-up without work, as late signals of requests that polling found, teaches nothing. */
START_TEST(test_woken_for_nothing)
{
	const struct iothread_poll poll = { .max_ns = 50000000 };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);

	for (unsigned int i = 0; i < 100; i++) {
		event_signal(g.client.fd);
		usleep(100);
	}
	iothread_call(t, nothing, NULL);
	ck_assert_uint_gt(read_once(&g.client.wakeups), 0);
	ck_assert_uint_eq(THREAD_STAT(t, polls), 0);
	guest_stop(&g, t);
}
END_TEST

/* A client that asks for it is looked after in time, with no wake-up. */
START_TEST(test_patience)
{
	struct guest g = { .patience = 1000000 };
	struct iothread *t = guest_start(&g, NULL);

	for (unsigned int i = 1; i <= 20; i++)
		ck_assert(guest_offer(&g, false, i));
	ck_assert_uint_eq(read_once(&g.client.wakeups), 0);
	guest_stop(&g, t);
}
END_TEST

/* One that wants no polling gets none, though it paid, and is looked after. */
START_TEST(test_resting)
{
	const struct iothread_poll poll = { .max_ns = 50000000 };
	struct guest g = { .offered = false };
	struct iothread *t = guest_start(&g, &poll);
	unsigned int n = 0;
	u64 polls;

	while (n < test_scale(20000)) {
		ck_assert(guest_offer(&g, true, ++n));
		if (n > 500 && THREAD_STAT(t, polls_found))
			break;
	}
	write_once(&g.resting, true);
	write_once(&g.patience, 1000000);
	ck_assert(guest_offer(&g, true, ++n));
	usleep(100000);		/* the last poll is over */
	polls = THREAD_STAT(t, polls);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert(guest_offer(&g, false, ++n));
	ck_assert_uint_eq(THREAD_STAT(t, polls), polls);
	guest_stop(&g, t);
}
END_TEST

static u64 clock_reads[3];

static bool read_clock(struct iothread_client *c)
{
	struct guest *g = (struct guest *)c;

	if (!g->offered)
		return false;
	g->offered = false;
	clock_reads[0] = iothread_now(thread);
	usleep(1000);
	clock_reads[1] = iothread_now(thread);
	return true;
}

static bool read_clock_later(struct iothread_client *c)
{
	(void)c;
	if (!clock_reads[2])
		clock_reads[2] = iothread_now(thread);
	return false;
}

static const struct iothread_ops clock_ops = {
	.take = read_clock,
	.run = read_clock_later,
};

/* One reading for a step, a new one for the next. */
START_TEST(test_clock)
{
	struct guest g = { .offered = true };

	g.client = (struct iothread_client){
		.ops = &clock_ops, .fd = -1 };
	ck_assert_int_eq(iothread_add(thread, &g.client), 0);
	start();
	iothread_call(thread, nothing, NULL);
	iothread_call(thread, nothing, NULL);
	iothread_stop(thread);
	ck_assert_uint_gt(clock_reads[0], 0);
	ck_assert_uint_eq(clock_reads[0], clock_reads[1]);
	ck_assert_uint_ge(clock_reads[2], clock_reads[0] + 1000000);
}
END_TEST

/* --- the end ------------------------------------------------------------- */

START_TEST(test_stop_idle_and_again)
{
	iothread_stop(thread);	/* not started */
	for (unsigned int i = 0; i < test_scale(200); i++) {
		start();
		if (i % 2)
			iothread_call(thread, nothing, NULL);
		iothread_stop(thread);
		iothread_stop(thread);
	}
	ck_assert_uint_eq(clients[0].count[START], test_scale(200));
}
END_TEST

START_TEST(test_stop_while_busy)
{
	for (unsigned int i = 0; i < test_scale(200); i++) {
		clients[0].busy = true;
		start();
		if (i % 3)
			usleep(i);
		iothread_stop(thread);
	}
	/* Every turn that was begun was ended. */
	ck_assert_uint_eq(clients[0].count[RUN], clients[0].count[FLUSH]);
	ck_assert_uint_eq(clients[0].count[RUN], clients[0].count[PUBLISH]);
}
END_TEST

START_TEST(test_start_fails)
{
	clients[1].start_error = -EAGAIN;
	ck_assert_int_eq(iothread_start(thread), -EAGAIN);
	ck_assert_uint_eq(clients[2].count[START], 0);
	iothread_stop(thread);	/* it never ran */
}
END_TEST

static char thread_name[32];

static void note_name(void *arg)
{
	(void)arg;
	pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
}

START_TEST(test_name)
{
	struct iothread *t;

	start();
	iothread_call(thread, note_name, NULL);
	ck_assert_str_eq(thread_name, "lkvm/vda.q0");
	ck_assert_str_eq(iothread_name(thread), "lkvm/vda.q0");
	ck_assert_int_eq(iothread_new(&t, "lkvm/vdaa.q12345+"), 0);
	ck_assert_int_eq(iothread_start(t), 0);
	iothread_call(t, note_name, NULL);
	ck_assert_str_eq(thread_name, "lkvm/vdaa.q1234");
	iothread_stop(t);
	iothread_free(t);
}
END_TEST

START_TEST(test_find)
{
	static const struct iothread_ops other;

	ck_assert_ptr_eq(iothread_find(thread, &ops), &clients[0].client);
	ck_assert_ptr_eq(iothread_find(thread, &bare_ops), &clients[3].client);
	ck_assert_ptr_null(iothread_find(thread, &other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("iothread");
	TCase *tc = tcase_create("loop");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_call);
	tcase_add_loop_test(tc, test_call_from_many, 0, 2);
	tcase_add_loop_test(tc, test_post, 0, 2);
	tcase_add_test(tc, test_wakes_one);
	tcase_add_test(tc, test_kick_before_start);
	tcase_add_test(tc, test_turn);
	tcase_add_test(tc, test_work_found_by_sleep);
	tcase_add_test(tc, test_idle_sleeps);
	tcase_add_test(tc, test_kicks_from_many);
	tcase_add_test(tc, test_many_fds);
	tcase_add_loop_test(tc, test_nobody_starves, 0, 3);
	tcase_add_test(tc, test_no_poll);
	tcase_add_test(tc, test_poll_always);
	tcase_add_test(tc, test_poll_always_told);
	tcase_add_loop_test(tc, test_poll_slow_looks, 0, 2);
	tcase_add_test(tc, test_poll_adaptive);
	tcase_add_test(tc, test_poll_trial);
	tcase_add_test(tc, test_poll_shrinks_to_zero);
	tcase_add_test(tc, test_woken_for_nothing);
	tcase_add_test(tc, test_patience);
	tcase_add_test(tc, test_resting);
	tcase_add_test(tc, test_clock);
	tcase_add_test(tc, test_stop_idle_and_again);
	tcase_add_test(tc, test_stop_while_busy);
	tcase_add_test(tc, test_start_fails);
	tcase_add_test(tc, test_name);
	tcase_add_test(tc, test_find);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
