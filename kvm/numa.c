// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the memory of a guest's nodes is.
 */
#include "kvm/numa.h"
#include "kvm/memory.h"

u64 guest_node_offset(const struct guest_numa *numa, unsigned int node)
{
	u64 offset = 0;

	while (node)
		offset += numa->size[--node];
	return offset;
}

bool guest_node_range(const struct guest_numa *numa, unsigned int node,
		      const struct guest_memory *mem, unsigned int region,
		      u64 *gpa, u64 *size)
{
	u64 first = guest_node_offset(numa, node);
	u64 end = first + numa->size[node], base = 0;

	for (unsigned int i = 0; i < region; i++)
		base += mem->region[i].size;
	if (first < base)
		first = base;
	if (end > base + mem->region[region].size)
		end = base + mem->region[region].size;
	if (first >= end)
		return false;
	*gpa = mem->region[region].gpa + (first - base);
	*size = end - first;
	return true;
}
