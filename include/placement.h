/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where each thread of a guest runs, and where its memory is: a pure function of a
 * host's topology and of what the user asks for.
 *
 * By itself (automatic) a guest lives where its first disk's device is: the I/O
 * threads get cores first, then the vCPUs, each a whole core as long as there
 * are any that nobody has, the nearest first. Then come second threads of the guest's own cores,
 * those of vCPUs first, and last what other guests have.
 */
#ifndef LKVM_PLACEMENT_H
#define LKVM_PLACEMENT_H

#include "cpulist.h"
#include "topology.h"

struct placement_disk {
	const char *name;		/* "vda" */
	unsigned int nthreads;
	const struct cpu_list *pins;	/* the user's; n = 0: none */
	const struct topology_device *device;	/* NULL: none is known */
};

struct placement_request {
	bool automatic;			/* place what the user does not pin */
	unsigned int ncpus;
	const struct cpu_list *pins;	/* of vCPUs; n = 0: none */
	const int *vcpu_node;		/* index of the node each is to be near; -1: any; NULL: all any */
	unsigned int nguest_nodes;
	const int *guest_node;		/* where each has its memory, as index; -1: not said */
	unsigned int ndisks;
	const struct placement_disk *disk;
	struct cpu_mask taken;		/* CPUs of other guests */
};

/* In the order in which they are chosen. */
enum placement_why {
	PLACED_NOWHERE,		/* the host's scheduler decides */
	PLACED_BY_USER,
	PLACED_NEAR,		/* a core of its own on the node that is wanted */
	PLACED_AWAY,		/* of its own, elsewhere: there is none left */
	PLACED_BESIDE_VCPU,	/* second thread of a core: no whole one is left */
	PLACED_BESIDE_IO,
	PLACED_BESIDE_GUEST,	/* on a core that another guest has */
	PLACED_ON_GUEST,	/* on its very CPU */
};

/* What made a node the guest's home, in the order in which they are asked. */
enum placement_home {
	HOME_OF_DEVICE,
	HOME_OF_VCPUS,		/* pinned there */
	HOME_OF_IO,
	HOME_OF_GUEST_NODES,	/* all are bound to it */
	HOME_ROOMY,		/* it has most free cores */
};

struct placement_thread {
	int disk;		/* index, or -1: a vCPU */
	unsigned int index;	/* among the disk's, or the vCPUs */
	int cpu;		/* -1: not placed */
	int wanted;		/* node, as index; -1: any */
	enum placement_why why;
};

struct placement {
	const struct topology *topology;
	const struct placement_request *request;
	int home;		/* node as index, -1: none */
	enum placement_home why_home;
	int device_disk;	/* whose device made it home, -1: none's */
	int memory;		/* node as index of what --numa does not bind, -1: none */
	unsigned int nthreads;
	struct placement_thread *thread;	/* I/O threads, disk by disk; then vCPUs */
};

/*
 * Fill @p, which refers to @t and @r from then on.  0 or -errno, with a message: pins
 * that cannot be, or more threads than CPUs.
 */
int placement_plan(struct placement *p, const struct topology *t,
		   const struct placement_request *r);
void placement_free(struct placement *p);

/* All CPUs of its threads. */
void placement_cpus(const struct placement *p, struct cpu_mask *cpus);
/*
 * CPUs for all other threads and those that are not placed: off the placed ones' and those of other
 * guests, as long as there are enough.  False: none is placed, these may be anywhere.
 */
bool placement_rest(const struct placement *p, struct cpu_mask *rest);
/* What thread @i is called: "vda.q0", "vcpu3". */
void placement_name(const struct placement *p, unsigned int i, char name[32]);
/* Why thread @i is where it is, without an end of line. */
void placement_explain(const struct placement *p, unsigned int i, FILE *out);
/* All of it in one line, without its end. */
void placement_summary(const struct placement *p, FILE *out);

#endif
