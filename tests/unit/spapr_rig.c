// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pseries machine for tests: see spapr_rig.h.
 */
#include "spapr_rig.h"
#include "fake_event.h"
#include "fake_spapr.h"
#include "kvm/msix.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER 12u	/* token, nargs, nret */

/* --- functions ----------------------------------------------------------- */

static void disk_bar_read(struct pci_function *fn, unsigned int bar, u32 offset,
			  void *data, unsigned int len)
{
	struct rig_function *f = (struct rig_function *)fn;

	ck_assert_uint_eq(bar, RIG_MSIX_BAR);
	msix_bar_read(f->msix, offset, data, len);
}

static void disk_config_written(struct pci_function *fn, unsigned int offset,
				unsigned int len)
{
	(void)offset;
	(void)len;
	msix_config_written(((struct rig_function *)fn)->msix);
}

static bool disk_intx_level(struct pci_function *fn)
{
	(void)fn;
	return false;
}

static const struct pci_function_ops disk_ops = {
	.bar_read = disk_bar_read,
	.config_written = disk_config_written,
	.intx_level = disk_intx_level,
};

static const struct pci_function_ops plain_ops;

static void add_functions(struct spapr_rig *rig)
{
	static const struct pci_ids disk = {
		.vendor = 0x1af4, .device = 0x1042, .subvendor = 0x1af5,
		.subdevice = 0x0040, .revision = 1, .class_code = 0x018000,
	};
	static const struct pci_ids plain = {
		.vendor = 0x1234, .device = 0x5678, .class_code = 0xff0012,
	};
	static const u8 vendor_cap[8] = { 0, 0, 8 };

	pci_function_init(&rig->disk.fn, &disk_ops, &disk);
	pci_function_add_bar(&rig->disk.fn, 0, 0x4000);
	/* So that MSI-X is not the first capability, nor the last one. */
	pci_function_add_cap(&rig->disk.fn, 9, vendor_cap, NULL, 8);
	ck_assert_int_eq(msix_new(&rig->disk.msix, &rig->vm, &rig->disk.fn,
				  RIG_MSIX_BAR, RIG_VECTORS), 0);
	pci_function_add_cap(&rig->disk.fn, 9, vendor_cap, NULL, 8);
	ck_assert_int_eq(pci_function_add(rig->vm.pci, &rig->disk.fn), 0);

	pci_function_init(&rig->plain.fn, &plain_ops, &plain);
	pci_function_add_cap(&rig->plain.fn, 9, vendor_cap, NULL, 8);
	ck_assert_int_eq(pci_function_add(rig->vm.pci, &rig->plain.fn), 0);
}

void rig_init(struct spapr_rig *rig)
{
	struct vm *vm = &rig->vm;

	memset(rig, 0, sizeof(*rig));
	fake_kvm_reset();
	fake_kvm.next_gsi = SPAPR_IRQ_MSI_BASE;
	fake_spapr_reset(RIG_CPUS);
	vm->end_fd = event_new();
	vm->arch = &rig->arch;
	rig->arch.epow_irq_fd = event_new();
	vm->mem.nregions = 1;
	vm->mem.size = RIG_RAM;
	/* Of its own, so that a sanitizer knows where it ends. */
	vm->mem.region[0] = (struct guest_region){ .size = RIG_RAM,
						   .host = calloc(1, RIG_RAM) };
	ck_assert_ptr_nonnull(vm->mem.region[0].host);
	ck_assert_int_eq(pci_host_new(&vm->pci, vm), 0);
	add_functions(rig);
	vm->irqs.next_gsi = fake_kvm.next_gsi;
	ck_assert_int_eq(hvcons_new(&rig->arch.hvcons, &rig->console, -1), 0);
}

void rig_exit(struct spapr_rig *rig)
{
	hvcons_free(rig->arch.hvcons);
	pci_function_remove(&rig->plain.fn);
	pci_function_remove(&rig->disk.fn);
	msix_free(rig->disk.msix);
	pci_host_free(rig->vm.pci);
	free(rig->vm.mem.region[0].host);
	close(rig->arch.epow_irq_fd);
	close(rig->vm.end_fd);
}

/* --- RTAS ---------------------------------------------------------------- */

u32 rig_cell(const struct spapr_rig *rig, u64 gpa)
{
	__be32 cell;

	memcpy(&cell, guest_ptr(&rig->vm.mem, gpa, sizeof(cell)), sizeof(cell));
	return be32_to_cpu(cell);
}

void rig_set_cell(struct spapr_rig *rig, u64 gpa, u32 value)
{
	__be32 cell = cpu_to_be32(value);

	memcpy(guest_ptr(&rig->vm.mem, gpa, sizeof(cell)), &cell, sizeof(cell));
}

u32 rig_token(const char *name)
{
	for (u32 i = 0; i < rtas_nservices; i++)
		if (!strcmp(rtas_services[i].name, name))
			return i + RTAS_TOKEN_BASE;
	ck_abort_msg("no service %s", name);
}

void rig_block(struct spapr_rig *rig, u64 gpa, u32 token, unsigned int nargs,
	       const u32 *args, unsigned int nret)
{
	rig_set_cell(rig, gpa, token);
	rig_set_cell(rig, gpa + 4, nargs);
	rig_set_cell(rig, gpa + 8, nret);
	for (unsigned int i = 0; i < nargs; i++)
		rig_set_cell(rig, gpa + HEADER + 4 * i, args[i]);
	for (unsigned int i = 0; i < nret; i++)
		rig_set_cell(rig, gpa + HEADER + 4 * (nargs + i), ~0u);
}

int rig_rtas(struct spapr_rig *rig, const char *name, unsigned int nargs,
	     const u32 *args, unsigned int nret, u32 *rets)
{
	u64 out = RIG_BLOCK + HEADER + 4 * nargs;

	rig_block(rig, RIG_BLOCK, rig_token(name), nargs, args, nret + 1);
	ck_assert_uint_eq(rtas_hcall(&rig->vm, 1, RIG_BLOCK), H_SUCCESS);
	for (unsigned int i = 0; i < nret; i++)
		rets[i] = rig_cell(rig, out + 4 + 4 * i);
	return (int)rig_cell(rig, out);
}

/* --- nonsense ------------------------------------------------------------ */

u32 rig_random(u64 *seed)
{
	/* Knuth's MMIX */
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(*seed >> 32);
}

u32 rig_nasty(u64 *seed)
{
	static const u32 nasty[] = {
		0, 1, 2, 3, 4, 5, 6, 15, 16, 17, 31, 32, 64, 0x800, 0x804,
		0x843, 0x1000, 0x10000, 0x100800, 0x7fffffff, 0x80000000,
		0xf0000800, 0xfffffff0, 0xffffffff, RIG_RAM - 1, RIG_RAM,
		SPAPR_PHB_BUID >> 32, (u32)SPAPR_PHB_BUID,
	};
	u32 r = rig_random(seed);

	if (r & 1)
		return rig_random(seed);
	return nasty[(r >> 1) % (sizeof(nasty) / sizeof(nasty[0]))];
}
