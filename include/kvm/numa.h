/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NUMA nodes of a guest.  Their memory is in their order, one behind the other in the mapping
 * of guest memory; a node may reach over a hole of the guest's address space.
 */
#ifndef LKVM_KVM_NUMA_H
#define LKVM_KVM_NUMA_H

#include "endian.h"

#define GUEST_NODES_MAX 16
#define GUEST_NODE_CPUS_MAX 256
#define GUEST_DISTANCE_LOCAL 10		/* as ACPI and Linux count */
#define GUEST_DISTANCE_REMOTE 20

struct guest_memory;

struct guest_numa {
	unsigned int nnodes;		/* 0: the guest is told of none */
	u64 size[GUEST_NODES_MAX];	/* bytes of memory, > 0 */
	u8 cpu_node[GUEST_NODE_CPUS_MAX];
	u8 distance[GUEST_NODES_MAX][GUEST_NODES_MAX];
};

/* Where its memory begins in the mapping. */
u64 guest_node_offset(const struct guest_numa *numa, unsigned int node);

/*
 * What of @node is in region @region of @mem: guest addresses [*gpa, *gpa + *size).
 * False: nothing.
 */
bool guest_node_range(const struct guest_numa *numa, unsigned int node,
		      const struct guest_memory *mem, unsigned int region,
		      u64 *gpa, u64 *size);

#endif
