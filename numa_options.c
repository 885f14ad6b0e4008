// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes of --numa, and what can be wrong with them.
 */
#include "numa_options.h"
#include "arch.h"
#include "log.h"
#include "options.h"
#include "topology.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODE_MEM_MIN (16ULL << 20)
#define NODE_MEM_MAX (1ULL << 44)
#define MIB (1ULL << 20)

/* --- one --numa ---------------------------------------------------------- */

static int set_cpus(void *ctx, const char *text)
{
	struct numa_node_options *node = ctx;
	int err = cpu_list_parse(&node->cpus, text);

	if (err)
		log_error("--numa: cpus %s: %s", text,
			  err == -EINVAL ?
				  "no list of vCPUs; write it like 0-3 or 0,2" :
				  "there are no such vCPUs; name those of --cpus");
	return err;
}

static int set_host(void *ctx, const char *text)
{
	struct numa_node_options *node = ctx;

	node->bound = true;
	if (!parse_number(text, 0, CPUS_MAX - 1, &node->host))
		return 0;
	log_error("--numa: host %s: not a number of a node; lkvm topology shows them",
		  text);
	return -EINVAL;
}

/* "node=1" */
static int parse_id(const char *text, unsigned int *id)
{
	static const char key[] = "node=";

	if (!strncmp(text, key, strlen(key)) &&
	    !parse_number(text + strlen(key), 0, GUEST_NODES_MAX - 1, id))
		return 0;
	log_error("--numa %s: begin with node=N, from 0 to %d",
		  log_word(text), GUEST_NODES_MAX - 1);
	return -EINVAL;
}

static int node_check(const struct numa_options *o, unsigned int id,
		      const struct numa_node_options *node)
{
	if (arch_max_nodes < 2) {
		log_error("--numa node=%u: a guest of this architecture has one node; leave out --numa",
			  id);
		return -EOPNOTSUPP;
	}
	if (o->node[id].given) {
		log_error("--numa node=%u: is there twice; give each node once",
			  id);
		return -EINVAL;
	}
	if (!node->mem || node->mem % MIB) {
		log_error("--numa node=%u: mem %llu: give whole megabytes of memory, like mem=1G",
			  id, (unsigned long long)node->mem);
		return -EINVAL;
	}
	return 0;
}

int numa_parse(void *ctx, const char *text)
{
	struct numa_options *o = ctx;
	struct numa_node_options node = { .given = true };
	const struct option_spec keys[] = {
		{ .name = "cpus", .kind = OPTION_CALL, .value = &node,
		  .call = set_cpus, .arg = "LIST" },
		{ .name = "mem", .kind = OPTION_SIZE, .value = &node.mem,
		  .min = NODE_MEM_MIN, .max = NODE_MEM_MAX, .arg = "SIZE" },
		{ .name = "host", .kind = OPTION_CALL, .value = &node,
		  .call = set_host, .arg = "N" },
		{ .name = NULL },
	};
	unsigned int id = 0;
	const char *first;
	char *copy;
	int err;

	err = options_parse_keys(keys, "--numa", text, &copy, &first);
	if (err)
		return err;
	err = parse_id(first, &id);
	free(copy);
	if (!err)
		err = node_check(o, id, &node);
	if (err)
		return err;
	o->node[id] = node;
	if (o->n <= id)
		o->n = id + 1;
	return 0;
}

/* --- all of them --------------------------------------------------------- */

static int numa_add_cpus(const struct numa_options *o, unsigned int id,
			 unsigned int ncpus, struct guest_numa *numa,
			 struct cpu_mask *seen)
{
	const struct cpu_list *cpus = &o->node[id].cpus;

	for (unsigned int i = 0; i < cpus->n; i++) {
		unsigned int cpu = cpus->cpu[i];

		if (cpu >= ncpus) {
			log_error("--numa node=%u: there is no vCPU %u; --cpus %u has 0 to %u",
				  id, cpu, ncpus, ncpus - 1);
			return -EINVAL;
		}
		if (cpu_mask_has(seen, cpu)) {
			log_error("--numa node=%u: vCPU %u is named twice; give each vCPU one node",
				  id, cpu);
			return -EINVAL;
		}
		cpu_mask_add(seen, cpu);
		numa->cpu_node[cpu] = (u8)id;
	}
	return 0;
}

static int numa_check_sums(const struct guest_numa *numa, unsigned int ncpus,
			   u64 mem, const struct cpu_mask *seen)
{
	u64 sum = guest_node_offset(numa, numa->nnodes);

	if (sum != mem) {
		log_error("--numa: nodes have %lluM together, --mem %lluM; make them the same",
			  (unsigned long long)(sum / MIB),
			  (unsigned long long)(mem / MIB));
		return -EINVAL;
	}
	for (unsigned int cpu = 0; cpu < ncpus; cpu++) {
		if (cpu_mask_has(seen, cpu))
			continue;
		log_error("--numa: vCPU %u is in no node; name it in the cpus= of one",
			  cpu);
		return -EINVAL;
	}
	return 0;
}

int numa_build(const struct numa_options *o, unsigned int ncpus, u64 mem,
	       struct guest_numa *numa)
{
	struct cpu_mask seen = { 0 };
	int err = 0;

	memset(numa, 0, sizeof(*numa));
	numa->nnodes = o->n;
	for (unsigned int i = 0; i < o->n && !err; i++) {
		if (!o->node[i].given) {
			log_error("--numa: there is no node=%u; number them from 0 on",
				  i);
			return -EINVAL;
		}
		numa->size[i] = o->node[i].mem;
		for (unsigned int j = 0; j < o->n; j++)
			numa->distance[i][j] = i == j ? GUEST_DISTANCE_LOCAL :
							GUEST_DISTANCE_REMOTE;
		err = numa_add_cpus(o, i, ncpus, numa, &seen);
	}
	if (!err && o->n)
		err = numa_check_sums(numa, ncpus, mem, &seen);
	return err;
}

int numa_check_pages(const struct numa_options *o, u64 page)
{
	for (unsigned int i = 0; i < o->n; i++) {
		if (o->node[i].mem % page == 0)
			continue;
		log_error("--numa node=%u: mem %lluM: no multiple of this host's huge pages of %lluM; give one, or leave out hugepages=on",
			  i, (unsigned long long)(o->node[i].mem / MIB),
			  (unsigned long long)(page / MIB));
		return -EINVAL;
	}
	return 0;
}

/* --- on a host ----------------------------------------------------------- */

/* Index of the node of the host that node @id is bound to; -1: none; or -errno. */
static int host_node(const struct numa_options *o, const struct topology *t,
		     unsigned int id)
{
	const struct numa_node_options *node = &o->node[id];
	int index;

	if (!node->bound)
		return -1;
	index = topology_node(t, node->host);
	if (index < 0)
		log_error("--numa node=%u: host %u: this host has no such node; lkvm topology shows its nodes",
			  id, node->host);
	else if (!t->node[index].memory)
		log_error("--numa node=%u: host %u: this node of the host has no memory; give another one",
			  id, node->host);
	else if (!t->node[index].allowed)
		log_error("--numa node=%u: host %u: the cpuset of lkvm leaves out this node's memory; widen it, or give another one",
			  id, node->host);
	else if (t->node[index].memory < node->mem)
		log_error("--numa node=%u: mem %lluM: node %u of the host has %lluM; give less, or another one",
			  id, (unsigned long long)(node->mem / MIB), node->host,
			  (unsigned long long)(t->node[index].memory / MIB));
	else
		return index;
	return -EINVAL;
}

/* Nodes that are bound to one of the host share its memory. */
static int host_check_sums(const struct numa_options *o,
			   const struct topology *t, const int *host)
{
	u64 sum[TOPOLOGY_NODES_MAX] = { 0 };

	for (unsigned int i = 0; i < o->n; i++) {
		const struct topology_node *node;

		if (host[i] < 0)
			continue;
		node = &t->node[host[i]];
		sum[host[i]] += o->node[i].mem;
		if (sum[host[i]] <= node->memory)
			continue;
		log_error("--numa node=%u: host %u: nodes there have %lluM together, node %u of the host has %lluM; give less, or another one",
			  i, node->id,
			  (unsigned long long)(sum[host[i]] / MIB), node->id,
			  (unsigned long long)(node->memory / MIB));
		return -EINVAL;
	}
	return 0;
}

int numa_resolve(const struct numa_options *o, const struct topology *t,
		 unsigned int ncpus, struct guest_numa *numa, int *vcpu_node)
{
	int host[GUEST_NODES_MAX] = { 0 };

	for (unsigned int i = 0; i < o->n; i++) {
		host[i] = host_node(o, t, i);
		if (host[i] < -1)
			return host[i];
	}
	if (host_check_sums(o, t, host))
		return -EINVAL;
	for (unsigned int i = 0; i < o->n; i++)
		for (unsigned int j = 0; j < o->n; j++)
			if (host[i] >= 0 && host[j] >= 0 && host[i] != host[j])
				numa->distance[i][j] = (u8)topology_distance(
					t, host[i], host[j]);
	for (unsigned int cpu = 0; cpu < ncpus; cpu++)
		vcpu_node[cpu] = o->n ? host[numa->cpu_node[cpu]] : -1;
	return 0;
}
