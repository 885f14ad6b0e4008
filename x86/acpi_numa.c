// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI tables of a guest's NUMA nodes: SRAT and SLIT.  Section numbers are those of
 * ACPI 6.4.
 */
#include "kvm/memory.h"
#include "kvm/numa.h"
#include "x86/acpi.h"

struct acpi_srat {	/* 5.2.16 */
	struct acpi_header header;
	__le32 reserved_one;	/* 1 */
	u8 reserved[8];
} PACKED;
_Static_assert(sizeof(struct acpi_srat) == 48, "SRAT");

struct srat_cpu {	/* 5.2.16.1 */
	u8 type;
	u8 length;
	u8 node;	/* bits 7..0 of its number */
	u8 apic_id;
	__le32 flags;
	u8 sapic_eid;
	u8 node_high[3];
	__le32 clock_domain;
} PACKED;
_Static_assert(sizeof(struct srat_cpu) == 16, "SRAT processor");

struct srat_memory {	/* 5.2.16.2 */
	u8 type;
	u8 length;
	__le32 node;
	u8 reserved[2];
	__le64 base;
	__le64 size;
	u8 reserved2[4];
	__le32 flags;
	u8 reserved3[8];
} PACKED;
_Static_assert(sizeof(struct srat_memory) == 40, "SRAT memory");
#define SRAT_MEMORY 1
#define SRAT_ENABLED 1

struct acpi_slit {	/* 5.2.17 */
	struct acpi_header header;
	__le64 nodes;
	u8 distance[];	/* rows of the matrix */
} PACKED;

static unsigned int count_ranges(const struct guest_memory *mem,
				 const struct guest_numa *numa)
{
	unsigned int n = 0;
	u64 gpa, size;

	for (unsigned int i = 0; i < numa->nnodes; i++)
		for (unsigned int r = 0; r < mem->nregions; r++)
			n += guest_node_range(numa, i, mem, r, &gpa, &size);
	return n;
}

/*
 * Node by node: Linux numbers them as it meets them here, and those that have no
 * CPUs last.
 */
static void set_cpus(struct srat_cpu *cpu, unsigned int ncpus,
		     const struct guest_numa *numa)
{
	for (unsigned int i = 0; i < numa->nnodes; i++)
		for (unsigned int id = 0; id < ncpus; id++)
			if (numa->cpu_node[id] == i)
				*cpu++ = (struct srat_cpu){
					.length = sizeof(*cpu),
					.node = (u8)i,
					.apic_id = (u8)id,
					.flags = cpu_to_le32(SRAT_ENABLED),
				};
}

static void set_ranges(struct srat_memory *range, const struct guest_memory *mem,
		       const struct guest_numa *numa)
{
	u64 gpa, size;

	for (unsigned int i = 0; i < numa->nnodes; i++)
		for (unsigned int r = 0; r < mem->nregions; r++)
			if (guest_node_range(numa, i, mem, r, &gpa, &size))
				*range++ = (struct srat_memory){
					.type = SRAT_MEMORY,
					.length = sizeof(*range),
					.node = cpu_to_le32(i),
					.base = cpu_to_le64(gpa),
					.size = cpu_to_le64(size),
					.flags = cpu_to_le32(SRAT_ENABLED),
				};
}

u32 acpi_srat_build(struct acpi_area *area, const struct guest_memory *mem,
		    unsigned int ncpus, const struct guest_numa *numa)
{
	size_t size = sizeof(struct acpi_srat) +
		      ncpus * sizeof(struct srat_cpu) +
		      count_ranges(mem, numa) * sizeof(struct srat_memory);
	struct acpi_srat *srat = acpi_alloc(area, size, 16);
	struct srat_cpu *cpu = (struct srat_cpu *)(srat + 1);

	srat->reserved_one = cpu_to_le32(1);
	set_cpus(cpu, ncpus, numa);
	set_ranges((struct srat_memory *)(cpu + ncpus), mem, numa);
	acpi_header_set(&srat->header, "SRAT", 3, size);
	return acpi_address(area, srat);
}

u32 acpi_slit_build(struct acpi_area *area, const struct guest_numa *numa)
{
	size_t size = sizeof(struct acpi_slit) +
		      (size_t)numa->nnodes * numa->nnodes;
	struct acpi_slit *slit = acpi_alloc(area, size, 16);

	slit->nodes = cpu_to_le64(numa->nnodes);
	for (unsigned int i = 0; i < numa->nnodes; i++)
		for (unsigned int j = 0; j < numa->nnodes; j++)
			slit->distance[i * numa->nnodes + j] =
				numa->distance[i][j];
	acpi_header_set(&slit->header, "SLIT", 1, size);
	return acpi_address(area, slit);
}
