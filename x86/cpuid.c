// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CPUID tells a vCPU: all that KVM supports, KVM's own leaves included,
 * with the topology of the guest in place of the host's: one package of ncpus
 * cores, one thread each, one shared last-level cache, APIC id = vCPU id.  With
 * NUMA nodes there are several such packages, none of which reaches over nodes.
 *
 * cpuid_init() is called by arch_vcpu_init() before a vCPU first runs.
 * Leaf numbers: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E;
 * 0x4000xxxx: Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "x86/cpuid.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "x86/x86.h"
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define LEAVES_FIRST	128	/* hosts of 2025 have about 60 */
#define LEAVES_LIMIT	4096

#define CACHE_TYPE(eax)		((eax) & 0x1f)
#define CACHE_LEVEL(eax)	((eax) >> 5 & 7)
#define CACHE_SHARING_SHIFT	14	/* logical CPUs - 1, 12 bits */
#define CACHE_SHARING_MASK	(0xfffu << CACHE_SHARING_SHIFT)
#define CACHE_CORES_SHIFT	26	/* cores of the package - 1, 6 bits */
#define CACHE_CORES_MAX		64

#define LEAF1_ECX_X2APIC	(1u << 21)
#define LEAF1_ECX_TSC_DEADLINE	(1u << 24)
#define LEAF1_ECX_HYPERVISOR	(1u << 31)
#define LEAF1_EDX_HTT		(1u << 28)
#define AMD1_ECX_CMP_LEGACY	(1u << 1)
#define AMD1_ECX_TOPOEXT	(1u << 22)

#define TOPOLOGY_SMT	1u
#define TOPOLOGY_CORE	2u

/* The smallest n with 2^n >= count: bits of the APIC id that count CPUs. */
static unsigned int cpuid_bits(unsigned int count)
{
	unsigned int bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid,
					   u32 function)
{
	for (u32 i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function)
			return &cpuid->entries[i];
	return NULL;
}

static struct kvm_cpuid_entry2 *cpuid_append(struct kvm_cpuid2 *cpuid,
					     u32 function, u32 index, u32 flags)
{
	struct kvm_cpuid_entry2 *e = &cpuid->entries[cpuid->nent++];

	*e = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = flags,
	};
	return e;
}

static struct kvm_cpuid_entry2 *cpuid_get(struct kvm_cpuid2 *cpuid, u32 function)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, function);

	return e ? e : cpuid_append(cpuid, function, 0, 0);
}

static void cpuid_remove(struct kvm_cpuid2 *cpuid, u32 function)
{
	u32 kept = 0;

	for (u32 i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function != function)
			cpuid->entries[kept++] = cpuid->entries[i];
	cpuid->nent = kept;
}

/* The highest leaf of the range that starts with @base. */
static u32 cpuid_max(struct kvm_cpuid2 *cpuid, u32 base)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, base);

	return e ? e->eax : 0;
}

/* AMD, or Hygon, which is the same in all that matters here. */
static bool cpuid_is_amd(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0);
	char vendor[12];

	if (!e)
		return false;
	memcpy(vendor, &e->ebx, 4);
	memcpy(vendor + 4, &e->edx, 4);
	memcpy(vendor + 8, &e->ecx, 4);
	return !memcmp(vendor, "AuthenticAMD", 12) ||
	       !memcmp(vendor, "HygonGenuine", 12);
}

/* Leaf 1: EBX bits 31..24 APIC id, 23..16 logical CPUs, the rest is kept. */
static void cpuid_features(struct kvm_cpuid2 *cpuid,
			   const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = cpuid_get(cpuid, 1);

	e->ebx = (e->ebx & 0xffff) | vcpu->ncpus << 16 | vcpu->id << 24;
	/* The LAPIC is KVM's, whatever the host's has. */
	e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
	e->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (vcpu->tsc_deadline)
		e->ecx |= LEAF1_ECX_TSC_DEADLINE;
	e->edx &= ~LEAF1_EDX_HTT;
	if (vcpu->ncpus > 1)
		e->edx |= LEAF1_EDX_HTT;
}

/* First and second level belong to a core, the third to all cores. */
static u32 cpuid_cache_sharing(u32 eax, u32 sharers)
{
	u32 others = CACHE_LEVEL(eax) >= 3 ? sharers - 1 : 0;

	return (eax & ~CACHE_SHARING_MASK) | others << CACHE_SHARING_SHIFT;
}

/* Leaf 4 counts APIC ids, hence powers of two; 0x8000001d counts CPUs. */
static void cpuid_caches(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	u32 ids = 1u << cpuid_bits(vcpu->ncpus);
	u32 cores = ids < CACHE_CORES_MAX ? ids : CACHE_CORES_MAX;

	for (u32 i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (!CACHE_TYPE(e->eax))
			continue;
		if (e->function == 4) {
			e->eax = cpuid_cache_sharing(e->eax, ids);
			e->eax &= ~(~0u << CACHE_CORES_SHIFT);
			e->eax |= (cores - 1) << CACHE_CORES_SHIFT;
		} else if (e->function == 0x8000001d) {
			e->eax = cpuid_cache_sharing(e->eax, vcpu->ncpus);
		}
	}
}

static void cpuid_topology_level(struct kvm_cpuid2 *cpuid, u32 function,
				 u32 index, u32 type,
				 const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e;

	e = cpuid_append(cpuid, function, index,
			 KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	if (type == TOPOLOGY_SMT) {
		e->ebx = 1;
	} else if (type == TOPOLOGY_CORE) {
		e->eax = cpuid_bits(vcpu->ncpus);
		e->ebx = vcpu->ncpus;
	}
	e->ecx = index | type << 8;
	e->edx = vcpu->id;
}

/* Leaves 0xb and 0x1f: a thread per core, then cores, then the end. */
static void cpuid_topology(struct kvm_cpuid2 *cpuid, u32 function,
			   const struct cpuid_vcpu *vcpu)
{
	cpuid_remove(cpuid, function);
	if (cpuid_max(cpuid, 0) < function)
		return;
	cpuid_topology_level(cpuid, function, 0, TOPOLOGY_SMT, vcpu);
	cpuid_topology_level(cpuid, function, 1, TOPOLOGY_CORE, vcpu);
	cpuid_topology_level(cpuid, function, 2, 0, vcpu);
}

/* Are vCPUs that differ in the lowest @bits of their number always of one node? */
static bool cpuid_one_node(const struct cpuid_vcpu *vcpu, unsigned int bits)
{
	for (unsigned int id = 0; id < vcpu->ncpus; id++)
		if (vcpu->numa->cpu_node[id] !=
		    vcpu->numa->cpu_node[id & (~0u << bits)])
			return false;
	return true;
}

/* vCPUs of a package, which is of one node: all, or a power of two. */
static unsigned int cpuid_package(const struct cpuid_vcpu *vcpu)
{
	unsigned int bits = cpuid_bits(vcpu->ncpus);

	while (vcpu->numa && bits && !cpuid_one_node(vcpu, bits))
		bits--;
	return 1u << bits < vcpu->ncpus ? 1u << bits : vcpu->ncpus;
}

/*
 * Of the first Zens (family 17h up to model 1fh, and Hygon's 18h) Linux takes it that
 * eight APIC ids share a cache (arch/x86/kernel/cpu/cacheinfo.c), unless it hears of no
 * such cache in 0x80000006.
 */
static void cpuid_first_zens(struct kvm_cpuid2 *cpuid,
			     const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid, 0x80000006);
	u32 eax = cpuid_get(cpuid, 1)->eax;
	u32 family = (eax >> 8 & 0xf) + (eax >> 20 & 0xff);
	u32 model = (eax >> 4 & 0xf) | (eax >> 12 & 0xf0);

	if (e && vcpu->numa && !cpuid_one_node(vcpu, 3) &&
	    (family == 0x18 || (family == 0x17 && model <= 0x1f)))
		e->edx = 0;
}

static void cpuid_amd(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	u32 max = cpuid_max(cpuid, 0x80000000);
	struct kvm_cpuid_entry2 *e;
	bool topoext = false;

	if (max >= 0x80000001) {
		e = cpuid_get(cpuid, 0x80000001);
		e->ecx &= ~AMD1_ECX_CMP_LEGACY;
		if (vcpu->ncpus > 1)
			e->ecx |= AMD1_ECX_CMP_LEGACY;
		topoext = e->ecx & AMD1_ECX_TOPOEXT;
	}
	if (max >= 0x80000008) {
		/* ApicIdSize in bits 15..12, cores - 1 in bits 7..0 */
		e = cpuid_get(cpuid, 0x80000008);
		e->ecx = cpuid_bits(vcpu->ncpus) << 12 | (vcpu->ncpus - 1);
	}
	if (topoext && max >= 0x8000001e) {
		/* one thread per core, one node */
		e = cpuid_get(cpuid, 0x8000001e);
		e->eax = vcpu->id;
		e->ebx = vcpu->id;
		e->ecx = 0;
		e->edx = 0;
	}
}

/*
 * Guests look for the signature; its features are left as KVM has them, poll
 * control among them.  The hint lets Linux load its haltpoll driver: it polls
 * in the guest, and tells KVM not to, before it halts.
 */
static void cpuid_hypervisor(struct kvm_cpuid2 *cpuid,
			     const struct cpuid_vcpu *vcpu)
{
	static const char signature[12] = "KVMKVMKVM";
	struct kvm_cpuid_entry2 *e;

	if (vcpu->dedicated)
		cpuid_get(cpuid, KVM_CPUID_FEATURES)->edx |=
			1u << KVM_HINTS_REALTIME;
	if (cpuid_find(cpuid, KVM_CPUID_SIGNATURE))
		return;
	e = cpuid_append(cpuid, KVM_CPUID_SIGNATURE, 0, 0);
	e->eax = KVM_CPUID_FEATURES;
	memcpy(&e->ebx, signature, 4);
	memcpy(&e->ecx, signature + 4, 4);
	memcpy(&e->edx, signature + 8, 4);
	cpuid_get(cpuid, KVM_CPUID_FEATURES);
}

void cpuid_adapt(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	struct cpuid_vcpu in_package = *vcpu;

	in_package.ncpus = cpuid_package(vcpu);
	cpuid_features(cpuid, &in_package);
	cpuid_caches(cpuid, &in_package);
	cpuid_topology(cpuid, 0xb, &in_package);
	cpuid_topology(cpuid, 0x1f, &in_package);
	if (cpuid_is_amd(cpuid)) {
		cpuid_amd(cpuid, &in_package);
		cpuid_first_zens(cpuid, vcpu);
	}
	cpuid_hypervisor(cpuid, vcpu);
}

/* KVM says E2BIG until there is room for all; NULL with errno set. */
static struct kvm_cpuid2 *cpuid_supported(int kvm_fd)
{
	struct kvm_cpuid2 *cpuid;

	for (u32 n = LEAVES_FIRST; n <= LEAVES_LIMIT; n *= 2) {
		cpuid = calloc(1, sizeof(*cpuid) + (n + CPUID_EXTRA_LEAVES) *
					  sizeof(cpuid->entries[0]));
		if (!cpuid)
			return NULL;
		cpuid->nent = n;
		if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
			return cpuid;
		free(cpuid);
		if (errno != E2BIG)
			return NULL;
	}
	return NULL;
}

int cpuid_init(struct vcpu *vcpu)
{
	const struct cpuid_vcpu self = {
		.id = vcpu->id,
		.ncpus = vcpu->vm->ncpus,
		.numa = &vcpu->vm->numa,
		.dedicated = vcpu->vm->dedicated,
		.tsc_deadline = ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION,
				      KVM_CAP_TSC_DEADLINE_TIMER) > 0,
	};
	struct kvm_cpuid2 *cpuid = cpuid_supported(vcpu->vm->kvm_fd);
	int err = 0;

	if (!cpuid) {
		err = errno;
		log_error("/dev/kvm does not tell its CPUID leaves: %s; update the host's kernel",
			  strerror(err));
		return -err;
	}
	cpuid_adapt(cpuid, &self);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0) {
		err = errno;
		log_error("KVM refuses the CPUID of vCPU %u of %u: %s; try fewer --cpus",
			  self.id, self.ncpus, strerror(err));
	}
	free(cpuid);
	return -err;
}
