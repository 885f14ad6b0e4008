// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device tree of a pseries machine: golden files of three machines, what
 * dtc thinks of them, every property without which Debian's Linux 6.1 does not
 * run, and any amount of room.
 *
 * LKVM_GOLDEN=write writes the golden files anew: read the difference then.
 */
/* helpers: guest_ring.c ../../powerpc/fdt.c */
#include "guest_ring.h"
#include "kvm/numa.h"
#include "powerpc/spapr.h"
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM (256u << 10)
#define NDISKS 8
#define VECTORS 33
#define GUARD 64	/* sanitizers do not see into libfdt */

/*
 * A table of its own: golden files do not change with rtas.c.  The name of the
 * last service is a buffer, so that a test can take it away.
 */
static char last_service[] = "event-scan";
const struct rtas_service rtas_services[] = {
	{ "read-pci-config", NULL, 0, 0 },
	{ "write-pci-config", NULL, 0, 0 },
	{ "ibm,read-pci-config", NULL, 0, 0 },
	{ "ibm,write-pci-config", NULL, 0, 0 },
	{ "ibm,change-msi", NULL, 0, 0 },
	{ "ibm,query-interrupt-source-number", NULL, 0, 0 },
	{ "ibm,set-xive", NULL, 0, 0 },
	{ "ibm,get-xive", NULL, 0, 0 },
	{ "start-cpu", NULL, 0, 0 },
	{ "query-cpu-stopped-state", NULL, 0, 0 },
	{ "ibm,os-term", NULL, 0, 0 },
	{ "power-off", NULL, 0, 0 },
	{ last_service, NULL, 0, 0 },
};
const unsigned int rtas_nservices =
	sizeof(rtas_services) / sizeof(rtas_services[0]);

/* A virtio disk in each slot from 1 on, as kvm/pci.c and virtio/pci.c make it. */
#define DISK(n)                                                                \
	{ .slot = (n), .vendor = 0x1af4, .device = 0x1042,                     \
	  .subvendor = 0x1af4, .subdevice = 0x40, .revision = 1,               \
	  .class_code = 0x018000, .intx = SPAPR_IRQ_INTX_BASE + (n),           \
	  .msix = VECTORS, .nbars = 2,                                         \
	  .bar = { { 0, SPAPR_MEM32_BUS + 0x10000 * (n), 0x4000 },             \
		   { 1, SPAPR_MEM32_BUS + 0x10000 * (n) + 0x8000, 0x800 } } }
static const struct spapr_pci_function disks[NDISKS] = {
	DISK(1), DISK(2), DISK(3), DISK(4), DISK(5), DISK(6), DISK(7), DISK(8),
};

/* POWER8, as KVM_PPC_GET_SMMU_INFO tells of a host of 64 KiB pages. */
#define POWER8                                                                 \
	.rtas = 0x8000, .pvr = 0x4d0200, .timebase_hz = 512000000,             \
	.clock_hz = 3425000000u, .slb_size = 32, .cache_line = 128,            \
	.cache_size = 64 << 10, .vmx = true, .vsx = true, .dfp = true,         \
	.segments_1t = true, .functions = disks,                               \
	.entropy = { 0x0123456789abcdef, 0xfedcba9876543210, 1, 1ull << 63 },  \
	.pages = { { 12, 0, { { 12, 0 }, { 16, 7 } } },                        \
		   { 16, 0x110, { { 16, 1 } } } }

static const struct machine {
	const char *name;
	struct spapr_fdt_spec spec;
} machines[] = {
	{ "spapr-1cpu", { POWER8, .mem_size = 256u << 20, .ncpus = 1,
			  .cmdline = "", .hpt_shift = 24 } },
	{ "spapr-2cpu", { POWER8, .mem_size = 1u << 30, .ncpus = 2,
			  .cmdline = "root=/dev/vda console=hvc0",
			  .initrd = 0x8000000, .initrd_size = 0x123456,
			  .hpt_shift = 24, .nfunctions = 1 } },
	{ "spapr-32cpu", { POWER8, .mem_size = 64ull << 30, .ncpus = 32,
			   .cmdline = "quiet", .initrd = 0x123450000,
			   .initrd_size = 1u << 30, .hpt_shift = 29,
			   .nfunctions = NDISKS } },
};
#define NMACHINES ((int)(sizeof(machines) / sizeof(machines[0])))

static char fdt[ROOM], again[ROOM];

static int build(const struct spapr_fdt_spec *spec)
{
	int size = spapr_fdt_build(spec, fdt, sizeof(fdt));

	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(size, (int)fdt_totalsize(fdt));
	ck_assert_int_eq(fdt_check_full(fdt, (size_t)size), 0);
	return size;
}

/* --- reading ------------------------------------------------------------- */

static const void *property(const char *path, const char *name, int *len)
{
	int offset = fdt_path_offset(fdt, path);
	const void *value;

	ck_assert_msg(offset >= 0, "no node %s", path);
	value = fdt_getprop(fdt, offset, name, len);
	ck_assert_msg(value != NULL, "%s: no %s", path, name);
	return value;
}

static bool has_property(const char *path, const char *name)
{
	int offset = fdt_path_offset(fdt, path);

	return offset >= 0 && fdt_getprop(fdt, offset, name, NULL);
}

static u32 cell(const char *path, const char *name, unsigned int i)
{
	int len;
	const u8 *p = property(path, name, &len);

	ck_assert_msg(len >= 4 * ((int)i + 1) && len % 4 == 0,
		      "%s: %s has %d bytes", path, name, len);
	p += 4 * i;
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static u64 two_cells(const char *path, const char *name, unsigned int i)
{
	return (u64)cell(path, name, i) << 32 | cell(path, name, i + 1);
}

static bool has_string(const char *path, const char *name, const char *string)
{
	int len;
	const char *list = property(path, name, &len);

	return fdt_stringlist_contains(list, len, string);
}

/* --- golden files, dtc --------------------------------------------------- */

static bool have_dtc(const char *what)
{
	if (system("command -v dtc >/dev/null") == 0)
		return true;
	printf("skip - %s: no dtc (package device-tree-compiler)\n", what);
	return false;
}

/* dir/tree.dtb, then the shell @command in that directory. */
static int run_on_tree(const struct machine *m, const char *command)
{
	char dir[] = "/tmp/lkvm-fdt.XXXXXX", line[512];
	int size = build(&m->spec), status;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(line, sizeof(line), "%s/tree.dtb", dir);
	f = fopen(line, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(fdt, 1, (size_t)size, f), (size_t)size);
	ck_assert_int_eq(fclose(f), 0);
	snprintf(line, sizeof(line), "d=%s; name=tests/unit/%s.dts; %s", dir,
		 m->name, command);
	status = system(line);
	snprintf(line, sizeof(line), "rm -rf %s", dir);
	ck_assert_int_eq(system(line), 0);
	return status;
}

START_TEST(test_golden)
{
	const char *mode = getenv("LKVM_GOLDEN");
	bool rewrite = mode && !strcmp(mode, "write");

	if (!have_dtc(machines[_i].name))
		return;
	ck_assert_int_eq(run_on_tree(&machines[_i], rewrite ?
		"dtc -q -I dtb -O dts $d/tree.dtb > $name" :
		"dtc -q -I dtb -O dts $d/tree.dtb | diff -u $name - >&2"), 0);
}
END_TEST

START_TEST(test_dtc_is_content)
{
	if (!have_dtc("warnings"))
		return;
	ck_assert_int_eq(run_on_tree(&machines[_i],
		"for out in dts dtb; do"
		" dtc -I dtb -O $out -o $d/out $d/tree.dtb 2>$d/said || exit 1;"
		" ! cat $d/said | grep . >&2 || exit 1; done"), 0);
}
END_TEST

/* --- what must be there -------------------------------------------------- */

#define CPU0 "/cpus/PowerPC,POWER8@0"
#define PHB "/pci@800000020000000"
#define CHILD PHB "/pci1af4,1042@1"

/* Without any of these Debian's kernel hangs, dies or misses a device. */
static const struct {
	const char *path, *name;
} needed[] = {
	{ "/", "device_type" },
	{ "/", "compatible" },
	{ "/", "model" },
	{ "/chosen", "bootargs" },
	{ "/chosen", "stdout-path" },
	{ "/chosen", "linux,initrd-start" },
	{ "/chosen", "linux,initrd-end" },
	{ "/chosen", "rng-seed" },
	{ "/memory@0", "device_type" },
	{ "/memory@0", "reg" },
	{ CPU0, "device_type" },
	{ CPU0, "reg" },
	{ CPU0, "status" },
	{ CPU0, "64-bit" },
	{ CPU0, "cpu-version" },
	{ CPU0, "timebase-frequency" },
	{ CPU0, "clock-frequency" },
	{ CPU0, "slb-size" },
	{ CPU0, "ibm,pft-size" },
	{ CPU0, "ibm,segment-page-sizes" },
	{ CPU0, "ibm,processor-segment-sizes" },
	{ CPU0, "ibm,ppc-interrupt-server#s" },
	{ CPU0, "ibm,ppc-interrupt-gserver#s" },
	{ CPU0, "ibm,vmx" },
	{ CPU0, "ibm,dfp" },
	{ CPU0, "d-cache-size" },
	{ CPU0, "d-cache-line-size" },
	{ CPU0, "i-cache-size" },
	{ CPU0, "i-cache-line-size" },
	{ "/rtas", "ibm,hypertas-functions" },
	{ "/rtas", "linux,rtas-base" },
	{ "/rtas", "linux,rtas-entry" },
	{ "/rtas", "rtas-size" },
	{ "/rtas", "ibm,extended-os-term" },
	{ "/interrupt-controller", "device_type" },
	{ "/interrupt-controller", "compatible" },
	{ "/interrupt-controller", "interrupt-controller" },
	{ "/interrupt-controller", "#interrupt-cells" },
	{ "/interrupt-controller", "ibm,interrupt-server-ranges" },
	{ "/vdevice", "device_type" },
	{ "/vdevice", "compatible" },
	{ "/vdevice/vty@71000000", "device_type" },
	{ "/vdevice/vty@71000000", "compatible" },
	{ "/vdevice/vty@71000000", "reg" },
	{ "/vdevice/vty@71000000", "interrupts" },
	{ PHB, "device_type" },
	{ PHB, "compatible" },
	{ PHB, "reg" },
	{ PHB, "ranges" },
	{ PHB, "bus-range" },
	{ PHB, "used-by-rtas" },
	{ PHB, "ibm,pe-total-#msi" },
	{ PHB, "ibm,dma-window" },
	{ PHB, "ibm,#dma-address-cells" },
	{ PHB, "ibm,#dma-size-cells" },
	{ PHB, "interrupt-map" },
	{ PHB, "interrupt-map-mask" },
	{ CHILD, "reg" },
	{ CHILD, "assigned-addresses" },
	{ CHILD, "vendor-id" },
	{ CHILD, "device-id" },
	{ CHILD, "class-code" },
	{ CHILD, "interrupts" },
	{ CHILD, "ibm,req#msi-x" },
};

START_TEST(test_needed_properties)
{
	build(&machines[1].spec);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		property(needed[i].path, needed[i].name, NULL);
	ck_assert(has_string("/", "device_type", "chrp"));
	ck_assert(has_string("/rtas", "ibm,hypertas-functions",
			     "hcall-set-mode"));
	ck_assert(has_string("/rtas", "ibm,hypertas-functions",
			     "hcall-multi-tce"));
}
END_TEST

START_TEST(test_rtas_tokens)
{
	uint64_t addr, size;

	build(&machines[0].spec);
	for (unsigned int i = 0; i < rtas_nservices; i++)
		ck_assert_uint_eq(cell("/rtas", rtas_services[i].name, 0),
				  RTAS_TOKEN_BASE + i);
	ck_assert_uint_eq(cell("/rtas", "linux,rtas-base", 0), 0x8000);
	ck_assert_uint_eq(cell("/rtas", "rtas-size", 0), RTAS_BLOB_SIZE);
	/* Nothing else keeps Linux from using RTAS's memory. */
	ck_assert_int_eq(fdt_num_mem_rsv(fdt), 1);
	ck_assert_int_eq(fdt_get_mem_rsv(fdt, 0, &addr, &size), 0);
	ck_assert_uint_eq(addr, 0x8000);
	ck_assert_uint_eq(size, RTAS_BLOB_SIZE);
}
END_TEST

START_TEST(test_event_scan_rate)
{
	build(&machines[0].spec);
	ck_assert(has_property("/rtas", "rtas-event-scan-rate"));
	ck_assert(has_property("/rtas", "rtas-error-log-max"));
	last_service[0] = 'E';
	build(&machines[0].spec);
	last_service[0] = 'e';
	ck_assert(!has_property("/rtas", "rtas-event-scan-rate"));
	ck_assert(!has_property("/rtas", "rtas-error-log-max"));
}
END_TEST

/* --- values -------------------------------------------------------------- */

START_TEST(test_memory_and_initrd)
{
	build(&machines[2].spec);
	ck_assert_uint_eq(two_cells("/memory@0", "reg", 0), 0);
	ck_assert_uint_eq(two_cells("/memory@0", "reg", 2), 64ull << 30);
	ck_assert_uint_eq(two_cells("/chosen", "linux,initrd-start", 0),
			  0x123450000);
	ck_assert_uint_eq(two_cells("/chosen", "linux,initrd-end", 0),
			  0x163450000);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(two_cells("/chosen", "rng-seed", 2 * i),
				  machines[2].spec.entropy[i]);
	build(&machines[0].spec);
	ck_assert(!has_property("/chosen", "linux,initrd-start"));
	ck_assert(!has_property("/chosen", "linux,initrd-end"));
}
END_TEST

/* The domain of the last level tells nodes apart; without nodes nothing is told. */
START_TEST(test_nodes)
{
	static const struct guest_numa numa = {
		.nnodes = 2,
		.size = { 192u << 20, 64u << 20 },
		.cpu_node = { 1, 0 },
	};
	struct spapr_fdt_spec spec = machines[1].spec;

	build(&spec);
	ck_assert(!has_property("/memory@0", "ibm,associativity"));
	ck_assert(!has_property("/rtas", "ibm,associativity-reference-points"));
	spec.mem_size = 256u << 20;
	spec.numa = &numa;
	build(&spec);
	ck_assert_uint_eq(two_cells("/memory@0", "reg", 2), 192u << 20);
	ck_assert_uint_eq(two_cells("/memory@c000000", "reg", 0), 192u << 20);
	ck_assert_uint_eq(two_cells("/memory@c000000", "reg", 2), 64u << 20);
	ck_assert_uint_eq(cell("/memory@0", "ibm,associativity", 0), 4);
	ck_assert_uint_eq(cell("/memory@0", "ibm,associativity", 4), 0);
	ck_assert_uint_eq(cell("/memory@c000000", "ibm,associativity", 4), 1);
	ck_assert_uint_eq(cell("/cpus/PowerPC,POWER8@0", "ibm,associativity", 4),
			  1);
	ck_assert_uint_eq(cell("/cpus/PowerPC,POWER8@1", "ibm,associativity", 4),
			  0);
	ck_assert_uint_eq(cell("/cpus/PowerPC,POWER8@1", "ibm,associativity", 5),
			  1);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_uint_eq(cell("/rtas", "ibm,associativity-reference-points", i), 4);
	ck_assert_uint_eq(cell("/rtas", "ibm,max-associativity-domains", 4), 2);
}
END_TEST

START_TEST(test_cpus)
{
	char path[64];

	build(&machines[2].spec);
	for (u32 id = 0; id < 32; id++) {
		snprintf(path, sizeof(path), "/cpus/PowerPC,POWER8@%x", id);
		ck_assert_uint_eq(cell(path, "reg", 0), id);
		ck_assert_uint_eq(cell(path, "ibm,ppc-interrupt-server#s", 0),
				  id);
		ck_assert_uint_eq(cell(path, "ibm,pft-size", 1), 29);
	}
	ck_assert_int_lt(fdt_path_offset(fdt, "/cpus/PowerPC,POWER8@20"), 0);
	ck_assert_uint_eq(cell("/interrupt-controller",
			       "ibm,interrupt-server-ranges", 1), 32);
}
END_TEST

START_TEST(test_less_of_a_cpu)
{
	struct spapr_fdt_spec spec = machines[0].spec;
	const u8 *features;
	int len;

	build(&spec);
	ck_assert_uint_eq(cell(CPU0, "ibm,vmx", 0), 2);
	ck_assert_uint_eq(cell(CPU0, "ibm,processor-segment-sizes", 1), 40);
	features = property(CPU0, "ibm,pa-features", &len);
	ck_assert_int_eq(len, 2 + features[0]);
	ck_assert_uint_eq(features[2 + 18], 0x80);
	ck_assert_uint_eq(features[2 + 22], 0);	/* no transactional memory */

	spec.vsx = spec.segments_1t = spec.dfp = false;
	build(&spec);
	ck_assert_uint_eq(cell(CPU0, "ibm,vmx", 0), 1);
	ck_assert_uint_eq(cell(CPU0, "ibm,processor-segment-sizes", 1),
			  0xffffffff);
	ck_assert(!has_property(CPU0, "ibm,dfp"));
	features = property(CPU0, "ibm,pa-features", &len);
	ck_assert_uint_eq(features[2 + 16], 0x80);
	ck_assert_uint_eq(features[2 + 18], 0);

	spec.vmx = false;
	build(&spec);
	ck_assert(!has_property(CPU0, "ibm,vmx"));
}
END_TEST

START_TEST(test_page_sizes)
{
	static const u32 want[] = { 12, 0, 2, 12, 0, 16, 7,
				    16, 0x110, 1, 16, 1 };
	struct spapr_fdt_spec spec = machines[0].spec;
	int len;

	build(&spec);
	property(CPU0, "ibm,segment-page-sizes", &len);
	ck_assert_int_eq(len, (int)sizeof(want));
	for (unsigned int i = 0; i < sizeof(want) / 4; i++)
		ck_assert_uint_eq(cell(CPU0, "ibm,segment-page-sizes", i),
				  want[i]);

	/* Full lists have no end marker. */
	for (u32 i = 0; i < SPAPR_PAGE_SIZES; i++) {
		spec.pages[i].shift = 12 + i;
		for (u32 j = 0; j < SPAPR_PAGE_SIZES; j++)
			spec.pages[i].page[j].shift = 100 + j;
	}
	build(&spec);
	property(CPU0, "ibm,segment-page-sizes", &len);
	ck_assert_int_eq(len, 4 * SPAPR_PAGE_SIZES * (3 + 2 * SPAPR_PAGE_SIZES));
	ck_assert_uint_eq(cell(CPU0, "ibm,segment-page-sizes", 7 * 19), 19);
	ck_assert_uint_eq(cell(CPU0, "ibm,segment-page-sizes", 7 * 19 + 2), 8);
}
END_TEST

START_TEST(test_bridge)
{
	build(&machines[2].spec);
	ck_assert_uint_eq(two_cells(PHB, "reg", 0), SPAPR_PHB_BUID);
	ck_assert_uint_eq(cell(PHB, "ranges", 0), 0x02000000);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 1), SPAPR_MEM32_BUS);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 3), SPAPR_MEM32_CPU);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 5), SPAPR_MEM32_SIZE);
	ck_assert_uint_eq(cell(PHB, "ranges", 7), 0x03000000);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 8), SPAPR_MEM64_ADDR);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 10), SPAPR_MEM64_ADDR);
	ck_assert_uint_eq(two_cells(PHB, "ranges", 12), SPAPR_MEM64_SIZE);
	ck_assert_uint_eq(cell(PHB, "ibm,dma-window", 0), SPAPR_DMA_LIOBN);
	ck_assert_uint_eq(two_cells(PHB, "ibm,dma-window", 3), SPAPR_DMA_SIZE);
	for (u32 slot = 0; slot < 32; slot++) {
		ck_assert_uint_eq(cell(PHB, "interrupt-map", 7 * slot),
				  slot << 11);
		ck_assert_uint_eq(cell(PHB, "interrupt-map", 7 * slot + 3), 1);
		ck_assert_uint_eq(cell(PHB, "interrupt-map", 7 * slot + 4),
				  cell("/interrupt-controller", "phandle", 0));
		ck_assert_uint_eq(cell(PHB, "interrupt-map", 7 * slot + 5),
				  SPAPR_IRQ_INTX_BASE + slot);
		ck_assert_uint_eq(cell(PHB, "interrupt-map", 7 * slot + 6), 1);
	}
	/* An even share is as much as any function asks for. */
	ck_assert_uint_eq(cell(PHB, "ibm,pe-total-#msi", 0), NDISKS * VECTORS);
	build(&machines[0].spec);
	ck_assert_uint_eq(cell(PHB, "ibm,pe-total-#msi", 0), 0);
}
END_TEST

START_TEST(test_function)
{
	const struct spapr_pci_function odd = {
		.slot = 31, .vendor = 0x1af4, .device = 0x1042, .nbars = 2,
		.bar = { { 2, SPAPR_MEM64_ADDR + 0x5000, 1ull << 33 },
			 { 5, SPAPR_MEM32_BUS + 0x1000, 0x1000 } },
	};
	struct spapr_fdt_spec spec = machines[1].spec;
	const char *path = PHB "/pci1af4,1042@1f";
	const u32 reg[] = { 0xf800, 0, 0, 0, 0,
			    0x0300f818, 0, 0, 2, 0,
			    0x0200f824, 0, 0, 0, 0x1000 };
	const u32 assigned[] = { 0x8300f818, 0x210, 0x5000, 2, 0,
				 0x8200f824, 0, 0x80001000, 0, 0x1000 };

	spec.functions = &odd;
	build(&spec);
	for (unsigned int i = 0; i < sizeof(reg) / 4; i++)
		ck_assert_uint_eq(cell(path, "reg", i), reg[i]);
	for (unsigned int i = 0; i < sizeof(assigned) / 4; i++)
		ck_assert_uint_eq(cell(path, "assigned-addresses", i),
				  assigned[i]);
	ck_assert(!has_property(path, "ibm,req#msi-x"));
	ck_assert(!has_property(path, "interrupts"));
}
END_TEST

/* --- room ---------------------------------------------------------------- */

START_TEST(test_deterministic)
{
	const struct spapr_fdt_spec *spec = &machines[_i].spec;
	int size;

	memset(fdt, 0x55, sizeof(fdt));
	memset(again, 0xaa, sizeof(again));
	size = build(spec);
	/* Also where there is just enough room. */
	ck_assert_int_eq(spapr_fdt_build(spec, again, (size_t)size), size);
	ck_assert_mem_eq(fdt, again, (size_t)size);
}
END_TEST

START_TEST(test_too_little_room)
{
	const struct spapr_fdt_spec *spec = &machines[_i].spec;
	size_t size = (size_t)build(spec), step = _i == 0 ? 100 / test_scale(100) : 61;

	for (size_t room = 0; room < size; room += step) {
		u8 *buf = malloc(room + GUARD);

		ck_assert_ptr_nonnull(buf);
		memset(buf, 0x5a, room + GUARD);
		ck_assert_int_eq(spapr_fdt_build(spec, buf, room), -ENOSPC);
		for (size_t i = 0; i < GUARD; i++)
			ck_assert_uint_eq(buf[room + i], 0x5a);
		free(buf);
	}
	ck_assert_int_eq(spapr_fdt_build(spec, again, size - 1), -ENOSPC);
}
END_TEST

static Suite *fdt_suite(void)
{
	Suite *suite = suite_create("spapr_fdt");
	TCase *tc = tcase_create("tree");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_golden, 0, NMACHINES);
	tcase_add_loop_test(tc, test_dtc_is_content, 0, NMACHINES);
	tcase_add_test(tc, test_needed_properties);
	tcase_add_test(tc, test_rtas_tokens);
	tcase_add_test(tc, test_event_scan_rate);
	tcase_add_test(tc, test_memory_and_initrd);
	tcase_add_test(tc, test_nodes);
	tcase_add_test(tc, test_cpus);
	tcase_add_test(tc, test_less_of_a_cpu);
	tcase_add_test(tc, test_page_sizes);
	tcase_add_test(tc, test_bridge);
	tcase_add_test(tc, test_function);
	tcase_add_loop_test(tc, test_deterministic, 0, NMACHINES);
	tcase_add_loop_test(tc, test_too_little_room, 0, NMACHINES);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(fdt_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
