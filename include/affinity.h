/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The affinity of one guest: what its command line says, the plan that follows from it on
 * this host, and the plan carried out.  Main thread.
 */
#ifndef LKVM_AFFINITY_H
#define LKVM_AFFINITY_H

#include "numa_options.h"
#include "placement.h"

struct drive;
struct steer;
struct vm;

struct affinity {
	/* The user's. */
	bool automatic;			/* --affinity auto */
	bool irq;			/* ... and interrupts of disks' devices */
	bool look;			/* claim nothing: lkvm topology */
	struct cpu_list pins;		/* --cpus N,pin=LIST */
	struct numa_options numa;	/* --numa */

	/* Of the plan; zero before it. */
	struct topology *topology;
	struct topology_device *device;	/* one for each disk */
	struct placement_disk *disk;
	int vcpu_node[GUEST_NODE_CPUS_MAX];	/* of the host, as index; -1: any */
	int guest_node[GUEST_NODES_MAX];	/* ... of its memory */
	struct placement_request request;
	struct placement plan;
	int claims;			/* claims_open(), or a negative errno */
	struct steer *steer;		/* or NULL */
};

/* --affinity "auto[,irq]" or "off"; @ctx: a struct affinity.  0 or -errno. */
int affinity_parse(void *ctx, const char *text);
/* pin=LIST of --cpus; @ctx: a struct affinity.  0 or -errno. */
int affinity_parse_pins(void *ctx, const char *text);

/*
 * Make the plan for @ncpus vCPUs and these drives, drive_count() done, on the host whose sysfs is
 * below @root ("": this one), and there claim its CPUs.  @numa is what numa_build() made, and
 * gets the host's distances.  0 or -errno, with a message; affinity_free() in either case.
 */
int affinity_plan(struct affinity *a, const char *root, unsigned int ncpus,
		  const struct drive *drives, unsigned int ndrives,
		  struct guest_numa *numa);
void affinity_free(struct affinity *a);

/*
 * Give vCPUs and I/O threads, which do not run yet, their CPUs, and guest memory,
 * which nobody has touched, its node; all other threads keep off these CPUs if there
 * are others.  What fails is told, and does without.
 */
void affinity_apply(struct affinity *a, struct vm *vm,
		    const struct drive *drives);
/* Say what was chosen: in one line if it was by itself; @verbose: thread by thread. */
void affinity_describe(const struct affinity *a, bool verbose);

#endif
