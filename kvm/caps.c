// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening /dev/kvm: is it there, may we use it, can it do what lkvm needs?
 */
#include "kvm/caps.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct kvm_cap kvm_required_caps[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest memory" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "kicks without an exit" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH",
	  "kicks on the fast MMIO bus" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "interrupts from I/O threads" },
	{ KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE",
	  "level-triggered interrupts" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT",
	  "stopping a vCPU for certain" },
	{ 0, NULL, NULL },
};

static int kvm_check_caps(int kvm_fd, const struct kvm_cap *caps)
{
	for (; caps->name; caps++) {
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, caps->cap) > 0)
			continue;
		log_error("/dev/kvm lacks %s, needed for %s; %s", caps->name,
			  caps->why, arch_caps_remedy);
		return -EOPNOTSUPP;
	}
	return 0;
}

static const char *kvm_open_remedy(int err)
{
	switch (err) {
	case ENOENT:
		return arch_kvm_modules;
	case EACCES:
	case EPERM:
		return "join its group (sudo usermod -aG kvm $USER) or run as root";
	case ENODEV:
	case ENXIO:
		return "this CPU or VM offers no virtualisation to the kernel";
	default:
		return "see lkvm check-host";
	}
}

const char *kvm_remedy(int err)
{
	switch (-err) {
	case ENOMEM:
		return "free some of the host's memory";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n)";
	case EBUSY:
		return "end other hypervisors, as VirtualBox, that have the CPU's virtualisation";
	default:
		return "see lkvm check-host, and the host's log (dmesg)";
	}
}

int kvm_open(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version, err;

	if (fd < 0) {
		err = -errno;
		log_error("/dev/kvm: %s; %s", strerror(-err),
			  kvm_open_remedy(-err));
		return err;
	}
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		log_error("/dev/kvm: API version %d, not %d; this is no KVM: see that its module is loaded",
			  version, KVM_API_VERSION);
		err = -EPROTO;
		goto fail;
	}
	err = kvm_check_caps(fd, kvm_required_caps);
	if (!err)
		err = kvm_check_caps(fd, arch_required_caps);
	if (!err)
		return fd;
fail:
	close(fd);
	return err;
}
