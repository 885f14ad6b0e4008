/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pseries machine under KVM-HV: its memory map, its interrupt sources, and
 * what the files of powerpc/ share.  Section numbers are LoPAPR 1.1's.
 *
 * Who does what:
 *	machine.c	arch.h's machine: memory, console, PCI bridge, boot
 *	vcpu.c		vCPUs: set-up, start and stop, LPCR, exits
 *	xics.c		the interrupt controller in the kernel
 *	host.c		what the guest's CPUs have of the host's
 *	hcall.c		hypervisor calls that the kernel passes up
 *	rtas.c		run-time services, called through one hcall
 *	epow.c		the power button
 *	pci.c		the PCI host bridge as firmware shows it
 *	hvcons.c	the virtual terminal
 *	fdt.c		the device tree
 *	boot.c		kernel, initrd, and where all goes in memory
 *	core.c		the host's cores, the size of page tables
 *	loop.c		the guest that measures KVM's speed
 *
 * hcall.c, rtas.c, epow.c, pci.c, hvcons.c, fdt.c, boot.c and core.c use no ioctl and nothing
 * of POWER's uapi headers: they are built into unit tests on any machine.
 */
#ifndef LKVM_POWERPC_SPAPR_H
#define LKVM_POWERPC_SPAPR_H

#include "endian.h"
#include "kvm/pci.h"

struct boot_spec;
struct console;
struct guest_memory;
struct guest_numa;
struct hvcons;
struct pci_host;
struct vcpu;
struct vm;

/*
 * Guest physical memory map: RAM is one region from 0 on.  PCI is above any
 * RAM; the CPUs see its 32-bit window at an address of its own.
 */
#define SPAPR_RAM_MAX		0x10000000000ULL	/* 1 TiB */
#define SPAPR_MEM32_CPU		0x20080000000ULL
#define SPAPR_MEM32_BUS		0x80000000ULL
#define SPAPR_MEM32_SIZE	0x40000000ULL
#define SPAPR_MEM64_ADDR	0x21000000000ULL	/* the same on the bus */
#define SPAPR_MEM64_SIZE	0x1000000000ULL

/* The one PCI host bridge and its DMA window (LIOBN: its table in the kernel). */
#define SPAPR_PHB_BUID		0x800000020000000ULL
#define SPAPR_DMA_LIOBN		0x80000000u
#define SPAPR_DMA_SIZE		0x40000000u
#define SPAPR_DMA_PAGE_SHIFT	12

/* Interrupt source numbers (XICS): KVM's begin at 16; GSI = source. */
#define SPAPR_IRQ_CONSOLE	16	/* edge */
#define SPAPR_IRQ_EPOW		17	/* edge */
#define SPAPR_IRQ_INTX_BASE	32	/* level, one for each of PCI_SLOTS */
#define SPAPR_IRQ_MSI_BASE	64	/* edge; from here on irq_msi_alloc() */

#define SPAPR_VTY_UNIT		0x71000000u	/* the terminal's unit address */

#define SPAPR_CPUS_MAX		32
/* A core each: server number = vCPU id = core's number. */

/* Results of hcalls (14.1.3) and of RTAS (table 16). */
#define H_SUCCESS		0
#define H_HARDWARE		(-1LL)
#define H_FUNCTION		(-2LL)
#define H_PARAMETER		(-4LL)
#define H_P2			(-55LL)
#define RTAS_SUCCESS		0
#define RTAS_HARDWARE		(-1)
#define RTAS_PARAMETER		(-3)
#define RTAS_NO_EVENT		1	/* of event-scan and check-exception */

/* The power button: not pressed, the guest has not heard of it, it has. */
enum spapr_epow { EPOW_NONE, EPOW_PENDING, EPOW_TOLD };

struct vm_arch {
	struct vm *vm;
	struct hvcons *hvcons;
	int console_irq_fd;
	int epow_irq_fd;
	u32 epow;		/* enum spapr_epow; main thread and all vCPUs */
	int xics_fd;
	int tce_fd;			/* keeps the DMA window's table alive */
	u32 hpt_shift;			/* log2 of the hash table's size */
	struct spapr_cpus *cpus;	/* vcpu.c's */
	u32 msis[PCI_SLOTS];		/* that a guest has of each function, pci.c's */
};

/* --- hcall.c ------------------------------------------------------------- */

/*
 * Serve hcall @nr of vCPU @cpu: @args are r4 to r12, and become the results;
 * returns r3.  On the vCPU's thread, several at once.  Guest input is hostile.
 */
#define HCALL_ARGS 9
u64 hcall(struct vm *vm, unsigned int cpu, u64 nr, u64 args[HCALL_ARGS]);

/* --- rtas.c -------------------------------------------------------------- */

/* @args, @nargs of them; results go to @rets, @nret of them.  Returns the status. */
struct rtas_call {
	struct vm *vm;
	unsigned int cpu;
	unsigned int nargs;
	const u32 *args;
	unsigned int nret;	/* without the status */
	u32 *rets;		/* zeroed */
};
typedef int rtas_fn(struct rtas_call *call);

/*
 * The services, in a const table; token = index + RTAS_TOKEN_BASE.  A service
 * without function is the kernel's (KVM_PPC_RTAS_DEFINE_TOKEN).
 */
#define RTAS_TOKEN_BASE 1
struct rtas_service {
	const char *name;
	rtas_fn *fn;		/* NULL: in the kernel */
	unsigned int nargs;	/* exactly */
	unsigned int nret_min;	/* at least, without the status */
};
extern const struct rtas_service rtas_services[];
extern const unsigned int rtas_nservices;

/* What the guest calls: five instructions that make hcall H_RTAS (big endian). */
#define RTAS_BLOB_SIZE 20
extern const u8 rtas_blob[RTAS_BLOB_SIZE];

/* H_RTAS with the argument block at @gpa; returns r3. */
u64 rtas_hcall(struct vm *vm, unsigned int cpu, u64 gpa);

/* --- epow.c -------------------------------------------------------------- */

/* arch_power_button() */
int spapr_power_button(struct vm *vm);
/* Services, for the table of rtas.c. */
#define SPAPR_EPOW_SENSOR 9		/* 7.3.5.5, table of sensors */
rtas_fn spapr_check_exception;		/* vector, source, mask, critical, buffer, length */
rtas_fn spapr_get_sensor_state;		/* sensor, index -> state */

/* --- pci.c --------------------------------------------------------------- */

/* Services of the bridge, for the table of rtas.c (7.3.4, 7.3.10.5). */
rtas_fn spapr_read_pci_config;		/* config_addr, size -> value */
rtas_fn spapr_write_pci_config;		/* config_addr, size, value */
rtas_fn spapr_ibm_read_pci_config;	/* config_addr, buid hi, lo, size -> value */
rtas_fn spapr_ibm_write_pci_config;
rtas_fn spapr_change_msi;		/* ibm,change-msi */
rtas_fn spapr_query_msi_source;		/* ibm,query-interrupt-source-number */

/* A function as the device tree shows it. */
struct spapr_pci_function {
	unsigned int slot;
	u16 vendor, device, subvendor, subdevice;
	u8 revision;
	u32 class_code;
	u32 intx;		/* interrupt source, 0: none */
	unsigned int msix;	/* vectors, 0: none */
	unsigned int nbars;
	struct {
		unsigned int bar;
		u64 addr;	/* on the bus, as firmware placed it */
		u64 size;
	} bar[6];
};
/* All functions but the bridge itself; returns how many, <= @max. */
unsigned int spapr_pci_describe(struct pci_host *host,
				struct spapr_pci_function *functions,
				unsigned int max);

/* --- core.c -------------------------------------------------------------- */

/*
 * 0, or -EBUSY with a message if cores of this host run several threads: then
 * KVM-HV before POWER9 refuses to run a vCPU.  @cpus: /sys/devices/system/cpu.
 */
int spapr_check_smt(const char *cpus);
/* log2 of the size of a page table that suits @mem bytes, at least 16 MiB ... */
u32 spapr_hpt_shift(u64 mem);
/* ... and of the smallest that maps what of them a guest begins in. */
u32 spapr_hpt_shift_min(u64 mem, u64 page);

/* --- hvcons.c ------------------------------------------------------------ */

/* Output is the console's; input waits in a buffer, and signals @irq_fd (-1: none). */
int hvcons_new(struct hvcons **hp, struct console *con, int irq_fd);
void hvcons_free(struct hvcons *hv);
/* Both are called by any vCPU thread.  get() returns how many bytes, <= 16. */
void hvcons_put(struct hvcons *hv, const u8 *data, size_t len);
size_t hvcons_get(struct hvcons *hv, u8 data[16]);

/* --- fdt.c --------------------------------------------------------------- */

/* Page sizes that the guest may use, as the device tree shows them. */
#define SPAPR_PAGE_SIZES 8
struct spapr_segment_pages {
	u32 shift;		/* of the segment's base page; 0: end of list */
	u32 slb_encoding;
	struct {
		u32 shift;	/* 0: end of list */
		u32 pte_encoding;
	} page[SPAPR_PAGE_SIZES];
};

/* The whole machine, as far as a guest is told of it. */
struct spapr_fdt_spec {
	u64 mem_size;
	const struct guest_numa *numa;	/* NULL: one node */
	unsigned int ncpus;
	const char *cmdline;	/* never NULL */
	u64 initrd, initrd_size;	/* size 0: none */
	u64 rtas;		/* where rtas_blob is, below 4 GiB */
	u64 entropy[4];		/* /chosen/rng-seed */

	u32 pvr;
	u32 timebase_hz;
	u32 clock_hz;
	u32 hpt_shift;		/* log2 of the hash table's size */
	u32 slb_size;
	u32 cache_line;		/* of both level 1 caches */
	u32 cache_size;
	bool vmx, vsx, dfp;
	bool segments_1t;
	struct spapr_segment_pages pages[SPAPR_PAGE_SIZES];

	unsigned int nfunctions;
	const struct spapr_pci_function *functions;
};
/*
 * Write the flattened tree to @buf.  Returns its size, or -ENOSPC if @room does
 * not do.  The same for the same @spec.
 */
int spapr_fdt_build(const struct spapr_fdt_spec *spec, void *buf, size_t room);

/* --- boot.c -------------------------------------------------------------- */

#define SPAPR_FDT_MAX (1u << 20)

/* Where everything is, for the device tree and the boot vCPU. */
struct spapr_boot {
	u64 entry;		/* where the kernel is entered */
	u64 initrd, initrd_size;	/* size 0: none */
	u64 rtas;		/* rtas_blob is there already */
	u64 fdt;		/* room for SPAPR_FDT_MAX */
};
/*
 * Load kernel (ELF vmlinux or zImage, big or little endian; or a flat image for
 * address 0) and initrd; all is below the end of RAM, nothing overlaps, a
 * kernel's bss included.  0 or -errno with one message.
 */
int spapr_boot_load(const struct guest_memory *mem, const struct boot_spec *boot,
		    struct spapr_boot *out);
/*
 * Linux begins with the memory of node 0 alone, of @size bytes: is all of @boot in it?  0 or
 * -ENOMEM with a message.
 */
int spapr_boot_check_node(const struct spapr_boot *boot, u64 size);

/* --- vcpu.c -------------------------------------------------------------- */

/* Beside arch.h: what vm_arch->cpus is.  0 or -errno. */
int spapr_cpus_new(struct vm *vm);
void spapr_cpus_free(struct vm *vm);

/* LPCR: bits in @mask of every vCPU become those of @value.  0 or -errno. */
#define SPAPR_LPCR_ILE		(1ULL << 25)
#define SPAPR_LPCR_AIL		(3ULL << 23)
int spapr_lpcr_set(struct vm *vm, u64 mask, u64 value);

/* The states of query-cpu-stopped-state (7.3.8.3). */
enum spapr_cpu_state { SPAPR_CPU_STOPPED, SPAPR_CPU_STOPPING, SPAPR_CPU_RUNNING };
/* -1: there is no such vCPU. */
int spapr_cpu_state(struct vm *vm, u32 id);
/* Start a stopped vCPU at @pc with @r3; RTAS status. */
int spapr_cpu_start(struct vm *vm, u32 id, u64 pc, u64 r3);
/* The calling vCPU stops when its hcall has been served. */
void spapr_cpu_stop_self(struct vm *vm, unsigned int cpu);
/*
 * Set the boot vCPU's registers; it is the only one that runs then.  @area: from
 * 0 on so much memory is a zImage's (ePAPR 1.1, 5.4.1: the initial mapped area).
 */
int spapr_cpu_boot(struct vm *vm, u64 pc, u64 fdt, u64 area);

/* --- host.c -------------------------------------------------------------- */

/* Set what @spec has between pvr and pages, but for hpt_shift.  0 or -errno. */
int spapr_host_describe(struct vm *vm, struct spapr_fdt_spec *spec);
/*
 * What the host's kernel knows of its processor's speculation, in the bits of
 * H_GET_CPU_CHARACTERISTICS.  False: it does not tell.
 */
bool spapr_host_cpu_char(struct vm *vm, u64 *character, u64 *behaviour);

/* --- xics.c -------------------------------------------------------------- */

/* The controller, and the sources below SPAPR_IRQ_MSI_BASE.  0 or -errno. */
int xics_init(struct vm *vm);
int xics_connect(struct vcpu *vcpu);
/* Make @source known, masked; edge-triggered.  May be repeated.  0 or -errno. */
int xics_add_msi(struct vm *vm, u32 source);
/* Has the guest unmasked @source? */
bool xics_enabled(struct vm *vm, u32 source);

#endif
