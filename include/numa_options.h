/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --numa: the guest's nodes from the command line to what a machine is built of.
 */
#ifndef LKVM_NUMA_OPTIONS_H
#define LKVM_NUMA_OPTIONS_H

#include "cpulist.h"
#include "kvm/numa.h"

struct topology;

struct numa_options {
	unsigned int n;
	struct numa_node_options {
		bool given;
		struct cpu_list cpus;	/* of the guest */
		u64 mem;
		unsigned int host;	/* node of the host, or ... */
		bool bound;		/* ... none */
	} node[GUEST_NODES_MAX];
};

/* "node=N,cpus=LIST,mem=SIZE,host=N"; @ctx: a struct numa_options.  0 or -errno. */
int numa_parse(void *ctx, const char *text);

/*
 * For a guest of @ncpus and @mem bytes: each vCPU in one node, all memory in them.  Distances are
 * as if no node were bound.  0 or -errno, with a message.
 */
int numa_build(const struct numa_options *o, unsigned int ncpus, u64 mem,
	       struct guest_numa *numa);

/* Can they have memory in pages of @page bytes?  0 or -EINVAL, with a message. */
int numa_check_pages(const struct numa_options *o, u64 page);

/*
 * Can the host do that?  Sets @vcpu_node, an index of @t or -1 for each of @ncpus,
 * and the distances of nodes that are on different ones of the host.  0 or -errno, with a message.
 */
int numa_resolve(const struct numa_options *o, const struct topology *t,
		 unsigned int ncpus, struct guest_numa *numa, int *vcpu_node);

#endif
