// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of the console without a terminal: input that is fed by lines,
 * and the memory of what was printed.
 */
#include "kvm/console.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct vm vm;
static int input;		/* where the user writes */
static char got[8192];		/* what the guest got */
static size_t ngot, room;

static size_t on_room(void *ctx)
{
	(void)ctx;
	return room;
}

static void on_input(void *ctx, const u8 *data, size_t len)
{
	(void)ctx;
	ck_assert_uint_le(len, room);
	ck_assert_uint_lt(ngot + len, sizeof(got));
	memcpy(got + ngot, data, len);
	ngot += len;
	got[ngot] = 0;
	room -= len;
}

static const struct console_ops ops = { .room = on_room, .input = on_input };

static void setup(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	input = ends[1];
	fcntl(input, F_SETFD, FD_CLOEXEC);
	memset(&vm, 0, sizeof(vm));
	vm.end_fd = event_new();
	ngot = 0;
	got[0] = 0;
	room = sizeof(got);
}

static void open_console(const char *spec)
{
	ck_assert_int_eq(console_new(&vm.console, &vm, spec), 0);
}

/* As the main loop does until nothing more happens. */
static void serve(void)
{
	bool any = true;

	while (any) {
		any = false;
		for (unsigned int i = 0; i < vm.nwatches; i++) {
			const struct vm_watch *w = &vm.watch[i];
			struct pollfd p = { .fd = w->fd, .events = w->events };

			if (!w->events || poll(&p, 1, 0) != 1)
				continue;
			w->ready(w->ctx);
			any = true;
		}
	}
}

static void type(const char *text, size_t len)
{
	ck_assert_int_eq(write(input, text, len), (ssize_t)len);
}

static void want(void)
{
	console_want_input(vm.console);
	serve();
}

/* Nothing before it is asked for, all bytes as they are, the end as often as wanted. */
START_TEST(test_fed)
{
	open_console("stdio");
	ck_assert(console_feed(vm.console));
	console_connect(vm.console, &ops, NULL);
	type("a\0\x01\xffz", 5);
	serve();
	ck_assert_uint_eq(ngot, 0);
	want();
	ck_assert_str_eq(got, "610001ff7a\n");
	type("b", 1);
	serve();
	ck_assert_str_eq(got, "610001ff7a\n");
	want();
	ck_assert_str_eq(got, "610001ff7a\n62\n");
	close(input);
	serve();
	ck_assert_str_eq(got, "610001ff7a\n62\n");
	want();
	ck_assert_str_eq(got, "610001ff7a\n62\n\n");
	want();
	ck_assert_str_eq(got, "610001ff7a\n62\n\n\n");
	console_free(vm.console);
}
END_TEST

/* A line that does not fit at once goes on when there is room. */
START_TEST(test_fed_slowly)
{
	char data[2000], want_got[2 * 512 + 2] = "";

	open_console("stdio");
	ck_assert(console_feed(vm.console));
	console_connect(vm.console, &ops, NULL);
	memset(data, 'A', sizeof(data));
	type(data, sizeof(data));
	room = 0;
	want();
	for (unsigned int i = 0; i < 1030; i++) {
		room = 1;
		console_kick(vm.console);
		serve();
	}
	for (unsigned int i = 0; i < 512; i++)
		strcat(want_got, "41");
	strcat(want_got, "\n");
	ck_assert_str_eq(got, want_got);
	console_free(vm.console);
}
END_TEST

/* Where there is no input at all, there is its end. */
START_TEST(test_fed_nothing)
{
	open_console("none");
	ck_assert(console_feed(vm.console));
	console_connect(vm.console, &ops, NULL);
	want();
	ck_assert_str_eq(got, "\n");
	console_free(vm.console);
}
END_TEST

/* Who is not fed gets what comes, and asking changes nothing. */
START_TEST(test_typed)
{
	open_console("stdio");
	console_connect(vm.console, &ops, NULL);
	type("ls\n", 3);
	want();
	ck_assert_str_eq(got, "ls\n");
	close(input);
	want();
	ck_assert_str_eq(got, "ls\n");
	console_free(vm.console);
}
END_TEST

START_TEST(test_last_output)
{
	char text[600], line[32];

	open_console("none");
	console_last_output(vm.console, text, sizeof(text));
	ck_assert_str_eq(text, "");
	console_write(vm.console, (const u8 *)"hello", 5);
	console_last_output(vm.console, text, sizeof(text));
	ck_assert_str_eq(text, "hello");
	console_last_output(vm.console, text, 3);
	ck_assert_str_eq(text, "lo");
	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %03u\n", i);
		console_write(vm.console, (const u8 *)line, 9);
	}
	console_last_output(vm.console, text, sizeof(text));
	ck_assert_uint_eq(strlen(text), sizeof(text) - 1);
	ck_assert_str_eq(text + sizeof(text) - 1 - 18, "line 998\nline 999\n");
	console_free(vm.console);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console");
	TCase *tc = tcase_create("console");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_fed);
	tcase_add_test(tc, test_fed_slowly);
	tcase_add_test(tc, test_fed_nothing);
	tcase_add_test(tc, test_typed);
	tcase_add_test(tc, test_last_output);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
