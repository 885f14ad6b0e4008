// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command lines: what is taken, and that whatever is wrong is one line that
 * names the option, the value and what would be right.
 */
/* helpers: disk_rig.c */
#include "disk_rig.h"
#include "options.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool flag, quiet;
static const char *string;
static unsigned int number;
static u64 size;
static unsigned int ncalls;
static const char *last_call;
static int call_error;
static struct rig_capture capture;

static int on_call(void *ctx, const char *text)
{
	*(unsigned int *)ctx += 1;
	last_call = text;
	return call_error;
}

static int on_size(void *ctx, const char *text)
{
	return parse_size(text, ctx) ? 0 : -EINVAL;
}

static const struct option_spec specs[] = {
	{ .letter = 'v', .name = "verbose", .kind = OPTION_FLAG, .value = &flag,
	  .help = "say more" },
	{ .letter = 'q', .name = "quiet", .kind = OPTION_FLAG, .value = &quiet,
	  .help = "say less" },
	{ .letter = 'k', .name = "kernel", .kind = OPTION_STRING,
	  .value = &string, .arg = "FILE", .help = "kernel" },
	{ .letter = 'c', .name = "cpus", .kind = OPTION_UINT, .value = &number,
	  .min = 1, .max = 64, .arg = "N", .help = "vCPUs" },
	{ .letter = 'm', .name = "mem", .kind = OPTION_CALL, .value = &size,
	  .arg = "SIZE", .help = "memory", .call = on_size },
	{ .letter = 'd', .name = "disk", .kind = OPTION_CALL,
	  .value = &ncalls, .arg = "PATH", .help = "disk", .call = on_call },
	{ .name = "timeout", .kind = OPTION_UINT, .value = &number, .min = 1,
	  .max = 0xffffffff, .arg = "SECONDS", .help = "end after" },
	{ .name = NULL },
};

static void setup(void)
{
	flag = quiet = false;
	string = NULL;
	number = 0;
	size = 0;
	ncalls = 0;
	last_call = NULL;
	call_error = 0;
}

/* "run" and up to 7 words; what options_parse() returns. */
#define parse(...) \
	parse_words((const char *const[]){ "run", ##__VA_ARGS__, NULL })

static int parse_words(const char *const *words)
{
	static char *argv[16];
	int argc = 0;

	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	argv[argc] = NULL;
	return options_parse(specs, "run", argc, argv);
}

/* Refused, with one line that has all of the strings in it. */
#define expect_refused(result, ...)                          \
	do {                                                 \
		int result_;                                 \
		rig_capture_start(&capture);                 \
		result_ = result;                            \
		rig_capture_end(&capture);                   \
		ck_assert_int_lt(result_, 0);                \
		rig_expect_line(&capture, __VA_ARGS__);      \
	} while (0)

/* --- options ------------------------------------------------------------- */

START_TEST(test_nothing)
{
	ck_assert_int_eq(parse(), 1);
	ck_assert(!flag);
}
END_TEST

START_TEST(test_long_options)
{
	ck_assert_int_eq(parse("--verbose", "--kernel", "a b", "--cpus=4",
			       "--mem", "512M"),
			 7);
	ck_assert(flag && !quiet);
	ck_assert_str_eq(string, "a b");
	ck_assert_uint_eq(number, 4);
	ck_assert_uint_eq(size, 512u << 20);
}
END_TEST

START_TEST(test_short_options)
{
	ck_assert_int_eq(parse("-vqk", "x", "-c8", "-m", "1g"), 6);
	ck_assert(flag && quiet);
	ck_assert_str_eq(string, "x");
	ck_assert_uint_eq(number, 8);
	ck_assert_uint_eq(size, 1u << 30);
}
END_TEST

START_TEST(test_repeated_call)
{
	ck_assert_int_eq(parse("-d", "a", "--disk=b,ro", "--disk", "c"), 6);
	ck_assert_uint_eq(ncalls, 3);
	ck_assert_str_eq(last_call, "c");
}
END_TEST

START_TEST(test_call_fails)
{
	call_error = -ENOENT;
	ck_assert_int_eq(parse("--disk", "a", "--disk", "b"), -ENOENT);
	ck_assert_uint_eq(ncalls, 1);
}
END_TEST

START_TEST(test_stops_at_command)
{
	ck_assert_int_eq(parse("-v", "cmd", "-q"), 2);
	ck_assert(flag && !quiet);
	ck_assert_int_eq(parse("-v", "--", "-q"), 3);
	ck_assert(!quiet);
}
END_TEST

START_TEST(test_empty_and_odd_values)
{
	ck_assert_int_eq(parse("--kernel=--verbose"), 2);
	ck_assert_str_eq(string, "--verbose");
	ck_assert_int_eq(parse("--kernel", "-q"), 3);
	ck_assert_str_eq(string, "-q");
	ck_assert(!quiet);
}
END_TEST

START_TEST(test_numbers)
{
	static const char *const bad[] = {
		"0",   "65", "-1",   "+1",   "",    " 1", "1 ",
		"1x",  "x",  "0x10", "1.5",  "1K",  "4294967297",
		"18446744073709551617",	     "99999999999999999999999",
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_refused(parse("--cpus", bad[i]), "--cpus", bad[i], "1",
			       "64");
		ck_assert_uint_eq(number, 0);
	}
	ck_assert_int_eq(parse("--cpus", "64"), 3);
	ck_assert_uint_eq(number, 64);
	ck_assert_int_eq(parse("--cpus", "001"), 3);
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq(parse("--timeout", "4294967295"), 3);
	ck_assert_uint_eq(number, 0xffffffff);
}
END_TEST

START_TEST(test_parse_size)
{
	static const struct {
		const char *text;
		u64 bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "1k", 1024 }, { "1K", 1024 },
		{ "3m", 3u << 20 }, { "4G", 4ull << 30 }, { "2t", 2ull << 40 },
		{ "18446744073709551615", ~0ull },
		{ "16777215T", 16777215ull << 40 }, { "0T", 0 },
	};
	u64 bytes;

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert(parse_size(good[i].text, &bytes));
		ck_assert_uint_eq(bytes, good[i].bytes);
	}
	ck_assert(!parse_size("16777216T", &bytes));
	ck_assert(!parse_size("18446744073709551616", &bytes));
	ck_assert(!parse_size("", &bytes));
}
END_TEST

START_TEST(test_unknown_option)
{
	expect_refused(parse("--bogus"), "run", "unknown option", "--bogus",
		       "--help");
	expect_refused(parse("--bogus=1"), "unknown option", "--bogus");
	expect_refused(parse("-v", "-z"), "unknown option", "-z");
}
END_TEST

/* In a cluster of letters, too, the one that is unknown is named. */
START_TEST(test_unknown_letter_in_cluster)
{
	expect_refused(parse("-zv"), "unknown option", "z");
	expect_refused(parse("-vzq"), "unknown option", "z");
}
END_TEST

START_TEST(test_missing_value)
{
	expect_refused(parse("--kernel"), "run", "value", "--kernel");
	expect_refused(parse("-v", "-c"), "value", "-c");
	expect_refused(parse("-vc"), "value", "c");
}
END_TEST

/* A flag is known, but takes no value: the line must not say it is unknown. */
START_TEST(test_value_for_flag)
{
	expect_refused(parse("--verbose=yes"), "--verbose", "value");
}
END_TEST

/* A script's typo must not become another option. */
START_TEST(test_abbreviation)
{
	expect_refused(parse("--ver"), "--ver");
	expect_refused(parse("--dis", "x"), "--dis");
}
END_TEST

START_TEST(test_misspelt_option)
{
	static const struct {
		const char *typed, *meant;
	} words[] = {
		{ "--kernl", "--kernel" },	/* left out */
		{ "--kernell", "--kernel" },	/* too many */
		{ "--kermel=x", "--kernel" },	/* another */
		{ "--dsik=x", "--disk" },	/* swapped */
		{ "--verb", "--verbose" },	/* cut off */
		{ "-kernel", "--kernel" },	/* as other programs have it */
		{ "-disk", "--disk" },
	};
	char hint[64];

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(hint, sizeof(hint), "(did you mean %s?)",
			 words[i].meant);
		expect_refused(parse(words[i].typed, "x"), "unknown option",
			       words[i].typed, hint, "lkvm run --help");
	}
	expect_refused(parse("--colour"), "unknown option --colour; see");
	expect_refused(parse("--x"), "unknown option --x; see");
	expect_refused(parse("--"
			     "verbose-verbose-verbose-verbose-verbose"),
		       "verbose; see");
}
END_TEST

/* One bad value does not become two lines. */
START_TEST(test_newline_in_value)
{
	expect_refused(parse("--cpus", "1\n2"), "--cpus");
}
END_TEST

START_TEST(test_long_value)
{
	static char text[5000];

	memset(text, '7', sizeof(text) - 1);
	expect_refused(parse("--cpus", text), "--cpus", "777");
}
END_TEST

/* --- keys ---------------------------------------------------------------- */

static bool ro, locked;
static const char *serial;
static unsigned int queues;

static const struct option_spec keys[] = {
	{ .name = "queues", .kind = OPTION_UINT, .value = &queues, .min = 1,
	  .max = 256, .arg = "N" },
	{ .name = "ro", .kind = OPTION_FLAG, .value = &ro, .arg = "on|off" },
	{ .name = "lock", .kind = OPTION_FLAG, .value = &locked,
	  .arg = "on|off" },
	{ .name = "serial", .kind = OPTION_STRING, .value = &serial,
	  .arg = "TEXT" },
	{ .name = NULL },
};

static char *copy;
static const char *first;

static int parse_keys(const char *text)
{
	ro = false;
	locked = true;
	serial = NULL;
	queues = 0;
	copy = NULL;
	return options_parse_keys(keys, "--disk", text, &copy, &first);
}

#define keys_ok(text, path)                         \
	do {                                        \
		ck_assert_int_eq(parse_keys(text), 0); \
		ck_assert_str_eq(first, path);      \
	} while (0)

START_TEST(test_first_only)
{
	keys_ok("disk.img", "disk.img");
	free(copy);
	keys_ok("", "");
	free(copy);
	keys_ok("a=b", "a=b");	/* no key */
	free(copy);
}
END_TEST

START_TEST(test_all_kinds)
{
	keys_ok("d,queues=4,ro,lock=off,serial=a=b", "d");
	ck_assert_uint_eq(queues, 4);
	ck_assert(ro && !locked);
	ck_assert_str_eq(serial, "a=b");
	free(copy);
	keys_ok("d,ro=on,lock=on", "d");
	ck_assert(ro && locked);
	free(copy);
	keys_ok("d,ro=on,ro=off", "d");	/* the last one counts */
	ck_assert(!ro);
	free(copy);
}
END_TEST

/* PEERS 16: a path with a comma. */
START_TEST(test_doubled_comma)
{
	keys_ok("a,,b,ro", "a,b");
	ck_assert(ro);
	free(copy);
	keys_ok(",,a,,,,b,,", ",a,,b,");
	free(copy);
	keys_ok("a,,,ro", "a,");
	ck_assert(ro);
	free(copy);
	keys_ok("a,serial=x,,y,,,ro", "a");
	ck_assert_str_eq(serial, "x,y,");
	ck_assert(ro);
	free(copy);
}
END_TEST

/* A list of numbers is one value; the first field keeps its commas doubled. */
START_TEST(test_list_value)
{
	keys_ok("a,serial=2,4-7,9,ro", "a");
	ck_assert_str_eq(serial, "2,4-7,9");
	ck_assert(ro);
	free(copy);
	keys_ok("a,serial=1,,2,,,3", "a");
	ck_assert_str_eq(serial, "1,2,,3");
	free(copy);
	expect_refused(parse_keys("a,queues=4,8"), "queues 4,8", "256");
	expect_refused(parse_keys("a,4"), "unknown key 4");
	expect_refused(parse_keys("1,2"), "unknown key 2");
}
END_TEST

/* PEERS 16: no prefix matches, nothing unknown passes. */
START_TEST(test_unknown_key)
{
	static const char *const bad[] = { "r", "roo", "read-only", "RO",
					   "queue", "queuess", "lock ", "=" };
	char text[64];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "d,%s", bad[i]);
		expect_refused(parse_keys(text), "--disk", "unknown key",
			       strcmp(bad[i], "=") ? bad[i] : "(empty)",
			       "queues", "ro", "lock", "serial");
		ck_assert_ptr_null(copy);
	}
	expect_refused(parse_keys("d,bogus=7"), "bogus");
	expect_refused(parse_keys("d,"), "(empty)");
	expect_refused(parse_keys("d,ro,"), "(empty)");
	expect_refused(parse_keys(",ro,=x"), "(empty)");
}
END_TEST

START_TEST(test_misspelt_key)
{
	expect_refused(parse_keys("d,quees=4"), "unknown key quees",
		       "(did you mean queues?)", "there are");
	expect_refused(parse_keys("d,lokc"), "(did you mean lock?)");
	expect_refused(parse_keys("d,colour"), "unknown key colour; there are");
}
END_TEST

START_TEST(test_key_needs_value)
{
	expect_refused(parse_keys("d,queues"), "--disk", "queues=N");
	expect_refused(parse_keys("d,queues="), "--disk", "queues=N");
	expect_refused(parse_keys("d,serial="), "--disk", "serial=TEXT");
}
END_TEST

START_TEST(test_bad_key_values)
{
	expect_refused(parse_keys("d,queues=0"), "--disk", "queues", "0", "256");
	expect_refused(parse_keys("d,queues=5000"), "queues", "5000", "256");
	expect_refused(parse_keys("d,queues=two"), "queues", "two", "256");
	expect_refused(parse_keys("d,ro=yes"), "--disk", "ro", "yes",
		       "on or off");
	expect_refused(parse_keys("d,ro="), "ro", "on or off");
	expect_refused(parse_keys("d,lock=1"), "lock", "1", "on or off");
}
END_TEST

static struct option_choice choice;
static const struct option_spec choices[] = {
	{ .name = "poll", .kind = OPTION_CHOICE, .value = &choice, .min = 5,
	  .max = 100, .arg = "off|on|MAX_US" },
	{ .name = "aio", .kind = OPTION_CHOICE, .value = &choice,
	  .arg = "native|threads" },
	{ .name = NULL },
};

static int choose(const char *text)
{
	const char *first_of;
	char *text_copy;
	int err = options_parse_keys(choices, "--disk", text, &text_copy,
				     &first_of);

	free(text_copy);
	return err;
}

START_TEST(test_choice)
{
	static const struct {
		const char *text;
		struct option_choice want;
	} good[] = {
		{ "d,poll=off", { 0, 0 } },    { "d,poll=on", { 1, 0 } },
		{ "d,poll=5", { 2, 5 } },      { "d,poll=100", { 2, 100 } },
		{ "d,aio=native", { 0, 0 } },  { "d,aio=threads", { 1, 0 } },
	};

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		choice = (struct option_choice){ 9, 9 };
		ck_assert_int_eq(choose(good[i].text), 0);
		ck_assert_uint_eq(choice.index, good[i].want.index);
		ck_assert_uint_eq(choice.number, good[i].want.number);
	}
}
END_TEST

START_TEST(test_bad_choice)
{
	static const char *const bad[] = {
		"o", "offf", "of", "on|off", "MAX_US", "4", "101", "5us", "-5",
		"|", "5 ", "99999999999999999999",
	};
	char text[64];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "d,poll=%s", bad[i]);
		expect_refused(choose(text), "--disk d: poll", bad[i],
			       "give off|on|MAX_US", "from 5 to 100");
	}
	expect_refused(choose("d,aio=5"), "--disk d: aio 5",
		       "give one of native|threads");
	expect_refused(choose("d,aio="), "aio=native|threads");
	expect_refused(choose("d,aio"), "aio=native|threads");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options"), *tk = tcase_create("keys");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_nothing);
	tcase_add_test(tc, test_long_options);
	tcase_add_test(tc, test_short_options);
	tcase_add_test(tc, test_repeated_call);
	tcase_add_test(tc, test_call_fails);
	tcase_add_test(tc, test_stops_at_command);
	tcase_add_test(tc, test_empty_and_odd_values);
	tcase_add_test(tc, test_numbers);
	tcase_add_test(tc, test_parse_size);
	tcase_add_test(tc, test_unknown_option);
	tcase_add_test(tc, test_unknown_letter_in_cluster);
	tcase_add_test(tc, test_missing_value);
	tcase_add_test(tc, test_value_for_flag);
	tcase_add_test(tc, test_abbreviation);
	tcase_add_test(tc, test_misspelt_option);
	tcase_add_test(tc, test_newline_in_value);
	tcase_add_test(tc, test_long_value);
	suite_add_tcase(suite, tc);
	tcase_add_test(tk, test_first_only);
	tcase_add_test(tk, test_all_kinds);
	tcase_add_test(tk, test_doubled_comma);
	tcase_add_test(tk, test_list_value);
	tcase_add_test(tk, test_unknown_key);
	tcase_add_test(tk, test_misspelt_key);
	tcase_add_test(tk, test_key_needs_value);
	tcase_add_test(tk, test_bad_key_values);
	tcase_add_test(tk, test_choice);
	tcase_add_test(tk, test_bad_choice);
	suite_add_tcase(suite, tk);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
