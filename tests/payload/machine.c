// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the machine: ends, boot information, ACPI, SMP, ports and memory.
 */
#include "payload.h"

#define START_INFO_MAGIC 0x336ec578
#define TRAMPOLINE 0x8000
#define CPUS_MAX 255
#define LAPIC_ID 0x20
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define SELF_VECTOR 0x40

static void case_poweroff(void)
{
}

static void case_cf9(void)
{
	print("PASS\n");
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	halt();
}

static void case_kbd(void)
{
	print("PASS\n");
	while (inb(0x64) & 2)
		;
	outb(0x64, 0xfe);
	halt();
}

static void case_pvpanic(void)
{
	CHECK(inb(0x505) & 1);
	print("PASS\n");
	outb(0x505, 1);
	halt();
}

static void case_triple(void)
{
	static const u8 no_idt[6];

	print("PASS\n");
	__asm__ volatile("lidt %0; ud2" : : "m"(no_idt));
}

static void case_banner(void)
{
	print("[    0.1] Kernel panic - not syncing: PASS\n");
	outb(0xcf9, 0x06);
	halt();
}

/* The exit device, in the slot behind the disks: of all sizes only one counts. */
#define EXIT_IDS 0x6c6b1b36
#define EXIT_REGISTER 0x44
#define EXIT_MAGIC 0x6c6b0000

static void case_exit(void)
{
	u8 slot = (u8)param("slot", 1);
	u32 report = EXIT_MAGIC | param("what", 0) << 8 | param("status", 0);

	CHECK(pci_read(slot, 0, 4) == EXIT_IDS);
	pci_write(slot, EXIT_REGISTER, report, 1);
	pci_write(slot, EXIT_REGISTER + 2, report >> 16, 2);
	pci_write(slot, EXIT_REGISTER, report & 0xffff, 4);
	CHECK(pci_read(slot, EXIT_REGISTER, 4) == 0);
	print("PASS\n");
	if (param("ecam", 0))
		write32(ECAM + ((u32)slot << 15) + EXIT_REGISTER, report);
	else
		pci_write(slot, EXIT_REGISTER, report, 4);
	print("FAIL: it runs on\n");
	halt();
}

/* As guest/init.c does: it ends when lkvm stop asks it to, for the second time. */
#define EXIT_STOPS 0x48

static void case_stopped(void)
{
	pci_write(1, EXIT_STOPS, 1, 4);
	CHECK(pci_read(1, EXIT_STOPS, 4) == 0);
	print("READY\n");
	if (!param("deaf", 0))
		pci_write(1, EXIT_REGISTER, EXIT_MAGIC | 4 << 8, 4);
	while (pci_read(1, EXIT_STOPS, 4) < 2)
		;
	print("PASS\n");
	pci_write(1, EXIT_REGISTER, EXIT_MAGIC | 42, 4);
	halt();
}

/* Prints READY and then keeps its vCPU busy for ever. */
static void case_spin(void)
{
	print("READY\n");
	for (;;)
		__asm__ volatile("pause");
}

/* More than any pipe holds. */
static void case_flood(void)
{
	for (;;)
		print("flood\n");
}

static void case_cmdline(void)
{
	print("[%s]\n", (const char *)(u32)start_info->cmdline);
}

static void case_irq(void)
{
	irq_init();
	write32(LAPIC + LAPIC_ICR_LOW, 0x40000 | SELF_VECTOR);
	CHECK(WAIT(irq_count[SELF_VECTOR] == 1));
	write32(LAPIC + LAPIC_ICR_LOW, 0x40000 | SELF_VECTOR);
	CHECK(WAIT(irq_count[SELF_VECTOR] == 2));
}

/* adler32, which the runner works out, too. */
static void case_initrd(void)
{
	const struct hvm_module *m = (void *)(u32)start_info->modlist;
	const u8 *data;
	u32 a = 1, b = 0;

	CHECK(start_info->nr_modules == 1);
	CHECK(m->addr + m->size <= 0x100000000ull);
	CHECK(m->addr % 4096 == 0);
	data = (const u8 *)(u32)m->addr;
	for (u32 i = 0; i < (u32)m->size; i++) {
		a += data[i];
		a -= a >= 65521 ? 65521 : 0;
		b += a;
		b -= b >= 65521 ? 65521 : 0;
	}
	print("initrd %u bytes adler %u %u\n", (u32)m->size, a, b);
}

/*
 * Four-level paging with 2 MiB pages, for 32-bit code (compatibility mode): all
 * addresses are as they were, but what is at WINDOW leads to any physical one.
 * No interrupts from here on: their gates would have to be 64-bit.
 */
#define WINDOW 0x80000000u
#define PAGE_TABLE 3u
#define LARGE_PAGE 0x83u
static u64 page_top[512] __attribute__((aligned(4096)));
static u64 page_dir_pointers[512] __attribute__((aligned(4096)));
static u64 page_dirs[4][512] __attribute__((aligned(4096)));

static void paging_on(void)
{
	for (u32 i = 0; i < 2048; i++)
		page_dirs[i / 512][i % 512] = (u64)i << 21 | LARGE_PAGE;
	for (u32 i = 0; i < 4; i++)
		page_dir_pointers[i] = (u32)page_dirs[i] | PAGE_TABLE;
	page_top[0] = (u32)page_dir_pointers | PAGE_TABLE;
	__asm__ volatile("mov %%cr4, %%eax\n\t"
			 "or $0x20, %%eax\n\t"	/* PAE */
			 "mov %%eax, %%cr4\n\t"
			 "mov %0, %%cr3\n\t"
			 "mov $0xc0000080, %%ecx\n\t"
			 "rdmsr\n\t"
			 "or $0x100, %%eax\n\t"	/* EFER.LME */
			 "wrmsr\n\t"
			 "mov %%cr0, %%eax\n\t"
			 "or $0x80000000, %%eax\n\t"
			 "mov %%eax, %%cr0"
			 : : "r"(page_top) : "eax", "ecx", "edx", "memory");
}

static volatile u32 *at_physical(u64 addr)
{
	page_dirs[WINDOW >> 30][0] = (addr & ~0x1fffffull) | LARGE_PAGE;
	__asm__ volatile("mov %0, %%cr3" : : "r"(page_top) : "memory");
	return (volatile u32 *)(WINDOW + ((u32)addr & 0x1fffff));
}

static void check_word(u64 addr, bool is_ram)
{
	volatile u32 *word = at_physical(addr);
	u32 old = *word;

	*word = 0x5a17c0de;
	CHECK((*word == 0x5a17c0de) == is_ram);
	if (is_ram)
		*word = old;
	else
		CHECK(old == 0xffffffff);
}

static void case_memory(void)
{
	const struct hvm_memmap *map = (void *)(u32)start_info->memmap;
	u32 mib = param("mib", 512);
	u64 ram = 0, end = 0;

	CHECK(start_info->magic == START_INFO_MAGIC && start_info->version >= 1);
	CHECK(start_info->memmap_entries >= 2);
	paging_on();
	for (u32 i = 0; i < start_info->memmap_entries; i++) {
		const struct hvm_memmap *m = &map[i];

		print("%x%x +%x%x type %u\n", (u32)(m->addr >> 32),
		      (u32)m->addr, (u32)(m->size >> 32), (u32)m->size, m->type);
		CHECK(m->size && m->addr >= end);
		end = m->addr + m->size;
		if (m->type != 1)
			continue;
		ram += m->size;
		/* RAM is outside of the hole. */
		CHECK(end <= 0xc0000000u || m->addr >= 0x100000000ull);
		check_word(m->addr + m->size - 4, true);
		if (m->addr >= 0x100000)
			check_word(m->addr + (m->addr == 0x100000 ? m->size / 2 : 0), true);
	}
	/* But for the 385 KiB below 1 MiB all memory is in the map. */
	CHECK(ram == ((u64)mib << 20) - 0x100000 + 0x9fc00);
	/* And behind it there is none. */
	check_word(mib > 3072 ? end : (u64)mib << 20, false);
}

static u8 sum8(u32 addr, u32 len)
{
	u8 sum = 0;

	for (u32 i = 0; i < len; i++)
		sum += read8(addr + i);
	return sum;
}

/* The table's address is checked, too: ACPI tables are below 1 MiB. */
static u32 acpi_find(const char *signature)
{
	u32 rsdp = (u32)start_info->rsdp;
	u32 xsdt = read32(rsdp + 24);

	CHECK(!memcmp((void *)xsdt, "XSDT", 4));
	CHECK(!sum8(xsdt, read32(xsdt + 4)));
	for (u32 at = 36; at < read32(xsdt + 4); at += 8) {
		u32 table = read32(xsdt + at);

		CHECK(!read32(xsdt + at + 4) && table < 0x100000);
		if (memcmp((void *)table, signature, 4))
			continue;
		CHECK(!sum8(table, read32(table + 4)));
		return table;
	}
	return 0;
}

static void case_acpi(void)
{
	u32 rsdp = (u32)start_info->rsdp, fadt, madt, mcfg, dsdt, cpus = 0;

	CHECK(rsdp && !memcmp((void *)rsdp, "RSD PTR ", 8));
	CHECK(!sum8(rsdp, 20) && !sum8(rsdp, 36) && read8(rsdp + 15) >= 2);
	fadt = acpi_find("FACP");
	madt = acpi_find("APIC");
	mcfg = acpi_find("MCFG");
	CHECK(fadt && madt && mcfg);
	CHECK(read32(fadt + 64) == 0x604);	/* PM1a control */
	CHECK(read32(fadt + 120) == 0xcf9);	/* reset register */
	CHECK(read8(fadt + 128) == 0x06);
	dsdt = read32(fadt + 140) ? read32(fadt + 140) : read32(fadt + 40);
	CHECK(!memcmp((void *)dsdt, "DSDT", 4) && !sum8(dsdt, read32(dsdt + 4)));
	CHECK(read32(mcfg + 44) == ECAM && !read32(mcfg + 48));
	CHECK(read32(madt + 36) == LAPIC);
	for (u32 at = 44; at < read32(madt + 4); at += read8(madt + at + 1)) {
		CHECK(read8(madt + at + 1) >= 2);
		if (read8(madt + at) == 0 && read32(madt + at + 4) & 1)
			cpus++;
	}
	CHECK(cpus == param("cpus", 1));
}

/* What is not there reads as ones, and takes writes. */
static void case_unclaimed(void)
{
	static const u32 nowhere[] = { 0xd0000000, 0xdffffff0, 0xf0000000,
				       0xfed00000, 0xfed40000, 0xffff0000 };
	static const u16 ports[] = { 0x2f8, 0x300, 0x170, 0x1f0, 0x3b0, 0x510,
				     0x92, 0xb2, 0xe000 };

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		CHECK(inb(ports[i]) == 0xff);
		CHECK(inw(ports[i]) == 0xffff);
		CHECK(inl(ports[i]) == 0xffffffff);
		outl(ports[i], 0);
	}
	for (u32 i = 0; i < ARRAY_SIZE(nowhere); i++) {
		CHECK(read8(nowhere[i]) == 0xff);
		CHECK(read16(nowhere[i]) == 0xffff);
		CHECK(read32(nowhere[i]) == 0xffffffff);
		write32(nowhere[i], 0);
	}
	CHECK(pci_read(31, 0, 4) == 0xffffffff);
	CHECK(read32(ECAM + (31u << 15)) == 0xffffffff);
	outl(0xcf8, 0);
	CHECK(inl(0xcfc) == 0xffffffff);
}

/* Ports and ECAM show the same; BARs can be sized. */
static void case_pci(void)
{
	u32 bar0, size;

	CHECK(pci_read(0, 8, 4) >> 8 == 0x060000);
	for (u32 reg = 0; reg < 256; reg += 4)
		CHECK(pci_read(1, (u8)reg, 4) == read32(ECAM + (1u << 15) + reg));
	CHECK(read16(ECAM + (1u << 15) + 2) == 0x1042);
	CHECK(read8(ECAM + (1u << 15) + 1) == 0x1a);
	CHECK(read32(ECAM + (1u << 15) + 0x100) == 0xffffffff ||
	      read32(ECAM + (1u << 15) + 0x100) == 0);
	bar0 = pci_read(1, 0x10, 4);
	CHECK(bar0 >= 0xc0000000 && bar0 < 0xe0000000);
	CHECK((bar0 & 0xf) == 4 && pci_read(1, 0x14, 4) == 0);	/* 64 bits */
	pci_write(1, 0x10, 0xffffffff, 4);
	size = ~(pci_read(1, 0x10, 4) & ~0xfu) + 1;
	CHECK(size == 0x4000);
	pci_write(1, 0x10, bar0, 4);
	CHECK(pci_read(1, 0x10, 4) == bar0);
	CHECK(pci_read(1, 0x1c, 4) == 0);	/* no BAR 3: stays 0 */
	pci_write(1, 0x1c, 0xffffffff, 4);
	CHECK(pci_read(1, 0x1c, 4) == 0);
	pci_write(1, 0, 0, 4);			/* ids are read-only */
	CHECK(pci_read(1, 0, 4) == 0x10421af4);
}

/* What each vCPU finds out about itself. */
struct cpu_seen {
	bool up;
	u32 leaf1, lapic, leaf_b, leaf_b_cpus;
};
static volatile struct cpu_seen seen[CPUS_MAX + 1];
volatile u32 ap_started;
extern const u8 trampoline_start[], trampoline_end[];
static void (*volatile ap_run)(u32 id);
void ap_main(void);

void ap_main(void)
{
	volatile struct cpu_seen *me;
	u32 r[4];

	cpuid(1, 0, r);
	me = &seen[r[1] >> 24];
	me->leaf1 = r[1] >> 24;
	me->lapic = read32(LAPIC + LAPIC_ID) >> 24;
	cpuid(0, 0, r);
	if (r[0] >= 0xb) {
		cpuid(0xb, 1, r);
		me->leaf_b = r[3];
		me->leaf_b_cpus = r[1] & 0xffff;
	} else {
		me->leaf_b = me->leaf1;
	}
	mb();
	me->up = true;
	if (ap_run)
		ap_run(me->leaf1);
}

static void start_cpu(u32 id)
{
	write32(LAPIC + LAPIC_ICR_HIGH, id << 24);
	write32(LAPIC + LAPIC_ICR_LOW, ICR_INIT);
	write32(LAPIC + LAPIC_ICR_HIGH, id << 24);
	write32(LAPIC + LAPIC_ICR_LOW, ICR_STARTUP | TRAMPOLINE >> 12);
}

void cpus_start(u32 cpus, void (*run)(u32 id))
{
	irq_init();
	memcpy((void *)TRAMPOLINE, trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	ap_run = run;
	for (u32 id = 1; id < cpus; id++)
		start_cpu(id);
	for (u32 id = 1; id < cpus; id++)
		CHECK(WAIT(seen[id].up));
}

static void case_smp(void)
{
	u32 cpus = param("cpus", 1), r[4];

	ap_main();
	cpus_start(cpus, NULL);
	for (u32 id = 0; id < cpus; id++) {
		CHECK(seen[id].up);
		CHECK(seen[id].leaf1 == id && seen[id].lapic == id);
		CHECK(seen[id].leaf_b == id);
		if (seen[id].leaf_b_cpus)
			CHECK(seen[id].leaf_b_cpus == cpus);
	}
	CHECK(ap_started == cpus - 1);
	cpuid(1, 0, r);
	CHECK((r[1] >> 16 & 0xff) == cpus);
	print("%u vCPUs\n", cpus);
}

const struct payload_case machine_cases[] = {
	{ "poweroff", case_poweroff },
	{ "cf9", case_cf9 },
	{ "kbd", case_kbd },
	{ "pvpanic", case_pvpanic },
	{ "triple", case_triple },
	{ "banner", case_banner },
	{ "exit", case_exit },
	{ "stopped", case_stopped },
	{ "spin", case_spin },
	{ "flood", case_flood },
	{ "cmdline", case_cmdline },
	{ "irq", case_irq },
	{ "initrd", case_initrd },
	{ "memory", case_memory },
	{ "acpi", case_acpi },
	{ "unclaimed", case_unclaimed },
	{ "pci", case_pci },
	{ "smp", case_smp },
	{ NULL, NULL },
};
