// SPDX-License-Identifier: GPL-2.0-only
/* helpers: guest_ring.c ../../powerpc/boot.c */
/*
 * Loading a kernel for POWER: synthetic ELF files of both classes and byte
 * orders, flat images, and Debian's vmlinux if it is there; whole, cut short, and
 * with each number that matters gone bad.
 */
#include "boot_rig.h"
#include "guest_ring.h"
#include "powerpc/spapr.h"
#include <elf.h>

#define PAGE 65536ULL
#define ZIMAGE_ADDR (128 * MIB)
#define FLIPS 300u		/* files, of each kind */
#define REAL_KERNEL "build/cache/linux-powerpc64le/vmlinux"

/* rtas.c is not here. */
const u8 rtas_blob[RTAS_BLOB_SIZE] = "not a whole RTAS...";

static struct spapr_boot placed;
static u64 node0;	/* bytes; 0: no nodes */

static void map_memory(u64 size)
{
	map_host(size);
	mem.nregions = 1;
	mem.region[0] = (struct guest_region){ 0, size, mem.base };
}

static int rig_load(void)
{
	int err = spapr_boot_load(&mem, &boot, &placed);

	return err || !node0 ? err : spapr_boot_check_node(&placed, node0);
}

static void remap_memory(u64 size)
{
	unmap_memory();
	map_memory(size);
}

/* --- a synthetic vmlinux ------------------------------------------------- */

#define ELF_TEXT 0x1000u	/* offset of the text */
#define TEXT_SIZE 1000u
#define ELF_SIZE (ELF_TEXT + TEXT_SIZE)
#define TEXT_MEM 5000u
#define BSS (2 * MIB)		/* behind the text's address */
#define BSS_SIZE MIB
#define ENTRY 0x10u

static u8 elf[ELF_SIZE];

#define ZIMAGE_HEAP (64 * MIB)	/* free memory behind a zImage */

static const struct kind {
	bool wide, big;
} kinds[] = {
	{ true, false }, { true, true }, { false, false }, { false, true },
};
static struct kind kind;

/* A field of the file header or of program header @n, for both classes. */
struct field {
	unsigned int at[2], size[2];
};
#define E(f) {								\
	{ offsetof(Elf32_Ehdr, f), offsetof(Elf64_Ehdr, f) },		\
	{ sizeof(((Elf32_Ehdr *)0)->f), sizeof(((Elf64_Ehdr *)0)->f) } }
#define P(n, f) {							\
	{ sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr) +		\
	  offsetof(Elf32_Phdr, f),					\
	  sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) +		\
	  offsetof(Elf64_Phdr, f) },					\
	{ sizeof(((Elf32_Phdr *)0)->f), sizeof(((Elf64_Phdr *)0)->f) } }
#define EHDR(f) ((struct field)E(f))
#define PHDR(n, f) ((struct field)P(n, f))

static void set(struct field field, u64 value)
{
	unsigned int size = field.size[kind.wide];

	for (unsigned int i = 0; i < size; i++)
		elf[field.at[kind.wide] + (kind.big ? size - 1 - i : i)] =
			value >> 8 * i;
}

static unsigned int headers_size(void)
{
	return kind.wide ? sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) :
			   sizeof(Elf32_Ehdr) + 3 * sizeof(Elf32_Phdr);
}

/* A vmlinux has its text at 0 and is linked high, a 32-bit wrapper is neither. */
static u64 text_addr(void)
{
	return kind.wide ? 0 : 4 * MIB;
}

static u64 text_virt(void)
{
	return kind.wide ? 0xc000000000000000 : text_addr();
}

static void make_segment(unsigned int n, u64 offset, u64 addr, u64 filesz,
			 u64 memsz)
{
	set(PHDR(n, p_type), PT_LOAD);
	set(PHDR(n, p_offset), offset);
	set(PHDR(n, p_vaddr), text_virt() + addr);
	set(PHDR(n, p_paddr), text_addr() + addr);
	set(PHDR(n, p_filesz), filesz);
	set(PHDR(n, p_memsz), memsz);
}

static void make_elf(struct kind k)
{
	kind = k;
	memset(elf, 0, sizeof(elf));
	memcpy(elf, ELFMAG, SELFMAG);
	elf[EI_CLASS] = kind.wide ? ELFCLASS64 : ELFCLASS32;
	elf[EI_DATA] = kind.big ? ELFDATA2MSB : ELFDATA2LSB;
	elf[EI_VERSION] = 1;
	set(EHDR(e_type), ET_EXEC);
	set(EHDR(e_machine), kind.wide ? EM_PPC64 : EM_PPC);
	set(EHDR(e_entry), text_virt() + ENTRY);
	set(EHDR(e_phoff), kind.wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	set(EHDR(e_phentsize),
	    kind.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	set(EHDR(e_phnum), 3);
	make_segment(0, ELF_TEXT, 0, TEXT_SIZE, TEXT_MEM);
	/* Nothing of it is in the file, nor need its offset be. */
	make_segment(1, ELF_SIZE + 5000, BSS, 0, BSS_SIZE);
	make_segment(2, 0, 0x7fff0000, 0x7fff0000, 0x7fff0000);
	set(PHDR(2, p_type), PT_NOTE);
	for (unsigned int i = 0; i < TEXT_SIZE; i++)
		elf[ELF_TEXT + i] = 0x80 | i;
	if (!kind.wide)		/* a zImage's wrapper */
		remap_memory(64 * MIB + ZIMAGE_HEAP);
}

static void write_elf(void)
{
	write_file(kernel_path, elf, sizeof(elf));
}

static void write_initrd(u64 size)
{
	write_sparse(initrd_path, size);
	boot.initrd = initrd_path;
}

static void setup(void)
{
	rig_setup();
	node0 = 0;
	boot.cmdline = "console=hvc0";
	make_elf(kinds[0]);
}

/* --- what must hold of every kernel that was loaded ---------------------- */

static bool is_zero(u64 from, u64 to)
{
	const u8 *p = guest(from);

	return from == to || (*p == 0 && !memcmp(p, p + 1, to - from - 1));
}

/* Aligned, in memory, apart, in reach: the kernel, its bss included, ends at @end. */
static void check_placed(u64 end)
{
	ck_assert_uint_ge(placed.fdt, end);
	ck_assert_uint_eq(placed.fdt % PAGE, 0);
	ck_assert_uint_ge(placed.rtas, placed.fdt + SPAPR_FDT_MAX);
	ck_assert_uint_eq(placed.rtas % PAGE, 0);
	ck_assert_uint_le(placed.rtas + PAGE, 4 * GIB);
	ck_assert_ptr_nonnull(guest_ptr(&mem, placed.rtas, PAGE));
	ck_assert_mem_eq(guest(placed.rtas), rtas_blob, RTAS_BLOB_SIZE);
	ck_assert(is_zero(end, placed.rtas));
	ck_assert_uint_lt(placed.entry, end);
	ck_assert_int_eq(placed.initrd_size != 0, boot.initrd != NULL);
	if (!boot.initrd)
		return;
	ck_assert_uint_ge(placed.initrd, placed.rtas + PAGE);
	ck_assert_uint_eq(placed.initrd % PAGE, 0);
	ck_assert_ptr_nonnull(guest_ptr(&mem, placed.initrd,
					placed.initrd_size));
	ck_assert_mem_eq(guest(placed.initrd), "start",
			 placed.initrd_size < 5 ? placed.initrd_size : 5);
}

static void check_elf_at(u64 text)
{
	ck_assert_uint_eq(placed.entry, text + ENTRY);
	ck_assert_mem_eq(guest(text), elf + ELF_TEXT, TEXT_SIZE);
	check_placed(text + BSS + BSS_SIZE);
	ck_assert(is_zero(text + TEXT_SIZE, text + BSS + BSS_SIZE));
}

static void load_elf_ok(void)
{
	write_elf();
	load_ok();
	check_elf_at(text_addr());
}

static void load_elf_fails(int err, const char *hint)
{
	write_elf();
	load_fails(err, "--kernel", hint);
}

/* Fails for want of memory, and succeeds with what its message advises. */
static void load_wants_memory(const char *option)
{
	unsigned long long mib;
	char line[1024];
	const char *advice;

	ck_assert_int_eq(load_line(line), -ENOMEM);
	ck_assert_msg(strstr(line, option) != NULL, "%s", line);
	advice = strstr(line, "give --mem ");
	ck_assert_msg(advice && sscanf(advice, "give --mem %lluM", &mib) == 1,
		      "%s", line);
	remap_memory(mib * MIB);
	load_ok();
}

/* --- ELF ----------------------------------------------------------------- */

START_TEST(test_elf)
{
	make_elf(kinds[_i]);
	load_elf_ok();
	write_initrd(70001);
	remap_memory(64 * MIB + ZIMAGE_HEAP);
	load_elf_ok();
	ck_assert_uint_eq(placed.initrd_size, 70001);
}
END_TEST

/* Relocatable, but at home at 0; the zImage that goes anywhere is not. */
START_TEST(test_elf_dyn)
{
	make_elf(kinds[_i]);
	set(EHDR(e_type), ET_DYN);
	load_elf_ok();
}
END_TEST

START_TEST(test_elf_zimage)
{
	write_initrd(MIB);
	set(EHDR(e_type), ET_DYN);
	set(EHDR(e_entry), ENTRY);
	set(PHDR(0, p_vaddr), 0);
	set(PHDR(1, p_vaddr), BSS);
	remap_memory(256 * MIB);
	write_elf();
	load_ok();
	check_elf_at(ZIMAGE_ADDR);
	/* Room to unpack, behind the tree and before all else. */
	ck_assert_uint_ge(placed.rtas, placed.fdt + SPAPR_FDT_MAX + ZIMAGE_HEAP);
	ck_assert_uint_gt(placed.initrd, placed.rtas);
	remap_memory(64 * MIB);
	load_wants_memory("--kernel");
}
END_TEST

/* 20 bytes tell that it is ELF for POWER; from there on it is one cut short. */
START_TEST(test_elf_truncated)
{
	char line[1024];

	make_elf(kinds[_i]);
	for (unsigned int cut = 4; cut < headers_size(); cut++) {
		bool known = cut >= 20;

		write_file(kernel_path, elf, cut);
		ck_assert_int_eq(load_line(line), known ? -ENODATA : -ENOEXEC);
		ck_assert_ptr_nonnull(strstr(line, known ? "truncated" :
							   "an ELF file"));
	}
	write_file(kernel_path, elf, 3);
	load_fails(-ENOEXEC, "--kernel", "looks like data");
	write_file(kernel_path, elf, ELF_TEXT);
	load_fails(-ENODATA, "--kernel", "truncated");
	write_file(kernel_path, elf, ELF_SIZE - 1);
	load_fails(-ENODATA, "--kernel", "truncated");
}
END_TEST

/* The last byte of the kernel for which all fits; one more does not. */
START_TEST(test_elf_bss)
{
	const u64 end = 64 * MIB - SPAPR_FDT_MAX - PAGE;

	make_elf(kinds[_i]);
	set(PHDR(0, p_memsz), BSS);
	set(PHDR(1, p_memsz), end - text_addr() - BSS);
	write_elf();
	load_ok();
	check_placed(end);
	set(PHDR(1, p_memsz), end - text_addr() - BSS + 1);
	write_elf();
	load_wants_memory("--kernel");
}
END_TEST

START_TEST(test_elf_entry)
{
	set(EHDR(e_entry), text_virt() + TEXT_SIZE - 4);
	write_elf();
	load_ok();
	ck_assert_uint_eq(placed.entry, TEXT_SIZE - 4);
	set(EHDR(e_entry), text_virt() + TEXT_SIZE);
	load_elf_fails(-ENOEXEC, "entry");
	set(EHDR(e_entry), text_virt() - 1);
	load_elf_fails(-ENOEXEC, "entry");
	set(EHDR(e_entry), text_virt() + BSS);
	load_elf_fails(-ENOEXEC, "entry");
	set(EHDR(e_entry), 0);
	load_elf_fails(-ENOEXEC, "entry");
	set(EHDR(e_entry), ~0ULL);
	load_elf_fails(-ENOEXEC, "entry");
}
END_TEST

/* The entry's segment need not be the first, nor at 0. */
START_TEST(test_elf_entry_second)
{
	make_segment(1, ELF_TEXT, 8 * MIB, TEXT_SIZE, TEXT_SIZE);
	set(EHDR(e_entry), text_virt() + 8 * MIB + 0x20);
	write_elf();
	load_ok();
	ck_assert_uint_eq(placed.entry, 8 * MIB + 0x20);
	ck_assert_mem_eq(guest(8 * MIB), elf + ELF_TEXT, TEXT_SIZE);
	check_placed(8 * MIB + TEXT_SIZE);
}
END_TEST

#define BAD(f, value, err, hint) { f, value, value, err, hint }
static const struct bad_field {
	struct field field;
	u64 wide, narrow;	/* values for ELF64 and ELF32 */
	int err;
	const char *hint;
} bad_fields[] = {
	BAD(E(e_type), ET_REL, -ENOEXEC, "no executable"),
	BAD(E(e_type), ET_CORE, -ENOEXEC, "no executable"),
	BAD(E(e_machine), EM_X86_64, -ENOEXEC, "an ELF file for x86-64"),
	BAD(E(e_machine), EM_386, -ENOEXEC, "an ELF file for i386"),
	BAD(E(e_machine), EM_AARCH64, -ENOEXEC, "an ELF file for aarch64"),
	BAD(E(e_machine), EM_MIPS, -ENOEXEC, "an ELF file"),
	/* of the other class */
	{ E(e_machine), EM_PPC, EM_PPC64, -ENOEXEC, "no executable" },
	BAD(E(e_phentsize), 0, -ENOEXEC, "damaged"),
	BAD(E(e_phentsize), 0xffff, -ENOEXEC, "damaged"),
	BAD(E(e_phnum), 0, -ENOEXEC, "damaged"),
	BAD(E(e_phnum), 65, -ENOEXEC, "damaged"),
	BAD(E(e_phnum), 0xffff, -ENOEXEC, "damaged"),
	BAD(E(e_phoff), ELF_SIZE - 1, -ENODATA, "truncated"),
	BAD(E(e_phoff), ~0ULL, -ENODATA, "truncated"),
	BAD(E(e_phoff), ~0ULL - 100, -ENODATA, "truncated"),
	/* the same bytes as zeros: no segment at all */
	BAD(E(e_phoff), 0x800, -ENOEXEC, "entry"),
	BAD(P(0, p_type), PT_NULL, -ENOEXEC, "entry"),
	BAD(P(0, p_offset), ELF_TEXT + 1, -ENODATA, "truncated"),
	BAD(P(0, p_offset), ~0ULL, -ENODATA, "truncated"),
	BAD(P(0, p_filesz), TEXT_SIZE + 1, -ENODATA, "truncated"),
	BAD(P(0, p_filesz), TEXT_MEM + 1, -ENOEXEC, "damaged"),
	BAD(P(0, p_filesz), ~0ULL, -ENOEXEC, "damaged"),
	BAD(P(0, p_memsz), TEXT_SIZE - 1, -ENOEXEC, "damaged"),
	BAD(P(0, p_memsz), 0, -ENOEXEC, "entry"),
	BAD(P(1, p_memsz), 64 * MIB, -ENOMEM, "give --mem"),
	BAD(P(1, p_memsz), ~0ULL, -ENOEXEC, "may reach"),
	/* A wrapper is linked where it is loaded, so for ELF32 it is a kernel. */
	{ P(1, p_paddr), 64 * MIB, 0, -ENOMEM, "67 MiB" },
	{ P(1, p_paddr), 4 * GIB - 67 * MIB + 1, 0, -ENOEXEC, "may reach" },
	{ P(1, p_paddr), 4 * GIB, 0, -ENOEXEC, "may reach" },
	{ P(1, p_paddr), ~0ULL, 0, -ENOEXEC, "may reach" },
	{ P(1, p_paddr), ~0ULL - BSS_SIZE + 1, 0, -ENOEXEC, "may reach" },
};

START_TEST(test_elf_bad_field)
{
	const struct bad_field *bad = &bad_fields[_i / COUNT(kinds)];

	make_elf(kinds[_i % COUNT(kinds)]);
	set(bad->field, kind.wide ? bad->wide : bad->narrow);
	if (kind.wide || bad->narrow || bad->wide == bad->narrow)
		load_elf_fails(bad->err, bad->hint);
	else
		load_elf_fails(-ENOEXEC, "32-bit kernel");
}
END_TEST

/* Whatever the bits are: it is loaded as it should be, or refused in one line. */
START_TEST(test_elf_flipped)
{
	char line[1024];
	unsigned int loaded = 0, seed = 5;

	make_elf(kinds[_i]);
	write_initrd(4096);
	for (unsigned int i = 0; i < test_scale(FLIPS); i++) {
		make_elf(kinds[_i]);
		for (unsigned int flips = 1 + rand_r(&seed) % 3; flips; flips--)
			elf[rand_r(&seed) % headers_size()] ^=
				1 << rand_r(&seed) % 8;
		remap_memory(128 * MIB);
		write_elf();
		if (load_line(line)) {
			ck_assert_ptr_nonnull(strstr(line, "--kernel "));
			continue;
		}
		loaded++;
		check_placed(placed.fdt);
		ck_assert_ptr_nonnull(guest_ptr(&mem, placed.entry, 4));
	}
	/* Many bits do not matter, and many do. */
	ck_assert_uint_gt(loaded, test_scale(FLIPS) / 10);
	ck_assert_uint_lt(loaded, test_scale(FLIPS) - test_scale(FLIPS) / 10);
}
END_TEST

/* Bytes, not bits: numbers that are far off. */
START_TEST(test_elf_garbled)
{
	char line[1024];
	unsigned int seed = 6;

	write_initrd(4096);
	for (unsigned int i = 0; i < test_scale(FLIPS); i++) {
		unsigned int at;

		make_elf(kinds[_i]);
		at = EI_NIDENT + 4 + rand_r(&seed) % (headers_size() - EI_NIDENT - 12);
		for (unsigned int n = 1 + rand_r(&seed) % 8; n; n--)
			elf[at + n - 1] = rand_r(&seed) % 3 ? 0xff : rand_r(&seed);
		remap_memory(64 * MIB);
		write_elf();
		if (!load_line(line))
			check_placed(placed.fdt);
	}
}
END_TEST

/* --- flat images --------------------------------------------------------- */

static const struct {
	const char first[5];
	bool good;
} flats[] = {
	{ "\x08\x00\x00\x48", true },	/* BE: tdi 0,0,0x48 */
	{ "\x48\x00\x00\x08", true },	/* LE: the same, or b .+8 */
	{ "\x48\x00\x0f\xfc", true },	/* to the last word */
	{ "\x48\x00\x10\x00", false },	/* behind it */
	{ "\x4b\xff\xff\xf0", false },	/* backwards */
	{ "\x49\xff\xff\xf0", false },
	{ "\x48\x00\x00\x00", false },	/* to itself */
	{ "\x48\x00\x00\x09", false },	/* bl */
	{ "\x48\x00\x00\x0a", false },	/* ba */
	{ "Hell", false },
	{ "\x08\x00\x00\x49", false },
	{ "\x00\x00\x00\x00", false },
};

START_TEST(test_flat)
{
	static u8 image[4096];

	memset(image, 0xa5, sizeof(image));
	memcpy(image, flats[_i].first, 4);
	write_file(kernel_path, image, sizeof(image));
	if (!flats[_i].good) {
		load_fails(-ENOEXEC, "--kernel", "looks like data");
		return;
	}
	write_initrd(4096);
	load_ok();
	ck_assert_uint_eq(placed.entry, 0);
	ck_assert_mem_eq(guest(0), image, sizeof(image));
	check_placed(sizeof(image));
	ck_assert_uint_ge(placed.fdt, sizeof(image) + MIB);
}
END_TEST

START_TEST(test_flat_size)
{
	static const char first[4] = { 0x48, 0, 0, 8 };

	write_file(kernel_path, first, 3);
	load_fails(-ENOEXEC, "--kernel", "looks like data");
	write_file(kernel_path, first, 4);
	load_fails(-ENOEXEC, "--kernel", "looks like data");
	write_file(kernel_path, first, 4);
	ck_assert_int_eq(truncate(kernel_path, 40 * MIB), 0);
	load_wants_memory("--kernel");
	ck_assert_int_eq(truncate(kernel_path, 3 * GIB), 0);
	load_fails(-ENOEXEC, "--kernel", "may reach");
	ck_assert_int_eq(truncate(kernel_path, 10000 * GIB), 0);
	load_fails(-ENOEXEC, "--kernel", "may reach");
}
END_TEST

/* --- initrd, command line, wrong files ----------------------------------- */

static const struct {
	u64 initrd;
	bool fits;
} initrds[] = {
	{ 1, true }, { 4095, true }, { PAGE, true }, { PAGE + 1, true },
	{ 64 * MIB - 4 * MIB - PAGE - 1, true },
	{ 64 * MIB - 4 * MIB - PAGE, true },
	{ 64 * MIB - 4 * MIB - PAGE + 1, false },
	{ 64 * MIB - 4 * MIB, false },
	{ 64 * MIB, false }, { 65 * MIB, false },
};

START_TEST(test_initrd)
{
	write_elf();
	write_initrd(initrds[_i].initrd);
	if (!initrds[_i].fits) {
		load_wants_memory("--initrd");
		return;
	}
	load_ok();
	check_elf_at(text_addr());
	ck_assert_uint_eq(placed.initrd_size, initrds[_i].initrd);
}
END_TEST

/* Node 0 of --numa has all of it, or it is refused. */
START_TEST(test_node)
{
	u64 end;

	write_elf();
	write_initrd(5000);
	load_ok();
	end = placed.initrd + placed.initrd_size;
	node0 = end;
	ck_assert_int_eq(rig_load(), 0);
	node0 = end - 1;
	load_fails(-ENOMEM, "--numa node=0", "give it mem=");
}
END_TEST

/* lkvm's own archive goes first; alone, it is the initrd. */
START_TEST(test_initrd_archive)
{
	write_elf();
	boot.archive = "archive!";
	boot.archive_size = 8;
	if (_i)
		write_initrd(5000);
	ck_assert_int_eq(rig_load(), 0);
	ck_assert_uint_eq(placed.initrd_size, _i ? 5008 : 8);
	ck_assert_mem_eq(guest(placed.initrd), "archive!start", _i ? 13 : 8);
}
END_TEST

/* The init in lkvm's archive is little endian. */
START_TEST(test_command_endian)
{
	boot.archive = "archive!";
	boot.archive_size = 8;
	make_elf(kinds[_i]);
	write_elf();
	if (kinds[_i].big)
		load_fails(-ENOEXEC, "--kernel", "-- COMMAND is for little endian");
	else
		ck_assert_int_eq(rig_load(), 0);
}
END_TEST

START_TEST(test_initrd_huge)
{
	write_elf();
	write_initrd(10000 * GIB);
	load_fails(-ENOMEM, "--initrd", "10240000 MiB");
}
END_TEST

/* Much memory changes nothing: all stays in 32-bit reach. */
START_TEST(test_much_memory)
{
	write_initrd(5000);
	remap_memory(24 * GIB);
	load_elf_ok();
	ck_assert_uint_lt(placed.initrd, 8 * MIB);
	set(PHDR(1, p_paddr), 4 * GIB - 67 * MIB);
	write_elf();
	load_ok();
	check_placed(4 * GIB - 66 * MIB);
}
END_TEST

START_TEST(test_cmdline)
{
	static char line[2049];

	memset(line, 'x', 2047);
	boot.cmdline = line;
	load_elf_ok();
	line[2047] = 'x';
	write_elf();
	load_fails(-E2BIG, "--params", "2047");
	boot.cmdline = NULL;
	load_elf_ok();
}
END_TEST

static const struct {
	unsigned int at, len;
	const char *bytes;
	const char *hint;
} not_kernels[] = {
	{ 0, 12, "hello, world", "vmlinux" },
	{ 0, 3, "\x1f\x8b\x08", "gzip" },
	{ 0, 5, "\xfd" "7zXZ", "xz" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "zstd" },
	{ 0, 3, "BZh", "bzip2" },
	{ 0, 6, "070701", "--initrd" },
	{ 0, 4, "QFI\xfb", "qcow2" },
	{ 0, 9, "#!/bin/sh", "script" },
	{ 0, 2, "MZ", "EFI" },
	{ 0x202, 4, "HdrS", "a kernel for x86-64" },
	{ 0x38, 4, "ARM\x64", "a kernel for aarch64" },
	{ 0x38, 4, "RSC\x05", "a kernel for RISC-V" },
	{ 0, 7, "\x7f" "ELF\3\1\1", "an ELF file" },
	{ 0, 4, "\x7f" "ELF", "an ELF file" },
};

START_TEST(test_not_a_kernel)
{
	u8 file[1000] = "MZ";
	unsigned int at = not_kernels[_i].at, len = not_kernels[_i].len;

	memcpy(file + at, not_kernels[_i].bytes, len);
	write_file(kernel_path, file, sizeof(file));
	load_fails(-ENOEXEC, kernel_path, "not a kernel for POWER");
	write_file(kernel_path, file, at + len);
	load_fails(-ENOEXEC, "--kernel", not_kernels[_i].hint);
}
END_TEST

START_TEST(test_files)
{
	load_fails(-ENOENT, "--kernel", "No such file");
	write_file(kernel_path, "", 0);
	load_fails(-ENODATA, "--kernel", "empty");
	write_elf();
	boot.initrd = initrd_path;
	load_fails(-ENOENT, "--initrd", "No such file");
	write_file(initrd_path, "", 0);
	load_fails(-ENODATA, "--initrd", "empty");
	boot.kernel = NULL;
	load_fails(-EINVAL, "--kernel", "not given");
}
END_TEST

/* The lowest two descriptors are free again: one for each file. */
START_TEST(test_no_fd_leak)
{
	int fd[2] = { dup(0), dup(0) };

	close(fd[0]);
	close(fd[1]);
	write_initrd(1);
	load_elf_ok();
	write_file(kernel_path, elf, ELF_SIZE - 1);
	load_fails(-ENODATA, "--kernel", "truncated");
	write_elf();
	boot.initrd = "/nonexistent";
	load_fails(-ENOENT, "--initrd", "check the path");
	ck_assert_int_eq(dup(0), fd[0]);
	ck_assert_int_eq(dup(0), fd[1]);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* --- Debian's kernel ----------------------------------------------------- */

static const char *real_kernel(void)
{
	const char *path = getenv("LKVM_TEST_VMLINUX") ?: REAL_KERNEL;

	return access(path, R_OK) ? NULL : path;
}

/* The first program header of an ELF64 file of this host's byte order. */
static Elf64_Phdr real_segment(const char *path)
{
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr segment;
	} head;
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(&head, sizeof(head), 1, f), 1);
	fclose(f);
	ck_assert_uint_eq(head.segment.p_type, PT_LOAD);
	return head.segment;
}

/* One segment at 0, entered there; the same as a flat image. */
START_TEST(test_real)
{
	Elf64_Phdr segment = real_segment(real_kernel());

	boot.kernel = real_kernel();
	write_initrd(MIB);
	remap_memory(256 * MIB);
	load_ok();
	ck_assert_uint_eq(placed.entry, 0);
	ck_assert_uint_lt(placed.fdt - segment.p_memsz, PAGE);
	check_placed(segment.p_memsz);
	ck_assert(is_zero(segment.p_filesz, segment.p_memsz));
	write_file(kernel_path, guest(0), segment.p_filesz);
	boot.kernel = kernel_path;
	remap_memory(256 * MIB);
	load_ok();
	ck_assert_uint_eq(placed.entry, 0);
	check_placed(segment.p_memsz);
}
END_TEST

static void add_elf_tests(Suite *suite)
{
	TCase *tc = tcase_create("ELF");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_loop_test(tc, test_elf, 0, COUNT(kinds));
	tcase_add_loop_test(tc, test_elf_dyn, 0, COUNT(kinds));
	tcase_add_test(tc, test_elf_zimage);
	tcase_add_loop_test(tc, test_elf_truncated, 0, COUNT(kinds));
	tcase_add_loop_test(tc, test_elf_bss, 0, COUNT(kinds));
	tcase_add_test(tc, test_elf_entry);
	tcase_add_test(tc, test_elf_entry_second);
	tcase_add_loop_test(tc, test_elf_bad_field, 0,
			    COUNT(bad_fields) * COUNT(kinds));
	tcase_add_loop_test(tc, test_elf_flipped, 0, COUNT(kinds));
	tcase_add_loop_test(tc, test_elf_garbled, 0, COUNT(kinds));
	suite_add_tcase(suite, tc);
}

static void add_other_tests(Suite *suite)
{
	TCase *tc = tcase_create("others");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_loop_test(tc, test_flat, 0, COUNT(flats));
	tcase_add_test(tc, test_flat_size);
	tcase_add_loop_test(tc, test_initrd, 0, COUNT(initrds));
	tcase_add_test(tc, test_node);
	tcase_add_loop_test(tc, test_initrd_archive, 0, 2);
	tcase_add_loop_test(tc, test_command_endian, 0, COUNT(kinds));
	tcase_add_test(tc, test_initrd_huge);
	tcase_add_test(tc, test_much_memory);
	tcase_add_test(tc, test_cmdline);
	tcase_add_loop_test(tc, test_not_a_kernel, 0, COUNT(not_kernels));
	tcase_add_test(tc, test_files);
	tcase_add_test(tc, test_no_fd_leak);
	if (real_kernel())
		tcase_add_test(tc, test_real);
	else
		printf("skip - Debian's vmlinux: no " REAL_KERNEL "\n");
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("spapr_boot");

	add_elf_tests(suite);
	add_other_tests(suite);
	return run_suite(suite);
}
