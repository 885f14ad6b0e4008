// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's CPUs have of the host's: its processor, its clocks and
 * caches, and the page sizes that KVM can give.
 */
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <asm/cputable.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* POWER8's, for kernels that do not tell; a line size always is told. */
#define CACHE_SIZE 32768

/* The number that stands behind @key and a colon in /proc/cpuinfo; 0: none. */
static double cpuinfo_number(const char *key)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], name[64];
	double found = 0, number;

	while (file && !found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63[a-z] : %lf", name, &number) == 2 &&
		    !strcmp(name, key))
			found = number;
	if (file)
		fclose(file);
	return found;
}

static int host_clocks(struct spapr_fdt_spec *spec)
{
	spec->timebase_hz = (u32)cpuinfo_number("timebase");
	spec->clock_hz = (u32)(cpuinfo_number("clock") * 1e6);
	if (spec->timebase_hz)
		return 0;
	log_error("/proc/cpuinfo does not tell this host's timebase, which the guest needs; mount /proc");
	return -ENODATA;
}

/*
 * Feature bits: Linux, asm/cputable.h.  One AT_L1D_... tells of all caches of
 * level 1: both of POWER8's are alike.
 */
static void host_processor(struct spapr_fdt_spec *spec)
{
	unsigned long features = getauxval(AT_HWCAP);
	unsigned long size = getauxval(AT_L1D_CACHESIZE);

	spec->vmx = features & PPC_FEATURE_HAS_ALTIVEC;
	spec->vsx = features & PPC_FEATURE_HAS_VSX;
	spec->dfp = features & PPC_FEATURE_HAS_DFP;
	spec->cache_line = (u32)getauxval(AT_DCACHEBSIZE);
	spec->cache_size = size ? (u32)size : CACHE_SIZE;
}

static int host_pvr(struct vcpu *vcpu, struct spapr_fdt_spec *spec)
{
	struct kvm_sregs sregs;
	int err;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
		err = -errno;
		log_error("KVM does not tell the processor's version: %s",
			  strerror(-err));
		return err;
	}
	spec->pvr = sregs.pvr;
	return 0;
}

/* Those of the segment's page sizes that are no larger than @largest. */
static void host_segment(const struct kvm_ppc_one_seg_page_size *kvm,
			 u32 largest, struct spapr_segment_pages *out)
{
	unsigned int n = 0;

	out->shift = kvm->page_shift;
	out->slb_encoding = kvm->slb_enc;
	for (unsigned int i = 0; i < KVM_PPC_PAGE_SIZES_MAX_SZ; i++) {
		u32 shift = kvm->enc[i].page_shift;

		if (!shift || shift > largest)
			continue;
		out->page[n].shift = shift;
		out->page[n].pte_encoding = kvm->enc[i].pte_enc;
		n++;
	}
}

/*
 * Documentation/virt/kvm/api.rst, KVM_PPC_GET_SMMU_INFO: with PAGE_SIZES_REAL no
 * page of the guest can be larger than what its memory is made of on the host.
 */
static int host_pages(struct vm *vm, struct spapr_fdt_spec *spec)
{
	struct kvm_ppc_smmu_info info;
	u32 largest = 63;
	unsigned int n = 0;
	int err;

	if (ioctl(vm->fd, KVM_PPC_GET_SMMU_INFO, &info) < 0) {
		err = -errno;
		log_error("KVM does not tell the guest's page sizes: %s",
			  strerror(-err));
		return err;
	}
	if (info.flags & KVM_PPC_PAGE_SIZES_REAL)
		largest = (u32)__builtin_ctzl(sysconf(_SC_PAGESIZE));
	spec->slb_size = info.slb_size;
	spec->segments_1t = info.flags & KVM_PPC_1T_SEGMENTS;
	for (unsigned int i = 0; i < KVM_PPC_PAGE_SIZES_MAX_SZ; i++)
		if (info.sps[i].page_shift &&
		    info.sps[i].page_shift <= largest)
			host_segment(&info.sps[i], largest, &spec->pages[n++]);
	return 0;
}

/* Documentation/virt/kvm/api.rst, KVM_PPC_GET_CPU_CHAR: masked bits are known. */
bool spapr_host_cpu_char(struct vm *vm, u64 *character, u64 *behaviour)
{
	struct kvm_ppc_cpu_char host;

	if (ioctl(vm->fd, KVM_PPC_GET_CPU_CHAR, &host) < 0)
		return false;
	*character = host.character & host.character_mask;
	*behaviour = host.behaviour & host.behaviour_mask;
	return true;
}

int spapr_host_describe(struct vm *vm, struct spapr_fdt_spec *spec)
{
	int err = host_clocks(spec);

	host_processor(spec);
	if (!err)
		err = host_pvr(vm->vcpus[0], spec);
	if (!err)
		err = host_pages(vm, spec);
	return err;
}
