// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a bzImage, and what all kernels have in common: synthetic files, good
 * ones and every way of being bad that we could think of.  A bad one must give
 * an error, one message that names the option, and no access outside memory.
 */
#include "boot_x86.h"
#include "x86/boot.h"
#include <sys/stat.h>

/* The synthetic bzImage: 1 + 1 setup sectors, then the kernel. */
#define BZ_SETUP 1024u
#define BZ_KERNEL 4096u
#define BZ_SIZE (BZ_SETUP + BZ_KERNEL)
#define BZ_PREF (16 * MIB)
#define BZ_INIT_SIZE (20 * MIB)

/* Offsets in file and zero page: Documentation/x86/boot.rst */
enum {
	HDR_SETUP_SECTS = 0x1f1, HDR_SYSSIZE = 0x1f4, HDR_JUMP_LEN = 0x201,
	HDR_MAGIC = 0x202, HDR_VERSION = 0x206, HDR_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211, HDR_RAMDISK = 0x218, HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMDLINE = 0x228, HDR_INITRD_MAX = 0x22c, HDR_ALIGN = 0x230,
	HDR_RELOCATABLE = 0x234, HDR_XLOADFLAGS = 0x236, HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF = 0x258, HDR_INIT_SIZE = 0x260, ZP_RSDP = 0x70,
	ZP_EXT_RAMDISK = 0xc0, ZP_E820_N = 0x1e8, ZP_E820 = 0x2d0,
};

static u8 bz[BZ_SIZE];

static void put16(u8 *p, u16 v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(u8 *p, u64 v)
{
	memcpy(p, &v, sizeof(v));
}

static void make_bzimage(void)
{
	for (unsigned int i = 0; i < BZ_KERNEL; i++)
		bz[BZ_SETUP + i] = i ^ i >> 8;
	bz[HDR_SETUP_SECTS] = BZ_SETUP / 512 - 1;
	put32(bz + HDR_SYSSIZE, BZ_KERNEL / 16);
	bz[HDR_JUMP_LEN] = 0x6a;
	memcpy(bz + HDR_MAGIC, "HdrS", 4);
	put16(bz + HDR_VERSION, 0x20f);
	bz[HDR_LOADFLAGS] = 1;
	put32(bz + HDR_INITRD_MAX, 0x7fffffff);
	put32(bz + HDR_ALIGN, 2 * MIB);
	bz[HDR_RELOCATABLE] = 1;
	put16(bz + HDR_XLOADFLAGS, 1);
	put32(bz + HDR_CMDLINE_SIZE, 2047);
	put64(bz + HDR_PREF, BZ_PREF);
	put32(bz + HDR_INIT_SIZE, BZ_INIT_SIZE);
}

static void setup(void)
{
	rig_setup();
	make_bzimage();
}

static void load_bz_ok(void)
{
	write_file(kernel_path, bz, sizeof(bz));
	load_ok();
}

static void load_bz_fails(int err, const char *option, const char *hint)
{
	write_file(kernel_path, bz, sizeof(bz));
	load_fails(err, option, hint);
}

START_TEST(test_bz_good)
{
	u64 zp = X86_ZERO_PAGE_ADDR;

	load_bz_ok();
	ck_assert(entry.long_mode);
	ck_assert_uint_eq(entry.rip, BZ_PREF + 0x200);
	ck_assert_uint_eq(entry.rsi, zp);
	ck_assert_mem_eq(guest(BZ_PREF), bz + BZ_SETUP, BZ_KERNEL);
	ck_assert_uint_eq(guest32(zp + HDR_CMDLINE), X86_CMDLINE_ADDR);
	ck_assert_str_eq((char *)guest(X86_CMDLINE_ADDR), "console=ttyS0");
	ck_assert_uint_eq(*guest(zp + HDR_LOADER), 0xff);
	ck_assert_uint_eq(*guest(zp + HDR_LOADFLAGS) & 1, 1);
	ck_assert_uint_eq(guest32(zp + HDR_RAMDISK_SIZE), 0);
	ck_assert_uint_eq(guest64(zp + ZP_RSDP), X86_ACPI_ADDR);
	ck_assert_uint_eq(guest32(zp + HDR_INIT_SIZE), BZ_INIT_SIZE);
}
END_TEST

START_TEST(test_bz_tables)
{
	u64 pml4 = X86_PAGE_TABLES_ADDR;

	load_bz_ok();
	ck_assert_uint_eq(guest64(pml4), (pml4 + 0x1000) | 3);
	ck_assert_uint_eq(guest64(pml4 + 8), 0);
	ck_assert_uint_eq(guest64(pml4 + 0x1000 + 3 * 8), (pml4 + 0x5000) | 3);
	ck_assert_uint_eq(guest64(pml4 + 0x1000 + 4 * 8), 0);
	for (u64 i = 0; i < 2048; i++)
		ck_assert_uint_eq(guest64(pml4 + 0x2000 + i * 8),
				  i << 21 | 0x83);
	ck_assert_uint_eq(guest64(X86_GDT_ADDR + 0x10), 0x00af9b000000ffff);
	ck_assert_uint_eq(guest64(X86_GDT_ADDR + 0x18), 0x00cf93000000ffff);
}
END_TEST

/* acpi_rsdp_addr came with 2.14; before it the bytes had other meanings. */
START_TEST(test_bz_old_protocol)
{
	put16(bz + HDR_VERSION, 0x20d);
	load_bz_ok();
	ck_assert_uint_eq(guest64(X86_ZERO_PAGE_ADDR + ZP_RSDP), 0);
}
END_TEST

/* Only the header goes to the zero page: not what is before or after it. */
START_TEST(test_bz_zero_page_clean)
{
	memset(bz, 0xa5, HDR_SETUP_SECTS);
	memset(bz + HDR_MAGIC + 0x6a, 0xa5, BZ_SETUP - HDR_MAGIC - 0x6a);
	memset(guest(X86_ZERO_PAGE_ADDR), 0x5a, 4096);
	load_bz_ok();
	ck_assert_uint_eq(*guest(X86_ZERO_PAGE_ADDR), 0);
	ck_assert_uint_eq(*guest(X86_ZERO_PAGE_ADDR + 0x1ef), 0);
	ck_assert_uint_eq(*guest(X86_ZERO_PAGE_ADDR + 0x280), 0);
	ck_assert_uint_eq(*guest(X86_ZERO_PAGE_ADDR + 0xfff), 0);
}
END_TEST

/* What a signed kernel has after its last unit is not kernel. */
START_TEST(test_bz_signature)
{
	static u8 file[BZ_SIZE + 512];

	memset(file, 0xee, sizeof(file));
	memcpy(file, bz, BZ_SIZE);
	write_file(kernel_path, file, sizeof(file));
	load_ok();
	ck_assert_uint_eq(*guest(BZ_PREF + BZ_KERNEL), 0);
}
END_TEST

START_TEST(test_bz_partial_unit)
{
	write_file(kernel_path, bz, BZ_SIZE - 15);
	load_ok();
	write_file(kernel_path, bz, BZ_SIZE - 16);
	load_fails(-ENODATA, kernel_path, "truncated");
}
END_TEST

static const u32 bz_cuts[] = {
	HDR_MAGIC + 4, HDR_VERSION, HDR_XLOADFLAGS, HDR_INIT_SIZE,
	HDR_INIT_SIZE + 4, 0x26b, BZ_SETUP - 1, BZ_SETUP, BZ_SETUP + 1,
	BZ_SETUP + 0x200, BZ_SIZE / 2,
};

START_TEST(test_bz_truncated)
{
	write_file(kernel_path, bz, bz_cuts[_i]);
	load_fails(-ENODATA, "--kernel", "truncated");
}
END_TEST

/* Too short to be recognised. */
START_TEST(test_bz_stub)
{
	static const u32 cuts[] = { 1, 2, 0x1f1, HDR_MAGIC, HDR_MAGIC + 3 };

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_file(kernel_path, bz, cuts[i]);
		load_fails(-ENOEXEC, "--kernel", "not a kernel");
	}
}
END_TEST

static const struct bad_field {
	u32 offset, size;
	u64 value;
	int err;
	const char *hint;
} bad_fields[] = {
	{ HDR_SETUP_SECTS, 1, 0xff, -ENODATA, "truncated" },
	{ HDR_SETUP_SECTS, 1, 0, 0, NULL },	/* 4 sectors: in the kernel */
	{ HDR_SYSSIZE, 4, 0xffffffff, -ENODATA, "truncated" },
	{ HDR_SYSSIZE, 4, 0, -ENOEXEC, "damaged" },
	{ HDR_SYSSIZE, 4, 0x20, -ENOEXEC, "damaged" },
	{ HDR_VERSION, 2, 0x20b, -ENOEXEC, "64-bit" },
	{ HDR_VERSION, 2, 0, -ENOEXEC, "64-bit" },
	{ HDR_XLOADFLAGS, 2, 0, -ENOEXEC, "64-bit" },
	{ HDR_JUMP_LEN, 1, 0, -ENOEXEC, "64-bit" },
	{ HDR_JUMP_LEN, 1, 0x61, -ENOEXEC, "64-bit" },
	{ HDR_JUMP_LEN, 1, 0xff, 0, NULL },
	{ HDR_PREF, 8, 0, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, X86_ACPI_ADDR, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, X86_LOW_RAM_END, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, X86_HIGH_RAM, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, ~0ULL, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, ~0ULL - 0xfff, -ENOEXEC, "damaged" },
	{ HDR_PREF, 8, X86_KERNEL_ADDR, 0, NULL },
	{ HDR_PREF, 8, 63 * MIB, -ENOMEM, "--mem" },
	{ HDR_INIT_SIZE, 4, 0xffffffff, -ENOEXEC, "damaged" },
	{ HDR_INIT_SIZE, 4, 48 * MIB, 0, NULL },
	{ HDR_INIT_SIZE, 4, 48 * MIB + 1, -ENOMEM, "--mem" },
	{ HDR_INIT_SIZE, 4, 0, 0, NULL },
};

START_TEST(test_bz_bad_field)
{
	const struct bad_field *f = &bad_fields[_i];

	put32(bz + HDR_SYSSIZE, (BZ_KERNEL - 2048) / 16);
	memcpy(bz + f->offset, &f->value, f->size);
	if (f->err)
		load_bz_fails(f->err, "--kernel", f->hint);
	else
		load_bz_ok();
}
END_TEST

START_TEST(test_cmdline)
{
	static char line[2049];

	memset(line, 'x', 2047);
	boot.cmdline = line;
	load_bz_ok();
	ck_assert_str_eq((char *)guest(X86_CMDLINE_ADDR), line);
	line[2047] = 'x';
	load_bz_fails(-E2BIG, "--params", "2047");
	boot.cmdline = NULL;
	load_bz_ok();
	ck_assert_str_eq((char *)guest(X86_CMDLINE_ADDR), "");
}
END_TEST

/* A kernel that takes more than our place for it. */
START_TEST(test_cmdline_huge)
{
	static char line[X86_CMDLINE_MAX + 1];

	put32(bz + HDR_CMDLINE_SIZE, 0xffffffff);
	memset(line, 'x', X86_CMDLINE_MAX - 1);
	boot.cmdline = line;
	load_bz_ok();
	line[X86_CMDLINE_MAX - 1] = 'x';
	load_bz_fails(-E2BIG, "--params", "65535");
}
END_TEST

static const struct placement {
	u64 mem, initrd;
	u32 initrd_max;
	u16 xloadflags;
	u64 addr;	/* 0: does not fit */
} placements[] = {
	/* at the end of memory */
	{ 64 * MIB, 5000, 0x7fffffff, 1, 64 * MIB - 8192 },
	{ 64 * MIB, 4096, 0x7fffffff, 1, 64 * MIB - 4096 },
	{ 64 * MIB + 512, 4096, 0x7fffffff, 1, 64 * MIB - 4096 },
	/* exactly above the kernel; one page more goes nowhere */
	{ 64 * MIB, 28 * MIB, 0x7fffffff, 1, 36 * MIB },
	{ 64 * MIB, 28 * MIB + 1, 0x7fffffff, 1, 0 },
	/* only below the kernel */
	{ 36 * MIB, 5 * MIB, 0x7fffffff, 1, 11 * MIB },
	{ 36 * MIB, 15 * MIB, 0x7fffffff, 1, 1 * MIB },
	{ 36 * MIB, 15 * MIB + 1, 0x7fffffff, 1, 0 },
	{ 64 * MIB, 64 * MIB, 0x7fffffff, 1, 0 },
	{ 64 * MIB, 65 * MIB, 0x7fffffff, 1, 0 },
	/* the kernel's limit */
	{ 64 * MIB, 4096, 48 * MIB - 1, 1, 48 * MIB - 4096 },
	{ 64 * MIB, 4096, 10 * MIB - 1, 1, 10 * MIB - 4096 },
	{ 64 * MIB, 4096, 20 * MIB - 1, 1, 16 * MIB - 4096 },
	{ 64 * MIB, 4096, 0, 1, 0 },
	{ 3 * GIB, 4096, 0x7fffffff, 1, 2 * GIB - 4096 },
	{ 3 * GIB, 4096, 0xffffffff, 1, 3 * GIB - 4096 },
	{ 8 * GIB, 4096, 0x7fffffff, 1, 2 * GIB - 4096 },
	/* no limit */
	{ 3 * GIB, 4096, 0x7fffffff, 3, 3 * GIB - 4096 },
	{ 8 * GIB, 4096, 0x7fffffff, 3, 9 * GIB - 4096 },
	/* not into the small high region: into the low one */
	{ 3 * GIB + MIB, 2 * MIB, 0x7fffffff, 3, 3 * GIB - 2 * MIB },
};

START_TEST(test_initrd_place)
{
	const struct placement *p = &placements[_i];
	u64 zp = X86_ZERO_PAGE_ADDR, addr, size;

	unmap_memory();
	map_memory(p->mem);
	write_sparse(initrd_path, p->initrd);
	boot.initrd = initrd_path;
	put32(bz + HDR_INITRD_MAX, p->initrd_max);
	put16(bz + HDR_XLOADFLAGS, p->xloadflags);
	if (!p->addr) {
		load_bz_fails(-ENOMEM, "--initrd", "--mem");
		return;
	}
	load_bz_ok();
	addr = guest32(zp + HDR_RAMDISK) |
	       (u64)guest32(zp + ZP_EXT_RAMDISK) << 32;
	size = guest32(zp + HDR_RAMDISK_SIZE) |
	       (u64)guest32(zp + ZP_EXT_RAMDISK + 4) << 32;
	ck_assert_uint_eq(addr, p->addr);
	ck_assert_uint_eq(size, p->initrd);
	ck_assert_mem_eq(guest(addr), "start", 5);
}
END_TEST

/* lkvm's own archive goes first; alone, it is the initrd. */
START_TEST(test_initrd_archive)
{
	u64 zp = X86_ZERO_PAGE_ADDR, addr;

	boot.archive = "archive!";
	boot.archive_size = 8;
	if (_i) {
		write_sparse(initrd_path, 5000);
		boot.initrd = initrd_path;
	}
	load_bz_ok();
	addr = guest32(zp + HDR_RAMDISK);
	ck_assert_uint_eq(guest32(zp + HDR_RAMDISK_SIZE), _i ? 5008 : 8);
	ck_assert_uint_eq(addr % 4096, 0);
	ck_assert_mem_eq(guest(addr), "archive!start", _i ? 13 : 8);
}
END_TEST

START_TEST(test_initrd_bad)
{
	boot.initrd = initrd_path;
	load_bz_fails(-ENOENT, "--initrd", "No such file");
	write_file(initrd_path, "", 0);
	load_bz_fails(-ENODATA, "--initrd", "empty");
	boot.initrd = dir;
	load_bz_fails(-EISDIR, "--initrd", "directory");
}
END_TEST

struct e820 {
	u64 addr, size;
	u32 type;
} __attribute__((packed));

/* Ascending, apart, and RAM is exactly what guest memory has, less 9fc00.. */
static void check_e820(u64 size)
{
	struct e820 e[16];
	u64 ram = 0, end = 0;
	u8 n;

	unmap_memory();
	map_memory(size);
	load_bz_ok();
	n = *guest(X86_ZERO_PAGE_ADDR + ZP_E820_N);
	ck_assert_uint_le(n, 16);
	memcpy(e, guest(X86_ZERO_PAGE_ADDR + ZP_E820), n * sizeof(e[0]));
	for (int i = 0; i < n; i++) {
		ck_assert_uint_ge(e[i].addr, end);
		end = e[i].addr + e[i].size;
		if (e[i].type != 1)
			continue;
		ram += e[i].size;
		ck_assert_ptr_nonnull(guest_ptr(&mem, e[i].addr, e[i].size));
		ck_assert(e[i].addr >= MIB || end <= X86_EBDA_ADDR);
	}
	ck_assert_uint_eq(ram, size - (MIB - X86_EBDA_ADDR));
}

START_TEST(test_e820)
{
	check_e820(64 * MIB);
	check_e820(3 * GIB - MIB);
	check_e820(3 * GIB);
	check_e820(3 * GIB + MIB);
	check_e820(4 * GIB);
	check_e820(16 * GIB);	/* valgrind maps no more than 32 */
}
END_TEST

START_TEST(test_e820_reserved)
{
	struct boot_range r[BOOT_RANGES_MAX];
	unsigned int n = boot_memory_map(&mem, r);

	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(r[1].addr, X86_EBDA_ADDR);
	ck_assert_uint_eq(r[1].addr + r[1].size, MIB);
	ck_assert_uint_eq(r[1].type, BOOT_RANGE_RESERVED);
	ck_assert_uint_eq(r[3].addr, X86_ECAM_ADDR);
	ck_assert_uint_eq(r[3].size, MIB);
	ck_assert_uint_eq(r[3].type, BOOT_RANGE_RESERVED);
}
END_TEST

START_TEST(test_small_memory)
{
	unmap_memory();
	map_memory(MIB);
	load_bz_fails(-ENOMEM, "--mem", "64M");
	unmap_memory();
	map_memory(32 * MIB);
	load_bz_fails(-ENOMEM, "--mem", "36 MiB");
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *hint;
} not_kernels[] = {
	{ "hello, world", 12, "bzImage" },
	{ "\x1f\x8b\x08", 3, "gzip" },
	{ "\xfd" "7zXZ", 5, "xz" },
	{ "\x28\xb5\x2f\xfd", 4, "zstd" },
	{ "070701", 6, "--initrd" },
	{ "QFI\xfb", 4, "qcow2" },
	{ "#!/bin/sh", 9, "script" },
	{ "MZ", 2, "EFI" },
	{ "\x7f" "ELF\1\1\1", 7, "an ELF file" },
};

START_TEST(test_not_a_kernel)
{
	write_file(kernel_path, not_kernels[_i].bytes, not_kernels[_i].len);
	load_fails(-ENOEXEC, kernel_path, "not a kernel");
	load_fails(-ENOEXEC, "--kernel", not_kernels[_i].hint);
}
END_TEST

START_TEST(test_kernel_file)
{
	load_fails(-ENOENT, "--kernel", "No such file");
	write_file(kernel_path, "", 0);
	load_fails(-ENODATA, "--kernel", "empty");
	ck_assert_int_eq(unlink(kernel_path), 0);
	ck_assert_int_eq(mkfifo(kernel_path, 0600), 0);
	load_fails(-EINVAL, "--kernel", "regular file");
	boot.kernel = dir;
	load_fails(-EISDIR, "--kernel", "directory");
	boot.kernel = "/dev/null";
	load_fails(-EINVAL, "--kernel", "regular file");
	boot.kernel = NULL;
	load_fails(-EINVAL, "--kernel", "not given");
}
END_TEST

START_TEST(test_kernel_unreadable)
{
	write_file(kernel_path, bz, sizeof(bz));
	ck_assert_int_eq(chmod(kernel_path, 0), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	snprintf(errors_path, sizeof(errors_path), "/tmp/lkvm-boot.%d",
		 (int)getpid());
	load_fails(-EACCES, "--kernel", "readable");
	unlink(errors_path);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* No descriptor is left open, whether it works or fails. */
START_TEST(test_no_fd_leak)
{
	int fd = dup(0), again;

	close(fd);
	write_file(initrd_path, "x", 1);
	boot.initrd = initrd_path;
	load_bz_ok();
	boot.initrd = "/nonexistent";
	load_bz_fails(-ENOENT, "--initrd", "check the path");
	again = dup(0);
	ck_assert_int_eq(again, fd);
	close(again);
}
END_TEST

static void add_bz_tests(Suite *suite)
{
	TCase *tc = tcase_create("bzImage");

	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, test_bz_good);
	tcase_add_test(tc, test_bz_tables);
	tcase_add_test(tc, test_bz_old_protocol);
	tcase_add_test(tc, test_bz_zero_page_clean);
	tcase_add_test(tc, test_bz_signature);
	tcase_add_test(tc, test_bz_partial_unit);
	tcase_add_loop_test(tc, test_bz_truncated, 0, COUNT(bz_cuts));
	tcase_add_test(tc, test_bz_stub);
	tcase_add_loop_test(tc, test_bz_bad_field, 0, COUNT(bad_fields));
	tcase_add_test(tc, test_cmdline);
	tcase_add_test(tc, test_cmdline_huge);
	tcase_add_loop_test(tc, test_initrd_place, 0, COUNT(placements));
	suite_add_tcase(suite, tc);
}

static void add_common_tests(Suite *suite)
{
	TCase *tc = tcase_create("common");

	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_loop_test(tc, test_initrd_archive, 0, 2);
	tcase_add_test(tc, test_initrd_bad);
	tcase_add_test(tc, test_e820);
	tcase_add_test(tc, test_e820_reserved);
	tcase_add_test(tc, test_small_memory);
	tcase_add_loop_test(tc, test_not_a_kernel, 0, COUNT(not_kernels));
	tcase_add_test(tc, test_kernel_file);
	tcase_add_test(tc, test_kernel_unreadable);
	tcase_add_test(tc, test_no_fd_leak);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("boot");

	add_bz_tests(suite);
	add_common_tests(suite);
	return run_suite(suite);
}
