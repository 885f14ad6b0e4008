// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast does this KVM run a guest's kernel?  A loop in real mode, counted
 * against the clock, and ended by a hypervisor call that only user space serves.
 */
#include "arch.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define LOOP_ADDR 0x1000
#define LOOP_COUNT 2000000u	/* of one instruction */
#define SPEED_MEMORY (16 << 20)

/* Big endian, as a vCPU starts. */
static const u8 loop_code[] = {
	0x42, 0x00, 0x00, 0x00,		/* 1: bdnz 1b */
	0x38, 0x60, 0x00, 0x58,		/* li   r3, H_PUT_TERM_CHAR */
	0x44, 0x00, 0x00, 0x22,		/* sc   1 */
};

static int loop_prepare(struct vm *vm, struct vcpu *vcpu)
{
	struct kvm_regs regs;
	int err;

	memcpy(guest_ptr(&vm->mem, LOOP_ADDR, sizeof(loop_code)), loop_code,
	       sizeof(loop_code));
	err = spapr_cpu_boot(vm, LOOP_ADDR, 0);
	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return -errno;
	regs.ctr = LOOP_COUNT;
	return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

/*
 * No floating point in here: a KVM_RUN may lose what this thread has in such
 * registers.
 */
static int loop_run(struct vcpu *vcpu, u64 *ns)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR)
			return -errno;
	} while (vcpu->run->exit_reason == KVM_EXIT_INTR);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (vcpu->run->exit_reason != KVM_EXIT_PAPR_HCALL)
		return -EIO;
	*ns = (u64)(end.tv_sec - start.tv_sec) * 1000000000 +
	      (u64)(end.tv_nsec - start.tv_nsec);
	return 0;
}

int arch_guest_speed(double *mips)
{
	struct vm vm = { 0 };
	u64 ns = 1;
	int err = vm_init(&vm, 1, SPEED_MEMORY, false);

	if (err)
		return err;
	err = vm_cpus_create(&vm);
	if (err)
		goto undo_vm;
	err = loop_prepare(&vm, vm.vcpus[0]);
	if (!err)
		err = loop_run(vm.vcpus[0], &ns);
	if (err)
		log_error("/dev/kvm: a tiny guest does not run: %s (exit %u)",
			  strerror(-err), vm.vcpus[0]->run->exit_reason);
	*mips = 1e3 * LOOP_COUNT / (double)ns;
	vm_cpus_destroy(&vm);
undo_vm:
	vm_exit(&vm);
	return err;
}
