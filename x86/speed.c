// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast does this KVM run a guest's kernel?  A loop in real mode, counted
 * against the clock: hardware does billions of instructions per second, a KVM
 * that emulates kernel mode about one million.
 */
#include "arch.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include <asm/kvm.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define LOOP_ADDR 0x1000
#define LOOP_COUNT 50000u	/* iterations of two instructions */
#define SPEED_MEMORY (1 << 20)

/* mov ecx, LOOP_COUNT; 1: dec ecx; jnz 1b; out 0x80, al; hlt */
static const u8 loop_code[] = {
	0x66, 0xb9, LOOP_COUNT & 0xff, LOOP_COUNT >> 8 & 0xff,
	LOOP_COUNT >> 16 & 0xff, LOOP_COUNT >> 24, 0x66, 0x49, 0x75, 0xfc,
	0xe6, 0x80, 0xf4,
};

static int loop_prepare(struct vm *vm, struct vcpu *vcpu)
{
	struct kvm_regs regs = { .rip = LOOP_ADDR, .rflags = 2 };
	struct kvm_sregs sregs;

	memcpy(guest_ptr(&vm->mem, LOOP_ADDR, sizeof(loop_code)), loop_code,
	       sizeof(loop_code));
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int loop_run(struct vcpu *vcpu, double *mips)
{
	struct timespec start, end;
	double us;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR)
			return -errno;
	} while (vcpu->run->exit_reason == KVM_EXIT_INTR);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (vcpu->run->exit_reason != KVM_EXIT_IO)
		return -EIO;
	us = (double)(end.tv_sec - start.tv_sec) * 1e6 +
	     (double)(end.tv_nsec - start.tv_nsec) / 1e3;
	*mips = 2.0 * LOOP_COUNT / us;
	return 0;
}

int arch_guest_speed(double *mips)
{
	struct vm vm = { 0 };
	int err = vm_init(&vm, 1, SPEED_MEMORY, false);

	if (err)
		return err;
	err = vm_cpus_create(&vm);
	if (err)
		goto undo_vm;
	err = loop_prepare(&vm, vm.vcpus[0]);
	if (!err)
		err = loop_run(vm.vcpus[0], mips);
	if (err)
		log_error("/dev/kvm: a tiny guest does not run: %s (exit %u)",
			  strerror(-err), vm.vcpus[0]->run->exit_reason);
	vm_cpus_destroy(&vm);
undo_vm:
	vm_exit(&vm);
	return err;
}
