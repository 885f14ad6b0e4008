/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of kernel loading share: guest memory, kernel files in a
 * directory of their own, and loading with a look at what it prints.  The machine
 * is the includer's: map_memory() and rig_load().
 */
#ifndef LKVM_TESTS_BOOT_RIG_H
#define LKVM_TESTS_BOOT_RIG_H

#include "arch.h"
#include "kvm/memory.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static char dir[32];
static char kernel_path[64], initrd_path[64], errors_path[64];
static struct guest_memory mem;
static struct boot_spec boot;

/* Memory as on the machine, @size bytes of it. */
static void map_memory(u64 size);
/* Load @boot to @mem. */
static int rig_load(void);

static inline u8 *guest(u64 gpa)
{
	u8 *p = guest_ptr(&mem, gpa, 1);

	ck_assert_ptr_nonnull(p);
	return p;
}

static inline u32 guest32(u64 gpa)
{
	u32 v;

	memcpy(&v, guest(gpa), sizeof(v));
	return v;
}

static inline u64 guest64(u64 gpa)
{
	u64 v;

	memcpy(&v, guest(gpa), sizeof(v));
	return v;
}

/* @size bytes for all regions; the caller lays them out. */
static inline void map_host(u64 size)
{
	mem.base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(mem.base, MAP_FAILED);
	mem.size = size;
}

static inline void unmap_memory(void)
{
	munmap(mem.base, mem.size);
	mem.base = NULL;
}

static inline void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void write_sparse(const char *path, u64 len)
{
	write_file(path, "start", 5);
	ck_assert_int_eq(truncate(path, len), 0);
}

static inline void rig_setup(void)
{
	strcpy(dir, "/tmp/lkvm-boot.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(kernel_path, sizeof(kernel_path), "%s/kernel", dir);
	snprintf(initrd_path, sizeof(initrd_path), "%s/initrd", dir);
	snprintf(errors_path, sizeof(errors_path), "%s/errors", dir);
	map_memory(64 * MIB);
	boot = (struct boot_spec){
		.kernel = kernel_path,
		.cmdline = "console=ttyS0",
	};
}

static inline void rig_teardown(void)
{
	char cmd[64];

	unmap_memory();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static inline void load_ok(void)
{
	ck_assert_int_eq(rig_load(), 0);
}

/* As rig_load(); what it prints is one line, in @line, or with 0 nothing. */
static inline int load_line(char line[1024])
{
	int saved = dup(STDERR_FILENO), got;
	FILE *f;

	ck_assert_ptr_nonnull(freopen(errors_path, "w+", stderr));
	got = rig_load();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	f = fopen(errors_path, "r");
	ck_assert_ptr_nonnull(f);
	if (got)
		ck_assert_ptr_nonnull(fgets(line, 1024, f));
	ck_assert_msg(!fgets(line, 1024, f), "one line more: %s", line);
	fclose(f);
	return got;
}

/* Fails with @err and one line that has @option and @hint in it. */
static inline void load_fails(int err, const char *option, const char *hint)
{
	char line[1024];

	ck_assert_int_eq(load_line(line), err);
	ck_assert_msg(strstr(line, option) && strstr(line, hint),
		      "no %s and %s in: %s", option, hint, line);
}

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
