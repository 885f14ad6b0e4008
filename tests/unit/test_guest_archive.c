// SPDX-License-Identifier: GPL-2.0-only
/*
 * The archive for a guest that runs a command, read as Linux reads it (init/initramfs.c),
 * and what guest/orders.c makes of it.
 */
#include "guest_archive.h"
#include "guest_files.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER 110

static char *archive;
static size_t size, at;

struct file {
	const char *name;
	const char *data;
	unsigned long mode, size;
};

static unsigned long field(unsigned int i)
{
	char digits[9] = "";

	memcpy(digits, archive + at + 6 + 8 * i, 8);
	return strtoul(digits, NULL, 16);
}

static struct file next_file(void)
{
	struct file f;
	size_t name_size;

	ck_assert_uint_eq(at % 4, 0);
	ck_assert_uint_le(at + HEADER, size);
	ck_assert_mem_eq(archive + at, "070701", 6);
	name_size = field(11);
	f.mode = field(1);
	f.size = field(6);
	f.name = archive + at + HEADER;
	ck_assert_uint_eq(field(4), 1);
	ck_assert_uint_eq(strlen(f.name) + 1, name_size);
	at = (at + HEADER + name_size + 3) & ~3ul;
	f.data = archive + at;
	at = (at + f.size + 3) & ~3ul;
	ck_assert_uint_le(at, size);
	return f;
}

static void build(const struct guest_spec *spec)
{
	ck_assert_int_eq(guest_archive_build(spec, &archive, &size), 0);
	at = 0;
}

/* What @text is followed by in @f, each string with its NUL. */
static void expect_orders(const struct file *f, const char *text, size_t len)
{
	ck_assert_uint_eq(f->size, len);
	ck_assert_mem_eq(f->data, text, len);
}

START_TEST(test_files)
{
	char program[1003];
	char *argv[] = { "true", NULL };
	struct guest_spec spec = { .argv = argv, .init = program };
	struct file f;

	memset(program, 0xa5, sizeof(program));
	spec.init_size = sizeof(program) - (size_t)_i;
	build(&spec);
	f = next_file();
	ck_assert_str_eq(f.name, "lkvm");
	ck_assert_uint_eq(f.mode, S_IFDIR | 0755);
	f = next_file();
	ck_assert_str_eq(f.name, "lkvm/init");
	ck_assert_uint_eq(f.mode, S_IFREG | 0755);
	ck_assert_uint_eq(f.size, spec.init_size);
	ck_assert_mem_eq(f.data, program, f.size);
	f = next_file();
	ck_assert_str_eq(f.name, "lkvm/orders");
	ck_assert_uint_eq(f.mode, S_IFREG | 0600);
	f = next_file();
	ck_assert_str_eq(f.name, "TRAILER!!!");
	ck_assert_uint_eq(at, size);	/* what follows is aligned */
	free(archive);
}
END_TEST

#define ENVIRONMENT "ePATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0eHOME=/root\0"

START_TEST(test_orders)
{
	char *argv[] = { "a b", "", "\"'\\$", "\n\t", "\xc3\xa4", "aa", NULL };
	struct guest_spec spec = { .argv = argv, .init = "", .init_size = 0 };
	static const char plain[] = "aa b\0a\0a\"'\\$\0a\n\t\0a\xc3\xa4\0aaa\0" ENVIRONMENT;
	static const char all[] = "aa b\0a\0a\"'\\$\0a\n\t\0a\xc3\xa4\0aaa\0" ENVIRONMENT
				  "eTERM=xterm\0r/dev/vda\0o\0f\0w24 80\0";
	struct file f;

	build(&spec);
	next_file();
	next_file();
	f = next_file();
	expect_orders(&f, plain, sizeof(plain) - 1);
	free(archive);

	spec.term = "xterm";
	spec.root = "/dev/vda";
	spec.root_readonly = spec.fed = true;
	spec.rows = 24;
	spec.columns = 80;
	build(&spec);
	next_file();
	next_file();
	f = next_file();
	expect_orders(&f, all, sizeof(all) - 1);
	free(archive);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest archive");
	TCase *tc = tcase_create("guest archive");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, test_files, 0, 4);
	tcase_add_test(tc, test_orders);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
