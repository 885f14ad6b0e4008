/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pure part of cpuid.c: it makes a table of CPUID leaves right for one
 * vCPU, without KVM, so that it can be tested on any host.
 */
#ifndef LKVM_X86_CPUID_H
#define LKVM_X86_CPUID_H

#include "endian.h"

struct guest_numa;
struct kvm_cpuid2;

struct cpuid_vcpu {
	unsigned int id;	/* also its APIC id */
	unsigned int ncpus;	/* a core each, of one thread */
	const struct guest_numa *numa;	/* NULL: one node */
	bool dedicated;		/* has a host core of its own */
	bool tsc_deadline;	/* KVM has the LAPIC timer's deadline mode */
};

/* Leaves that cpuid_adapt() may add to KVM's: room the caller must leave. */
#define CPUID_EXTRA_LEAVES 12

/* @cpuid holds nent leaves of KVM_GET_SUPPORTED_CPUID, and room for more. */
void cpuid_adapt(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu);

#endif
