// SPDX-License-Identifier: GPL-2.0-only
/*
 * An x86 vCPU: its state before the first instruction, and its port I/O.
 */
#include "arch.h"
#include "inspect.h"
#include "kvm/caps.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "x86/x86.h"
#include <asm/kvm.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define CR0_PE (1u << 0)
#define CR0_ET (1u << 4)
#define CR0_PG (1u << 31)
#define CR4_PAE (1u << 5)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define RFLAGS_FIXED 2

#define SEGMENT_CODE 0x0b	/* execute, read, accessed */
#define SEGMENT_DATA 0x03	/* read, write, accessed */
#define SEGMENT_TSS_BUSY 0x0b
#define BOOT_CS 0x10		/* Documentation/x86/boot.rst: __BOOT_CS, __BOOT_DS */
#define BOOT_DS 0x18
#define BOOT_TSS 0x20
#define GDT_LIMIT 0x27

#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLED_WRITE_BACK 0x806

#define LAPIC_LVT0 0x350
#define LAPIC_LVT1 0x360
#define LVT_EXTINT 0x700
#define LVT_NMI 0x400

/* As firmware leaves it: the PIC on LINT0, NMI on LINT1. */
static int vcpu_init_lapic(struct vcpu *vcpu)
{
	struct kvm_lapic_state lapic;
	u32 lvt0 = LVT_EXTINT, lvt1 = LVT_NMI;

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic) < 0)
		return -errno;
	memcpy(lapic.regs + LAPIC_LVT0, &lvt0, sizeof(lvt0));
	memcpy(lapic.regs + LAPIC_LVT1, &lvt1, sizeof(lvt1));
	return ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic) < 0 ? -errno : 0;
}

/* Firmware's work too; a KVM that refuses it still boots. */
static void vcpu_init_msrs(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = {
		.head.nmsrs = 2,
		.entries = {
			{ .index = MSR_MISC_ENABLE,
			  .data = MISC_ENABLE_FAST_STRING },
			{ .index = MSR_MTRR_DEF_TYPE,
			  .data = MTRR_ENABLED_WRITE_BACK },
		},
	};

	ioctl(vcpu->fd, KVM_SET_MSRS, &msrs);
}

int arch_vcpu_init(struct vcpu *vcpu)
{
	int err = cpuid_init(vcpu);

	if (err)
		return err;
	err = vcpu_init_lapic(vcpu);
	if (err)
		log_error("vCPU %u: cannot set its local APIC: %s; %s", vcpu->id,
			  strerror(-err), kvm_remedy(err));
	vcpu_init_msrs(vcpu);
	return err;
}

static struct kvm_segment flat_segment(u16 selector, u8 type, bool long_mode)
{
	return (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = long_mode,
		.db = !long_mode,
	};
}

static void set_segments(struct kvm_sregs *sregs, bool long_mode)
{
	struct kvm_segment data = flat_segment(BOOT_DS, SEGMENT_DATA, false);

	sregs->cs = flat_segment(BOOT_CS, SEGMENT_CODE, long_mode);
	sregs->ds = data;
	sregs->es = data;
	sregs->ss = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->tr = (struct kvm_segment){
		.selector = BOOT_TSS,
		.limit = 0x67,
		.type = SEGMENT_TSS_BUSY,
		.present = 1,
	};
	sregs->gdt.base = X86_GDT_ADDR;
	sregs->gdt.limit = GDT_LIMIT;
	sregs->idt.limit = 0;
}

int x86_vcpu_set_entry(struct vcpu *vcpu, const struct x86_entry *entry)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rbx = entry->rbx,
		.rsi = entry->rsi,
		.rflags = RFLAGS_FIXED,
	};
	struct kvm_sregs sregs;
	int err;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		goto fail;
	set_segments(&sregs, entry->long_mode);
	sregs.cr0 = CR0_PE | CR0_ET;
	if (entry->long_mode) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = X86_PAGE_TABLES_ADDR;
		sregs.cr4 |= CR4_PAE;
		sregs.efer |= EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		goto fail;
	return 0;
fail:
	err = -errno;
	log_error("cannot set the boot vCPU's registers: %s; %s", strerror(-err),
		  kvm_remedy(err));
	return err;
}

static void vcpu_port_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u8 *data = (u8 *)run + run->io.data_offset;

	for (u32 i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&vcpu->vm->pio, run->io.port, data,
				  run->io.size);
		else
			bus_read(&vcpu->vm->pio, run->io.port, data,
				 run->io.size);
	}
}

/* Its clock stood still, else its watchdogs bite.  Refused if it has no kvmclock. */
void arch_vcpu_resumed(struct vcpu *vcpu)
{
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

/* KVM itself holds what has not been started by an INIT and a SIPI. */
void arch_vcpu_wait(struct vcpu *vcpu)
{
	(void)vcpu;
}

bool arch_vcpu_exit(struct vcpu *vcpu)
{
	if (vcpu->run->exit_reason != KVM_EXIT_IO)
		return false;
	vcpu_port_io(vcpu);
	return true;
}

#define REG(field) { #field, offsetof(struct kvm_regs, field) }
#define SREG(field) { #field, offsetof(struct kvm_sregs, field) }
struct reg {
	const char *name;
	size_t offset;
};

static const struct reg regs64[] = {
	REG(rip), REG(rflags), REG(rax), REG(rbx), REG(rcx), REG(rdx),
	REG(rsi), REG(rdi), REG(rsp), REG(rbp), REG(r8), REG(r9), REG(r10),
	REG(r11), REG(r12), REG(r13), REG(r14), REG(r15),
}, sregs64[] = {
	SREG(cr0), SREG(cr2), SREG(cr3), SREG(cr4), SREG(efer),
	{ "gdt", offsetof(struct kvm_sregs, gdt.base) },
	{ "idt", offsetof(struct kvm_sregs, idt.base) },
	{ "fs_base", offsetof(struct kvm_sregs, fs.base) },
	{ "gs_base", offsetof(struct kvm_sregs, gs.base) },
};

static void show_regs(const struct inspector *to, const struct reg *table,
		      size_t n, const void *from)
{
	for (size_t i = 0; i < n; i++)
		inspect(to, table[i].name,
			*(const u64 *)((const char *)from + table[i].offset));
}

int arch_vcpu_inspect(const struct vcpu *vcpu, const struct inspector *to)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	show_regs(to, regs64, sizeof(regs64) / sizeof(*regs64), &regs);
	show_regs(to, sregs64, sizeof(sregs64) / sizeof(*sregs64), &sregs);
	inspect(to, "cs", sregs.cs.selector);
	inspect(to, "ss", sregs.ss.selector);
	return 0;
}
