// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzImage by the 64-bit boot protocol (Documentation/x86/boot.rst, "64-bit
 * BOOT PROTOCOL"; called boot.rst below): the kernel is entered in long mode
 * at its load address + 0x200, with the zero page in RSI.
 *
 * Every number in the setup header is the file's word and nothing more: it is
 * checked against the file's length and against guest memory before use.
 * Called by boot.c.
 */
#include "x86/boot.h"
#include "kvm/memory.h"
#include "log.h"
#include "x86/x86.h"
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#define HEADER_OFFSET	0x1f1
#define HEADER_MAGIC	0x53726448	/* "HdrS" */
#define HEADER_END_BASE	0x202		/* the byte at 0x201 counts from here */
#define PROTOCOL_64BIT	0x020c		/* 2.12, Linux 3.8: xloadflags */
#define PROTOCOL_RSDP	0x020e		/* 2.14, Linux 4.20: acpi_rsdp_addr */
#define ENTRY_64BIT	0x200
#define LOADER_UNDEFINED 0xff
#define SECTOR		512ULL

_Static_assert(offsetof(struct boot_params, hdr) == HEADER_OFFSET, "zero page");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "zero page");
_Static_assert(sizeof(struct boot_params) == 4096, "zero page");
_Static_assert(HEADER_OFFSET + sizeof(struct setup_header) <= BOOT_HEAD_SIZE,
	       "setup header in the head");

/* The part of the file that runs: [offset, offset + size). */
struct bzimage {
	struct setup_header hdr;
	u64 offset;
	u64 size;
};

bool bzimage_probe(const struct boot_head *head)
{
	u32 magic;

	if (head->len < HEADER_END_BASE + sizeof(magic))
		return false;
	memcpy(&magic, head->data + HEADER_END_BASE, sizeof(magic));
	return magic == HEADER_MAGIC;
}

/* The header as far as the file says it reaches; the rest is zero. */
static int bzimage_header(const struct boot_load *load,
			  const struct boot_head *head, struct setup_header *hdr)
{
	const size_t need = offsetof(struct setup_header, init_size) +
			    sizeof(hdr->init_size);
	size_t len = HEADER_END_BASE + head->data[0x201] - HEADER_OFFSET;
	int err;

	if (len > sizeof(*hdr))
		len = sizeof(*hdr);
	err = boot_file_check(&load->kernel, 0, HEADER_OFFSET + len);
	if (err)
		return err;
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, head->data + HEADER_OFFSET, len);
	if (hdr->version < PROTOCOL_64BIT || len < need ||
	    !(hdr->xloadflags & XLF_KERNEL_64)) {
		log_error("--kernel %s: has no 64-bit entry (boot protocol %u.%02u); give a 64-bit kernel, Linux 3.8 or later",
			  load->kernel.path, hdr->version >> 8,
			  hdr->version & 0xff);
		return -ENOEXEC;
	}
	return 0;
}

/*
 * The protected-mode kernel follows the setup sectors (0 means 4: boot.rst,
 * "setup_sects") and is syssize units of 16 bytes long; the last unit need not
 * be full.
 */
static int bzimage_payload(const struct boot_load *load, struct bzimage *image)
{
	u64 sects = image->hdr.setup_sects ? image->hdr.setup_sects : 4;
	u64 size = image->hdr.syssize * 16ULL;
	int err;

	if (size <= ENTRY_64BIT) {
		log_error("--kernel %s: damaged: its header says there are %llu bytes of kernel; copy it again",
			  load->kernel.path, (unsigned long long)size);
		return -ENOEXEC;
	}
	image->offset = (sects + 1) * SECTOR;
	err = boot_file_check(&load->kernel, image->offset, size - 15);
	if (err)
		return err;
	if (size > load->kernel.size - image->offset)
		size = load->kernel.size - image->offset;
	image->size = size;
	return 0;
}

/*
 * The kernel goes to its preferred address, relocatable or not: below it even
 * a relocatable kernel unpacks itself there, so a lower address saves nothing.
 * From there on init_size bytes are its own (boot.rst, "init_size").
 */
static int bzimage_place(struct boot_load *load, const struct bzimage *image)
{
	u64 size = image->hdr.init_size;
	u64 addr = image->hdr.pref_address;

	if (size < image->size)
		size = image->size;
	if (addr < X86_KERNEL_ADDR || addr >= X86_LOW_RAM_END) {
		log_error("--kernel %s: damaged: its header asks for address %#llx; copy it again",
			  load->kernel.path, (unsigned long long)addr);
		return -ENOEXEC;
	}
	load->kernel_start = addr;
	load->kernel_end = addr + size;
	if (!guest_ptr(load->mem, addr, size))
		return boot_kernel_too_big(load);
	return 0;
}

/* boot.rst, "initrd_addr_max": the last byte's highest address. */
static u64 bzimage_initrd_limit(const struct setup_header *hdr)
{
	if (hdr->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G)
		return ~0ULL;
	return hdr->initrd_addr_max + 1ULL;
}

static void bzimage_e820(const struct boot_load *load, struct boot_params *zero)
{
	struct boot_range range[BOOT_RANGES_MAX];
	unsigned int n = boot_memory_map(load->mem, range);

	for (unsigned int i = 0; i < n; i++)
		zero->e820_table[i] = (struct boot_e820_entry){
			.addr = range[i].addr,
			.size = range[i].size,
			.type = range[i].type,
		};
	zero->e820_entries = n;
}

/* boot.rst, "64-bit BOOT PROTOCOL": the header, then what the loader knows. */
static void bzimage_zero_page(const struct boot_load *load,
			      const struct bzimage *image)
{
	struct boot_params *zero = guest_ptr(load->mem, X86_ZERO_PAGE_ADDR,
					     sizeof(*zero));

	memset(zero, 0, sizeof(*zero));
	zero->hdr = image->hdr;
	zero->hdr.type_of_loader = LOADER_UNDEFINED;
	zero->hdr.code32_start = load->kernel_start;
	zero->hdr.setup_data = 0;
	zero->hdr.cmd_line_ptr = X86_CMDLINE_ADDR;
	if (load->initrd.size) {
		zero->hdr.ramdisk_image = load->initrd_addr;
		zero->ext_ramdisk_image = load->initrd_addr >> 32;
		zero->hdr.ramdisk_size = load->initrd.size;
		zero->ext_ramdisk_size = load->initrd.size >> 32;
	} else {
		zero->hdr.ramdisk_image = 0;
		zero->hdr.ramdisk_size = 0;
	}
	if (image->hdr.version >= PROTOCOL_RSDP)
		zero->acpi_rsdp_addr = X86_ACPI_ADDR;
	bzimage_e820(load, zero);
}

int bzimage_load(struct boot_load *load, const struct boot_head *head,
		 struct x86_entry *entry)
{
	struct bzimage image = { .size = 0 };
	int err;

	err = bzimage_header(load, head, &image.hdr);
	if (err)
		return err;
	err = bzimage_payload(load, &image);
	if (err)
		return err;
	err = bzimage_place(load, &image);
	if (err)
		return err;
	err = boot_load_cmdline(load, image.hdr.cmdline_size);
	if (err)
		return err;
	err = boot_load_initrd(load, bzimage_initrd_limit(&image.hdr));
	if (err)
		return err;
	err = boot_file_read(&load->kernel, image.offset,
			     guest_ptr(load->mem, load->kernel_start,
				       image.size),
			     image.size);
	if (err)
		return err;
	bzimage_zero_page(load, &image);
	entry->long_mode = true;
	entry->rip = load->kernel_start + ENTRY_64BIT;
	entry->rsi = X86_ZERO_PAGE_ADDR;
	return 0;
}
