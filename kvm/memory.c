// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: one anonymous mapping, cut into the regions that the
 * architecture lays out.
 */
#include "kvm/memory.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES_MAX 1024	/* of a host: Linux, MAX_NUMNODES */
#define NODES_PER_WORD (8 * sizeof(unsigned long))

u64 guest_hugepage_size(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "Hugepagesize: %llu kB", &kib) != 1)
			kib = 0;
	if (file)
		fclose(file);
	return kib << 10;
}

int guest_memory_map(struct guest_memory *mem, bool hugepages)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	u8 *base;
	int err;

	flags |= hugepages ? MAP_HUGETLB : MAP_NORESERVE;
	base = mmap(NULL, mem->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (base == MAP_FAILED) {
		err = -errno;
		log_error("--mem %lluM: cannot map guest memory: %s; %s",
			  (unsigned long long)mem->size >> 20, strerror(-err),
			  hugepages ? "reserve huge pages (sysctl vm.nr_hugepages)"
				      " or leave out hugepages=on" :
				      "give less, or raise ulimit -v");
		return err;
	}
	if (!hugepages)	/* where the host has them to spare; a wish, no more */
		madvise(base, mem->size, MADV_HUGEPAGE);
	mem->base = base;
	mem->hugepages = hugepages;
	for (unsigned int i = 0; i < mem->nregions; i++) {
		mem->region[i].host = base;
		base += mem->region[i].size;
	}
	return 0;
}

int guest_memory_bind(const struct guest_memory *mem, u64 offset, u64 size,
		      unsigned int node, bool strict)
{
	unsigned long nodes[NODES_MAX / NODES_PER_WORD] = { 0 };

	assert(offset <= mem->size && size <= mem->size - offset);
	if (node >= NODES_MAX)
		return -EINVAL;
	nodes[node / NODES_PER_WORD] = 1ul << node % NODES_PER_WORD;
	/*
	 * mbind(2), without libnuma, which has much more than this call.  The
	 * kernel reads one bit less than it is told.
	 */
	if (syscall(SYS_mbind, (u8 *)mem->base + offset, size,
		    strict ? MPOL_BIND : MPOL_PREFERRED, nodes, NODES_MAX + 1,
		    0) < 0)
		return -errno;
	return 0;
}

/* CAP_IPC_LOCK; capget(2), for which the C library has no wrapper. */
static bool may_lock_all(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &head, caps) &&
	       caps[0].effective & 1u << CAP_IPC_LOCK;
}

bool guest_memory_lockable(const struct guest_memory *mem, unsigned int times)
{
	struct rlimit limit;

	return may_lock_all() || (!getrlimit(RLIMIT_MEMLOCK, &limit) &&
				  limit.rlim_cur / times >= mem->size);
}

void guest_memory_unmap(struct guest_memory *mem)
{
	if (mem->base)
		munmap(mem->base, mem->size);
	mem->base = NULL;
}

int guest_memory_register(const struct guest_memory *mem, int vm_fd)
{
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct guest_region *r = &mem->region[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (u64)(uintptr_t)r->host,
		};

		if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0) {
			int err = -errno;

			log_error("--mem: KVM refuses %llu MiB at 0x%llx: %s; give less memory",
				  (unsigned long long)r->size >> 20,
				  (unsigned long long)r->gpa, strerror(-err));
			return err;
		}
	}
	return 0;
}
