// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM-HV asks of a host's cores, and the sizes of page tables.
 */
/* helpers: ../../powerpc/core.c */
#include "powerpc/spapr.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define CPUS 3

static char dir[] = "/tmp/lkvm-test-cpus-XXXXXX";

static void path_of(char *path, size_t size, unsigned int cpu, const char *end)
{
	snprintf(path, size, "%s/cpu%u%s", dir, cpu, end);
}

static void set_siblings(unsigned int cpu, const char *list)
{
	char path[128];
	FILE *file;

	path_of(path, sizeof(path), cpu, "");
	mkdir(path, 0700);
	path_of(path, sizeof(path), cpu, "/topology");
	mkdir(path, 0700);
	path_of(path, sizeof(path), cpu, "/topology/thread_siblings_list");
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s\n", list);
	fclose(file);
}

static void clean(void)
{
	static const char *const ends[] = {
		"/topology/thread_siblings_list", "/topology", "",
	};
	char path[128];

	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < 3; i++) {
			path_of(path, sizeof(path), cpu * 8, ends[i]);
			remove(path);
		}
	rmdir(dir);
}

START_TEST(test_smt)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(spapr_check_smt(dir), 0);	/* nobody tells */
	set_siblings(0, "0");
	set_siblings(8, "8");
	ck_assert_int_eq(spapr_check_smt(dir), 0);
	set_siblings(16, "16-23");
	ck_assert_int_eq(spapr_check_smt(dir), -EBUSY);
	set_siblings(16, "16,20");
	ck_assert_int_eq(spapr_check_smt(dir), -EBUSY);
	set_siblings(16, "16");
	ck_assert_int_eq(spapr_check_smt(dir), 0);
	clean();
}
END_TEST

/* Documentation/virt/kvm/api.rst: 18 to 46; 1/128 to 1/64 of memory. */
START_TEST(test_hpt_shift)
{
	ck_assert_uint_eq(spapr_hpt_shift(16 * MIB), 18);
	ck_assert_uint_eq(spapr_hpt_shift(64 * MIB), 19);
	ck_assert_uint_eq(spapr_hpt_shift(65 * MIB), 20);
	ck_assert_uint_eq(spapr_hpt_shift(2048 * MIB), 24);
	ck_assert_uint_eq(spapr_hpt_shift(1ULL << 60), 46);
}
END_TEST

/* A group of 128 bytes for each page of real mode. */
START_TEST(test_hpt_shift_min)
{
	static const u64 pages[] = { 4096, 65536 };

	for (unsigned int i = 0; i < 2; i++)
		for (u64 mem = 16 * MIB; mem < 1ULL << 40; mem += mem / 3) {
			u64 first = mem < 1024 * MIB ? mem : 1024 * MIB;
			u32 shift = spapr_hpt_shift_min(mem, pages[i]);

			ck_assert_uint_ge(shift, 18);
			ck_assert_uint_ge((1ULL << shift) / 128, first / pages[i]);
			if (shift > 18)
				ck_assert_uint_lt((1ULL << (shift - 1)) / 128,
						  first / pages[i]);
		}
	/* With 64 KiB there is something to give up, with 4 KiB not. */
	ck_assert_uint_lt(spapr_hpt_shift_min(2048 * MIB, 65536),
			  spapr_hpt_shift(2048 * MIB));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spapr core");
	TCase *tc = tcase_create("core");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_smt);
	tcase_add_test(tc, test_hpt_shift);
	tcase_add_test(tc, test_hpt_shift_min);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
