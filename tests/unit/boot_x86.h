/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boot_rig.h for test_boot.c and test_pvh.c: x86's memory and boot_load().
 */
#ifndef LKVM_TESTS_BOOT_X86_H
#define LKVM_TESTS_BOOT_X86_H

#include "boot_rig.h"
#include "x86/x86.h"

static struct x86_entry entry;

/* Up to 3 GiB low, the rest from 4 GiB on. */
static void map_memory(u64 size)
{
	u64 low = size < X86_LOW_RAM_END ? size : X86_LOW_RAM_END;

	map_host(size);
	mem.nregions = 1;
	mem.region[0] = (struct guest_region){ 0, low, mem.base };
	if (size > low)
		mem.region[mem.nregions++] = (struct guest_region){
			X86_HIGH_RAM, size - low, (u8 *)mem.base + low };
}

static int rig_load(void)
{
	return boot_load(&mem, &boot, &entry);
}

#endif
