// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt controller: XICS, all of it in the kernel.  Sources are told to
 * it one by one, masked; the guest unmasks them by ibm,set-xive, which KVM
 * serves.  Linux: Documentation/virt/kvm/devices/xics.rst.
 */
#include "kvm/pci.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define PRIORITY_NONE 0xffULL	/* masked */

static int xics_add(struct vm *vm, u32 source, u64 flags)
{
	u64 state = PRIORITY_NONE << KVM_XICS_PRIORITY_SHIFT | KVM_XICS_MASKED |
		    flags;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_XICS_GRP_SOURCES,
		.attr = source,
		.addr = (u64)(uintptr_t)&state,
	};
	int err;

	if (ioctl(vm->arch->xics_fd, KVM_SET_DEVICE_ATTR, &attr) == 0)
		return 0;
	err = -errno;
	log_error("KVM refuses interrupt source %u: %s; free memory on this host, or give fewer queues to --disk",
		  source, strerror(-err));
	return err;
}

int xics_add_msi(struct vm *vm, u32 source)
{
	return xics_add(vm, source, 0);
}

bool xics_enabled(struct vm *vm, u32 source)
{
	u64 state = KVM_XICS_MASKED;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_XICS_GRP_SOURCES,
		.attr = source,
		.addr = (u64)(uintptr_t)&state,
	};

	return !ioctl(vm->arch->xics_fd, KVM_GET_DEVICE_ATTR, &attr) &&
	       !(state & KVM_XICS_MASKED);
}

static int xics_create(struct vm *vm)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_XICS };
	int err;

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &device) < 0) {
		err = -errno;
		log_error("/dev/kvm: cannot create the interrupt controller (XICS): %s; use a host kernel with CONFIG_KVM_XICS",
			  strerror(-err));
		return err;
	}
	vm->arch->xics_fd = (int)device.fd;
	return 0;
}

int xics_init(struct vm *vm)
{
	int err = xics_create(vm);

	if (!err)
		err = xics_add(vm, SPAPR_IRQ_CONSOLE, 0);
	if (!err)
		err = xics_add(vm, SPAPR_IRQ_EPOW, 0);
	for (u32 slot = 0; !err && slot < PCI_SLOTS; slot++)
		err = xics_add(vm, SPAPR_IRQ_INTX_BASE + slot,
			       KVM_XICS_LEVEL_SENSITIVE);
	return err;
}

int xics_connect(struct vcpu *vcpu)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_IRQ_XICS,
		.args = { (u64)vcpu->vm->arch->xics_fd, vcpu->id },
	};
	int err;

	if (ioctl(vcpu->fd, KVM_ENABLE_CAP, &cap) == 0)
		return 0;
	err = -errno;
	log_error("--cpus %u: KVM cannot connect vCPU %u to the interrupt controller: %s; free memory on this host, or give fewer",
		  vcpu->vm->ncpus, vcpu->id, strerror(-err));
	return err;
}
