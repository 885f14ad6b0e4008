// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast does this KVM run a guest's kernel?  The architecture's loop, counted
 * against the clock: hardware does billions of instructions per second, a KVM
 * that emulates kernel mode about one million.
 */
#include "kvm/speed.h"
#include "arch.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

/*
 * No floating point in here: on some hosts KVM_RUN may lose what this thread has
 * in such registers.
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
	if (vcpu->run->exit_reason != arch_loop.exit_reason)
		return -EIO;
	*ns = (u64)(end.tv_sec - start.tv_sec) * 1000000000 +
	      (u64)(end.tv_nsec - start.tv_nsec);
	return 0;
}

int guest_speed(double *mips)
{
	struct vm vm = { 0 };
	u64 ns = 1;
	int err = vm_init(&vm, 1, arch_loop.memory, false);

	if (err)
		return err;
	err = vm_cpus_create(&vm);
	if (err)
		goto undo_vm;
	err = arch_loop_load(vm.vcpus[0]);
	if (!err)
		err = loop_run(vm.vcpus[0], &ns);
	if (err)
		log_error("/dev/kvm: a tiny guest does not run: %s (exit %u)",
			  strerror(-err), vm.vcpus[0]->run->exit_reason);
	*mips = 1e3 * (double)arch_loop.instructions / (double)ns;
	vm_cpus_destroy(&vm);
undo_vm:
	vm_exit(&vm);
	return err;
}
