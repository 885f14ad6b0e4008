// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims on CPUs: who sees which, and that none outlives its guest.
 */
/* helpers: disk_rig.c */
#include "claims.h"
#include "disk_rig.h"
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[40];
static struct rig_capture capture;
static struct cpu_mask all, some, seen;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/lkvm-claims.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(cpu_mask_parse(&all, "0-300"), 0);
	ck_assert_int_eq(cpu_mask_parse(&some, "0,3,299"), 0);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static int open_claims(void)
{
	int fd = claims_open(dir);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool seen_by(int fd)
{
	claims_of_others(fd, &all, &seen);
	return CPU_EQUAL_S(sizeof(seen.set), seen.set, some.set);
}

/* Two guests, even of one process, see each other's, and not their own. */
START_TEST(test_others)
{
	int a = open_claims(), b = open_claims();

	ck_assert_int_eq(claims_add(a, &some), 0);
	ck_assert(seen_by(b));
	claims_of_others(a, &all, &seen);
	ck_assert_uint_eq(cpu_mask_count(&seen), 0);
	/* Pins may coincide; then each claim counts until the last one ends. */
	ck_assert_int_eq(claims_add(b, &some), 0);
	close(a);
	a = open_claims();
	ck_assert(seen_by(a));
	close(b);
	claims_of_others(a, &all, &seen);
	ck_assert_uint_eq(cpu_mask_count(&seen), 0);
	close(a);
}
END_TEST

/* Only CPUs that are asked about. */
START_TEST(test_some)
{
	int a = open_claims(), b = open_claims();
	struct cpu_mask few;

	ck_assert_int_eq(claims_add(a, &some), 0);
	ck_assert_int_eq(cpu_mask_parse(&few, "3-5"), 0);
	claims_of_others(b, &few, &seen);
	ck_assert_uint_eq(cpu_mask_count(&seen), 1);
	ck_assert(cpu_mask_has(&seen, 3));
	close(a);
	close(b);
}
END_TEST

START_TEST(test_killed)
{
	int fd = open_claims(), ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		int own = claims_open(dir);

		if (own < 0 || claims_add(own, &some) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert(seen_by(fd));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	claims_of_others(fd, &all, &seen);
	ck_assert_uint_eq(cpu_mask_count(&seen), 0);
	close(fd);
}
END_TEST

/* Who may not write to the file sees and claims all the same. */
START_TEST(test_read_only)
{
	char path[64];
	int a = open_claims(), b;

	snprintf(path, sizeof(path), "%s/" CLAIMS_FILE, dir);
	ck_assert_int_eq(chmod(path, 0444), 0);
	ck_assert_int_eq(chmod(dir, 0555), 0);
	ck_assert_int_eq(claims_add(a, &some), 0);
	b = open_claims();
	ck_assert(seen_by(b));
	ck_assert_int_eq(claims_add(b, &some), 0);
	close(a);
	close(b);
}
END_TEST

/* Interrupts are claimed apart from CPUs, and until the end. */
START_TEST(test_irqs)
{
	int a = open_claims(), b = open_claims();

	ck_assert_int_eq(claims_add_irq(a, 3), 0);
	ck_assert(claims_has_irq(b, 3));
	ck_assert(!claims_has_irq(a, 3) && !claims_has_irq(b, 4));
	claims_of_others(b, &all, &seen);
	ck_assert_uint_eq(cpu_mask_count(&seen), 0);
	close(a);
	ck_assert(!claims_has_irq(b, 3));
	close(b);
}
END_TEST

/* One chooses while the other waits, but not for ever. */
START_TEST(test_turns)
{
	int a = open_claims(), b = open_claims();

	rig_capture_start(&capture);
	claims_begin(a);
	rig_capture_end(&capture);
	ck_assert_str_eq(capture.text, "");
	rig_capture_start(&capture);
	claims_begin(b);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "warning", CLAIMS_FILE ": another process keeps it locked",
			"same CPUs");
	claims_end(b);
	claims_end(a);
	rig_capture_start(&capture);
	claims_begin(b);
	claims_end(b);
	rig_capture_end(&capture);
	ck_assert_str_eq(capture.text, "");
	close(a);
	close(b);
	/* What cannot be locked. */
	rig_capture_start(&capture);
	claims_begin(-1);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "warning", CLAIMS_FILE ": Bad file descriptor");
}
END_TEST

START_TEST(test_nowhere)
{
	char path[64];

	ck_assert_int_eq(claims_open("/nonexistent/lkvm"), -ENOENT);
	/* A link in its place is not followed. */
	snprintf(path, sizeof(path), "%s/" CLAIMS_FILE, dir);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(claims_open(dir), -ELOOP);
}
END_TEST

/* The common one, else the user's own; and why is always the common one's matter. */
START_TEST(test_found)
{
	const char *nowhere = "/nonexistent/lkvm";
	char path[64];
	int fd, why;

	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", nowhere, 1), 0);
	fd = claims_find(dir, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(why, 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/" CLAIMS_FILE, dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(claims_find(dir, &why), -ELOOP);
	ck_assert_int_eq(why, -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
	fd = claims_find(nowhere, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(why, -ENOENT);
	close(fd);
	ck_assert_int_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
	ck_assert_int_eq(claims_find(nowhere, &why), -ENOENT);
}
END_TEST

static Suite *claims_suite(void)
{
	Suite *suite = suite_create("claims");
	TCase *tc = tcase_create("claims");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_others);
	tcase_add_test(tc, test_some);
	tcase_add_test(tc, test_killed);
	tcase_add_test(tc, test_read_only);
	tcase_add_test(tc, test_irqs);
	tcase_add_test(tc, test_turns);
	tcase_add_test(tc, test_nowhere);
	tcase_add_test(tc, test_found);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(claims_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
