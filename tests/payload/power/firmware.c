// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypervisor calls, run-time services (LoPAPR 7.2.7: blocks of big endian
 * cells), and the page table, as far as device registers need it.
 */
#include "payload.h"

#define H_ENTER 0x08

/* One segment of 256 MiB, pages of 4 KiB, all of them for devices. */
#define SEGMENT 0x20000000ull
#define VSID 0x1234ull
#define SLB_VALID (1ull << 27)
#define HPTE_VALID 1ull
#define HPTE_DEVICE (0x100 | 0x80 | 0x20 | 0x08 | 2)	/* R, C, I, G, read and write */

s64 hcall(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	u64 args[] = { a, b, c, d };

	return (s64)hcall4(nr, args);
}

s32 rtas(const char *name, const u32 *args, u32 nargs, u32 *rets, u32 nrets)
{
	struct {
		u32 token, nargs, nret, cell[16];
	} block = { tree_cell(name, 0), nargs, nrets + 1, { 0 } };

	for (u32 i = 0; i < nargs; i++)
		block.cell[i] = args[i];
	__asm__ volatile("" : : : "memory");
	CHECK_EQ(hcall(H_RTAS, (u64)&block, 0, 0, 0), H_SUCCESS);
	__asm__ volatile("" : : : "memory");
	for (u32 i = 0; i < nrets; i++)
		rets[i] = block.cell[nargs + 1 + i];
	return (s32)block.cell[nargs];
}

u32 pci_read(u32 slot, u32 reg, u32 len)
{
	u32 value = 0;

	CHECK_EQ(rtas("ibm,read-pci-config",
		      ARGS(slot << 11 | reg, BUID, len),
		      &value, 1), 0);
	return value;
}

void pci_write(u32 slot, u32 reg, u32 value, u32 len)
{
	CHECK_EQ(rtas("ibm,write-pci-config",
		      ARGS(slot << 11 | reg, BUID, len, value),
		      NULL, 0), 0);
}

/* Power ISA 2.07, book III-S, 5.7: the entry's group is a hash of segment and page. */
u64 map(u64 gpa)
{
	static u32 pages;
	u64 at = (u64)pages << 12, va = VSID << 28 | at;
	u64 groups = 1ull << (tree_cell("ibm,pft-size", 1) - 7);
	u64 group = (VSID ^ pages) & (groups - 1);

	if (!pages)
		slb_set(VSID << 12, SEGMENT | SLB_VALID);
	CHECK_EQ(hcall(H_ENTER, 0, group * 8, (va >> 23) << 7 | HPTE_VALID,
		       (gpa & ~0xfffull) | HPTE_DEVICE), H_SUCCESS);
	pages++;
	return SEGMENT | at | (gpa & 0xfff);
}
