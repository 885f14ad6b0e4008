/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lkvm needs of the host's KVM: one table for all architectures, one of
 * each architecture's own.
 */
#ifndef LKVM_KVM_CAPS_H
#define LKVM_KVM_CAPS_H

struct kvm_cap {
	int cap;
	const char *name;
	const char *why;	/* what it is needed for */
};

/* Both end with a NULL name. */
extern const struct kvm_cap kvm_required_caps[];
extern const struct kvm_cap arch_required_caps[];
/* What helps who lacks one, and the modules without which there is no /dev/kvm. */
extern const char *const arch_caps_remedy;
extern const char *const arch_kvm_modules;

/*
 * Open /dev/kvm, check its version and every required capability.  Returns the
 * fd or a negative errno; a failure is one message with its remedy.
 */
int kvm_open(void);

/* What may help where KVM refuses a call with @err, -errno: for messages. */
const char *kvm_remedy(int err);

#endif
