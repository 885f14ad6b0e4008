// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables: what a guest finds when it follows the pointers from the RSDP,
 * for 1 to 255 CPUs, and what iasl thinks of each table.
 */
#include "arch.h"
#include "kvm/memory.h"
#include "kvm/numa.h"
#include "x86/x86.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 0xa5	/* of virtio-mmio that are there */
#define MEM_SIZE (2u << 20)
#define TABLES 7	/* RSDP, XSDT, FACP, APIC, MCFG, FACS, DSDT */

struct table {
	char name[5];
	u64 addr;
	u32 len;
};

static const unsigned int cpu_counts[] = { 1, 2, 64, 255 };

static u8 *ram;
static struct guest_memory mem;
static struct guest_numa numa;
static struct table tables[TABLES];

static void setup(void)
{
	numa = (struct guest_numa){ 0 };
	ram = calloc(1, MEM_SIZE);
	ck_assert_ptr_nonnull(ram);
	mem.nregions = 1;
	mem.region[0] = (struct guest_region){ 0, MEM_SIZE, ram };
	mem.base = ram;
	mem.size = MEM_SIZE;
}

static void teardown(void)
{
	free(ram);
}

static u16 get16(u64 addr)
{
	return ram[addr] | ram[addr + 1] << 8;
}

static u32 get32(u64 addr)
{
	return get16(addr) | (u32)get16(addr + 2) << 16;
}

static u64 get64(u64 addr)
{
	return get32(addr) | (u64)get32(addr + 4) << 32;
}

static u8 sum(u64 addr, u32 len)
{
	u8 s = 0;

	while (len--)
		s += ram[addr++];
	return s;
}

static void check_table(struct table *t, u64 addr, const char *name)
{
	memcpy(t->name, name, 5);
	t->addr = addr;
	t->len = get32(addr + 4);
	ck_assert_msg(!memcmp(ram + addr, name, 4), "%s not at %#llx", name,
		      (unsigned long long)addr);
	ck_assert_uint_ge(addr, X86_ACPI_ADDR);
	ck_assert_uint_le(addr + t->len, X86_ACPI_ADDR + X86_ACPI_SIZE);
	if (strcmp(name, "FACS"))
		ck_assert_uint_eq(sum(addr, t->len), 0);
}

/* Build for @ncpus and follow all pointers as a guest does. */
static void find_tables(unsigned int ncpus)
{
	u64 rsdp = X86_ACPI_ADDR, xsdt, fadt;

	ck_assert_int_eq(acpi_build(&mem, ncpus, &numa, SLOTS), 0);
	ck_assert(!memcmp(ram + rsdp, "RSD PTR ", 8));
	ck_assert_uint_eq(ram[rsdp + 15], 2);
	ck_assert_uint_eq(sum(rsdp, 20), 0);
	ck_assert_uint_eq(sum(rsdp, 36), 0);
	tables[0] = (struct table){ "RSDP", rsdp, get32(rsdp + 20) };
	ck_assert_uint_eq(tables[0].len, 36);
	xsdt = get64(rsdp + 24);
	check_table(&tables[1], xsdt, "XSDT");
	ck_assert_uint_eq(tables[1].len, 36 + 3 * 8);
	fadt = get64(xsdt + 36);
	check_table(&tables[2], fadt, "FACP");
	check_table(&tables[3], get64(xsdt + 44), "APIC");
	check_table(&tables[4], get64(xsdt + 52), "MCFG");
	check_table(&tables[5], get64(fadt + 132), "FACS");
	check_table(&tables[6], get64(fadt + 140), "DSDT");
}

START_TEST(test_tables_are_apart)
{
	find_tables(cpu_counts[_i]);
	for (int a = 0; a < TABLES; a++)
		for (int b = 0; b < TABLES; b++)
			ck_assert_msg(a == b ||
				      tables[a].addr + tables[a].len <=
				      tables[b].addr ||
				      tables[b].addr + tables[b].len <=
				      tables[a].addr,
				      "%s overlaps %s", tables[a].name,
				      tables[b].name);
}
END_TEST

START_TEST(test_madt)
{
	unsigned int ncpus = cpu_counts[_i], count[5] = { 0 };
	bool seen[256] = { false };
	u64 at, end;

	find_tables(ncpus);
	at = tables[3].addr;
	end = at + tables[3].len;
	ck_assert_uint_eq(get32(at + 36), X86_LAPIC_ADDR);
	for (at += 44; at < end; at += ram[at + 1]) {
		ck_assert_uint_lt(ram[at], 5);
		ck_assert_uint_ge(ram[at + 1], 6);
		count[ram[at]]++;
		if (ram[at] == 0) {
			ck_assert(!seen[ram[at + 3]]);
			seen[ram[at + 3]] = true;
			ck_assert_uint_lt(ram[at + 3], ncpus);
			ck_assert_uint_eq(get32(at + 4), 1);
		}
	}
	ck_assert_uint_eq(at, end);
	ck_assert_uint_eq(count[0], ncpus);
	ck_assert_uint_eq(count[1], 1);
	ck_assert_uint_eq(count[2], 2);
	ck_assert_uint_eq(count[4], 1);
}
END_TEST

START_TEST(test_madt_wiring)
{
	u64 at;

	find_tables(1);
	at = tables[3].addr + 44 + 8;
	ck_assert_uint_eq(get32(at + 4), X86_IOAPIC_ADDR);
	ck_assert_uint_eq(get32(at + 8), 0);
	at += 12;	/* IRQ 0 is on pin 2 */
	ck_assert_uint_eq(ram[at + 3], 0);
	ck_assert_uint_eq(get32(at + 4), 2);
	at += 10;	/* the SCI: high, level */
	ck_assert_uint_eq(ram[at + 3], X86_SCI_IRQ);
	ck_assert_uint_eq(get32(at + 4), X86_SCI_IRQ);
	ck_assert_uint_eq(get16(at + 8), 0x0d);
}
END_TEST

START_TEST(test_fadt)
{
	u64 fadt;

	find_tables(1);
	fadt = tables[2].addr;
	ck_assert_uint_eq(tables[2].len, 276);
	ck_assert_uint_eq(get32(fadt + 36), tables[5].addr);
	ck_assert_uint_eq(get32(fadt + 40), tables[6].addr);
	ck_assert_uint_eq(get16(fadt + 46), X86_SCI_IRQ);
	ck_assert_uint_eq(get32(fadt + 48), 0);		/* SMI_CMD */
	ck_assert_uint_eq(get32(fadt + 56), X86_PM1_EVENT_PORT);
	ck_assert_uint_eq(get32(fadt + 64), X86_PM1_CONTROL_PORT);
	ck_assert_uint_eq(ram[fadt + 88], 4);
	ck_assert_uint_eq(ram[fadt + 89], 2);
	ck_assert_uint_eq(ram[fadt + 91], 0);		/* no PM timer */
	ck_assert_uint_eq(get16(fadt + 109), 0x24);	/* no VGA, no RTC */
	ck_assert_uint_ne(get32(fadt + 112) & 1u << 10, 0);
	ck_assert_uint_eq(get32(fadt + 112) & 1u << 20, 0);
	ck_assert_uint_eq(ram[fadt + 116], 1);		/* system I/O */
	ck_assert_uint_eq(get64(fadt + 120), X86_RESET_PORT);
	ck_assert_uint_eq(ram[fadt + 128], X86_RESET_VALUE);
	ck_assert_uint_eq(get64(fadt + 148 + 4), X86_PM1_EVENT_PORT);
	ck_assert_uint_eq(get64(fadt + 172 + 4), X86_PM1_CONTROL_PORT);
	ck_assert_uint_eq(tables[5].addr % 64, 0);
}
END_TEST

START_TEST(test_mcfg)
{
	u64 mcfg;

	find_tables(1);
	mcfg = tables[4].addr;
	ck_assert_uint_eq(tables[4].len, 60);
	ck_assert_uint_eq(get64(mcfg + 44), X86_ECAM_ADDR);
	ck_assert_uint_eq(get16(mcfg + 52), 0);
	ck_assert_uint_eq(ram[mcfg + 54], 0);
	ck_assert_uint_eq(ram[mcfg + 55], 0);
}
END_TEST

/*
 * The DSDT tells of each slot for virtio-mmio: a Memory32Fixed and, behind it, an
 * edge-triggered, active-high, exclusive interrupt (ACPI 6.4, 6.4.3.4, 6.4.3.6).
 */
START_TEST(test_mmio_slots)
{
	struct arch_mmio_slot slot;
	unsigned int n;

	find_tables(1);
	for (n = 0; arch_mmio_slot(n, &slot); n++) {
		u32 addr = (u32)slot.addr;
		const u8 want[] = { 0x86, 9, 0, 1, (u8)addr, (u8)(addr >> 8),
				    (u8)(addr >> 16), (u8)(addr >> 24),
				    0, 2, 0, 0,
				    0x89, 6, 0, 3, 1, (u8)slot.gsi, 0, 0, 0 };

		ck_assert_ptr_nonnull(memmem(ram + tables[6].addr,
					     tables[6].len, want,
					     sizeof(want)));
		ck_assert_uint_lt(slot.gsi, X86_PCI_INTX_GSI_BASE);
		ck_assert_uint_ne(slot.gsi, X86_SCI_IRQ);
		ck_assert_uint_ne(slot.gsi, X86_COM1_IRQ);
	}
	ck_assert_uint_eq(n, 8);
	ck_assert_uint_eq(get32(X86_ACPI_SLOTS_ADDR), SLOTS);
}
END_TEST

/* --- NUMA nodes ---------------------------------------------------------- */

#define NODES 3
#define GIB (1ull << 30)

/*
 * Node 0 ends below the hole, node 1 reaches over it, node 2 is above; the memory
 * of this test ends at MEM_SIZE, but that is not looked at.
 */
static void make_nodes(void)
{
	mem.nregions = 2;
	mem.region[0].size = X86_LOW_RAM_END;
	mem.region[1] = (struct guest_region){ X86_HIGH_RAM, GIB, NULL };
	numa = (struct guest_numa){
		.nnodes = NODES,
		.size = { 2 * GIB, GIB + GIB / 2, GIB / 2 },
		.cpu_node = { 1, 0, 2, 1 },
		.distance = { { 10, 21, 22 }, { 21, 10, 23 }, { 22, 23, 10 } },
	};
}

static u64 find_table(const char *name)
{
	u64 xsdt = get64(X86_ACPI_ADDR + 24);

	for (u64 at = xsdt + 36; at < xsdt + get32(xsdt + 4); at += 8)
		if (!memcmp(ram + get64(at), name, 4))
			return get64(at);
	return 0;
}

static void expect_range(u64 at, u32 node, u64 gpa, u64 size)
{
	ck_assert_uint_eq(ram[at], 1);
	ck_assert_uint_eq(ram[at + 1], 40);
	ck_assert_uint_eq(get32(at + 2), node);
	ck_assert_uint_eq(get64(at + 8), gpa);
	ck_assert_uint_eq(get64(at + 16), size);
	ck_assert_uint_eq(get32(at + 28), 1);
}

START_TEST(test_srat)
{
	struct table t;
	u64 at;

	make_nodes();
	ck_assert_int_eq(acpi_build(&mem, 4, &numa, SLOTS), 0);
	check_table(&t, find_table("SRAT"), "SRAT");
	ck_assert_uint_eq(t.len, 48 + 4 * 16 + 4 * 40);
	ck_assert_uint_eq(get32(t.addr + 36), 1);
	at = t.addr + 48;
	for (unsigned int i = 0; i < 4; i++, at += 16) {
		static const u8 by_node[] = { 1, 0, 3, 2 };

		ck_assert_uint_eq(ram[at], 0);
		ck_assert_uint_eq(ram[at + 1], 16);
		ck_assert_uint_eq(ram[at + 2], numa.cpu_node[by_node[i]]);
		ck_assert_uint_eq(ram[at + 3], by_node[i]);
		ck_assert_uint_eq(get32(at + 4), 1);
	}
	expect_range(at, 0, 0, 2 * GIB);
	expect_range(at + 40, 1, 2 * GIB, GIB);
	expect_range(at + 80, 1, X86_HIGH_RAM, GIB / 2);
	expect_range(at + 120, 2, X86_HIGH_RAM + GIB / 2, GIB / 2);
}
END_TEST

START_TEST(test_slit)
{
	struct table t;

	make_nodes();
	ck_assert_int_eq(acpi_build(&mem, 4, &numa, SLOTS), 0);
	check_table(&t, find_table("SLIT"), "SLIT");
	ck_assert_uint_eq(t.len, 44 + NODES * NODES);
	ck_assert_uint_eq(get64(t.addr + 36), NODES);
	for (unsigned int i = 0; i < NODES; i++)
		for (unsigned int j = 0; j < NODES; j++)
			ck_assert_uint_eq(ram[t.addr + 44 + i * NODES + j],
					  numa.distance[i][j]);
	/* Without nodes there is neither. */
	numa.nnodes = 0;
	ck_assert_int_eq(acpi_build(&mem, 4, &numa, SLOTS), 0);
	ck_assert_uint_eq(find_table("SLIT") + find_table("SRAT"), 0);
}
END_TEST

/* Tables of the largest machine find room. */
START_TEST(test_many_nodes)
{
	struct table t;

	make_nodes();
	numa.nnodes = GUEST_NODES_MAX;
	for (unsigned int i = 0; i < GUEST_NODES_MAX; i++)
		numa.size[i] = 4 * GIB / GUEST_NODES_MAX;
	ck_assert_int_eq(acpi_build(&mem, 255, &numa, SLOTS), 0);
	check_table(&t, find_table("SRAT"), "SRAT");
	ck_assert_uint_eq(t.len, 48 + 255 * 16 + GUEST_NODES_MAX * 40);
	check_table(&t, find_table("SLIT"), "SLIT");
}
END_TEST

/* What was there before leaves no trace, as after an earlier boot. */
START_TEST(test_rebuild)
{
	static u8 first[X86_ACPI_SIZE];

	find_tables(3);
	memcpy(first, ram + X86_ACPI_ADDR, X86_ACPI_SIZE);
	find_tables(255);
	find_tables(3);
	ck_assert_int_eq(memcmp(first, ram + X86_ACPI_ADDR, X86_ACPI_SIZE), 0);
}
END_TEST

START_TEST(test_no_memory)
{
	mem.region[0].size = X86_ACPI_ADDR + X86_ACPI_SIZE - 1;
	ck_assert_int_eq(acpi_build(&mem, 1, &numa, 0), -ENOMEM);
}
END_TEST

static void run_iasl(const char dir[24], const struct table *t)
{
	char path[64], cmd[400];
	FILE *f;

	snprintf(path, sizeof(path), "%.24s/%.4s", dir, t->name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(ram + t->addr, 1, t->len, f), t->len);
	ck_assert_int_eq(fclose(f), 0);
	snprintf(cmd, sizeof(cmd), "cd %.24s && iasl -d %.4s >log 2>&1 &&"
		 " test -s %.4s.dsl && ! grep -Ei"
		 " 'error|warning|invalid|unknown|incorrect|reserved.*nonzero'"
		 " log %.4s.dsl", dir, t->name, t->name, t->name);
	ck_assert_msg(system(cmd) == 0, "iasl does not like %s", t->name);
}

START_TEST(test_iasl)
{
	char dir[24] = "/tmp/lkvm-acpi.XXXXXX", cmd[64];

	if (system("command -v iasl >/dev/null") != 0) {
		fprintf(stderr, "test_acpi: no iasl, tables not disassembled\n");
		return;
	}
	find_tables(cpu_counts[_i]);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* iasl takes all but the RSDP, which has no table header. */
	for (int i = 1; i < TABLES; i++)
		run_iasl(dir, &tables[i]);
	make_nodes();
	ck_assert_int_eq(acpi_build(&mem, 4, &numa, SLOTS), 0);
	check_table(&tables[0], find_table("SRAT"), "SRAT");
	check_table(&tables[1], find_table("SLIT"), "SLIT");
	run_iasl(dir, &tables[0]);
	run_iasl(dir, &tables[1]);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}
END_TEST

static Suite *acpi_suite(void)
{
	const int n = sizeof(cpu_counts) / sizeof(cpu_counts[0]);
	Suite *suite = suite_create("acpi");
	TCase *tc = tcase_create("tables");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_tables_are_apart, 0, n);
	tcase_add_loop_test(tc, test_madt, 0, n);
	tcase_add_test(tc, test_madt_wiring);
	tcase_add_test(tc, test_fadt);
	tcase_add_test(tc, test_mcfg);
	tcase_add_test(tc, test_mmio_slots);
	tcase_add_test(tc, test_srat);
	tcase_add_test(tc, test_slit);
	tcase_add_test(tc, test_many_nodes);
	tcase_add_test(tc, test_rebuild);
	tcase_add_test(tc, test_no_memory);
	tcase_add_loop_test(tc, test_iasl, 0, n);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(acpi_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
