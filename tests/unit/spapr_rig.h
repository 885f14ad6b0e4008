/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pseries machine for tests of its firmware: memory from 0 on with nothing
 * behind it, a terminal, a bridge with a function in slot 1 that has MSI-X and
 * one in slot 2 that has not.  KVM and the vCPUs are fakes.
 */
#ifndef LKVM_TESTS_SPAPR_RIG_H
#define LKVM_TESTS_SPAPR_RIG_H

#include "fake_console.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include "powerpc/spapr.h"

#define RIG_RAM		0x4000u
#define RIG_CPUS	4u
#define RIG_VECTORS	5u
#define RIG_MSIX_BAR	2u
#define RIG_BLOCK	0x1000u		/* where rig_rtas() has its block */

struct spapr_rig {
	struct vm vm;
	struct vm_arch arch;
	struct console console;
	struct rig_function {
		struct pci_function fn;
		struct msix *msix;
	} disk, plain;
};

void rig_init(struct spapr_rig *rig);
void rig_exit(struct spapr_rig *rig);

/* The big-endian cell at @gpa. */
u32 rig_cell(const struct spapr_rig *rig, u64 gpa);
void rig_set_cell(struct spapr_rig *rig, u64 gpa, u32 value);

/* Token of the service, which must be there. */
u32 rig_token(const char *name);
/* A block at @gpa; results are all ones. */
void rig_block(struct spapr_rig *rig, u64 gpa, u32 token, unsigned int nargs,
	       const u32 *args, unsigned int nret);
/* Call @name on CPU 1; returns the status, and @nret results behind it. */
int rig_rtas(struct spapr_rig *rig, const char *name, unsigned int nargs,
	     const u32 *args, unsigned int nret, u32 *rets);

/* rig_rtas(), the arguments last. */
#define RIG_CALL(rig, name, nret, rets, ...) \
	rig_rtas(rig, name, sizeof((const u32[]){ __VA_ARGS__ }) / 4, \
		 (const u32[]){ __VA_ARGS__ }, nret, rets)

/* A random number of a sequence that is the same in each run. */
u32 rig_random(u64 *seed);
/* One of the numbers that are worth trying, or any other. */
u32 rig_nasty(u64 *seed);

#endif
