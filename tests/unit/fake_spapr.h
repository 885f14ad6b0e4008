/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vcpu.c and xics.c of powerpc/ provide, without KVM: notes what it is
 * told, and refuses what a test wants refused.
 */
#ifndef LKVM_TESTS_FAKE_SPAPR_H
#define LKVM_TESTS_FAKE_SPAPR_H

#include "powerpc/spapr.h"
#include <pthread.h>

#define FAKE_SOURCES_MAX 4096
#define FAKE_CHARACTER 0x8400000000000000ULL
#define FAKE_BEHAVIOUR 0x4000000000000000ULL

struct fake_spapr {
	pthread_mutex_t lock;

	u64 lpcr;
	unsigned int lpcr_sets;
	int refuse_lpcr;		/* a negative errno */

	unsigned int ncpus;
	struct fake_cpu {
		enum spapr_cpu_state state;
		u64 pc, r3;
	} cpu[SPAPR_CPUS_MAX];

	bool tells_cpu_char;		/* FAKE_CHARACTER, FAKE_BEHAVIOUR */

	unsigned int nsources;
	u32 source[FAKE_SOURCES_MAX];	/* of xics_add_msi(), in order */
	int refuse_msi;			/* a negative errno */
	u32 enabled;			/* the source that is unmasked, if any */
};

extern struct fake_spapr fake_spapr;

/* CPU 0 runs, the others are stopped. */
void fake_spapr_reset(unsigned int ncpus);

#endif
