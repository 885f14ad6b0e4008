// SPDX-License-Identifier: GPL-2.0-only
/*
 * The x86 machine: memory layout, in-kernel interrupt controllers and timer,
 * and the few registers that firmware and a chipset would have.
 */
#include "arch.h"
#include "barrier.h"
#include "kvm/caps.h"
#include "kvm/pci.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "x86/x86.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* ACPI 6.4, 4.8.3.1: PM1 event registers */
#define PM1_POWER_BUTTON (1u << 8)
/* ACPI 6.4, 4.8.3.2: PM1 control register */
#define PM1_SCI_EN (1u << 0)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK 7
#define PM1_SLP_EN (1u << 13)

#define KBD_RESET 0xfe	/* i8042: pulse the reset line */

/* linux/Documentation, misc-devices/pvpanic: what the device can be told. */
#define PVPANIC_PANICKED 1
#define PVPANIC_CRASH_LOADED 2

const struct kvm_cap arch_required_caps[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "interrupts in the kernel" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING", "MSI by irqfd" },
	{ KVM_CAP_PIT2, "KVM_CAP_PIT2", "the guest's timer" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", "the guest's CPU features" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", "real mode on Intel" },
	{ 0, NULL, NULL },
};

const char *const arch_kvm_modules =
	"load kvm_intel or kvm_amd, and enable virtualisation in the firmware (in a VM: nested virtualisation)";
const char *const arch_kernel_formats = "bzImage or ELF vmlinux to boot";
const bool arch_tells_dedicated = true;	/* KVM_HINTS_REALTIME */
const char *const arch_caps_remedy = "run a newer host kernel (Linux 4.13 or later)";
const unsigned int arch_max_cpus = X86_CPUS_MAX;
const unsigned int arch_max_nodes = GUEST_NODES_MAX;
const char *const arch_console_param = "console=ttyS0";
const u32 arch_msi_gsi_base = X86_IOAPIC_PINS;
const struct arch_pci_window arch_pci_window = {
	.base = X86_PCI_WINDOW,
	.size = X86_PCI_WINDOW_SIZE,
	.cpu = X86_PCI_WINDOW,
};
const struct arch_pci_window arch_pci_window64 = { .size = 0 };
const struct arch_pci_window arch_pci_io_window = {
	.base = X86_PCI_IO_WINDOW,
	.size = X86_PCI_IO_WINDOW_SIZE,
	.cpu = X86_PCI_IO_WINDOW,
};

struct vm_arch {
	struct vm *vm;
	struct serial *serial;
	u32 pci_address;	/* port 0xcf8 */
	pthread_mutex_t pm1_lock;
	u16 pm1_status;
	u16 pm1_enable;
	u16 pm1_control;
};

void arch_relax(void)
{
	__builtin_ia32_pause();
}

u32 arch_pci_intx_gsi(unsigned int slot)
{
	return X86_PCI_INTX_GSI_BASE + slot % 8;
}

/*
 * The pins of a PC's expansion slots and disks: nothing else here has them, and
 * INTx has those from 16 on.  dsdt.asl tells the guest.
 */
bool arch_mmio_slot(unsigned int i, struct arch_mmio_slot *slot)
{
	static const u8 gsi[] = { 5, 6, 7, 10, 11, 12, 14, 15 };

	if (i >= sizeof(gsi))
		return false;
	slot->addr = X86_MMIO_SLOTS_ADDR + i * X86_MMIO_SLOT_SIZE;
	slot->gsi = gsi[i];
	return true;
}

int arch_memory_layout(struct guest_memory *mem, u64 size)
{
	u64 low = size < X86_LOW_RAM_END ? size : X86_LOW_RAM_END;

	mem->size = size;
	mem->nregions = 1;
	mem->region[0] = (struct guest_region){ .gpa = 0, .size = low };
	if (size > low)
		mem->region[mem->nregions++] = (struct guest_region){
			.gpa = X86_HIGH_RAM,
			.size = size - low,
		};
	return 0;
}

int arch_vm_init(struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	__u64 identity = X86_IDENTITY_MAP_ADDR;
	const char *what;
	int err;

	what = "KVM_SET_IDENTITY_MAP_ADDR";
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		goto fail;
	what = "KVM_SET_TSS_ADDR";
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, X86_TSS_ADDR) < 0)
		goto fail;
	what = "KVM_CREATE_IRQCHIP";
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		goto fail;
	what = "KVM_CREATE_PIT2";
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		goto fail;
	return 0;
fail:
	err = -errno;
	log_error("/dev/kvm: %s: %s; %s", what, strerror(-err), kvm_remedy(err));
	return err;
}

void arch_vm_exit(struct vm *vm)
{
	(void)vm;	/* the kernel's parts end with the VM's file */
}

static struct kvm_irq_routing_entry irqchip_route(u32 gsi, u32 chip, u32 pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/*
 * ISA interrupts reach the PICs and the IOAPIC.  The timer's GSI 0 is wired to
 * IOAPIC pin 2, as on every PC (MADT: interrupt source override).
 */
unsigned int arch_irq_routes(struct kvm_irq_routing_entry *e, unsigned int max)
{
	unsigned int n = 0;

	assert(max >= 16 + X86_IOAPIC_PINS);
	for (u32 irq = 0; irq < 16; irq++)
		e[n++] = irqchip_route(irq,
				       irq < 8 ? KVM_IRQCHIP_PIC_MASTER :
						 KVM_IRQCHIP_PIC_SLAVE,
				       irq % 8);
	e[n++] = irqchip_route(0, KVM_IRQCHIP_IOAPIC, 2);
	for (u32 gsi = 1; gsi < X86_IOAPIC_PINS; gsi++)
		if (gsi != 2)
			e[n++] = irqchip_route(gsi, KVM_IRQCHIP_IOAPIC, gsi);
	return n;
}

static u32 port_value(const void *data, unsigned int len)
{
	__le32 value = 0;

	memcpy(&value, data, len < 4 ? len : 4);
	return le32_to_cpu(value);
}

/* The SCI is a level: high while an event waits that the guest has enabled. */
static void pm1_update(struct vm_arch *arch)
{
	struct kvm_irq_level sci = {
		.irq = X86_SCI_IRQ,
		.level = arch->pm1_status & arch->pm1_enable ? 1 : 0,
	};

	ioctl(arch->vm->fd, KVM_IRQ_LINE, &sci);
}

int arch_power_button(struct vm *vm)
{
	struct vm_arch *arch = vm->arch;
	bool heard;

	pthread_mutex_lock(&arch->pm1_lock);
	heard = arch->pm1_enable & PM1_POWER_BUTTON;
	if (heard)
		arch->pm1_status |= PM1_POWER_BUTTON;
	pm1_update(arch);
	pthread_mutex_unlock(&arch->pm1_lock);
	return heard ? 0 : -ENOTCONN;
}

/* ACPI fixed hardware: PM1 event block (status, enable), then PM1 control. */
static void pm1_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	struct vm_arch *arch = ctx;
	u16 regs[3];

	pthread_mutex_lock(&arch->pm1_lock);
	regs[0] = arch->pm1_status;
	regs[1] = arch->pm1_enable;
	regs[2] = arch->pm1_control | PM1_SCI_EN;
	pthread_mutex_unlock(&arch->pm1_lock);
	if (offset + len <= sizeof(regs))
		memcpy(data, (u8 *)regs + offset, len);
}

static void pm1_write(void *ctx, u64 offset, const void *data, unsigned int len)
{
	struct vm_arch *arch = ctx;
	u32 value = port_value(data, len);

	pthread_mutex_lock(&arch->pm1_lock);
	switch (offset) {
	case 0:		/* 4.8.3.1.1: what is written as 1 is cleared */
		arch->pm1_status &= (u16)~value;
		break;
	case 2:
		arch->pm1_enable = (u16)value;
		break;
	case X86_PM1_CONTROL_PORT - X86_PM1_EVENT_PORT:
		arch->pm1_control = (u16)(value & ~PM1_SLP_EN);
		if (value & PM1_SLP_EN &&
		    (value >> PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK) ==
			    X86_S5_SLP_TYP)
			vm_end(arch->vm, VM_POWEROFF, 0);
	}
	pm1_update(arch);
	pthread_mutex_unlock(&arch->pm1_lock);
}

static const struct bus_ops pm1_ops = { .read = pm1_read, .write = pm1_write };

/* Configuration mechanism 1, and the reset register in its second byte. */
static void pci_address_read(void *ctx, u64 offset, void *data,
			     unsigned int len)
{
	const struct vm_arch *arch = ctx;
	u32 address = read_once(&arch->pci_address);

	if (offset + len <= sizeof(address))
		memcpy(data, (u8 *)&address + offset, len);
}

static void pci_address_write(void *ctx, u64 offset, const void *data,
			      unsigned int len)
{
	struct vm_arch *arch = ctx;
	u32 value = port_value(data, len);

	if (len == 4)
		write_once(&arch->pci_address, value);
	else if (offset == X86_RESET_PORT - X86_PCI_ADDRESS_PORT &&
		 (value & X86_RESET_VALUE) == X86_RESET_VALUE)
		vm_end(arch->vm, VM_RESET, 0);
}

static const struct bus_ops pci_address_ops = {
	.read = pci_address_read,
	.write = pci_address_write,
};

/* Splits the address register; false when its enable bit is not set. */
static bool pci_address_decode(const struct vm_arch *arch, u64 offset,
			       unsigned int *bus, unsigned int *devfn,
			       unsigned int *reg)
{
	u32 address = read_once(&arch->pci_address);

	*bus = address >> 16 & 0xff;
	*devfn = address >> 8 & 0xff;
	*reg = (address & 0xfc) + (unsigned int)offset;
	return address >> 31;
}

static void pci_data_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	const struct vm_arch *arch = ctx;
	unsigned int bus, devfn, reg;

	if (pci_address_decode(arch, offset, &bus, &devfn, &reg))
		pci_config_read(arch->vm->pci, bus, devfn, reg, data, len);
}

static void pci_data_write(void *ctx, u64 offset, const void *data,
			   unsigned int len)
{
	const struct vm_arch *arch = ctx;
	unsigned int bus, devfn, reg;

	if (pci_address_decode(arch, offset, &bus, &devfn, &reg))
		pci_config_write(arch->vm->pci, bus, devfn, reg, data, len);
}

static const struct bus_ops pci_data_ops = {
	.read = pci_data_read,
	.write = pci_data_write,
};

static void pvpanic_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	(void)ctx;
	(void)offset;
	memset(data, 0, len);
	*(u8 *)data = PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *ctx, u64 offset, const void *data,
			  unsigned int len)
{
	struct vm_arch *arch = ctx;

	(void)offset;
	if (port_value(data, len) & PVPANIC_PANICKED)
		vm_end(arch->vm, VM_PANIC, 0);
}

static const struct bus_ops pvpanic_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
};

/* No keyboard; but its controller's reset line is what "reboot=k" uses. */
static void kbd_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	(void)ctx;
	(void)offset;
	memset(data, 0, len);	/* input buffer empty: ready for a command */
}

static void kbd_write(void *ctx, u64 offset, const void *data, unsigned int len)
{
	struct vm_arch *arch = ctx;

	(void)offset;
	if ((port_value(data, len) & 0xff) == KBD_RESET)
		vm_end(arch->vm, VM_RESET, 0);
}

static const struct bus_ops kbd_ops = { .read = kbd_read, .write = kbd_write };

int arch_devices_init(struct vm *vm)
{
	struct vm_arch *arch = calloc(1, sizeof(*arch));
	int err;

	if (!arch)
		return log_no_memory();
	arch->vm = vm;
	vm->arch = arch;
	pthread_mutex_init(&arch->pm1_lock, NULL);
	bus_add(&vm->pio, X86_PM1_EVENT_PORT, 6, &pm1_ops, arch);
	bus_add(&vm->pio, X86_PCI_ADDRESS_PORT, 4, &pci_address_ops, arch);
	bus_add(&vm->pio, X86_PCI_DATA_PORT, 4, &pci_data_ops, arch);
	bus_add(&vm->pio, X86_PVPANIC_PORT, 1, &pvpanic_ops, arch);
	bus_add(&vm->pio, X86_KBD_PORT, 1, &kbd_ops, arch);

	err = serial_new(&arch->serial, vm, vm->console);
	if (err)
		goto fail;
	err = pci_host_new(&vm->pci, vm);
	if (err)
		goto fail;
	bus_add(&vm->mmio, X86_ECAM_ADDR, PCI_ECAM_BUS_SIZE, &pci_ecam_ops,
		vm->pci);
	return 0;
fail:
	arch_devices_exit(vm);
	return err;
}

void arch_devices_exit(struct vm *vm)
{
	if (vm->pci)
		pci_host_free(vm->pci);
	vm->pci = NULL;
	if (vm->arch->serial)
		serial_free(vm->arch->serial);
	pthread_mutex_destroy(&vm->arch->pm1_lock);
	free(vm->arch);
	vm->arch = NULL;
}

/* Those where a device answers, a bit each. */
static u32 mmio_slots(const struct vm *vm)
{
	struct arch_mmio_slot slot;
	u32 slots = 0;

	for (unsigned int i = 0; arch_mmio_slot(i, &slot); i++)
		if (bus_claimed(&vm->mmio, slot.addr))
			slots |= 1u << i;
	return slots;
}

int arch_boot(struct vm *vm, const struct boot_spec *boot)
{
	struct x86_entry entry;
	int err = acpi_build(&vm->mem, vm->ncpus, &vm->numa, mmio_slots(vm));

	if (!err)
		err = boot_load(&vm->mem, boot, &entry);
	if (!err)
		err = x86_vcpu_set_entry(vm->vcpus[0], &entry);
	return err;
}
