/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets and lists of host CPUs, and their text, "0-3,8", as the kernel and
 * taskset(1) write it.
 */
#ifndef LKVM_CPULIST_H
#define LKVM_CPULIST_H

#include "endian.h"
#include <sched.h>
#include <stdio.h>

#define CPUS_MAX 8192	/* numbers from 0; Linux, NR_CPUS at its most */
#define CPU_LIST_MAX 256

struct cpu_mask {
	cpu_set_t set[CPUS_MAX / CPU_SETSIZE];
};

/* In the order in which the user names them; a CPU may come twice. */
struct cpu_list {
	unsigned int n;
	unsigned int cpu[CPU_LIST_MAX];
};

static inline void cpu_mask_add(struct cpu_mask *m, unsigned int cpu)
{
	CPU_SET_S(cpu, sizeof(m->set), m->set);
}

static inline bool cpu_mask_has(const struct cpu_mask *m, unsigned int cpu)
{
	return CPU_ISSET_S(cpu, sizeof(m->set), m->set);
}

static inline unsigned int cpu_mask_count(const struct cpu_mask *m)
{
	return (unsigned int)CPU_COUNT_S(sizeof(m->set), m->set);
}

/* Set @m to what @text names; an empty text is an empty set.  0 or -EINVAL. */
int cpu_mask_parse(struct cpu_mask *m, const char *text);
/* In ascending order; "none" if it is empty. */
void cpu_mask_print(const struct cpu_mask *m, FILE *out);
/* The same into @text; what does not fit is cut behind a comma, and "..." put there.  @size: 4 at least. */
void cpu_mask_text(const struct cpu_mask *m, char *text, size_t size);

/* 0; -EINVAL: no list; -ERANGE: a CPU above CPUS_MAX; or -E2BIG: more than CPU_LIST_MAX. */
int cpu_list_parse(struct cpu_list *list, const char *text);
/* What to say of a list of the host's CPUs after that. */
const char *cpu_list_remedy(int err);
/* In its order, neighbours as ranges. */
void cpu_list_print(const struct cpu_list *list, FILE *out);

#endif
