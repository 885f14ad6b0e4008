// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pseries machine: memory layout, what of it is in the kernel (page table,
 * interrupt controller, DMA window), terminal and PCI bridge, and how it boots.
 */
#include "arch.h"
#include "kvm/caps.h"
#include "kvm/pci.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <asm/cputable.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

/* What KVM-HV serves itself, but only when asked (Linux, asm/hvcall.h). */
#define H_STUFF_TCE		0x138
#define H_PUT_TCE_INDIRECT	0x13c

#define NEEDS_HV "load kvm_hv (modprobe kvm_hv) of Linux 4.13 or later, on a POWER8 host that is no guest itself"

const struct kvm_cap arch_required_caps[] = {
	{ KVM_CAP_PPC_ALLOC_HTAB, "KVM_CAP_PPC_ALLOC_HTAB",
	  "pseries guests under KVM-HV" },
	{ KVM_CAP_PPC_ENABLE_HCALL, "KVM_CAP_PPC_ENABLE_HCALL",
	  "hypervisor calls in the kernel" },
	{ KVM_CAP_PPC_RTAS, "KVM_CAP_PPC_RTAS",
	  "interrupt services in the kernel" },
	{ KVM_CAP_PPC_GET_SMMU_INFO, "KVM_CAP_PPC_GET_SMMU_INFO",
	  "the guest's page sizes" },
	{ KVM_CAP_IRQ_XICS, "KVM_CAP_IRQ_XICS", "interrupts in the kernel" },
	{ KVM_CAP_SPAPR_TCE_64, "KVM_CAP_SPAPR_TCE_64",
	  "the guest's DMA window" },
	{ 0, NULL, NULL },
};

const char *const arch_caps_remedy = NEEDS_HV;
const char *const arch_kvm_modules = NEEDS_HV;
const char *const arch_kernel_formats = "ELF vmlinux, zImage or flat image to boot";
const bool arch_tells_dedicated = false;
const unsigned int arch_max_cpus = SPAPR_CPUS_MAX;
const unsigned int arch_max_nodes = GUEST_NODES_MAX;
const char *const arch_console_param = "console=hvc0";
const u32 arch_msi_gsi_base = SPAPR_IRQ_MSI_BASE;
const struct arch_pci_window arch_pci_window = {
	.base = SPAPR_MEM32_BUS,
	.size = SPAPR_MEM32_SIZE,
	.cpu = SPAPR_MEM32_CPU,
};
const struct arch_pci_window arch_pci_window64 = {
	.base = SPAPR_MEM64_ADDR,
	.size = SPAPR_MEM64_SIZE,
	.cpu = SPAPR_MEM64_ADDR,
};
/* A port would be memory to the CPU: nothing is gained by one. */
const struct arch_pci_window arch_pci_io_window = { .size = 0 };

int arch_power_button(struct vm *vm)
{
	return spapr_power_button(vm);
}

/* Power ISA, or: "yield", a hint to the other threads' benefit. */
void arch_relax(void)
{
	__asm__ volatile("or 27,27,27" ::: "memory");
}

u32 arch_pci_intx_gsi(unsigned int slot)
{
	return SPAPR_IRQ_INTX_BASE + slot;
}

/* Every device is on PCI, as LoPAPR has it. */
bool arch_mmio_slot(unsigned int i, struct arch_mmio_slot *slot)
{
	(void)i;
	(void)slot;
	return false;
}

/* KVM takes whole pages of the host's. */
int arch_memory_layout(struct guest_memory *mem, u64 size)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);

	if (size > SPAPR_RAM_MAX) {
		log_error("--mem %lluM: at most %lluM fit into this machine; give less",
			  size >> 20, SPAPR_RAM_MAX >> 20);
		return -EINVAL;
	}
	mem->size = size & ~(page - 1);
	mem->nregions = 1;
	mem->region[0] = (struct guest_region){ .gpa = 0, .size = mem->size };
	return 0;
}

/* KVM has no routes here: an interrupt's number is its source. */
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *entries,
			     unsigned int max)
{
	(void)entries;
	(void)max;
	return 0;
}

/* --- what is in the kernel ----------------------------------------------- */

static int machine_failed(const char *what)
{
	int err = -errno;

	log_error("/dev/kvm: %s: %s", what, strerror(-err));
	return err;
}

/*
 * The hashed page table: 1/128 to 1/64 of memory, a power of two.  It needs
 * contiguous memory of the host's; a smaller one does, too, if slower.
 */
static int machine_alloc_hpt(struct vm *vm)
{
	u32 shift = spapr_hpt_shift(vm->mem.size);
	u32 least = spapr_hpt_shift_min(vm->mem.size,
					(u64)sysconf(_SC_PAGESIZE));

	if (shift < least)
		shift = least;
	while (ioctl(vm->fd, KVM_PPC_ALLOCATE_HTAB, &shift) < 0) {
		if (errno == EOPNOTSUPP)	/* radix alone, as in a guest */
			return machine_failed("no guests with a hashed page table; " NEEDS_HV);
		if (errno != ENOMEM || shift == least)
			return machine_failed("no hashed page table for the guest; free some of the host's memory");
		shift--;
	}
	vm->arch->hpt_shift = shift;
	return 0;
}

static int machine_enable_hcalls(struct vm *vm)
{
	static const u64 hcalls[] = { H_STUFF_TCE, H_PUT_TCE_INDIRECT };

	for (size_t i = 0; i < sizeof(hcalls) / sizeof(hcalls[0]); i++) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_PPC_ENABLE_HCALL,
			.args = { hcalls[i], 1 },
		};

		if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
			return machine_failed("KVM_CAP_PPC_ENABLE_HCALL; " NEEDS_HV);
	}
	return 0;
}

/*
 * The window's table is the guest's to fill.  Nothing reads it: virtio without
 * VIRTIO_F_ACCESS_PLATFORM uses guest physical addresses (virtio 1.2, 6.1).
 */
static int machine_create_tce(struct vm *vm)
{
	struct kvm_create_spapr_tce_64 tce = {
		.liobn = SPAPR_DMA_LIOBN,
		.page_shift = SPAPR_DMA_PAGE_SHIFT,
		.size = SPAPR_DMA_SIZE >> SPAPR_DMA_PAGE_SHIFT,
	};

	vm->arch->tce_fd = ioctl(vm->fd, KVM_CREATE_SPAPR_TCE_64, &tce);
	if (vm->arch->tce_fd < 0)
		return machine_failed("no table for the guest's DMA window; raise ulimit -l");
	return 0;
}

static int machine_rtas_failed(const char *service)
{
	int err = -errno;

	log_error("/dev/kvm: no RTAS service %s in the kernel: %s; " NEEDS_HV,
		  service, strerror(-err));
	return err;
}

/* The services that rtas.c leaves to KVM. */
static int machine_define_rtas(struct vm *vm)
{
	for (unsigned int i = 0; i < rtas_nservices; i++) {
		struct kvm_rtas_token_args args = {
			.token = RTAS_TOKEN_BASE + i,
		};

		if (rtas_services[i].fn)
			continue;
		strncpy(args.name, rtas_services[i].name, sizeof(args.name) - 1);
		if (ioctl(vm->fd, KVM_PPC_RTAS_DEFINE_TOKEN, &args) < 0)
			return machine_rtas_failed(rtas_services[i].name);
	}
	return 0;
}

/*
 * Hardware threads of one core run together, and KVM-HV takes vCPU ids next to
 * each other for such: one thread a core makes each id a core of its own.  Refused
 * by kernels before 4.13, whose vCPUs share a core then.
 */
static void machine_one_thread_per_core(struct vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_PPC_SMT,
		.args = { 1, 0 },
	};

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
		log_info("KVM_CAP_PPC_SMT: %s; vCPUs may share a core",
			 strerror(errno));
}

/* Its guests are other machines: radix trees, XIVE. */
static int machine_check_host(void)
{
	if (!(getauxval(AT_HWCAP2) & PPC_FEATURE2_ARCH_3_00))
		return 0;
	log_error("this host is a POWER9 or later, lkvm's machine a POWER8; use a POWER8 host");
	return -EOPNOTSUPP;
}

static int machine_create(struct vm *vm)
{
	int err = machine_check_host();

	if (!err && ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_PPC_SMT) > 1)
		err = spapr_check_smt("/sys/devices/system/cpu");
	if (!err)
		err = machine_alloc_hpt(vm);
	if (!err)
		machine_one_thread_per_core(vm);
	if (!err)
		err = machine_enable_hcalls(vm);
	if (!err)
		err = machine_create_tce(vm);
	if (!err)
		err = xics_init(vm);
	if (!err)
		err = machine_define_rtas(vm);
	if (!err)
		err = spapr_cpus_new(vm);
	return err;
}

int arch_vm_init(struct vm *vm)
{
	int err;

	vm->arch = calloc(1, sizeof(*vm->arch));
	if (!vm->arch)
		return log_no_memory();
	vm->arch->vm = vm;
	vm->arch->console_irq_fd = -1;
	vm->arch->epow_irq_fd = -1;
	vm->arch->xics_fd = -1;
	vm->arch->tce_fd = -1;
	err = machine_create(vm);
	if (err)
		arch_vm_exit(vm);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* The rest of what is in the kernel ends with the VM's file. */
void arch_vm_exit(struct vm *vm)
{
	spapr_cpus_free(vm);
	close_fd(vm->arch->xics_fd);
	close_fd(vm->arch->tce_fd);
	free(vm->arch);
	vm->arch = NULL;
}

/* --- devices ------------------------------------------------------------- */

/* *@fdp: an eventfd that interrupts by @source, of @what. */
static int machine_add_irq(struct vm *vm, u32 source, const char *what, int *fdp)
{
	int fd = event_new(), err;

	if (fd < 0) {
		log_error("no eventfd for the %s: %s; raise ulimit -n", what,
			  strerror(-fd));
		return fd;
	}
	err = irqfd_attach(vm, fd, source, -1);
	if (err)
		close(fd);
	else
		*fdp = fd;
	return err;
}

static void machine_remove_irq(struct vm *vm, u32 source, int *fdp)
{
	if (*fdp < 0)
		return;
	irqfd_detach(vm, *fdp, source);
	close(*fdp);
	*fdp = -1;
}

int arch_devices_init(struct vm *vm)
{
	struct vm_arch *arch = vm->arch;
	int err = machine_add_irq(vm, SPAPR_IRQ_CONSOLE, "terminal",
				  &arch->console_irq_fd);

	if (!err)
		err = hvcons_new(&arch->hvcons, vm->console,
				 arch->console_irq_fd);
	if (!err)
		err = machine_add_irq(vm, SPAPR_IRQ_EPOW, "power button",
				      &arch->epow_irq_fd);
	if (!err)
		err = pci_host_new(&vm->pci, vm);
	if (err)
		arch_devices_exit(vm);
	return err;
}

void arch_devices_exit(struct vm *vm)
{
	struct vm_arch *arch = vm->arch;

	if (vm->pci)
		pci_host_free(vm->pci);
	vm->pci = NULL;
	hvcons_free(arch->hvcons);
	arch->hvcons = NULL;
	machine_remove_irq(vm, SPAPR_IRQ_EPOW, &arch->epow_irq_fd);
	machine_remove_irq(vm, SPAPR_IRQ_CONSOLE, &arch->console_irq_fd);
}

/* --- boot ---------------------------------------------------------------- */

static int machine_describe(struct vm *vm, const struct boot_spec *boot,
			    const struct spapr_boot *place)
{
	struct spapr_pci_function functions[PCI_SLOTS];
	struct spapr_fdt_spec spec = {
		.mem_size = vm->mem.size,
		.numa = &vm->numa,
		.ncpus = vm->ncpus,
		.cmdline = boot->cmdline ? boot->cmdline : "",
		.initrd = place->initrd,
		.initrd_size = place->initrd_size,
		.rtas = place->rtas,
		.hpt_shift = vm->arch->hpt_shift,
		.nfunctions = spapr_pci_describe(vm->pci, functions, PCI_SLOTS),
		.functions = functions,
	};
	int size, err = spapr_host_describe(vm, &spec);

	if (err)
		return err;
	if (getrandom(spec.entropy, sizeof(spec.entropy), 0) !=
	    sizeof(spec.entropy))
		return machine_failed("getrandom has no random numbers for the guest; try again");
	size = spapr_fdt_build(&spec,
			       guest_ptr(&vm->mem, place->fdt, SPAPR_FDT_MAX),
			       SPAPR_FDT_MAX);
	if (size < 0) {
		log_error("--params: the device tree with it is over %u KiB; give a shorter kernel command line",
			  SPAPR_FDT_MAX >> 10);
		return size;
	}
	return 0;
}

int arch_boot(struct vm *vm, const struct boot_spec *boot)
{
	struct spapr_boot place;
	int err = spapr_boot_load(&vm->mem, boot, &place);

	if (!err && vm->numa.nnodes)
		err = spapr_boot_check_node(&place, vm->numa.size[0]);
	if (!err)
		err = machine_describe(vm, boot, &place);
	if (!err)
		err = spapr_cpu_boot(vm, place.entry, place.fdt, place.rtas);
	return err;
}
