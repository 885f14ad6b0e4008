// SPDX-License-Identifier: GPL-2.0-only
/*
 * ELF kernels (vmlinux) by the PVH protocol: an ELF note of the kernel names a
 * 32-bit entry, EBX points to struct hvm_start_info there.  The ABI is Xen's
 * docs/misc/pvh.pandoc and its public header arch-x86/hvm/start_info.h.
 *
 * Headers, segments and notes are the file's word and nothing more: they are
 * checked against the file's length and against guest memory before use.
 * Called by boot.c.
 */
#include "x86/boot.h"
#include "kvm/memory.h"
#include "log.h"
#include "x86/x86.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define SEGMENTS_MAX	64
#define NOTES_MAX	(1u << 20)
/* PVH names no limit; Linux cuts at COMMAND_LINE_SIZE, 2048 with the NUL. */
#define PVH_CMDLINE_MAX	2047

struct hvm_start_info {
	__le32 magic;
	__le32 version;
	__le32 flags;
	__le32 nr_modules;
	__le64 modlist;
	__le64 cmdline;
	__le64 rsdp;
	__le64 memmap;		/* version 1 */
	__le32 memmap_entries;
	__le32 reserved;
};
_Static_assert(sizeof(struct hvm_start_info) == 56, "start_info");
#define START_INFO_MAGIC 0x336ec578

struct hvm_module {
	__le64 addr;
	__le64 size;
	__le64 cmdline;
	__le64 reserved;
};
_Static_assert(sizeof(struct hvm_module) == 32, "start_info module");

struct hvm_memmap {
	__le64 addr;
	__le64 size;
	__le32 type;		/* as in e820 */
	__le32 reserved;
};
_Static_assert(sizeof(struct hvm_memmap) == 24, "start_info memory map");

/* All that PVH passes, in one page. */
struct pvh_page {
	struct hvm_start_info info;
	struct hvm_module initrd;
	struct hvm_memmap memmap[BOOT_RANGES_MAX];
};
_Static_assert(sizeof(struct pvh_page) <= 4096, "start_info page");

struct pvh_image {
	unsigned int nsegments;
	Elf64_Phdr segment[SEGMENTS_MAX];
	bool has_entry;
	u32 entry;
};

bool pvh_probe(const struct boot_head *head)
{
	Elf64_Ehdr elf;

	if (head->len < sizeof(elf))
		return false;
	memcpy(&elf, head->data, sizeof(elf));
	return !memcmp(elf.e_ident, ELFMAG, SELFMAG) &&
	       elf.e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf.e_ident[EI_DATA] == ELFDATA2LSB &&
	       elf.e_machine == EM_X86_64;
}

static int pvh_damaged(const struct boot_load *load, const char *what, u64 value)
{
	log_error("--kernel %s: damaged: %s %#llx; copy it again",
		  load->kernel.path, what, (unsigned long long)value);
	return -ENOEXEC;
}

static int pvh_read_segments(const struct boot_load *load,
			     const struct boot_head *head,
			     struct pvh_image *image)
{
	Elf64_Ehdr elf;

	memcpy(&elf, head->data, sizeof(elf));
	if (elf.e_phentsize != sizeof(Elf64_Phdr))
		return pvh_damaged(load, "ELF e_phentsize", elf.e_phentsize);
	if (elf.e_phnum == 0 || elf.e_phnum > SEGMENTS_MAX)
		return pvh_damaged(load, "ELF e_phnum", elf.e_phnum);
	image->nsegments = elf.e_phnum;
	return boot_file_read(&load->kernel, elf.e_phoff, image->segment,
			      elf.e_phnum * sizeof(Elf64_Phdr));
}

/* Notes and their parts are padded; @align is 4, or 8 where p_align says so. */
static u64 pvh_note_pad(u64 len, u64 align)
{
	return (len + align - 1) & ~(align - 1);
}

/* Look for the entry among the notes in @data; a bad note ends the search. */
static void pvh_parse_notes(struct pvh_image *image, const u8 *data, u64 len,
			    u64 align)
{
	Elf64_Nhdr note;
	u64 desc, end;

	for (u64 at = 0; at <= len && len - at >= sizeof(note); at += end) {
		memcpy(&note, data + at, sizeof(note));
		desc = pvh_note_pad(sizeof(note) + note.n_namesz, align);
		end = pvh_note_pad(desc + note.n_descsz, align);
		if (desc > len - at || note.n_descsz > len - at - desc)
			return;
		if (note.n_type != XEN_ELFNOTE_PHYS32_ENTRY ||
		    note.n_namesz != sizeof("Xen") ||
		    memcmp(data + at + sizeof(note), "Xen", sizeof("Xen")))
			continue;
		/* 4 or 8 bytes, of which 4 count: the entry is 32-bit. */
		if (note.n_descsz < sizeof(image->entry))
			return;
		memcpy(&image->entry, data + at + desc, sizeof(image->entry));
		image->has_entry = true;
		return;
	}
}

static int pvh_read_notes(const struct boot_load *load,
			  struct pvh_image *image, const Elf64_Phdr *segment)
{
	u8 *data;
	int err;

	if (segment->p_filesz > NOTES_MAX)
		return pvh_damaged(load, "ELF notes of size",
				   segment->p_filesz);
	data = malloc(segment->p_filesz + 1);
	if (!data) {
		log_error("--kernel %s: no host memory to read it; free some",
			  load->kernel.path);
		return -ENOMEM;
	}
	err = boot_file_read(&load->kernel, segment->p_offset, data,
			     segment->p_filesz);
	if (!err)
		pvh_parse_notes(image, data, segment->p_filesz,
				segment->p_align == 8 ? 8 : 4);
	free(data);
	return err;
}

static int pvh_find_entry(const struct boot_load *load,
			  struct pvh_image *image)
{
	int err;

	for (unsigned int i = 0; i < image->nsegments; i++) {
		if (image->segment[i].p_type != PT_NOTE || image->has_entry)
			continue;
		err = pvh_read_notes(load, image, &image->segment[i]);
		if (err)
			return err;
	}
	if (!image->has_entry) {
		log_error("--kernel %s: an ELF file without PVH entry; give the bzImage (/boot/vmlinuz-...) or build with CONFIG_PVH=y",
			  load->kernel.path);
		return -ENOEXEC;
	}
	return 0;
}

static bool pvh_loadable(const Elf64_Phdr *segment)
{
	return segment->p_type == PT_LOAD && segment->p_memsz > 0;
}

/* From the lowest to the highest address; every segment is in 32-bit reach. */
static int pvh_place(struct boot_load *load, const struct pvh_image *image)
{
	load->kernel_start = X86_HIGH_RAM;
	for (unsigned int i = 0; i < image->nsegments; i++) {
		const Elf64_Phdr *s = &image->segment[i];

		if (!pvh_loadable(s))
			continue;
		if (s->p_filesz > s->p_memsz)
			return pvh_damaged(load, "ELF segment of file size",
					   s->p_filesz);
		if (s->p_paddr < X86_KERNEL_ADDR ||
		    s->p_paddr >= X86_LOW_RAM_END ||
		    s->p_memsz > X86_HIGH_RAM)
			return pvh_damaged(load, "ELF segment at address",
					   s->p_paddr);
		if (s->p_paddr < load->kernel_start)
			load->kernel_start = s->p_paddr;
		if (s->p_paddr + s->p_memsz > load->kernel_end)
			load->kernel_end = s->p_paddr + s->p_memsz;
	}
	if (image->entry < load->kernel_start ||
	    image->entry >= load->kernel_end)
		return pvh_damaged(load, "PVH entry at", image->entry);
	if (!guest_ptr(load->mem, load->kernel_start,
		       load->kernel_end - load->kernel_start))
		return boot_kernel_too_big(load);
	return 0;
}

/* What a segment has in memory beyond the file is zero: memory is fresh. */
static int pvh_load_segments(const struct boot_load *load,
			     const struct pvh_image *image)
{
	int err;

	for (unsigned int i = 0; i < image->nsegments; i++) {
		const Elf64_Phdr *s = &image->segment[i];

		if (!pvh_loadable(s))
			continue;
		err = boot_file_read(&load->kernel, s->p_offset,
				     guest_ptr(load->mem, s->p_paddr,
					       s->p_filesz),
				     s->p_filesz);
		if (err)
			return err;
	}
	return 0;
}

static void pvh_memmap(const struct boot_load *load, struct pvh_page *page)
{
	struct boot_range range[BOOT_RANGES_MAX];
	unsigned int n = boot_memory_map(load->mem, range);

	for (unsigned int i = 0; i < n; i++)
		page->memmap[i] = (struct hvm_memmap){
			.addr = cpu_to_le64(range[i].addr),
			.size = cpu_to_le64(range[i].size),
			.type = cpu_to_le32(range[i].type),
		};
	page->info.memmap = cpu_to_le64(X86_ZERO_PAGE_ADDR +
					offsetof(struct pvh_page, memmap));
	page->info.memmap_entries = cpu_to_le32(n);
}

static void pvh_start_info(const struct boot_load *load)
{
	struct pvh_page *page = guest_ptr(load->mem, X86_ZERO_PAGE_ADDR,
					  sizeof(*page));

	memset(page, 0, sizeof(*page));
	page->info.magic = cpu_to_le32(START_INFO_MAGIC);
	page->info.version = cpu_to_le32(1);
	page->info.cmdline = cpu_to_le64(X86_CMDLINE_ADDR);
	page->info.rsdp = cpu_to_le64(X86_ACPI_ADDR);
	if (load->initrd.size) {
		page->initrd.addr = cpu_to_le64(load->initrd_addr);
		page->initrd.size = cpu_to_le64(load->initrd.size);
		page->info.nr_modules = cpu_to_le32(1);
		page->info.modlist =
			cpu_to_le64(X86_ZERO_PAGE_ADDR +
				    offsetof(struct pvh_page, initrd));
	}
	pvh_memmap(load, page);
}

int pvh_load(struct boot_load *load, const struct boot_head *head,
	     struct x86_entry *entry)
{
	struct pvh_image image = { .nsegments = 0 };
	int err;

	err = pvh_read_segments(load, head, &image);
	if (err)
		return err;
	err = pvh_find_entry(load, &image);
	if (err)
		return err;
	err = pvh_place(load, &image);
	if (err)
		return err;
	err = boot_load_cmdline(load, PVH_CMDLINE_MAX);
	if (err)
		return err;
	/* Linux takes only 32 bits of the initrd's address from PVH. */
	err = boot_load_initrd(load, X86_HIGH_RAM);
	if (err)
		return err;
	err = pvh_load_segments(load, &image);
	if (err)
		return err;
	pvh_start_info(load);
	entry->rip = image.entry;
	entry->rbx = X86_ZERO_PAGE_ADDR;
	return 0;
}
