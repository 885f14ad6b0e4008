// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm run without a machine: its command line, with a command for the guest and
 * without, the kernel's, and how an end becomes a status and a line.
 */
/* helpers: disk_rig.c ../../run_options.c ../../run_command.c */
#include "arch.h"
#include "commands.h"
#include "disk_rig.h"
#include "kvm/console.h"
#include "run.h"
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* guest/embed.S has the real ones. */
extern const char guest_init[];
extern const u64 guest_init_size;
const char guest_init[] = "init";
const u64 guest_init_size = 4;

static struct run run;
static struct rig_capture capture;

static void setup(void)
{
	memset(&run, 0, sizeof(run));
	run.cpus = 1;
	run.timeout = 5;
	ck_assert_int_eq(console_new(&run.vm.console, &run.vm, "none"), 0);
}

static void teardown(void)
{
	console_free(run.vm.console);
	for (unsigned int i = 0; i < run.ndrives; i++)
		drive_forget(&run.drives[i]);
	free(run.cmdline);
	free(run.archive);
	free(run.root_text);
}

/* run->command points into argv, which lives as long as the process. */
static int parse(const char *const *words)
{
	static char *argv[32];
	int argc = 0;

	while (words[argc]) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	argv[argc] = NULL;
	return run_parse(&run, argc, argv);
}
#define PARSE(...) parse((const char *const[]){ "run", __VA_ARGS__, NULL })

START_TEST(test_command)
{
	ck_assert_int_eq(PARSE("-k", "x", "--", "sh", "--", "-c", "", "-k"), 0);
	ck_assert_str_eq(run.command[0], "sh");
	ck_assert_str_eq(run.command[1], "--");
	ck_assert_str_eq(run.command[3], "");
	ck_assert_str_eq(run.command[4], "-k");
	ck_assert_ptr_null(run.command[5]);
	ck_assert_str_eq(run.kernel, "x");
}
END_TEST

START_TEST(test_no_command)
{
	ck_assert_int_eq(PARSE("-k", "x"), 0);
	ck_assert_ptr_null(run.command);
}
END_TEST

START_TEST(test_root)
{
	ck_assert_int_eq(PARSE("-k", "x", "-d", "null:1G", "--root=/dev/vda", "--", "a"), 0);
	ck_assert_str_eq(run.root, "/dev/vda");
	ck_assert(!run.root_readonly);
	ck_assert_int_eq(PARSE("-k", "x", "--root=/dev/vdb,ro", "--", "a"), 0);
	ck_assert_str_eq(run.root, "/dev/vdb");
	ck_assert(run.root_readonly);
}
END_TEST

static const struct {
	const char *words[8];
	const char *named, *remedy;
} wrong[] = {
	{ { "-k", "x", "a" }, "unexpected argument a", "behind --" },
	{ { "-k", "x", "--" }, "no command behind --", "leave out --" },
	{ { "-k", "x", "--root=/dev/vda", "--", "a" }, "--root /dev/vda", "--disk" },
	{ { "-k", "x", "-d", "null:1G", "--root=/dev/vda" }, "--root /dev/vda", "behind --" },
	{ { "-k", "x", "-d", "null:1G", "--root=vda", "--", "a" }, "--root vda", "/dev/vda" },
	{ { "-k", "x", "-d", "null:1G", "--root=/dev/vda,rw", "--", "a" }, "unknown key rw", "ro" },
	{ { "--", "a" }, "no kernel", "--kernel" },
};

START_TEST(test_wrong)
{
	const char *words[10] = { "run" };

	for (unsigned int i = 0; wrong[_i].words[i]; i++)
		words[i + 1] = wrong[_i].words[i];
	rig_capture_start(&capture);
	ck_assert_int_eq(parse(words), -EINVAL);
	rig_capture_end(&capture);
	rig_expect_line(&capture, wrong[_i].named, wrong[_i].remedy, "");
}
END_TEST

static const struct {
	const char *params;
	bool verbose, command;
	const char *before, *after;	/* of the architecture's console */
} cmdlines[] = {
	{ NULL, false, false, "", "" },
	{ "a  b=\"c d\"", false, false, "a  b=\"c d\" ", "" },
	{ "a", false, true, "a ", " loglevel=1 panic=-1 rdinit=/lkvm/init" },
	{ NULL, false, true, "", " loglevel=1 panic=-1 rdinit=/lkvm/init" },
	{ NULL, true, true, "", " panic=-1 rdinit=/lkvm/init" },
	{ "panic=0", false, true, "panic=0 ", " loglevel=1 rdinit=/lkvm/init" },
	{ "xpanic=0", false, true, "xpanic=0 ", " loglevel=1 panic=-1 rdinit=/lkvm/init" },
	{ "loglevel=7", false, true, "loglevel=7 ", " panic=-1 rdinit=/lkvm/init" },
	{ "x debug y", false, true, "x debug y ", " panic=-1 rdinit=/lkvm/init" },
	{ "quiet", false, true, "quiet ", " panic=-1 rdinit=/lkvm/init" },
	{ "debugger", false, true, "debugger ", " loglevel=1 panic=-1 rdinit=/lkvm/init" },
	{ "ignore_loglevel", false, true, "ignore_loglevel ", " panic=-1 rdinit=/lkvm/init" },
	/* Words behind a lone "--" are not the kernel's, but init's. */
	{ "a -- b", false, true, "a ", " loglevel=1 panic=-1 rdinit=/lkvm/init -- b" },
	{ "a -- console=x panic=1 debug", false, true, "a ", " loglevel=1 panic=-1 rdinit=/lkvm/init -- console=x panic=1 debug" },
	{ "--", false, false, "", " --" },
	{ "-- -- b", false, false, "", " -- -- b" },
	{ "a\t--\tb", false, false, "a\t ", " --\tb" },
	{ "a--  --b b=-- c", false, false, "a--  --b b=-- c ", "" },
	{ "a=\"b -- c\" -- d", false, false, "a=\"b -- c\" ", " -- d" },
};

START_TEST(test_cmdline)
{
	char *command[] = { "a", NULL };
	char want[256];

	run.params = cmdlines[_i].params;
	run.verbose = cmdlines[_i].verbose;
	run.command = cmdlines[_i].command ? command : NULL;
	ck_assert_int_eq(run_make_cmdline(&run), 0);
	snprintf(want, sizeof(want), "%s%s%s", cmdlines[_i].before,
		 arch_console_param, cmdlines[_i].after);
	ck_assert_str_eq(run.cmdline, want);
}
END_TEST

START_TEST(test_cmdline_with_console)
{
	run.params = "console=tty7 x";
	ck_assert_int_eq(run_make_cmdline(&run), 0);
	ck_assert_str_eq(run.cmdline, "console=tty7 x");
	free(run.cmdline);
	run.params = "console=tty7  -- x ";
	ck_assert_int_eq(run_make_cmdline(&run), 0);
	ck_assert_str_eq(run.cmdline, "console=tty7  -- x ");
}
END_TEST

/* Only a guest that runs a command gets an archive. */
START_TEST(test_archive)
{
	char *command[] = { "a", NULL };

	ck_assert_int_eq(run_prepare_command(&run), 0);
	ck_assert_ptr_null(run.archive);
	run.command = command;
	ck_assert_int_eq(run_prepare_command(&run), 0);
	ck_assert_uint_gt(run.archive_size, 0);
	ck_assert_uint_eq(run.archive_size % 4, 0);
}
END_TEST

static const char banner[] = "\r\n[ 1.0] Kernel panic - not syncing: x\r\n\r\n";

static const struct {
	enum vm_end end;
	int detail;
	bool panicked, command;
	int status;
	const char *said;	/* NULL: nothing */
} ends[] = {
	{ VM_POWEROFF, 0, false, false, 0, NULL },
	{ VM_RESET, 0, false, false, 0, NULL },
	{ VM_RESET, 0, true, false, 127, "the guest kernel panicked" },
	{ VM_PANIC, 0, false, false, 127, "the guest kernel panicked" },
	{ VM_DIED, 0, false, false, 126, NULL },	/* told where it was seen */
	{ VM_SIGNAL, SIGTERM, false, false, 143, NULL },
	{ VM_HOST_ERROR, EIO, false, false, 125, NULL },
	{ VM_TIMEOUT, 0, false, false, 124, "--timeout 5: the guest was still running" },
	{ VM_EXITED, 0, false, true, 0, NULL },
	{ VM_EXITED, 1, false, true, 1, NULL },
	{ VM_EXITED, 123, false, true, 123, NULL },
	{ VM_EXITED, 124, false, true, 124, "status 124 is that of cmd in the guest" },
	{ VM_EXITED, 127, false, true, 127, "status 127 is that of cmd in the guest" },
	{ VM_EXITED, 255, false, true, 255, "status 255 is that of cmd in the guest" },
	{ VM_KILLED, SIGKILL, false, true, 137, "cmd was killed in the guest by signal 9" },
	{ VM_NOT_RUN, ENOENT, false, true, 125, "cmd was not run" },
	{ VM_NOT_RUN, 0, false, true, 125, "cmd was not run" },
	{ VM_POWEROFF, 0, false, true, 126, "the guest powered off before cmd had ended" },
	{ VM_RESET, 0, false, true, 126, "the guest rebooted before cmd had ended" },
	{ VM_RESET, 0, true, true, 127, "the guest kernel panicked" },
	{ VM_PANIC, 0, false, true, 127, "the guest kernel panicked" },
	{ VM_SIGNAL, SIGINT, false, true, 130, NULL },
};

START_TEST(test_end)
{
	char *command[] = { "cmd", "arg", NULL };

	run.command = ends[_i].command ? command : NULL;
	if (ends[_i].panicked)
		console_write(run.vm.console, (const u8 *)banner, sizeof(banner) - 1);
	ck_assert_int_eq(run_status(&run, ends[_i].end, ends[_i].detail),
			 ends[_i].status);
	rig_capture_start(&capture);
	run_tell_end(&run, ends[_i].end, ends[_i].detail);
	rig_capture_end(&capture);
	if (ends[_i].said)
		rig_expect_line(&capture, ends[_i].said, "", "");
	else
		ck_assert_str_eq(capture.text, "");
}
END_TEST

/* A hang: the last three lines that have something in them. */
START_TEST(test_timeout_tells_last_lines)
{
	static const char text[] = "one\r\ntwo\n\nthree\r\n\r\n[ 1.0] Kernel panic - not syncing: x\n\r\n";

	console_write(run.vm.console, (const u8 *)text, sizeof(text) - 1);
	rig_capture_start(&capture);
	run_tell_end(&run, VM_TIMEOUT, 0);
	rig_capture_end(&capture);
	ck_assert_str_eq(capture.text,
			 "lkvm: --timeout 5: the guest was still running, its kernel had panicked\n"
			 "lkvm: the guest last printed: two\n"
			 "lkvm: the guest last printed: three\n"
			 "lkvm: the guest last printed: [ 1.0] Kernel panic - not syncing: x\n");
	ck_assert_int_eq(run_status(&run, VM_TIMEOUT, 0), EXIT_TIMED_OUT);
}
END_TEST

/* A guest may print any byte. */
START_TEST(test_timeout_tells_what_follows_zero)
{
	static const char text[] = "\0one\0\0two\n\0three\n";

	console_write(run.vm.console, (const u8 *)text, sizeof(text) - 1);
	rig_capture_start(&capture);
	run_tell_end(&run, VM_TIMEOUT, 0);
	rig_capture_end(&capture);
	ck_assert_str_eq(capture.text,
			 "lkvm: --timeout 5: the guest was still running\n"
			 "lkvm: the guest last printed: one\n"
			 "lkvm: the guest last printed: two\n"
			 "lkvm: the guest last printed: three\n");
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	Suite *s = suite_create("run");
	TCase *tc = tcase_create("run");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_command);
	tcase_add_test(tc, test_no_command);
	tcase_add_test(tc, test_root);
	tcase_add_loop_test(tc, test_wrong, 0, COUNT(wrong));
	tcase_add_loop_test(tc, test_cmdline, 0, COUNT(cmdlines));
	tcase_add_test(tc, test_cmdline_with_console);
	tcase_add_test(tc, test_archive);
	tcase_add_loop_test(tc, test_end, 0, COUNT(ends));
	tcase_add_test(tc, test_timeout_tells_last_lines);
	tcase_add_test(tc, test_timeout_tells_what_follows_zero);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
