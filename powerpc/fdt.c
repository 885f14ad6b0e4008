// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device tree: all that a guest is told of its machine, written from front
 * to back by libfdt's sequential functions.  The first error sticks: the rest
 * of the tree is skipped then, and spapr_fdt_build() returns it.
 *
 * References: "B.4.x", "C.5.x" are sections of LoPAR 2.9 (its appendices are a
 * binding of the platform and one of the processor; other chapters have their
 * number alone); "PCI" is the PCI Bus Binding to IEEE 1275, revision 2.1;
 * "Linux" names a file below arch/powerpc/ of Linux 6.1 that needs it, or a
 * binding below Documentation/devicetree/.
 */
#include "powerpc/spapr.h"
#include "kvm/numa.h"
#include "kvm/pci.h"
#include <assert.h>
#include <errno.h>
#include <libfdt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct tree {
	void *fdt;
	int err;	/* libfdt's */
};

#define XICS_PHANDLE 1
#define IRQ_EDGE 0	/* second cell of an interrupt, B.4.9.1.2 */
#define IRQ_LEVEL 1

/* First cell of a PCI address, PCI 2.2.1.1. */
#define PCI_MEM32 0x02000000u
#define PCI_MEM64 0x03000000u
#define PCI_NOT_RELOCATABLE 0x80000000u
#define PCI_DEVFN(slot) ((slot) << 11)
#define PCI_BAR_REGISTER(bar) (0x10 + 4 * (bar))

#define U64_CELLS(v) (u32)((u64)(v) >> 32), (u32)((v) & 0xffffffff)

/* --- writing ------------------------------------------------------------- */

static void node(struct tree *t, const char *name)
{
	if (!t->err)
		t->err = fdt_begin_node(t->fdt, name);
}

static void node_at(struct tree *t, const char *name, u64 unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)unit);
	node(t, full);
}

static void end(struct tree *t)
{
	if (!t->err)
		t->err = fdt_end_node(t->fdt);
}

static void bytes(struct tree *t, const char *name, const void *data, size_t len)
{
	if (!t->err)
		t->err = fdt_property(t->fdt, name, data, (int)len);
}

static void flag(struct tree *t, const char *name)
{
	bytes(t, name, "", 0);
}

static void string(struct tree *t, const char *name, const char *value)
{
	bytes(t, name, value, strlen(value) + 1);
}

static void cells(struct tree *t, const char *name, const u32 *cell,
		  unsigned int n)
{
	void *value;

	if (!t->err)
		t->err = fdt_property_placeholder(t->fdt, name, (int)(4 * n),
						  &value);
	for (unsigned int i = 0; i < n && !t->err; i++) {
		__be32 be = cpu_to_be32(cell[i]);

		memcpy((char *)value + 4 * i, &be, sizeof(be));
	}
}

#define CELLS(t, name, ...)                                                    \
	cells(t, name, (const u32[]){ __VA_ARGS__ },                           \
	      sizeof((const u32[]){ __VA_ARGS__ }) / sizeof(u32))

/* How the children's addresses and sizes are written. */
static void child_cells(struct tree *t, u32 address, u32 size)
{
	CELLS(t, "#address-cells", address);
	CELLS(t, "#size-cells", size);
}

/* --- what boots ---------------------------------------------------------- */

/* B.4.2.1; device_type also: Linux platforms/pseries/setup.c. */
static void root_properties(struct tree *t)
{
	string(t, "device_type", "chrp");
	string(t, "compatible", "lkvm,pseries");
	string(t, "model", "lkvm pseries");
	flag(t, "ibm,lpar-capable");
	child_cells(t, 2, 2);
}

/*
 * Linux chosen.txt and drivers/of/fdt.c.  All entropy is in rng-seed: Linux
 * wants 256 bits, and no pseries kernel reads kaslr-seed.
 */
static void chosen(struct tree *t, const struct spapr_fdt_spec *spec)
{
	const u64 *seed = spec->entropy;

	node(t, "chosen");
	string(t, "bootargs", spec->cmdline);
	string(t, "stdout-path", "/vdevice/vty@71000000");
	if (spec->initrd_size) {
		CELLS(t, "linux,initrd-start", U64_CELLS(spec->initrd));
		CELLS(t, "linux,initrd-end",
		      U64_CELLS(spec->initrd + spec->initrd_size));
	}
	CELLS(t, "rng-seed", U64_CELLS(seed[0]), U64_CELLS(seed[1]),
	      U64_CELLS(seed[2]), U64_CELLS(seed[3]));
	end(t);
}

/*
 * NUMA, LoPAR's chapter of that name: a resource's domains, of four levels that
 * are told apart in the last alone, where Linux mm/numa.c looks by the reference
 * points.  It takes different nodes for equally far.
 */
#define NUMA_LEVELS 4

static bool has_nodes(const struct spapr_fdt_spec *spec)
{
	return spec->numa && spec->numa->nnodes;
}

static void rtas_numa(struct tree *t, const struct spapr_fdt_spec *spec)
{
	if (!has_nodes(spec))
		return;
	CELLS(t, "ibm,associativity-reference-points", NUMA_LEVELS,
	      NUMA_LEVELS);
	CELLS(t, "ibm,max-associativity-domains", NUMA_LEVELS, 1, 1, 1,
	      spec->numa->nnodes);
}

/* B.4.6.1.  The first node's size is also that of the real mode area. */
static void memory_at(struct tree *t, u64 addr, u64 size)
{
	node_at(t, "memory", addr);
	string(t, "device_type", "memory");
	CELLS(t, "reg", U64_CELLS(addr), U64_CELLS(size));
}

static void memory(struct tree *t, const struct spapr_fdt_spec *spec)
{
	if (!has_nodes(spec)) {
		memory_at(t, 0, spec->mem_size);
		end(t);
		return;
	}
	for (u32 i = 0; i < spec->numa->nnodes; i++) {
		memory_at(t, guest_node_offset(spec->numa, i),
			  spec->numa->size[i]);
		CELLS(t, "ibm,associativity", NUMA_LEVELS, 0, 0, 0, i);
		end(t);
	}
}

/* --- processors ---------------------------------------------------------- */

/*
 * ibm,pa-features, C.5.1.4: what POWER8 can do by version 2.07 of its
 * architecture.  Not told: transactional memory, which not every host lends its
 * guests, and cache-inhibited large pages, which a host of 4 KiB pages lacks.
 */
static void cpu_features(struct tree *t, const struct spapr_fdt_spec *spec)
{
	const u8 features[] = {
		24, 0,		/* bytes that follow, kind of descriptor */
		0xf6, 0x1f, 0xc7, 0xc0, 0x80, 0xf0, 0x80, 0,
		0, 0, 0, 0, 0, 0, 0, 0,
		spec->vmx ? 0x80 : 0, 0,	/* vectors */
		spec->vsx ? 0x80 : 0, 0,	/* vector-scalar */
		spec->vmx ? 0x80 : 0, 0,	/* vector cryptography */
		0, 0,				/* transactions */
	};

	bytes(t, "ibm,pa-features", features, sizeof(features));
	/* Levels, C.5.1.4: VSX is VMX of level 2; 2: DFP of version 2.06. */
	if (spec->vmx)
		CELLS(t, "ibm,vmx", spec->vsx ? 2 : 1);
	if (spec->dfp)
		CELLS(t, "ibm,dfp", 2);
	CELLS(t, "ibm,purr", 1);
	CELLS(t, "ibm,spurr", 1);
}

/* C.5.1.4: of each segment base page size, the page sizes it may have. */
static void cpu_page_sizes(struct tree *t, const struct spapr_fdt_spec *spec)
{
	u32 cell[SPAPR_PAGE_SIZES * (3 + 2 * SPAPR_PAGE_SIZES)];
	unsigned int n = 0;

	for (unsigned int i = 0; i < SPAPR_PAGE_SIZES; i++) {
		const struct spapr_segment_pages *s = &spec->pages[i];
		unsigned int header = n;

		if (!s->shift)
			break;
		cell[n++] = s->shift;
		cell[n++] = s->slb_encoding;
		cell[n++] = 0;		/* counted below */
		for (unsigned int j = 0;
		     j < SPAPR_PAGE_SIZES && s->page[j].shift; j++) {
			cell[n++] = s->page[j].shift;
			cell[n++] = s->page[j].pte_encoding;
			cell[header + 2]++;
		}
	}
	cells(t, "ibm,segment-page-sizes", cell, n);
}

/*
 * ibm,pft-size: B.4.4; segment sizes: C.5.1.4, by the segment's B field (none:
 * all ones); slb-size: C.5.1.8.  Linux mm/book3s64/hash_utils.c.
 */
static void cpu_mmu(struct tree *t, const struct spapr_fdt_spec *spec)
{
	const u32 none = 0xffffffff;

	CELLS(t, "ibm,pft-size", 0, spec->hpt_shift);
	cpu_page_sizes(t, spec);
	CELLS(t, "ibm,processor-segment-sizes", 28,
	      spec->segments_1t ? 40 : none, none, none);
	CELLS(t, "slb-size", spec->slb_size);
}

/* C.5.1.6. */
static void cpu_caches(struct tree *t, const struct spapr_fdt_spec *spec)
{
	CELLS(t, "d-cache-size", spec->cache_size);
	CELLS(t, "d-cache-block-size", spec->cache_line);
	CELLS(t, "d-cache-line-size", spec->cache_line);
	CELLS(t, "i-cache-size", spec->cache_size);
	CELLS(t, "i-cache-block-size", spec->cache_line);
	CELLS(t, "i-cache-line-size", spec->cache_line);
}

/* A core of one thread: C.5.1.4; servers of the interrupt controller: B.4.4. */
static void cpu(struct tree *t, const struct spapr_fdt_spec *spec, u32 id)
{
	node_at(t, "PowerPC,POWER8", id);
	string(t, "device_type", "cpu");
	CELLS(t, "reg", id);
	string(t, "status", "okay");
	flag(t, "64-bit");
	CELLS(t, "cpu-version", spec->pvr);
	CELLS(t, "timebase-frequency", spec->timebase_hz);
	CELLS(t, "clock-frequency", spec->clock_hz);
	CELLS(t, "ibm,ppc-interrupt-server#s", id);
	CELLS(t, "ibm,ppc-interrupt-gserver#s", id, 0);
	if (has_nodes(spec))
		CELLS(t, "ibm,associativity", NUMA_LEVELS + 1, 0, 0, 0,
		      spec->numa->cpu_node[id], id);
	cpu_features(t, spec);
	cpu_mmu(t, spec);
	cpu_caches(t, spec);
	end(t);
}

/* C.5.1.3. */
static void cpus(struct tree *t, const struct spapr_fdt_spec *spec)
{
	node(t, "cpus");
	child_cells(t, 1, 0);
	for (u32 id = 0; id < spec->ncpus; id++)
		cpu(t, spec, id);
	end(t);
}

/* --- firmware services --------------------------------------------------- */

/*
 * Groups of hcalls, 14.5.4: what KVM-HV serves, and hcall.c beside it.  Without
 * hcall-set-mode a little-endian Linux takes its first interrupt in the wrong
 * byte order; hcall-multi-tce fills the DMA window 512 entries a call.
 */
static const char hypertas_functions[] =
	"hcall-pft\0hcall-bulk\0hcall-tce\0hcall-multi-tce\0hcall-dabr\0"
	"hcall-term\0hcall-interrupt\0hcall-splpar\0hcall-set-mode";

/* How often to call event-scan, each minute, and the largest of its events. */
static void rtas_events(struct tree *t)
{
	for (unsigned int i = 0; i < rtas_nservices; i++) {
		if (strcmp(rtas_services[i].name, "event-scan"))
			continue;
		CELLS(t, "rtas-event-scan-rate", 1);
		CELLS(t, "rtas-error-log-max", 2048);
	}
}

/*
 * B.4.3.1, tokens: B.4.3.3, rtas-sensors: a sensor and its last index; linux,*: Linux kernel/rtas.c.  Linux takes a panic
 * to ibm,os-term only if ibm,extended-os-term is there, too.
 */
static void rtas(struct tree *t, const struct spapr_fdt_spec *spec)
{
	node(t, "rtas");
	for (unsigned int i = 0; i < rtas_nservices; i++)
		CELLS(t, rtas_services[i].name, RTAS_TOKEN_BASE + i);
	CELLS(t, "rtas-version", 1);
	CELLS(t, "rtas-size", RTAS_BLOB_SIZE);
	CELLS(t, "linux,rtas-base", (u32)spec->rtas);
	CELLS(t, "linux,rtas-entry", (u32)spec->rtas);
	rtas_events(t);
	rtas_numa(t, spec);
	flag(t, "ibm,extended-os-term");
	flag(t, "ibm,change-msix-capable");
	CELLS(t, "rtas-sensors", SPAPR_EPOW_SENSOR, 0);
	bytes(t, "ibm,hypertas-functions", hypertas_functions,
	      sizeof(hypertas_functions));
	end(t);
}

/* --- devices ------------------------------------------------------------- */

/*
 * Presentation and sources in one node, B.4.9.1.1 and B.4.9.1.2, as Linux
 * sysdev/xics/icp-hv.c looks for it: it is reached by hcalls, so it has no reg.
 */
static void xics(struct tree *t, const struct spapr_fdt_spec *spec)
{
	node(t, "interrupt-controller");
	string(t, "device_type", "PowerPC-External-Interrupt-Presentation");
	string(t, "compatible", "IBM,ppc-xicp");
	flag(t, "interrupt-controller");
	CELLS(t, "#address-cells", 0);
	CELLS(t, "#interrupt-cells", 2);
	CELLS(t, "ibm,interrupt-server-ranges", 0, spec->ncpus);
	CELLS(t, "phandle", XICS_PHANDLE);
	end(t);
}

/* B.4.12; interrupts of its own kind, whose numbers are the controller's. */
static void event_sources(struct tree *t)
{
	node(t, "event-sources");
	flag(t, "interrupt-controller");
	CELLS(t, "#address-cells", 0);
	CELLS(t, "#interrupt-cells", 2);
	CELLS(t, "interrupt-ranges", SPAPR_IRQ_EPOW, 1);
	node(t, "epow-events");
	CELLS(t, "interrupts", SPAPR_IRQ_EPOW, IRQ_EDGE);
	end(t);
	end(t);
}

/* B.4.15, the terminal: B.4.15.1.1 and 17.5.2.3; Linux drivers/tty/hvc. */
static void vdevice(struct tree *t)
{
	node(t, "vdevice");
	string(t, "device_type", "vdevice");
	string(t, "compatible", "IBM,vdevice");
	child_cells(t, 1, 0);
	CELLS(t, "interrupt-parent", XICS_PHANDLE);
	node_at(t, "vty", SPAPR_VTY_UNIT);
	string(t, "device_type", "serial");
	string(t, "compatible", "hvterm1");
	CELLS(t, "reg", SPAPR_VTY_UNIT);
	CELLS(t, "interrupts", SPAPR_IRQ_CONSOLE, IRQ_EDGE);
	end(t);
	end(t);
}

/*
 * PCI 4.1.1 and 4.1.2: reg has configuration space and each BAR's size,
 * assigned-addresses has each BAR's address, too.
 */
static void pci_addresses(struct tree *t, const struct spapr_pci_function *f)
{
	u32 reg[1 + PCI_BARS][5] = { { PCI_DEVFN(f->slot) } };
	u32 assigned[PCI_BARS][5];

	assert(f->slot < PCI_SLOTS && f->nbars <= PCI_BARS);
	for (unsigned int i = 0; i < f->nbars; i++) {
		u64 addr = f->bar[i].addr, size = f->bar[i].size;
		u32 bar = PCI_DEVFN(f->slot) | PCI_BAR_REGISTER(f->bar[i].bar) |
			  (addr >> 32 ? PCI_MEM64 : PCI_MEM32);
		const u32 in_reg[] = { bar, 0, 0, U64_CELLS(size) };
		const u32 in_assigned[] = { bar | PCI_NOT_RELOCATABLE,
					    U64_CELLS(addr), U64_CELLS(size) };

		memcpy(reg[1 + i], in_reg, sizeof(in_reg));
		memcpy(assigned[i], in_assigned, sizeof(in_assigned));
	}
	cells(t, "reg", reg[0], 5 * (1 + f->nbars));
	cells(t, "assigned-addresses", assigned[0], 5 * f->nbars);
}

/* PCI 2.5 (name) and 4.1.1; ibm,req#msi-x: B.4.5.1.1.1. */
static void pci_function(struct tree *t, const struct spapr_pci_function *f)
{
	char name[32];

	snprintf(name, sizeof(name), "pci%x,%x", f->vendor, f->device);
	node_at(t, name, f->slot);
	pci_addresses(t, f);
	CELLS(t, "vendor-id", f->vendor);
	CELLS(t, "device-id", f->device);
	CELLS(t, "revision-id", f->revision);
	CELLS(t, "class-code", f->class_code);
	CELLS(t, "subsystem-vendor-id", f->subvendor);
	CELLS(t, "subsystem-id", f->subdevice);
	if (f->intx)
		CELLS(t, "interrupts", 1);	/* INTA */
	if (f->msix)
		CELLS(t, "ibm,req#msi-x", f->msix);
	end(t);
}

/* INTA of each slot; Open Firmware Recommended Practice: Interrupt Mapping. */
static void pci_interrupts(struct tree *t)
{
	u32 map[PCI_SLOTS][7] = { 0 };

	for (u32 slot = 0; slot < PCI_SLOTS; slot++) {
		map[slot][0] = PCI_DEVFN(slot);
		map[slot][3] = 1;
		map[slot][4] = XICS_PHANDLE;
		map[slot][5] = SPAPR_IRQ_INTX_BASE + slot;
		map[slot][6] = IRQ_LEVEL;
	}
	CELLS(t, "#interrupt-cells", 1);
	CELLS(t, "interrupt-map-mask", PCI_DEVFN(PCI_SLOTS - 1), 0, 0, 7);
	cells(t, "interrupt-map", map[0], 7 * PCI_SLOTS);
}

/*
 * B.4.5.1.1.1.  Linux platforms/pseries/msi.c shares the number out evenly
 * first: each function must find what it asks for in an even share.
 */
static void pci_msis(struct tree *t, const struct spapr_fdt_spec *spec)
{
	u32 most = 0;

	for (unsigned int i = 0; i < spec->nfunctions; i++)
		if (spec->functions[i].msix > most)
			most = spec->functions[i].msix;
	CELLS(t, "ibm,pe-total-#msi", most * spec->nfunctions);
}

/*
 * B.4.5.1.1 (of its ranges there is no I/O space), bus-range: PCI 3.1.1;
 * ibm,dma-window: B.4.5.1.1.2, its cells: B.4.5.
 */
static void pci_bridge(struct tree *t, const struct spapr_fdt_spec *spec)
{
	node_at(t, "pci", SPAPR_PHB_BUID);
	string(t, "device_type", "pci");
	string(t, "compatible", "IBM,Logical_PHB");
	CELLS(t, "reg", U64_CELLS(SPAPR_PHB_BUID), 0, 0);
	child_cells(t, 3, 2);
	CELLS(t, "bus-range", 0, 0);
	CELLS(t, "ranges",
	      PCI_MEM32, U64_CELLS(SPAPR_MEM32_BUS),
	      U64_CELLS(SPAPR_MEM32_CPU), U64_CELLS(SPAPR_MEM32_SIZE),
	      PCI_MEM64, U64_CELLS(SPAPR_MEM64_ADDR),
	      U64_CELLS(SPAPR_MEM64_ADDR), U64_CELLS(SPAPR_MEM64_SIZE));
	flag(t, "used-by-rtas");
	CELLS(t, "ibm,#dma-address-cells", 2);
	CELLS(t, "ibm,#dma-size-cells", 2);
	CELLS(t, "ibm,dma-window", SPAPR_DMA_LIOBN, 0, 0,
	      U64_CELLS(SPAPR_DMA_SIZE));
	pci_msis(t, spec);
	pci_interrupts(t);
	for (unsigned int i = 0; i < spec->nfunctions; i++)
		pci_function(t, &spec->functions[i]);
	end(t);
}

/* ------------------------------------------------------------------------- */

/* A guest that no firmware starts finds RTAS's memory taken by this alone. */
static void reserve_map(struct tree *t, const struct spapr_fdt_spec *spec)
{
	if (!t->err)
		t->err = fdt_add_reservemap_entry(t->fdt, spec->rtas,
						  RTAS_BLOB_SIZE);
	if (!t->err)
		t->err = fdt_finish_reservemap(t->fdt);
}

int spapr_fdt_build(const struct spapr_fdt_spec *spec, void *buf, size_t room)
{
	struct tree t = { buf, 0 };

	assert(spec->ncpus >= 1 && spec->ncpus <= SPAPR_CPUS_MAX);
	assert(spec->rtas + RTAS_BLOB_SIZE <= UINT_MAX);
	t.err = fdt_create(buf, room < INT_MAX ? (int)room : INT_MAX);
	reserve_map(&t, spec);
	node(&t, "");
	root_properties(&t);
	chosen(&t, spec);
	memory(&t, spec);
	cpus(&t, spec);
	rtas(&t, spec);
	xics(&t, spec);
	event_sources(&t);
	vdevice(&t);
	pci_bridge(&t, spec);
	end(&t);
	if (!t.err)
		t.err = fdt_finish(buf);
	assert(!t.err || t.err == -FDT_ERR_NOSPACE);
	return t.err ? -ENOSPC : (int)fdt_totalsize(buf);
}
