/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: where guest physical addresses are in this process.
 *
 * guest_ptr() is the only way from a guest address to host memory.  Regions
 * are added before the vCPUs run and never change after; it may be called
 * from any thread.
 */
#ifndef LKVM_KVM_MEMORY_H
#define LKVM_KVM_MEMORY_H

#include "endian.h"
#include <stdint.h>

#define GUEST_REGIONS_MAX 4

struct guest_region {
	u64 gpa;
	u64 size;
	u8 *host;
};

struct guest_memory {
	unsigned int nregions;
	struct guest_region region[GUEST_REGIONS_MAX];
	void *base;	/* one mapping holds all regions, in order */
	u64 size;
	bool hugepages;	/* MAP_HUGETLB */
};

/*
 * Map @mem->size bytes for the regions laid out in @mem->region (gpa and size
 * set by the caller); sets their host addresses.  @hugepages asks for
 * MAP_HUGETLB; otherwise the memory is MAP_NORESERVE, comes when touched, and is
 * in transparent huge pages where the host has them.
 * Returns 0 or a negative errno.
 */
int guest_memory_map(struct guest_memory *mem, bool hugepages);
/* Bytes of one that MAP_HUGETLB gives; 0: this host has none. */
u64 guest_hugepage_size(void);
/*
 * Have @size bytes of the mapping from @offset on come from NUMA node @node of the
 * host: always, or else (!@strict) as long as it has some.  Before they are touched.  0 or
 * -errno, without a message.
 */
int guest_memory_bind(const struct guest_memory *mem, u64 offset, u64 size,
		      unsigned int node, bool strict);
/*
 * Whether the host lets this process keep all of the memory in place, counted
 * @times: CAP_IPC_LOCK, or `ulimit -l`, which is one for all processes of a user.
 */
bool guest_memory_lockable(const struct guest_memory *mem, unsigned int times);
void guest_memory_unmap(struct guest_memory *mem);

/* Tell KVM of every region (KVM_SET_USER_MEMORY_REGION).  0 or -errno. */
int guest_memory_register(const struct guest_memory *mem, int vm_fd);

/* Host address of [gpa, gpa + len), or NULL when not all of it lies in @r. */
static inline void *guest_region_ptr(const struct guest_region *r, u64 gpa,
				     u64 len)
{
	u64 off = gpa - r->gpa;

	return off < r->size && len <= r->size - off ? r->host + off : NULL;
}

/* The same in any region, but in one.  @len may be 0. */
static inline void *guest_ptr(const struct guest_memory *mem, u64 gpa, u64 len)
{
	void *host = NULL;

	for (unsigned int i = 0; !host && i < mem->nregions; i++)
		host = guest_region_ptr(&mem->region[i], gpa, len);
	return host;
}

#endif
