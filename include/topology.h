/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host is made of, as sysfs and procfs tell it: CPUs, cores, packages, NUMA
 * nodes, what of them lkvm may use, and where a disk's device is.
 *
 * All is read below a root directory that holds "sys" and "proc": "" for this
 * host, another one for a tree that was made after some other host.
 */
#ifndef LKVM_TOPOLOGY_H
#define LKVM_TOPOLOGY_H

#include "cpulist.h"

#define TOPOLOGY_NODES_MAX 64
#define TOPOLOGY_IRQS_MAX 1024
#define TOPOLOGY_FAR 255	/* the largest distance, and that to nowhere */

struct topology_cpu {
	unsigned int id;
	unsigned int core;	/* the lowest CPU among its siblings */
	int package;		/* -1: not told */
	int node;		/* index, -1: none */
};

struct topology_node {
	unsigned int id;
	u64 memory;		/* bytes, 0: a node without memory ... */
	u64 free;		/* ... and of them not in use */
	bool allowed;		/* lkvm may have memory of it */
	unsigned int distance[TOPOLOGY_NODES_MAX];	/* by index */
};

struct topology {
	const char *root;
	unsigned int ncpus;
	struct topology_cpu *cpu;	/* online, ascending */
	struct cpu_mask present;
	struct cpu_mask online;
	struct cpu_mask allowed;	/* online, and in the cpuset and affinity of lkvm */
	struct cpu_mask isolated;	/* (isolcpus=), only by name */
	unsigned int nnodes;		/* at least 1 */
	struct topology_node node[TOPOLOGY_NODES_MAX];
};

/* The block device at the bottom of an image or of a device that is made of others. */
struct topology_device {
	char name[64];		/* of the first one */
	unsigned int ndevices;
	int node;		/* index; -1: not told by all, or several */
	bool several;		/* nodes, of those that tell it */
	unsigned int nirqs;
	unsigned int irq[TOPOLOGY_IRQS_MAX];
};

/*
 * @root must outlive it.  0 or -errno, with a message.
 */
int topology_read(struct topology **tp, const char *root);
void topology_free(struct topology *t);

/* NULL: there is no such CPU, or it is offline. */
const struct topology_cpu *topology_cpu(const struct topology *t,
					unsigned int id);
/* Index of node @id, or -1. */
int topology_node(const struct topology *t, unsigned int id);
/* From one index to another; TOPOLOGY_FAR where either is -1. */
unsigned int topology_distance(const struct topology *t, int from, int to);

/*
 * Find what is under @path: a file or a block device; in a tree of another host,
 * the block device of that name.  0, or -ENODEV if none is known, without a message.
 */
int topology_find_device(const struct topology *t, const char *path,
			 struct topology_device *device);

/*
 * The first line of the file root/@fmt, without its end.  Its length, or -errno.
 */
int topology_file(const char *root, char *line, size_t size, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));
/* The number in it, or @none. */
int topology_number(const char *root, int none, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
