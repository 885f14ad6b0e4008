// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual terminal: what the user types reaches the guest, whole and in
 * order, and what vCPUs send the user.
 */
/* helpers: fake_console.c fake_event.c guest_ring.c ../../powerpc/hvcons.c */
#include "fake_console.h"
#include "fake_event.h"
#include "guest_ring.h"
#include "powerpc/spapr.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct console con;
static struct hvcons *hv;
static int irq_fd;

static void open_with(int fd)
{
	memset(&con, 0, sizeof(con));
	ck_assert_int_eq(hvcons_new(&hv, &con, fd), 0);
	ck_assert_ptr_nonnull(con.ops);
}

static void setup(void)
{
	irq_fd = event_new();
	open_with(irq_fd);
}

static void teardown(void)
{
	hvcons_free(hv);
	close(irq_fd);
}

static size_t room(void)
{
	return con.ops->room(con.ctx);
}

static void type(const char *text)
{
	con.ops->input(con.ctx, (const u8 *)text, strlen(text));
}

static void expect_get(const char *text)
{
	u8 data[16];
	size_t n = hvcons_get(hv, data);

	ck_assert_uint_eq(n, strlen(text));
	ck_assert_mem_eq(data, text, n);
}

START_TEST(test_output)
{
	hvcons_put(hv, (const u8 *)"hello, ", 7);
	hvcons_put(hv, (const u8 *)"", 0);
	hvcons_put(hv, (const u8 *)"world\0!", 7);
	ck_assert_uint_eq(con.nout, 14);
	ck_assert_mem_eq(con.out, "hello, world\0!", 14);
}
END_TEST

START_TEST(test_input)
{
	expect_get("");
	type("abc");
	type("def");
	expect_get("abcdef");
	expect_get("");
	type("0123456789abcdefghi");
	expect_get("0123456789abcdef");
	expect_get("ghi");
	expect_get("");
	ck_assert_uint_eq(con.nout, 0);
}
END_TEST

START_TEST(test_interrupt)
{
	ck_assert(!event_pending(irq_fd));
	type("a");
	ck_assert(event_pending(irq_fd));
	event_clear(irq_fd);
	expect_get("a");
	ck_assert(!event_pending(irq_fd));
	type("b");
	ck_assert(event_pending(irq_fd));
}
END_TEST

START_TEST(test_no_interrupt)
{
	hvcons_free(hv);
	open_with(-1);
	type("a");
	expect_get("a");
	ck_assert(!event_pending(irq_fd));
}
END_TEST

/* Linux' hvc_console.c knows Ctrl-O, and the key after it. */
START_TEST(test_break)
{
	type("x");
	event_clear(irq_fd);
	con.ops->send_break(con.ctx);
	ck_assert(event_pending(irq_fd));
	type("h");
	expect_get("x\017h");
}
END_TEST

START_TEST(test_around_the_end)
{
	size_t size = room();
	u8 next = 0, want = 0, data[16];

	ck_assert_uint_ge(size, 16);
	for (unsigned int i = 0; i < 1000; i++) {
		for (unsigned int k = 0; k < 13; k++, next++)
			con.ops->input(con.ctx, &next, 1);
		expect(hvcons_get(hv, data) == 13);
		for (unsigned int k = 0; k < 13; k++)
			expect(data[k] == want++);
		expect(room() == size);
	}
	ck_assert_uint_eq(con.kicks, 0);
}
END_TEST

/* Filled to the brim: nothing is lost, and the host hears of room, once. */
START_TEST(test_stall)
{
	size_t size = room();
	u8 data[16];

	for (size_t i = 0; i < size; i++)
		type("z");
	ck_assert_uint_eq(room(), 0);
	for (size_t got = 0; got < size; got += 16) {
		ck_assert_uint_eq(con.kicks, got >= size / 2);
		ck_assert_uint_eq(hvcons_get(hv, data), 16);
	}
	ck_assert_uint_eq(con.kicks, 1);
	expect_get("");
	ck_assert_uint_eq(room(), size);
	ck_assert_uint_eq(con.kicks, 1);
}
END_TEST

/* Nobody waits: nobody is woken. */
START_TEST(test_full_but_not_stalled)
{
	size_t size = room();
	u8 data[16];

	for (size_t i = 0; i < size; i++)
		type("z");
	while (hvcons_get(hv, data))
		;
	ck_assert_uint_eq(con.kicks, 0);
}
END_TEST

/* A break, too, may come when there is no room. */
START_TEST(test_overflow)
{
	size_t size = room(), total = 0, n;
	u8 data[16];

	for (size_t i = 0; i < size - 2; i++)
		type("z");
	type("abcdef");
	con.ops->send_break(con.ctx);
	ck_assert_uint_eq(room(), 0);
	while ((n = hvcons_get(hv, data)) > 0) {
		total += n;
		if (total == size)
			ck_assert_mem_eq(data + n - 3, "zab", 3);
	}
	ck_assert_uint_eq(total, size);
}
END_TEST

/* --- many at once -------------------------------------------------------- */

#define SENDERS 3
#define RECORD 8

static unsigned int nrecords, ninput;
static unsigned int ngot;	/* atomic */

/* Sender @arg's n-th record: letter, seven digits. */
static void *send(void *arg)
{
	char record[16];

	for (unsigned int i = 0; i < nrecords; i++) {
		snprintf(record, sizeof(record), "%c%07u",
			 (char)('A' + (intptr_t)arg), i);
		hvcons_put(hv, (u8 *)record, RECORD);
	}
	return NULL;
}

/* With @arg the only one, which sees all in order. */
static void *receive(void *arg)
{
	unsigned int got = 0;
	u8 data[16];
	size_t n;

	while (__atomic_load_n(&ngot, __ATOMIC_RELAXED) < ninput) {
		n = hvcons_get(hv, data);
		if (!n)
			sched_yield();
		for (size_t i = 0; arg && i < n; i++)
			expect(data[i] == (u8)(got++ % 251));
		__atomic_add_fetch(&ngot, (unsigned int)n, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* What console.c does: as much as there is room for, then wait for a kick. */
static void feed(void)
{
	unsigned int sent = 0, kicks = 0, now;
	u8 data[64];
	size_t n;

	while (sent < ninput) {
		n = room();
		if (!n) {
			while ((now = __atomic_load_n(&con.kicks,
						      __ATOMIC_ACQUIRE)) == kicks)
				sched_yield();
			kicks = now;
			continue;
		}
		if (n > sizeof(data))
			n = sizeof(data);
		if (n > ninput - sent)
			n = ninput - sent;
		for (size_t i = 0; i < n; i++)
			data[i] = (u8)(sent++ % 251);
		con.ops->input(con.ctx, data, n);
	}
}

/* Records are whole, and each sender's in order. */
static void check_records(void)
{
	unsigned int next[SENDERS] = { 0 };
	char want[16];

	ck_assert_uint_eq(con.nout, (size_t)SENDERS * nrecords * RECORD);
	for (size_t i = 0; i < con.nout; i += RECORD) {
		unsigned int sender = con.out[i] - 'A';

		expect(sender < SENDERS);
		snprintf(want, sizeof(want), "%c%07u", con.out[i],
			 next[sender]++);
		expect(!memcmp(con.out + i, want, RECORD));
	}
}

START_TEST(test_concurrent)
{
	unsigned int nreceivers = _i ? 3 : 1;
	pthread_t senders[SENDERS], receivers[3];

	nrecords = test_scale(20000);
	ninput = test_scale(200000);
	ngot = 0;
	for (intptr_t i = 0; i < SENDERS; i++)
		pthread_create(&senders[i], NULL, send, (void *)i);
	for (unsigned int i = 0; i < nreceivers; i++)
		pthread_create(&receivers[i], NULL, receive,
			       nreceivers == 1 ? &ngot : NULL);
	feed();
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_join(senders[i], NULL);
	for (unsigned int i = 0; i < nreceivers; i++)
		pthread_join(receivers[i], NULL);
	ck_assert_uint_eq(ngot, ninput);
	check_records();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hvcons");
	TCase *tc = tcase_create("terminal");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_output);
	tcase_add_test(tc, test_input);
	tcase_add_test(tc, test_interrupt);
	tcase_add_test(tc, test_no_interrupt);
	tcase_add_test(tc, test_break);
	tcase_add_test(tc, test_around_the_end);
	tcase_add_test(tc, test_stall);
	tcase_add_test(tc, test_full_but_not_stalled);
	tcase_add_test(tc, test_overflow);
	tcase_add_loop_test(tc, test_concurrent, 0, 2);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
