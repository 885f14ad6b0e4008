// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM-HV asks of the host's cores, and how large a page table must be:
 * plain arithmetic and files, so that it can be tested anywhere.
 */
#include "log.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

/* Documentation/virt/kvm/api.rst, KVM_PPC_ALLOCATE_HTAB */
#define HPT_SHIFT_MIN 18
#define HPT_SHIFT_MAX 46
#define HPT_GROUP_SHIFT 7		/* 8 entries of 16 bytes */
#define REAL_MODE_MAX (1ULL << 30)	/* what Linux uses before it has its own */

/* Whether the list of CPU numbers in the file names more than one. */
static bool names_several(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[64] = "";
	bool several;

	if (!file)
		return false;
	several = fgets(line, sizeof(line), file) && strpbrk(line, ",-");
	fclose(file);
	return several;
}

int spapr_check_smt(const char *cpus)
{
	char pattern[256];
	glob_t found;
	bool smt = false;

	snprintf(pattern, sizeof(pattern),
		 "%s/cpu[0-9]*/topology/thread_siblings_list", cpus);
	if (glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc && !smt; i++)
		smt = names_several(found.gl_pathv[i]);
	globfree(&found);
	if (!smt)
		return 0;
	log_error("this host's cores run several threads each, and KVM-HV needs them for guests; switch that off: ppc64_cpu --smt=off");
	return -EBUSY;
}

u32 spapr_hpt_shift(u64 mem)
{
	u32 shift = 64 - (u32)__builtin_clzll(mem - 1) - 7;

	if (shift < HPT_SHIFT_MIN)
		return HPT_SHIFT_MIN;
	return shift < HPT_SHIFT_MAX ? shift : HPT_SHIFT_MAX;
}

/*
 * KVM-HV maps real mode with one page in each group of entries: what finds none
 * is left out (Linux, book3s_64_mmu_hv.c, kvmppc_map_vrma()).
 */
u32 spapr_hpt_shift_min(u64 mem, u64 page)
{
	u64 pages = (mem < REAL_MODE_MAX ? mem : REAL_MODE_MAX) / page;
	u32 shift = HPT_SHIFT_MIN;

	while (1ULL << (shift - HPT_GROUP_SHIFT) < pages)
		shift++;
	return shift;
}
