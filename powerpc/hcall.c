// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypervisor calls that KVM leaves to user space: the terminal, the modes that
 * concern all vCPUs, what the host's CPUs leak, and RTAS.  Page table, TCEs,
 * interrupts and CEDE stay in the kernel.
 *
 * What is not here is H_FUNCTION, and meant to be: Linux takes that from
 * H_SIGNAL_SYS_RESET and H_GET_PERF_COUNTER_INFO as "there is none".
 */
#include "kvm/vm.h"
#include "powerpc/spapr.h"

/* Numbers: Linux, arch/powerpc/include/asm/hvcall.h. */
#define H_GET_TERM_CHAR		0x54
#define H_PUT_TERM_CHAR		0x58
#define H_GET_CPU_CHARACTERISTICS 0x1c8
#define H_SET_MODE		0x31c
#define H_RTAS			0xf000	/* KVM's own: what rtas_blob calls */

#define H_P3			(-56LL)
#define H_P4			(-57LL)
#define H_UNSUPPORTED_FLAG	(-256LL)

#define SET_MODE_AIL		3
#define SET_MODE_LE		4

/* 17.5.2.1.2: terminal, length, then up to 16 bytes, the first one on top. */
static u64 hcall_put_term_char(struct vm *vm, unsigned int cpu, u64 *args)
{
	const __be64 chars[2] = { cpu_to_be64(args[2]), cpu_to_be64(args[3]) };

	(void)cpu;
	if (args[0] != SPAPR_VTY_UNIT || args[1] > sizeof(chars))
		return H_PARAMETER;
	hvcons_put(vm->arch->hvcons, (const u8 *)chars, args[1]);
	return H_SUCCESS;
}

/*
 * 17.5.2.1.1: terminal; returns length and bytes.  The length is always set:
 * a guest that copies without a look at r3 gets nothing instead of anything.
 */
static u64 hcall_get_term_char(struct vm *vm, unsigned int cpu, u64 *args)
{
	__be64 chars[2] = { 0 };
	u64 unit = args[0];

	(void)cpu;
	args[0] = 0;
	if (unit != SPAPR_VTY_UNIT)
		return H_PARAMETER;
	args[0] = hvcons_get(vm->arch->hvcons, (u8 *)chars);
	args[1] = be64_to_cpu(chars[0]);
	args[2] = be64_to_cpu(chars[1]);
	return H_SUCCESS;
}

/* Byte order of interrupts: 0 big, 1 little endian. */
static u64 hcall_set_endian(struct vm *vm, u64 flags)
{
	if (flags > 1)
		return H_UNSUPPORTED_FLAG;
	if (spapr_lpcr_set(vm, SPAPR_LPCR_ILE, flags ? SPAPR_LPCR_ILE : 0))
		return H_HARDWARE;
	return H_SUCCESS;
}

/*
 * Where interrupts go that are taken with translation on: 0 as without, 3 to
 * 0xc000000000004000.  KVM-HV knows no others (kvmppc_h_set_mode()).
 */
static u64 hcall_set_ail(struct vm *vm, u64 flags)
{
	if (flags != 0 && flags != 3)
		return H_UNSUPPORTED_FLAG;
	if (spapr_lpcr_set(vm, SPAPR_LPCR_AIL, flags ? SPAPR_LPCR_AIL : 0))
		return H_HARDWARE;
	return H_SUCCESS;
}

/* 14.5.4.3.5: flags, resource, two values that ours do not have. */
static u64 hcall_set_mode(struct vm *vm, unsigned int cpu, u64 *args)
{
	(void)cpu;
	if (args[1] != SET_MODE_AIL && args[1] != SET_MODE_LE)
		return H_P2;
	if (args[2])
		return H_P3;
	if (args[3])
		return H_P4;
	return args[1] == SET_MODE_LE ? hcall_set_endian(vm, args[0]) :
					hcall_set_ail(vm, args[0]);
}

/*
 * Which speculation the guest must guard against, and by what (bits: Linux,
 * asm/hvcall.h, H_CPU_CHAR_ and H_CPU_BEHAV_).  From H_FUNCTION Linux takes the
 * worst of hosts and the slowest of remedies.
 */
static u64 hcall_get_cpu_characteristics(struct vm *vm, unsigned int cpu,
					 u64 *args)
{
	(void)cpu;
	return spapr_host_cpu_char(vm, &args[0], &args[1]) ? H_SUCCESS :
							     H_FUNCTION;
}

static u64 hcall_rtas(struct vm *vm, unsigned int cpu, u64 *args)
{
	return rtas_hcall(vm, cpu, args[0]);
}

static const struct {
	u64 nr;
	u64 (*fn)(struct vm *vm, unsigned int cpu, u64 *args);
} hcalls[] = {
	{ H_GET_TERM_CHAR, hcall_get_term_char },
	{ H_PUT_TERM_CHAR, hcall_put_term_char },
	{ H_GET_CPU_CHARACTERISTICS, hcall_get_cpu_characteristics },
	{ H_SET_MODE, hcall_set_mode },
	{ H_RTAS, hcall_rtas },
};

u64 hcall(struct vm *vm, unsigned int cpu, u64 nr, u64 args[HCALL_ARGS])
{
	for (size_t i = 0; i < sizeof(hcalls) / sizeof(hcalls[0]); i++)
		if (hcalls[i].nr == nr)
			return hcalls[i].fn(vm, cpu, args);
	return H_FUNCTION;
}
