// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading kernel and initrd: what the kernel is, where all goes in memory, and
 * then there.
 *
 * A kernel file is hostile: its numbers are checked before they reach memory or
 * the file again.  spapr_boot_load() is called once per boot by machine.c, while
 * no vCPU runs; on failure guest memory is undefined.
 */
#include "arch.h"
#include "kvm/boot_file.h"
#include "kvm/memory.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define MIB		(1ULL << 20)
#define PAGE_SIZE	65536ULL	/* the largest base page of Linux */
#define SEGMENTS_MAX	64
/* Linux cuts what is longer: asm/setup.h, COMMAND_LINE_SIZE, with the NUL. */
#define CMDLINE_MAX	2047
/*
 * A zImage unpacks with what it allocates behind itself: a kernel that does not
 * fit below it, an initrd that was wrapped up with it, a dictionary.
 */
#define ZIMAGE_HEAP	(64 * MIB)
/* What stands behind a kernel must be below 4 GiB: see boot_place(). */
#define KERNEL_END_MAX	((4ULL << 30) - ZIMAGE_HEAP - 2 * MIB)
/* Linux itself wants some memory, too: for the advice to the user only. */
#define LINUX_ROOM	(64 * MIB)

/*
 * Where a zImage goes that runs anywhere.  It unpacks the kernel to address 0,
 * and gives up if that reaches the zImage itself (Linux,
 * arch/powerpc/boot/main.c): with room for any kernel, and not too high for small
 * guests.
 */
#define ZIMAGE_ADDR	(128 * MIB)

/* What comes from the file, and what has only room in memory behind that. */
struct boot_segment {
	u64 offset;
	u64 filesz;
	u64 vaddr;
	u64 paddr;
	u64 memsz;
};

struct boot_load {
	const struct guest_memory *mem;
	struct boot_file kernel;
	struct boot_initrd initrd;
	unsigned int nsegments;
	struct boot_segment segment[SEGMENTS_MAX];
	u64 kernel_end;
	u64 heap;			/* what it needs behind itself */
};

static u64 boot_mib(u64 bytes)
{
	return bytes / MIB + (bytes % MIB != 0);
}

static int kernel_damaged(const struct boot_load *load, const char *what,
			  u64 value)
{
	log_error("--kernel %s: damaged: %s %#llx; copy it again",
		  load->kernel.path, what, (unsigned long long)value);
	return -ENOEXEC;
}

/* --- ELF ----------------------------------------------------------------- */

/* How an ELF file writes its numbers. */
struct elf_form {
	bool wide;	/* ELF64 */
	bool big;	/* endian */
};

static u64 read_number(const u8 *at, size_t len, bool big)
{
	u64 value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[big ? i : len - 1 - i];
	return value;
}

#define ELF_NUMBER(form, at, type, field)				\
	read_number((at) + offsetof(type, field),			\
		    sizeof(((type *)NULL)->field), (form)->big)
/* A field of the Ehdr or Phdr that is @at. */
#define ELF_FIELD(form, at, header, field)				\
	((form)->wide ? ELF_NUMBER(form, at, Elf64_##header, field) :	\
			ELF_NUMBER(form, at, Elf32_##header, field))
#define ELF_SIZE(form, header)						\
	((form)->wide ? sizeof(Elf64_##header) : sizeof(Elf32_##header))

/* Type and machine are where they are in both classes: enough to tell them. */
static bool elf_probe(const struct boot_head *head, struct elf_form *form)
{
	const u8 *ident = head->data;

	if (head->len < offsetof(Elf32_Ehdr, e_version) ||
	    memcmp(ident, ELFMAG, SELFMAG))
		return false;
	form->wide = ident[EI_CLASS] == ELFCLASS64;
	form->big = ident[EI_DATA] == ELFDATA2MSB;
	return (form->wide || ident[EI_CLASS] == ELFCLASS32) &&
	       (form->big || ident[EI_DATA] == ELFDATA2LSB);
}

/*
 * A kernel is ET_DYN if it can be relocated.  The wrapper of a zImage is 32-bit
 * for a big endian kernel (Linux, arch/powerpc/boot/wrapper).
 */
static bool elf_is_kernel(const struct boot_head *head,
			  const struct elf_form *form)
{
	u64 type = ELF_FIELD(form, head->data, Ehdr, e_type);

	return (type == ET_EXEC || type == ET_DYN) &&
	       ELF_FIELD(form, head->data, Ehdr, e_machine) ==
	       (form->wide ? EM_PPC64 : EM_PPC);
}

static int elf_add_segment(struct boot_load *load, const struct elf_form *form,
			   const u8 *phdr)
{
	struct boot_segment s = {
		.offset = ELF_FIELD(form, phdr, Phdr, p_offset),
		.filesz = ELF_FIELD(form, phdr, Phdr, p_filesz),
		.vaddr = ELF_FIELD(form, phdr, Phdr, p_vaddr),
		.paddr = ELF_FIELD(form, phdr, Phdr, p_paddr),
		.memsz = ELF_FIELD(form, phdr, Phdr, p_memsz),
	};

	if (ELF_FIELD(form, phdr, Phdr, p_type) != PT_LOAD || s.memsz == 0)
		return 0;
	/* Only a zImage is linked where it is loaded. */
	if (s.vaddr == s.paddr)
		load->heap = ZIMAGE_HEAP;
	if (!form->wide && s.vaddr != s.paddr) {
		log_error("--kernel %s: is a 32-bit kernel; give a vmlinux for ppc64 or ppc64le",
			  load->kernel.path);
		return -ENOEXEC;
	}
	load->segment[load->nsegments++] = s;
	return 0;
}

static int elf_read_segments(struct boot_load *load,
			     const struct elf_form *form, const u8 *ehdr)
{
	u8 table[SEGMENTS_MAX * sizeof(Elf64_Phdr)];
	u64 size = ELF_FIELD(form, ehdr, Ehdr, e_phentsize);
	u64 n = ELF_FIELD(form, ehdr, Ehdr, e_phnum);
	int err;

	if (size != ELF_SIZE(form, Phdr))
		return kernel_damaged(load, "ELF e_phentsize", size);
	if (n == 0 || n > SEGMENTS_MAX)
		return kernel_damaged(load, "ELF e_phnum", n);
	err = boot_file_read(&load->kernel,
			     ELF_FIELD(form, ehdr, Ehdr, e_phoff), table,
			     n * size);
	for (u64 i = 0; !err && i < n; i++)
		err = elf_add_segment(load, form, table + i * size);
	return err;
}

/*
 * The zImage of a little endian kernel is position independent and linked at 0,
 * as no vmlinux is, relocatable or not.  Move it.
 */
static void elf_move_zimage(struct boot_load *load)
{
	bool linked_at_0 = false;

	for (unsigned int i = 0; i < load->nsegments; i++)
		linked_at_0 |= load->segment[i].vaddr == 0;
	for (unsigned int i = 0; linked_at_0 && i < load->nsegments; i++)
		load->segment[i].paddr += ZIMAGE_ADDR;
}

/*
 * e_entry is virtual.  It is an instruction's address, although ELFv1 (big
 * endian) has that of a function descriptor in a program: the linker scripts of
 * vmlinux and zImage name a label in the text, ENTRY(_stext) and
 * ENTRY(_zimage_start).
 */
static int elf_find_entry(const struct boot_load *load, u64 virt, u64 *entry)
{
	for (unsigned int i = 0; i < load->nsegments; i++) {
		const struct boot_segment *s = &load->segment[i];

		if (virt < s->vaddr || virt - s->vaddr >= s->filesz)
			continue;
		*entry = s->paddr + (virt - s->vaddr);
		return 0;
	}
	return kernel_damaged(load, "no ELF segment has its entry", virt);
}

static int elf_read(struct boot_load *load, const struct elf_form *form,
		    const u8 *ehdr, u64 *entry)
{
	int err;

	err = boot_file_check(&load->kernel, 0, ELF_SIZE(form, Ehdr));
	if (err)
		return err;
	err = elf_read_segments(load, form, ehdr);
	if (err)
		return err;
	if (ELF_FIELD(form, ehdr, Ehdr, e_type) == ET_DYN)
		elf_move_zimage(load);
	return elf_find_entry(load, ELF_FIELD(form, ehdr, Ehdr, e_entry), entry);
}

/* --- flat images --------------------------------------------------------- */

/*
 * A flat image has no magic number, but it is entered big endian at its first
 * byte, and there Linux has the instruction that tells the byte orders apart:
 * 0x08000048 (tdi 0,0,0x48: does nothing), or for a little endian kernel its
 * reverse, 0x48000008, a branch (asm/ppc_asm.h, FIXUP_ENDIAN).  So has every
 * image that begins with an ordinary branch forward to what is in it.
 */
static bool flat_probe(const struct boot_load *load,
		       const struct boot_head *head)
{
	const u32 to_mask = 0x01fffffc;
	u32 insn;

	if (head->len < sizeof(insn))
		return false;
	insn = read_number(head->data, sizeof(insn), true);
	if (insn == 0x08000048)
		return true;
	return (insn & ~to_mask) == 0x48000000 && (insn & to_mask) != 0 &&
	       (insn & to_mask) < load->kernel.size;
}

/* How large the bss is, nobody tells: Linux' has far less than the file. */
static void flat_read(struct boot_load *load, u64 *entry)
{
	u64 size = load->kernel.size;

	load->segment[load->nsegments++] = (struct boot_segment){
		.filesz = size,
		.memsz = 2 * size + MIB,
	};
	*entry = 0;
}

/* --- any file ------------------------------------------------------------ */

/* Kernels of other machines, by what is where in their files. */
static const struct foreign_magic {
	u16 offset;
	const char *bytes;
	const char *what;
} foreign_magics[] = {
	{ 0x202, "HdrS", "a bzImage, a kernel for x86-64 or i386" },
	{ 0x38, "ARM\x64", "a kernel for aarch64" },
	{ 0x38, "RSC\x05", "a kernel for RISC-V" },
};

static const struct foreign_machine {
	u16 machine;
	const char *what;
} foreign_machines[] = {
	{ EM_X86_64, "an ELF file for x86-64" },
	{ EM_386, "an ELF file for i386" },
	{ EM_AARCH64, "an ELF file for aarch64" },
	{ EM_S390, "an ELF file for s390" },
	{ EM_RISCV, "an ELF file for RISC-V" },
	{ EM_PPC64, "an ELF file that is no executable" },
	{ EM_PPC, "an ELF file that is no executable" },
};

static const char *kernel_kind(const struct boot_head *head)
{
	struct elf_form form;
	u64 machine;

	for (size_t i = 0; i < COUNT(foreign_magics); i++) {
		const struct foreign_magic *m = &foreign_magics[i];

		if (head->len >= m->offset + strlen(m->bytes) &&
		    !memcmp(head->data + m->offset, m->bytes, strlen(m->bytes)))
			return m->what;
	}
	if (!elf_probe(head, &form))
		return boot_file_kind(head);
	machine = ELF_FIELD(&form, head->data, Ehdr, e_machine);
	for (size_t i = 0; i < COUNT(foreign_machines); i++)
		if (machine == foreign_machines[i].machine)
			return foreign_machines[i].what;
	return boot_file_kind(head);
}

/* lkvm's own archive has an init for little endian kernels. */
static int kernel_check_command(const struct boot_load *load, bool big)
{
	if (!big || !load->initrd.archive_size)
		return 0;
	log_error("--kernel %s: big endian, and -- COMMAND is for little endian kernels; give a ppc64le one, or an init of your own by --initrd",
		  load->kernel.path);
	return -ENOEXEC;
}

/* What the kernel is, its segments and its entry. */
static int kernel_read(struct boot_load *load, u64 *entry)
{
	struct boot_head head;
	struct elf_form form;
	int err;

	err = boot_file_head(&load->kernel, &head);
	if (err)
		return err;
	if (elf_probe(&head, &form) && elf_is_kernel(&head, &form)) {
		err = kernel_check_command(load, form.big);
		return err ? err : elf_read(load, &form, head.data, entry);
	}
	if (flat_probe(load, &head)) {
		flat_read(load, entry);
		return 0;
	}
	log_error("--kernel %s: not a kernel for POWER (looks like %s); give a vmlinux or zImage for ppc64 or ppc64le",
		  load->kernel.path, kernel_kind(&head));
	return -ENOEXEC;
}

static int kernel_check(struct boot_load *load)
{
	for (unsigned int i = 0; i < load->nsegments; i++) {
		const struct boot_segment *s = &load->segment[i];

		if (s->filesz > s->memsz)
			return kernel_damaged(load, "segment of file size",
					      s->filesz);
		if (s->paddr > KERNEL_END_MAX ||
		    s->memsz > KERNEL_END_MAX - s->paddr) {
			log_error("--kernel %s: asks for %llu MiB at %llu MiB, and no kernel may reach beyond %llu; copy it again, or give another",
				  load->kernel.path,
				  (unsigned long long)boot_mib(s->memsz),
				  (unsigned long long)(s->paddr / MIB),
				  KERNEL_END_MAX / MIB);
			return -ENOEXEC;
		}
		if (s->paddr + s->memsz > load->kernel_end)
			load->kernel_end = s->paddr + s->memsz;
	}
	return 0;
}

static int boot_does_not_fit(const struct boot_load *load, u64 tables_end,
			     u64 end)
{
	u64 ram = load->mem->size / MIB;
	u64 advice = boot_mib(end + LINUX_ROOM);

	if (tables_end > load->mem->size)
		log_error("--kernel %s: needs memory up to %llu MiB (device tree and RTAS behind it), but --mem is %llu MiB; give --mem %lluM or more",
			  load->kernel.path,
			  (unsigned long long)boot_mib(tables_end),
			  (unsigned long long)ram, (unsigned long long)advice);
	else
		log_error("--initrd %s: its %llu MiB do not fit above the kernel and its tables, which end at %llu MiB, and --mem is %llu MiB; give --mem %lluM or more",
			  load->initrd.path,
			  (unsigned long long)boot_mib(load->initrd.size),
			  (unsigned long long)boot_mib(tables_end),
			  (unsigned long long)ram, (unsigned long long)advice);
	return -ENOMEM;
}

static u64 page_align(u64 addr)
{
	return (addr + PAGE_SIZE - 1) & -PAGE_SIZE;
}

/*
 * From the kernel's end on: device tree, heap of a zImage, RTAS, initrd.
 * KERNEL_END_MAX keeps the first three in 32-bit reach: so large is
 * linux,rtas-base (Linux, early_init_dt_scan_rtas()).  The tree comes first: a
 * zImage's heap begins behind itself, and it copies the tree there before
 * anything else.  Its heap ends where it is told (Linux, arch/powerpc/boot/epapr.c).
 */
static int boot_place(const struct boot_load *load, struct spapr_boot *out)
{
	u64 tables_end, end;

	out->fdt = page_align(load->kernel_end);
	out->rtas = out->fdt + SPAPR_FDT_MAX + load->heap;
	tables_end = end = out->rtas + PAGE_SIZE;
	if (load->initrd.size) {
		out->initrd = tables_end;
		out->initrd_size = load->initrd.size;
		end += out->initrd_size;
	}
	if (end > load->mem->size)
		return boot_does_not_fit(load, tables_end, end);
	return 0;
}

int spapr_boot_check_node(const struct spapr_boot *boot, u64 size)
{
	u64 end = boot->rtas + PAGE_SIZE;

	if (boot->initrd_size)
		end = boot->initrd + boot->initrd_size;
	if (end <= size)
		return 0;
	log_error("--numa node=0: mem %lluM: kernel, tables and initrd reach up to %llu MiB, and all must be in node 0; give it mem=%lluM or more",
		  (unsigned long long)(size / MIB),
		  (unsigned long long)boot_mib(end),
		  (unsigned long long)boot_mib(end + LINUX_ROOM));
	return -ENOMEM;
}

static int boot_read_in(const struct boot_file *file,
			const struct guest_memory *mem, u64 offset, u64 gpa,
			u64 len)
{
	return boot_file_read(file, offset, guest_ptr(mem, gpa, len), len);
}

/* What a segment has in memory beyond the file is zero: memory is fresh. */
static int boot_fill(const struct boot_load *load, const struct spapr_boot *out)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < load->nsegments; i++) {
		const struct boot_segment *s = &load->segment[i];

		if (s->filesz)
			err = boot_read_in(&load->kernel, load->mem, s->offset,
					   s->paddr, s->filesz);
	}
	if (!err && out->initrd_size)
		err = boot_initrd_read(&load->initrd,
				       guest_ptr(load->mem, out->initrd,
						 out->initrd_size));
	if (err)
		return err;
	memcpy(guest_ptr(load->mem, out->rtas, RTAS_BLOB_SIZE), rtas_blob,
	       RTAS_BLOB_SIZE);
	return 0;
}

static int boot_load(struct boot_load *load, struct spapr_boot *out)
{
	int err;

	err = kernel_read(load, &out->entry);
	if (err)
		return err;
	err = kernel_check(load);
	if (err)
		return err;
	err = boot_place(load, out);
	if (err)
		return err;
	return boot_fill(load, out);
}

static int boot_check_cmdline(const char *cmdline)
{
	size_t len = cmdline ? strlen(cmdline) : 0;

	if (len <= CMDLINE_MAX)
		return 0;
	log_error("--params: the kernel command line has %zu bytes, but Linux takes %d; shorten it",
		  len, CMDLINE_MAX);
	return -E2BIG;
}

int spapr_boot_load(const struct guest_memory *mem, const struct boot_spec *boot,
		    struct spapr_boot *out)
{
	struct boot_load load = { .mem = mem };
	int err;

	assert(mem->nregions == 1 && mem->region[0].gpa == 0 &&
	       mem->size <= SPAPR_RAM_MAX);
	*out = (struct spapr_boot){ .entry = 0 };
	if (!boot->kernel) {
		log_error("--kernel: not given; give a vmlinux");
		return -EINVAL;
	}
	err = boot_check_cmdline(boot->cmdline);
	if (err)
		return err;
	err = boot_file_open(&load.kernel, "--kernel", boot->kernel);
	if (err)
		return err;
	err = boot_initrd_open(&load.initrd, boot);
	if (!err)
		err = boot_load(&load, out);
	boot_initrd_close(&load.initrd);
	boot_file_close(&load.kernel);
	return err;
}
