// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a kernel: what it is, and what all formats have in common, namely
 * command line, initrd, memory map and the tables for 64-bit mode.
 *
 * boot_load() is called once per boot by machine.c, while no vCPU runs; on
 * failure guest memory is undefined.  The formats are bzimage.c and pvh.c.
 */
#include "x86/boot.h"
#include "arch.h"
#include "kvm/memory.h"
#include "log.h"
#include "x86/x86.h"
#include <errno.h>
#include <string.h>

#define PAGE_SIZE 4096ULL
#define MIB (1ULL << 20)

static int boot_not_a_kernel(const struct boot_load *load,
			     const struct boot_head *head)
{
	log_error("--kernel %s: not a kernel (looks like %s); give a bzImage (/boot/vmlinuz-...) or an ELF vmlinux for x86-64",
		  load->kernel.path, boot_file_kind(head));
	return -ENOEXEC;
}

int boot_kernel_too_big(const struct boot_load *load)
{
	if (load->kernel_end > X86_LOW_RAM_END) {
		log_error("--kernel %s: damaged: asks for memory up to %#llx, no machine has it; copy it again",
			  load->kernel.path,
			  (unsigned long long)load->kernel_end);
		return -ENOEXEC;
	}
	log_error("--kernel %s: needs memory from %llu to %llu MiB, but --mem is %llu MiB; give --mem %lluM or more",
		  load->kernel.path,
		  (unsigned long long)(load->kernel_start / MIB),
		  (unsigned long long)((load->kernel_end + MIB - 1) / MIB),
		  (unsigned long long)(load->mem->size / MIB),
		  (unsigned long long)((load->kernel_end + MIB - 1) / MIB + 32));
	return -ENOMEM;
}

/* The map of x86.h: low RAM ends at the EBDA, ACPI tables are above it. */
unsigned int boot_memory_map(const struct guest_memory *mem,
			     struct boot_range range[BOOT_RANGES_MAX])
{
	unsigned int n = 0;
	const struct guest_region *r = mem->region;

	range[n++] = (struct boot_range){ 0, X86_EBDA_ADDR, BOOT_RANGE_RAM };
	range[n++] = (struct boot_range){ X86_EBDA_ADDR,
					  X86_KERNEL_ADDR - X86_EBDA_ADDR,
					  BOOT_RANGE_RESERVED };
	range[n++] = (struct boot_range){ X86_KERNEL_ADDR,
					  r->size - X86_KERNEL_ADDR,
					  BOOT_RANGE_RAM };
	range[n++] = (struct boot_range){ X86_ECAM_ADDR, MIB,
					  BOOT_RANGE_RESERVED };
	/* Four pages that KVM itself puts there. */
	range[n++] = (struct boot_range){ X86_IDENTITY_MAP_ADDR, 4 * PAGE_SIZE,
					  BOOT_RANGE_RESERVED };
	for (unsigned int i = 1; i < mem->nregions; i++)
		range[n++] = (struct boot_range){ r[i].gpa, r[i].size,
						  BOOT_RANGE_RAM };
	return n;
}

int boot_load_cmdline(const struct boot_load *load, u64 max)
{
	const char *cmdline = load->cmdline ? load->cmdline : "";
	size_t len = strlen(cmdline);

	if (max > X86_CMDLINE_MAX - 1)
		max = X86_CMDLINE_MAX - 1;
	if (len > max) {
		log_error("--params: the kernel command line has %zu bytes, but %s takes %llu; shorten it",
			  len, load->kernel.path, (unsigned long long)max);
		return -E2BIG;
	}
	memcpy(guest_ptr(load->mem, X86_CMDLINE_ADDR, len + 1), cmdline,
	       len + 1);
	return 0;
}

/* The highest page in [start, end) with @size bytes after it, or 0. */
static u64 boot_fit(u64 start, u64 end, u64 size)
{
	u64 addr;

	if (end < start || end - start < size)
		return 0;
	addr = (end - size) & -PAGE_SIZE;
	return addr >= start ? addr : 0;
}

/* Where the initrd goes: above the kernel if possible, else below; or 0. */
static u64 boot_initrd_place(const struct boot_load *load, u64 limit)
{
	u64 size = load->initrd.size, best = 0;

	for (unsigned int i = 0; i < load->mem->nregions; i++) {
		const struct guest_region *r = &load->mem->region[i];
		u64 start = r->gpa > MIB ? r->gpa : MIB;
		u64 end = r->gpa + r->size;
		u64 addr;

		if (end > limit)
			end = limit;
		addr = boot_fit(start, end, size);
		if (addr < load->kernel_end &&
		    addr + size > load->kernel_start)
			addr = boot_fit(start, load->kernel_start < end ?
					load->kernel_start : end, size);
		if (addr > best)
			best = addr;
	}
	return best;
}

int boot_load_initrd(struct boot_load *load, u64 limit)
{
	const struct boot_initrd *initrd = &load->initrd;

	if (!initrd->size)
		return 0;
	load->initrd_addr = boot_initrd_place(load, limit);
	if (!load->initrd_addr) {
		log_error("--initrd %s: %llu MiB do not fit beside the kernel's %llu; give more --mem than %llu MiB%s",
			  initrd->path,
			  (unsigned long long)((initrd->size + MIB - 1) / MIB),
			  (unsigned long long)((load->kernel_end -
						load->kernel_start + MIB - 1) /
					       MIB),
			  (unsigned long long)(load->mem->size / MIB),
			  limit < load->mem->size ?
			  ", or a smaller one: the kernel limits its place" : "");
		return -ENOMEM;
	}
	return boot_initrd_read(initrd, guest_ptr(load->mem, load->initrd_addr,
						  initrd->size));
}

/* Linux wants code and data at 0x10 and 0x18: Documentation/x86/boot.rst */
static void boot_gdt(const struct guest_memory *mem)
{
	u64 *gdt = guest_ptr(mem, X86_GDT_ADDR, 4 * sizeof(*gdt));

	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = 0x00af9b000000ffffULL;	/* code: 64 bit, flat */
	gdt[3] = 0x00cf93000000ffffULL;	/* data: writable, flat */
}

/* Virtual is physical for the first 4 GiB (Intel SDM volume 3, 4.5). */
static void boot_page_tables(const struct guest_memory *mem)
{
	const u64 present = 1, write = 2, large = 0x80;
	u64 *entry = guest_ptr(mem, X86_PAGE_TABLES_ADDR, 6 * PAGE_SIZE);

	memset(entry, 0, 2 * PAGE_SIZE);
	entry[0] = (X86_PAGE_TABLES_ADDR + PAGE_SIZE) | present | write;
	for (u64 i = 0; i < 4; i++)
		entry[512 + i] = (X86_PAGE_TABLES_ADDR + (2 + i) * PAGE_SIZE) |
				 present | write;
	for (u64 i = 0; i < 2048; i++)
		entry[1024 + i] = i * 2 * MIB | present | write | large;
}

static int boot_load_kernel(struct boot_load *load, struct x86_entry *entry)
{
	struct boot_head head;
	int err;

	err = boot_file_head(&load->kernel, &head);
	if (err)
		return err;
	*entry = (struct x86_entry){ 0 };
	if (bzimage_probe(&head))
		return bzimage_load(load, &head, entry);
	if (pvh_probe(&head))
		return pvh_load(load, &head, entry);
	return boot_not_a_kernel(load, &head);
}

int boot_load(const struct guest_memory *mem, const struct boot_spec *boot,
	      struct x86_entry *entry)
{
	struct boot_load load = { .mem = mem, .cmdline = boot->cmdline };
	int err;

	if (!guest_ptr(mem, 0, 2 * MIB)) {
		log_error("--mem: %llu KiB are too few; give 64M or more",
			  (unsigned long long)(mem->size >> 10));
		return -ENOMEM;
	}
	if (!boot->kernel) {
		log_error("--kernel: not given; give a bzImage or an ELF vmlinux");
		return -EINVAL;
	}
	boot_gdt(mem);
	boot_page_tables(mem);
	err = boot_file_open(&load.kernel, "--kernel", boot->kernel);
	if (err)
		return err;
	err = boot_initrd_open(&load.initrd, boot);
	if (!err)
		err = boot_load_kernel(&load, entry);
	boot_initrd_close(&load.initrd);
	boot_file_close(&load.kernel);
	return err;
}
