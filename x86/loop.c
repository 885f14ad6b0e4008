// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loop that measures a guest's speed, in real mode.
 */
#include "arch.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include <asm/kvm.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define LOOP_ADDR 0x1000
#define LOOP_COUNT 50000u	/* iterations of two instructions */

/* mov ecx, LOOP_COUNT; 1: dec ecx; jnz 1b; out 0x80, al; hlt */
static const u8 loop_code[] = {
	0x66, 0xb9, LOOP_COUNT & 0xff, LOOP_COUNT >> 8 & 0xff,
	LOOP_COUNT >> 16 & 0xff, LOOP_COUNT >> 24, 0x66, 0x49, 0x75, 0xfc,
	0xe6, 0x80, 0xf4,
};

const struct arch_loop arch_loop = {
	.instructions = 2 * LOOP_COUNT,
	.memory = 1 << 20,
	.exit_reason = KVM_EXIT_IO,
};

int arch_loop_load(struct vcpu *vcpu)
{
	struct kvm_regs regs = { .rip = LOOP_ADDR, .rflags = 2 };
	struct kvm_sregs sregs;

	memcpy(guest_ptr(&vcpu->vm->mem, LOOP_ADDR, sizeof(loop_code)),
	       loop_code, sizeof(loop_code));
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}
