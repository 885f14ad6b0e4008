/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The x86 machine: its memory map and what its files share.
 * dsdt.asl names the same addresses.
 */
#ifndef LKVM_X86_X86_H
#define LKVM_X86_X86_H

#include "endian.h"

struct boot_spec;
struct console;
struct guest_memory;
struct guest_numa;
struct vcpu;
struct vm;

/* Guest physical memory map. */
#define X86_GDT_ADDR		0x00000500
#define X86_ZERO_PAGE_ADDR	0x00007000	/* boot_params or hvm_start_info */
#define X86_PAGE_TABLES_ADDR	0x00009000	/* 6 pages: first 4 GiB, 2 MiB each */
#define X86_CMDLINE_ADDR	0x00020000
#define X86_CMDLINE_MAX		0x00010000
#define X86_EBDA_ADDR		0x0009fc00	/* end of low RAM */
#define X86_ACPI_ADDR		0x000e0000	/* RSDP and tables: BIOS area */
#define X86_ACPI_SIZE		0x0001fffc
#define X86_ACPI_SLOTS_ADDR	0x000ffffc	/* 32 bits: acpi_build()'s @slots */
#define X86_KERNEL_ADDR		0x00100000
#define X86_LOW_RAM_END		0xc0000000	/* the 32-bit hole begins */
#define X86_PCI_WINDOW		0xc0000000
#define X86_PCI_WINDOW_SIZE	0x20000000
#define X86_ECAM_ADDR		0xe0000000	/* bus 0 only: 1 MiB */
#define X86_MMIO_SLOTS_ADDR	0xe1000000	/* virtio-mmio, a page each */
#define X86_MMIO_SLOT_SIZE	0x00001000
#define X86_IOAPIC_ADDR		0xfec00000
#define X86_LAPIC_ADDR		0xfee00000
#define X86_IDENTITY_MAP_ADDR	0xfffbc000	/* KVM's own, Intel without UG */
#define X86_TSS_ADDR		0xfffbd000
#define X86_HIGH_RAM		0x100000000ULL

/* I/O ports. */
#define X86_PM1_EVENT_PORT	0x600	/* 4 bytes: status, enable */
#define X86_PM1_CONTROL_PORT	0x604	/* 2 bytes */
#define X86_RESET_PORT		0xcf9
#define X86_RESET_VALUE		0x06
#define X86_PVPANIC_PORT	0x505
#define X86_COM1_PORT		0x3f8
#define X86_COM1_IRQ		4
#define X86_PCI_ADDRESS_PORT	0xcf8
#define X86_PCI_DATA_PORT	0xcfc
#define X86_PCI_IO_WINDOW	0xc000	/* part of what _CRS of dsdt.asl has */
#define X86_PCI_IO_WINDOW_SIZE	0x4000
#define X86_KBD_PORT		0x64	/* i8042 command: 0xfe resets */

#define X86_SCI_IRQ		9
#define X86_S5_SLP_TYP		5	/* _S5 of dsdt.asl */
#define X86_PCI_INTX_GSI_BASE	16	/* 16..23, slot modulo 8; _PRT of dsdt.asl */
#define X86_IOAPIC_PINS		24
#define X86_CPUS_MAX		255	/* xAPIC ids; MADT type 0 */

/*
 * acpi.c: write RSDP and tables for @ncpus to X86_ACPI_ADDR.  Bit i of @slots
 * tells of a device in slot i of arch_mmio_slot().  0 or -errno.
 */
int acpi_build(const struct guest_memory *mem, unsigned int ncpus,
	       const struct guest_numa *numa, u32 slots);

/* cpuid.c: KVM's supported leaves, made right for vCPU @id of @ncpus. */
int cpuid_init(struct vcpu *vcpu);

/* boot.c: the state in which the boot vCPU enters the kernel. */
struct x86_entry {
	bool long_mode;		/* 64-bit boot protocol, else PVH */
	u64 rip;
	u64 rbx;		/* PVH: start_info */
	u64 rsi;		/* 64-bit: zero page */
};
/* Load kernel, initrd, command line and their tables.  0 or -errno. */
int boot_load(const struct guest_memory *mem, const struct boot_spec *boot,
	      struct x86_entry *entry);

/* vcpu.c: put the vCPU into that state. */
int x86_vcpu_set_entry(struct vcpu *vcpu, const struct x86_entry *entry);

/* serial.c: a 16550A at X86_COM1_PORT. */
struct serial;
int serial_new(struct serial **sp, struct vm *vm, struct console *con);
void serial_free(struct serial *serial);

#endif
