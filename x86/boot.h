/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel formats (bzimage.c, pvh.c) and boot.c share.  A kernel file
 * is hostile: its fields reach memory only through guest_ptr(), and the file
 * only through boot_file_check() or boot_file_read().
 */
#ifndef LKVM_X86_BOOT_H
#define LKVM_X86_BOOT_H

#include "endian.h"
#include "kvm/boot_file.h"

struct guest_memory;
struct x86_entry;

/* What is being booted, and what of guest memory it takes. */
struct boot_load {
	const struct guest_memory *mem;
	struct boot_file kernel;
	struct boot_initrd initrd;
	const char *cmdline;
	u64 kernel_start;		/* [start, end): the kernel's until it */
	u64 kernel_end;			/* knows its own memory map */
	u64 initrd_addr;
};

enum boot_range_type {		/* values of ACPI 6.4, table 15.4 */
	BOOT_RANGE_RAM = 1,
	BOOT_RANGE_RESERVED = 2,
};

struct boot_range {
	u64 addr;
	u64 size;
	enum boot_range_type type;
};
#define BOOT_RANGES_MAX 8

/* boot.c: for the formats. */
/* The machine's memory map, ascending; returns the number of ranges. */
unsigned int boot_memory_map(const struct guest_memory *mem,
			     struct boot_range range[BOOT_RANGES_MAX]);
/* Put the command line in its place; @max bytes at most.  0 or -errno. */
int boot_load_cmdline(const struct boot_load *load, u64 max);
/* Read the initrd as high as there is RAM below @limit.  0 or -errno. */
int boot_load_initrd(struct boot_load *load, u64 limit);
/* Tell that the kernel's range is not all RAM; -ENOMEM or -ENOEXEC. */
int boot_kernel_too_big(const struct boot_load *load);

/* bzimage.c: 64-bit boot protocol. */
bool bzimage_probe(const struct boot_head *head);
int bzimage_load(struct boot_load *load, const struct boot_head *head,
		 struct x86_entry *entry);

/* pvh.c: ELF with a PVH entry. */
bool pvh_probe(const struct boot_head *head);
int pvh_load(struct boot_load *load, const struct boot_head *head,
	     struct x86_entry *entry);

#endif
