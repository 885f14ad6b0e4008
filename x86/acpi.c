// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables in guest memory: RSDP, XSDT, FADT with FACS and DSDT, MADT, MCFG; those of
 * NUMA nodes are acpi_numa.c's.
 *
 * They describe the machine of x86.h: a fixed-hardware PM1 block for power off
 * and power button, a reset register, local APICs and one I/O APIC, PCI
 * configuration space in memory.  The DSDT is dsdt.asl, compiled by iasl.
 * acpi_build() is called by boot code while no vCPU runs, and may be called
 * again.  Section numbers are those of ACPI 6.4.
 */
#include "x86/x86.h"
#include "kvm/memory.h"
#include "kvm/numa.h"
#include "log.h"
#include "x86/acpi.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

/* iasl emits a definition without storage class. */
static const
#include "dsdt.hex"

struct acpi_rsdp {	/* 5.2.5.3 */
	char signature[8];
	u8 checksum;		/* of the first 20 bytes */
	char oem_id[6];
	u8 revision;
	__le32 rsdt;
	__le32 length;
	__le64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} PACKED;
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");
#define RSDP_V1_SIZE 20

#define XSDT_TABLES 5	/* the last two only with NUMA nodes */
struct acpi_xsdt {	/* 5.2.8 */
	struct acpi_header header;
	__le64 table[XSDT_TABLES];
} PACKED;

struct acpi_address {	/* 5.2.3.2, generic address structure */
	u8 space;
	u8 bit_width;
	u8 bit_offset;
	u8 access_size;
	__le64 address;
} PACKED;
_Static_assert(sizeof(struct acpi_address) == 12, "generic address");
#define ACPI_SPACE_IO 1

struct acpi_facs {	/* 5.2.10; has no checksum */
	char signature[4];
	__le32 length;
	u8 reserved[24];	/* waking vectors, lock, flags: not used */
	u8 version;
	u8 reserved2[31];
} PACKED;
_Static_assert(sizeof(struct acpi_facs) == 64, "FACS");

struct acpi_fadt {	/* 5.2.9, table 5.9 */
	struct acpi_header header;
	__le32 facs;
	__le32 dsdt;
	u8 reserved;
	u8 pm_profile;
	__le16 sci_irq;
	__le32 smi_cmd;
	u8 acpi_enable;
	u8 acpi_disable;
	u8 s4bios_req;
	u8 pstate_cnt;
	__le32 pm1a_evt;
	__le32 pm1b_evt;
	__le32 pm1a_cnt;
	__le32 pm1b_cnt;
	__le32 pm2_cnt;
	__le32 pm_tmr;
	__le32 gpe0;
	__le32 gpe1;
	u8 pm1_evt_len;
	u8 pm1_cnt_len;
	u8 pm2_cnt_len;
	u8 pm_tmr_len;
	u8 gpe0_len;
	u8 gpe1_len;
	u8 gpe1_base;
	u8 cst_cnt;
	__le16 c2_latency;
	__le16 c3_latency;
	__le16 flush_size;
	__le16 flush_stride;
	u8 duty_offset;
	u8 duty_width;
	u8 day_alarm;
	u8 month_alarm;
	u8 century;
	__le16 iapc_boot_arch;
	u8 reserved2;
	__le32 flags;
	struct acpi_address reset_reg;
	u8 reset_value;
	__le16 arm_boot_arch;
	u8 minor_revision;
	__le64 x_facs;
	__le64 x_dsdt;
	struct acpi_address x_pm1a_evt;
	struct acpi_address x_pm1b_evt;
	struct acpi_address x_pm1a_cnt;
	struct acpi_address x_pm1b_cnt;
	struct acpi_address x_pm2_cnt;
	struct acpi_address x_pm_tmr;
	struct acpi_address x_gpe0;
	struct acpi_address x_gpe1;
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	char hypervisor[8];
} PACKED;
_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT");
_Static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "FADT");

#define FADT_WBINVD		(1u << 0)
#define FADT_PROC_C1		(1u << 2)
#define FADT_SLP_BUTTON		(1u << 5)	/* no fixed sleep button */
#define FADT_FIX_RTC		(1u << 6)	/* no RTC wake status */
#define FADT_RESET_REG_SUP	(1u << 10)
#define FADT_BOOT_NO_VGA	(1u << 2)
#define FADT_BOOT_NO_RTC	(1u << 5)
#define FADT_C2_NONE		0x0fff	/* > 100 us: not supported */
#define FADT_C3_NONE		0x0fff	/* > 1000 us: not supported */

struct acpi_madt {	/* 5.2.12 */
	struct acpi_header header;
	__le32 lapic_address;
	__le32 flags;
} PACKED;
_Static_assert(sizeof(struct acpi_madt) == 44, "MADT");
#define MADT_PCAT_COMPAT 1

struct madt_lapic {	/* 5.2.12.2 */
	u8 type;
	u8 length;
	u8 uid;
	u8 apic_id;
	__le32 flags;
} PACKED;
_Static_assert(sizeof(struct madt_lapic) == 8, "MADT LAPIC");
#define MADT_LAPIC_ENABLED 1

struct madt_ioapic {	/* 5.2.12.3 */
	u8 type;
	u8 length;
	u8 id;
	u8 reserved;
	__le32 address;
	__le32 gsi_base;
} PACKED;
_Static_assert(sizeof(struct madt_ioapic) == 12, "MADT I/O APIC");

struct madt_override {	/* 5.2.12.5 */
	u8 type;
	u8 length;
	u8 bus;
	u8 source;
	__le32 gsi;
	__le16 flags;
} PACKED;
_Static_assert(sizeof(struct madt_override) == 10, "MADT override");
#define MADT_HIGH_LEVEL (1 | 3 << 2)

struct madt_lapic_nmi {	/* 5.2.12.7 */
	u8 type;
	u8 length;
	u8 uid;
	__le16 flags;
	u8 lint;
} PACKED;
_Static_assert(sizeof(struct madt_lapic_nmi) == 6, "MADT LAPIC NMI");
#define MADT_ALL_CPUS 0xff

/* What comes after the local APICs, in the order of memory. */
struct madt_tail {
	struct madt_ioapic ioapic;
	struct madt_override timer;
	struct madt_override sci;
	struct madt_lapic_nmi nmi;
} PACKED;

struct acpi_mcfg {	/* PCI Firmware 3.2, table 4-2 */
	struct acpi_header header;
	u8 reserved[8];
	__le64 address;
	__le16 segment;
	u8 first_bus;
	u8 last_bus;
	u8 reserved2[4];
} PACKED;
_Static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG");

void *acpi_alloc(struct acpi_area *area, size_t size, u32 align)
{
	u32 at = (area->used + align - 1) & ~(align - 1);

	assert(at + size <= X86_ACPI_SIZE);
	area->used = at + size;
	return area->base + at;
}

u32 acpi_address(const struct acpi_area *area, const void *table)
{
	return X86_ACPI_ADDR + ((const u8 *)table - area->base);
}

/* What makes all @len bytes sum up to 0, the checksum's own byte being 0. */
static u8 acpi_checksum(const void *data, size_t len)
{
	const u8 *byte = data;
	u8 sum = 0;

	while (len--)
		sum += *byte++;
	return -sum;
}

void acpi_header_set(struct acpi_header *h, const char *signature, u8 revision,
		     size_t len)
{
	*h = (struct acpi_header){
		.length = cpu_to_le32(len),
		.revision = revision,
		.oem_id = "LKVM",
		.oem_table_id = "LKVM",
		.oem_revision = cpu_to_le32(1),
		.creator_id = "LKVM",
		.creator_revision = cpu_to_le32(1),
	};
	memcpy(h->signature, signature, sizeof(h->signature));
	h->checksum = acpi_checksum(h, len);
}

static struct acpi_address acpi_port(u16 port, u8 bytes)
{
	return (struct acpi_address){
		.space = ACPI_SPACE_IO,
		.bit_width = bytes * 8,
		.access_size = bytes == 1 ? 1 : 2,	/* PM1: words */
		.address = cpu_to_le64(port),
	};
}

static u32 acpi_facs_build(struct acpi_area *area)
{
	struct acpi_facs *facs = acpi_alloc(area, sizeof(*facs), 64);

	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = cpu_to_le32(sizeof(*facs));
	facs->version = 2;
	return acpi_address(area, facs);
}

static u32 acpi_dsdt_build(struct acpi_area *area)
{
	void *dsdt = acpi_alloc(area, sizeof(dsdt_aml_code), 16);

	memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	return acpi_address(area, dsdt);
}

/* SMI_CMD 0: always in ACPI mode. */
static void acpi_fadt_power(struct acpi_fadt *fadt)
{
	fadt->sci_irq = cpu_to_le16(X86_SCI_IRQ);
	fadt->pm1a_evt = cpu_to_le32(X86_PM1_EVENT_PORT);
	fadt->pm1_evt_len = 4;
	fadt->x_pm1a_evt = acpi_port(X86_PM1_EVENT_PORT, 4);
	fadt->pm1a_cnt = cpu_to_le32(X86_PM1_CONTROL_PORT);
	fadt->pm1_cnt_len = 2;
	fadt->x_pm1a_cnt = acpi_port(X86_PM1_CONTROL_PORT, 2);
	fadt->reset_reg = acpi_port(X86_RESET_PORT, 1);
	fadt->reset_value = X86_RESET_VALUE;
	fadt->c2_latency = cpu_to_le16(FADT_C2_NONE);
	fadt->c3_latency = cpu_to_le16(FADT_C3_NONE);
}

static u32 acpi_fadt_build(struct acpi_area *area)
{
	u32 facs = acpi_facs_build(area);
	u32 dsdt = acpi_dsdt_build(area);
	struct acpi_fadt *fadt = acpi_alloc(area, sizeof(*fadt), 16);

	fadt->facs = cpu_to_le32(facs);
	fadt->x_facs = cpu_to_le64(facs);
	fadt->dsdt = cpu_to_le32(dsdt);
	fadt->x_dsdt = cpu_to_le64(dsdt);
	fadt->minor_revision = 4;
	fadt->iapc_boot_arch = cpu_to_le16(FADT_BOOT_NO_VGA | FADT_BOOT_NO_RTC);
	/* The power button is fixed hardware, and there is no sleep button. */
	fadt->flags = cpu_to_le32(FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON |
				  FADT_FIX_RTC | FADT_RESET_REG_SUP);
	acpi_fadt_power(fadt);
	memcpy(fadt->hypervisor, "LKVM", 4);
	acpi_header_set(&fadt->header, "FACP", 6, sizeof(*fadt));
	return acpi_address(area, fadt);
}

static void acpi_madt_tail(struct madt_tail *tail)
{
	tail->ioapic = (struct madt_ioapic){
		.type = 1,
		.length = sizeof(tail->ioapic),
		.address = cpu_to_le32(X86_IOAPIC_ADDR),
	};
	/* The timer's ISA IRQ 0 is wired to pin 2, as on every PC. */
	tail->timer = (struct madt_override){
		.type = 2,
		.length = sizeof(tail->timer),
		.gsi = cpu_to_le32(2),
	};
	tail->sci = (struct madt_override){
		.type = 2,
		.length = sizeof(tail->sci),
		.source = X86_SCI_IRQ,
		.gsi = cpu_to_le32(X86_SCI_IRQ),
		.flags = cpu_to_le16(MADT_HIGH_LEVEL),
	};
	tail->nmi = (struct madt_lapic_nmi){
		.type = 4,
		.length = sizeof(tail->nmi),
		.uid = MADT_ALL_CPUS,
		.lint = 1,
	};
}

static u32 acpi_madt_build(struct acpi_area *area, unsigned int ncpus)
{
	size_t size = sizeof(struct acpi_madt) +
		      ncpus * sizeof(struct madt_lapic) +
		      sizeof(struct madt_tail);
	struct acpi_madt *madt = acpi_alloc(area, size, 16);
	struct madt_lapic *lapic = (struct madt_lapic *)(madt + 1);

	madt->lapic_address = cpu_to_le32(X86_LAPIC_ADDR);
	madt->flags = cpu_to_le32(MADT_PCAT_COMPAT);
	for (unsigned int id = 0; id < ncpus; id++)
		lapic[id] = (struct madt_lapic){
			.length = sizeof(*lapic),
			.uid = id,
			.apic_id = id,
			.flags = cpu_to_le32(MADT_LAPIC_ENABLED),
		};
	acpi_madt_tail((struct madt_tail *)(lapic + ncpus));
	acpi_header_set(&madt->header, "APIC", 5, size);
	return acpi_address(area, madt);
}

static u32 acpi_mcfg_build(struct acpi_area *area)
{
	struct acpi_mcfg *mcfg = acpi_alloc(area, sizeof(*mcfg), 16);

	mcfg->address = cpu_to_le64(X86_ECAM_ADDR);
	acpi_header_set(&mcfg->header, "MCFG", 1, sizeof(*mcfg));
	return acpi_address(area, mcfg);
}

static u32 acpi_xsdt_build(struct acpi_area *area,
			   const struct guest_memory *mem, unsigned int ncpus,
			   const struct guest_numa *numa)
{
	struct acpi_xsdt xsdt = {
		.table = {
			cpu_to_le64(acpi_fadt_build(area)),
			cpu_to_le64(acpi_madt_build(area, ncpus)),
			cpu_to_le64(acpi_mcfg_build(area)),
		},
	};
	size_t size = sizeof(xsdt);
	void *table;

	if (numa->nnodes) {
		xsdt.table[3] = cpu_to_le64(acpi_srat_build(area, mem, ncpus,
							    numa));
		xsdt.table[4] = cpu_to_le64(acpi_slit_build(area, numa));
	} else {
		size -= 2 * sizeof(xsdt.table[0]);
	}
	table = acpi_alloc(area, size, 16);
	acpi_header_set(&xsdt.header, "XSDT", 1, size);
	memcpy(table, &xsdt, size);
	return acpi_address(area, table);
}

int acpi_build(const struct guest_memory *mem, unsigned int ncpus,
	       const struct guest_numa *numa, u32 slots)
{
	__le32 *slots_word = guest_ptr(mem, X86_ACPI_SLOTS_ADDR, sizeof(slots));
	struct acpi_area area = {
		.base = guest_ptr(mem, X86_ACPI_ADDR, X86_ACPI_SIZE),
	};
	struct acpi_rsdp *rsdp;

	assert(ncpus >= 1 && ncpus <= X86_CPUS_MAX);
	if (!area.base || !slots_word) {
		log_error("--mem: no room for the ACPI tables; give 2M or more");
		return -ENOMEM;
	}
	memset(area.base, 0, X86_ACPI_SIZE);
	*slots_word = cpu_to_le32(slots);
	/* First, since a guest that is not told searches for it (5.2.5.1). */
	rsdp = acpi_alloc(&area, sizeof(*rsdp), 16);
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "LKVM", 4);
	rsdp->revision = 2;
	rsdp->length = cpu_to_le32(sizeof(*rsdp));
	rsdp->xsdt = cpu_to_le64(acpi_xsdt_build(&area, mem, ncpus, numa));
	rsdp->checksum = acpi_checksum(rsdp, RSDP_V1_SIZE);
	rsdp->extended_checksum = acpi_checksum(rsdp, sizeof(*rsdp));
	return 0;
}
