// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loop that measures a guest's speed, in real mode; a hypervisor call that
 * only user space serves ends it.
 */
#include "arch.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define LOOP_ADDR 0x1000
#define LOOP_COUNT 2000000u	/* of one instruction */

/* Big endian, as a vCPU starts. */
static const u8 loop_code[] = {
	0x42, 0x00, 0x00, 0x00,		/* 1: bdnz 1b */
	0x38, 0x60, 0x00, 0x58,		/* li   r3, H_PUT_TERM_CHAR */
	0x44, 0x00, 0x00, 0x22,		/* sc   1 */
};

const struct arch_loop arch_loop = {
	.instructions = LOOP_COUNT,
	.memory = 16 << 20,
	.exit_reason = KVM_EXIT_PAPR_HCALL,
};

int arch_loop_load(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	struct kvm_regs regs;
	int err;

	memcpy(guest_ptr(&vm->mem, LOOP_ADDR, sizeof(loop_code)), loop_code,
	       sizeof(loop_code));
	err = spapr_cpu_boot(vm, LOOP_ADDR, 0, 0);
	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return -errno;
	regs.ctr = LOOP_COUNT;
	return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}
