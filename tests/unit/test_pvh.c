// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading an ELF kernel by PVH: a synthetic vmlinux, whole, cut short and with
 * each field that matters gone bad.
 */
#include "boot_x86.h"
#include <elf.h>

/* The synthetic vmlinux: headers, a note, one segment of text, one of bss. */
struct elf_file {
	Elf64_Ehdr elf;
	Elf64_Phdr ph[3];
	struct {
		Elf64_Nhdr other;
		char other_name[4];
		u32 other_desc[2];
		Elf64_Nhdr head;
		char name[4];
		u32 entry;
		u32 pad;
	} note;
	u8 text[1000];
};
#define ELF_TEXT (16 * MIB)
#define ELF_BSS (18 * MIB)
#define ELF_ENTRY (ELF_TEXT + 0x10)

static struct elf_file ef;

static void make_elf(void)
{
	ef = (struct elf_file){
		.elf = { .e_type = ET_EXEC, .e_machine = EM_X86_64,
			 .e_phoff = offsetof(struct elf_file, ph),
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3 },
		.ph = {
			{ .p_type = PT_LOAD, .p_paddr = ELF_TEXT,
			  .p_offset = offsetof(struct elf_file, text),
			  .p_filesz = 1000, .p_memsz = 5000 },
			{ .p_type = PT_LOAD, .p_paddr = ELF_BSS,
			  .p_memsz = MIB },
			{ .p_type = PT_NOTE, .p_align = 4,
			  .p_offset = offsetof(struct elf_file, note),
			  .p_filesz = sizeof(ef.note) },
		},
		.note = {
			.other = { 4, 8, 3 }, .other_name = "GNU",
			.head = { 4, 8, 18 }, .name = "Xen",
			.entry = ELF_ENTRY,
		},
	};
	memcpy(ef.elf.e_ident, ELFMAG "\2\1\1", 7);
	memset(ef.text, 0x90, sizeof(ef.text));
}

static void load_elf_ok(void)
{
	write_file(kernel_path, &ef, sizeof(ef));
	load_ok();
}

static void load_elf_fails(int err, const char *hint)
{
	write_file(kernel_path, &ef, sizeof(ef));
	load_fails(err, "--kernel", hint);
}

static void setup(void)
{
	rig_setup();
	make_elf();
}

START_TEST(test_elf_good)
{
	u64 info = X86_ZERO_PAGE_ADDR;

	load_elf_ok();
	ck_assert(!entry.long_mode);
	ck_assert_uint_eq(entry.rip, ELF_ENTRY);
	ck_assert_uint_eq(entry.rbx, info);
	ck_assert_mem_eq(guest(ELF_TEXT), ef.text, sizeof(ef.text));
	ck_assert_uint_eq(*guest(ELF_TEXT + 1000), 0);
	ck_assert_uint_eq(guest32(info), 0x336ec578);
	ck_assert_uint_eq(guest32(info + 4), 1);
	ck_assert_uint_eq(guest32(info + 12), 0);
	ck_assert_str_eq((char *)guest(guest64(info + 24)), "console=ttyS0");
	ck_assert_uint_eq(guest64(info + 32), X86_ACPI_ADDR);
	ck_assert_uint_eq(guest32(info + 48), 5);
	ck_assert_uint_eq(guest64(guest64(info + 40) + 8), X86_EBDA_ADDR);
	ck_assert_uint_eq(guest32(guest64(info + 40) + 16), 1);
}
END_TEST

/* Also from memory above 4 GiB: Linux reads 32 bits of the address. */
START_TEST(test_elf_initrd)
{
	u64 info = X86_ZERO_PAGE_ADDR, module;

	unmap_memory();
	map_memory(5 * GIB);
	write_sparse(initrd_path, 5000);
	boot.initrd = initrd_path;
	load_elf_ok();
	ck_assert_uint_eq(guest32(info + 12), 1);
	module = guest64(info + 16);
	ck_assert_uint_eq(guest64(module), 3 * GIB - 8192);
	ck_assert_uint_eq(guest64(module + 8), 5000);
	ck_assert_mem_eq(guest(guest64(module)), "start", 5);
}
END_TEST

START_TEST(test_elf_initrd_avoids_kernel)
{
	write_sparse(initrd_path, 45 * MIB);
	boot.initrd = initrd_path;
	load_elf_ok();
	write_sparse(initrd_path, 45 * MIB + 1);
	load_fails(-ENOMEM, "--initrd", "--mem");
}
END_TEST

START_TEST(test_elf_truncated)
{
	static const size_t cuts[] = {
		sizeof(Elf64_Ehdr), offsetof(struct elf_file, ph[2]),
		offsetof(struct elf_file, note),
		offsetof(struct elf_file, note.head),
		offsetof(struct elf_file, text), sizeof(ef) - 1,
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		write_file(kernel_path, &ef, cuts[i]);
		load_fails(-ENODATA, "--kernel", "truncated");
	}
	write_file(kernel_path, &ef, sizeof(Elf64_Ehdr) - 1);
	load_fails(-ENOEXEC, "--kernel", "not a kernel");
}
END_TEST

static const struct {
	size_t offset, size;
	u64 value;
	int err;
	const char *hint;
} bad_elf[] = {
#define ELF_FIELD(f) offsetof(struct elf_file, f), sizeof(ef.f)
	{ ELF_FIELD(elf.e_machine), EM_AARCH64, -ENOEXEC, "not a kernel" },
	{ ELF_FIELD(elf.e_phentsize), 0, -ENOEXEC, "damaged" },
	{ ELF_FIELD(elf.e_phentsize), 0xffff, -ENOEXEC, "damaged" },
	{ ELF_FIELD(elf.e_phnum), 0, -ENOEXEC, "damaged" },
	{ ELF_FIELD(elf.e_phnum), 0xffff, -ENOEXEC, "damaged" },
	{ ELF_FIELD(elf.e_phoff), ~0ULL, -ENODATA, "truncated" },
	{ ELF_FIELD(elf.e_phoff), ~0ULL - 100, -ENODATA, "truncated" },
	{ ELF_FIELD(ph[0].p_offset), ~0ULL, -ENODATA, "truncated" },
	{ ELF_FIELD(ph[0].p_filesz), ~0ULL, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_filesz), 5000, -ENODATA, "truncated" },
	{ ELF_FIELD(ph[0].p_memsz), 999, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_memsz), ~0ULL, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_memsz), 64 * MIB, -ENOMEM, "--mem" },
	{ ELF_FIELD(ph[0].p_memsz), 4 * GIB, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_paddr), 0, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_paddr), MIB - 1, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_paddr), X86_ECAM_ADDR, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[0].p_paddr), ~0ULL - 999, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[1].p_paddr), 64 * MIB, -ENOMEM, "--mem" },
	{ ELF_FIELD(ph[2].p_filesz), ~0ULL, -ENOEXEC, "damaged" },
	{ ELF_FIELD(ph[2].p_filesz), 20, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(ph[2].p_filesz), 0, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(ph[2].p_filesz), 64, -ENODATA, "truncated" },
	{ ELF_FIELD(ph[2].p_type), PT_NULL, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.other.n_namesz), ~0U, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.other.n_descsz), ~0U, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.other.n_descsz), 0, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.head.n_type), 17, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.head.n_descsz), 3, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.head.n_descsz), 4, 0, NULL },
	{ ELF_FIELD(note.head.n_descsz), 9, -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.name[1]), 'f', -ENOEXEC, "CONFIG_PVH" },
	{ ELF_FIELD(note.entry), 0, -ENOEXEC, "damaged" },
	{ ELF_FIELD(note.entry), ELF_BSS + MIB, -ENOEXEC, "damaged" },
};

START_TEST(test_elf_bad_field)
{
	memcpy((u8 *)&ef + bad_elf[_i].offset, &bad_elf[_i].value,
	       bad_elf[_i].size);
	/* The case of 64 reads past the end only if the note is the last. */
	if (bad_elf[_i].offset == offsetof(struct elf_file, ph[2].p_filesz) &&
	    bad_elf[_i].value == 64)
		ef.ph[2].p_offset = sizeof(ef) - 32;
	if (bad_elf[_i].err)
		load_elf_fails(bad_elf[_i].err, bad_elf[_i].hint);
	else
		load_elf_ok();
}
END_TEST

START_TEST(test_elf_cmdline)
{
	static char line[2049];

	memset(line, 'x', 2048);
	boot.cmdline = line;
	write_file(kernel_path, &ef, sizeof(ef));
	load_fails(-E2BIG, "--params", "2047");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pvh");
	TCase *tc = tcase_create("vmlinux");

	tcase_add_checked_fixture(tc, setup, rig_teardown);
	tcase_add_test(tc, test_elf_good);
	tcase_add_test(tc, test_elf_initrd);
	tcase_add_test(tc, test_elf_initrd_avoids_kernel);
	tcase_add_test(tc, test_elf_truncated);
	tcase_add_loop_test(tc, test_elf_bad_field, 0, COUNT(bad_elf));
	tcase_add_test(tc, test_elf_cmdline);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
