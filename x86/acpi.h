/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files that write ACPI tables share.
 */
#ifndef LKVM_X86_ACPI_H
#define LKVM_X86_ACPI_H

#include "endian.h"

#define PACKED __attribute__((packed))

struct guest_memory;
struct guest_numa;

struct acpi_header {	/* 5.2.6 */
	char signature[4];
	__le32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	__le32 oem_revision;
	char creator_id[4];
	__le32 creator_revision;
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "table header");

/* The ACPI area, filled from its start: x86.h says where it is. */
struct acpi_area {
	u8 *base;
	u32 used;
};

/* @size zero bytes; @align is a power of two. */
void *acpi_alloc(struct acpi_area *area, size_t size, u32 align);
u32 acpi_address(const struct acpi_area *area, const void *table);
/* The table's other bytes are there already: they are in its checksum. */
void acpi_header_set(struct acpi_header *h, const char *signature, u8 revision,
		     size_t len);

/* acpi_numa.c: which node CPUs and memory belong to; how far nodes are.  Their addresses. */
u32 acpi_srat_build(struct acpi_area *area, const struct guest_memory *mem,
		    unsigned int ncpus, const struct guest_numa *numa);
u32 acpi_slit_build(struct acpi_area *area, const struct guest_numa *numa);

#endif
