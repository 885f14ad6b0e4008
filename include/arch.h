/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract of an architecture: each has a folder that defines all of it, the
 * link fails when something is missing, and no other code asks which one it is.
 */
#ifndef LKVM_ARCH_H
#define LKVM_ARCH_H

#include "endian.h"

struct guest_memory;
struct inspector;
struct kvm_irq_routing_entry;
struct vcpu;
struct vm;

/* What to boot.  Strings are the user's; NULL where not given. */
struct boot_spec {
	const char *kernel;
	const char *initrd;
	const char *cmdline;	/* complete, as the guest shall see it */
	const void *archive;	/* a cpio archive that goes before the initrd */
	size_t archive_size;	/* a multiple of 4, or 0: there is none */
};

/* Where BARs of PCI functions live: bus addresses [base, base + size). */
struct arch_pci_window {
	u64 base;
	u64 size;
	u64 cpu;	/* where the guest's CPUs see base */
};

/* Beside arch_required_caps[] of kvm/caps.h. */
extern const unsigned int arch_max_cpus;
/* NUMA nodes that a guest may have; 1: it cannot be told of any. */
extern const unsigned int arch_max_nodes;
/* Whether a guest can be told that its vCPUs have cores of their own. */
extern const bool arch_tells_dedicated;
/* What --kernel may be, for its help. */
extern const char *const arch_kernel_formats;

/* "console=..." for the first console, appended when the user names none. */
extern const char *const arch_console_param;

/* Interrupts of devices without MSI: the GSI of pin INTA of PCI @slot. */
u32 arch_pci_intx_gsi(unsigned int slot);
extern const struct arch_pci_window arch_pci_window;
/* One above 4 GiB, where BARs of memory are put; size 0: the machine has none. */
extern const struct arch_pci_window arch_pci_window64;
/* That of I/O BARs, which are on the PIO bus; size 0: the machine has none. */
extern const struct arch_pci_window arch_pci_io_window;

/* A place for a virtio-mmio device, which the guest is told of. */
struct arch_mmio_slot {
	u64 addr;
	u32 gsi;	/* of an edge-triggered interrupt of its own */
};
/* The machine's @i-th; false: it has no more, or none at all. */
bool arch_mmio_slot(unsigned int i, struct arch_mmio_slot *slot);

/* Set gpa and size of the regions that make @size bytes of memory; 0 or -errno. */
int arch_memory_layout(struct guest_memory *mem, u64 size);

/* Interrupt controller and what else must exist before the vCPUs.  0 or -errno. */
int arch_vm_init(struct vm *vm);
void arch_vm_exit(struct vm *vm);

/* Routes of the interrupt controller's own pins; returns how many, <= @max. */
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *entries,
			     unsigned int max);
/* The first GSI that no pin uses: MSIs begin here. */
extern const u32 arch_msi_gsi_base;

/* Console UART, power and reset registers, PCI configuration access... */
int arch_devices_init(struct vm *vm);
void arch_devices_exit(struct vm *vm);

/*
 * Press the power button.  Main thread.  0, or -ENOTCONN if the guest does not listen
 * to it, without a message.
 */
int arch_power_button(struct vm *vm);

/* Features and reset state of one vCPU.  0 or -errno. */
int arch_vcpu_init(struct vcpu *vcpu);

/* Load kernel, initrd and tables, set the boot vCPU's registers.  0 or -errno. */
int arch_boot(struct vm *vm, const struct boot_spec *boot);

/*
 * On the vCPU's thread, before it enters the guest for the first time: returns
 * once the vCPU may run, or vm_ended().  The stop signal (vcpu_ask_stop(), again
 * and again) must end its wait.
 */
void arch_vcpu_wait(struct vcpu *vcpu);

/* On the vCPU's thread: it was kept out of the guest for long (vm_pause()). */
void arch_vcpu_resumed(struct vcpu *vcpu);

/*
 * An exit that generic code does not know (KVM_EXIT_IO, hcalls).  On the
 * vCPU's thread.  Returns false if the architecture does not know it either.
 */
bool arch_vcpu_exit(struct vcpu *vcpu);

/* The registers of @vcpu, which is out of the guest.  0 or -errno, no message. */
int arch_vcpu_inspect(const struct vcpu *vcpu, const struct inspector *to);

/* In a loop that waits for another processor: be a good neighbour. */
void arch_relax(void);

/* A tiny guest of one vCPU that counts in kernel mode, for kvm/speed.c. */
extern const struct arch_loop {
	u64 instructions;	/* that it executes ... */
	u32 exit_reason;	/* ... up to this exit */
	u64 memory;		/* bytes that it needs */
} arch_loop;
/* Make @vcpu ready to run it.  0 or -errno. */
int arch_loop_load(struct vcpu *vcpu);

#endif
