// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O thread's loop: turns, wake-ups, calls from other threads, its end.
 */
/* helpers: guest_ring.c */
#include "barrier.h"
#include "guest_ring.h"
#include "kvm/event.h"
#include "kvm/iothread.h"
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
	clients[0].client.ready = _i;
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
	clients[0].client.ready = true;
	start();
	wait_done(&clients[0], 3);
	iothread_stop(thread);
	ck_assert_uint_eq(clients[0].count[START], 1);
	ck_assert_uint_ge(clients[0].count[RUN], 4);
	ck_assert_uint_ge(clients[0].count[SLEEP], 1);
	/* All are flushed and published, ready or not. */
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
	clients[1].client.ready = true;
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

static unsigned int take_one(struct iothread_client *c)
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

static unsigned int hear(struct iothread_client *c)
{
	(void)c;
	write_once(&heard, true);
	return 0;
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

/*
 * A guest that has always the same number of requests in flight, on a device
 * that takes 10 us for all of them.  Time is the thread's own, so that a loaded
 * machine does not count.
 */
#define DEVICE_NS 10000

struct guest {
	struct iothread_client client;	/* first: found from it */
	unsigned int depth;
	unsigned int there;
	u64 requests;
	u64 ns;
};

static u64 own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static unsigned int guest_take(struct iothread_client *c)
{
	struct guest *g = (struct guest *)c;
	unsigned int n = g->there;

	g->there = 0;
	return n;
}

static void guest_flush(struct iothread_client *c)
{
	struct guest *g = (struct guest *)c;
	u64 end = own_ns() + DEVICE_NS;

	if (g->there)
		return;
	while (own_ns() < end)
		;
	g->there = g->depth;
	g->requests += g->depth;
}

static const struct iothread_ops guest_ops = {
	.take = guest_take,
	.flush = guest_flush,
	.sleep = always,	/* never gets there */
};

static void guest_begin(void *arg)
{
	struct guest *g = arg;

	g->requests = 0;
	g->ns = own_ns();
}

static void guest_end(void *arg)
{
	struct guest *g = arg;

	g->ns = own_ns() - g->ns;
}

/* Requests per second; nobody gathers while the host is @busy. */
static u64 guest_rate(unsigned int depth, bool busy, unsigned int us)
{
	struct guest g = { .depth = depth, .there = depth };
	struct iothread *t;

	g.client = (struct iothread_client){
		.ops = &guest_ops, .fd = -1, .ready = true, .busy = busy,
	};
	ck_assert_int_eq(iothread_new(&t, "pace"), 0);
	ck_assert_int_eq(iothread_add(t, &g.client), 0);
	ck_assert_int_eq(iothread_start(t), 0);
	iothread_call(t, guest_begin, &g);
	usleep(us);
	iothread_call(t, guest_end, &g);
	iothread_stop(t);
	iothread_free(t);
	return g.requests * 1000000000 / g.ns;
}

/* To wait for more than a guest ever has costs it a fifth at most. */
START_TEST(test_fixed_depth_pays_little)
{
	static const unsigned int depths[] = { 1, 2, 3, 4, 8 };
	u64 best = 0;

	if (test_scale(100) < 100)
		return;		/* a sanitizer's pace is no guest's */
	for (unsigned int i = 0; i < 3 && best < 80; i++) {
		u64 without = guest_rate(depths[_i], true, 30000);
		u64 percent = guest_rate(depths[_i], false, 100000) * 100 /
			      without;

		best = percent > best ? percent : best;
	}
	ck_assert_msg(best >= 80, "depth %u: %llu %% of the rate without waiting",
		      depths[_i], (unsigned long long)best);
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
		clients[0].client.ready = true;
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
	tcase_add_test(tc, test_wakes_one);
	tcase_add_test(tc, test_kick_before_start);
	tcase_add_test(tc, test_turn);
	tcase_add_test(tc, test_work_found_by_sleep);
	tcase_add_test(tc, test_idle_sleeps);
	tcase_add_test(tc, test_kicks_from_many);
	tcase_add_test(tc, test_many_fds);
	tcase_add_loop_test(tc, test_nobody_starves, 0, 3);
	tcase_add_loop_test(tc, test_fixed_depth_pays_little, 0, 5);
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
