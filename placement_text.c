// SPDX-License-Identifier: GPL-2.0-only
/*
 * A placement in words.
 */
#include "placement.h"
#include <string.h>

void placement_name(const struct placement *p, unsigned int i, char name[32])
{
	const struct placement_thread *thread = &p->thread[i];

	if (thread->disk < 0)
		snprintf(name, 32, "vcpu%u", thread->index);
	else
		snprintf(name, 32, "%s.q%u", p->request->disk[thread->disk].name,
			 thread->index);
}

static const struct topology_cpu *
thread_cpu(const struct placement *p, const struct placement_thread *thread)
{
	return thread->cpu < 0 ? NULL :
				 topology_cpu(p->topology,
					      (unsigned int)thread->cpu);
}

/* "node 1", or that there is none. */
static void print_node(const struct placement *p, int node, FILE *out)
{
	if (node < 0)
		fputs("no node", out);
	else
		fprintf(out, "node %u", p->topology->node[node].id);
}

/* Why a thread is not on @node. */
enum lack { LACKS_CPUS, LACKS_ALLOWED_CPUS, LACKS_FREE_CORES };

static enum lack node_lacks(const struct topology *t, int node)
{
	enum lack lack = LACKS_CPUS;

	for (unsigned int i = 0; i < t->ncpus; i++) {
		if (t->cpu[i].node != node)
			continue;
		if (cpu_mask_has(&t->allowed, t->cpu[i].id))
			return LACKS_FREE_CORES;
		lack = LACKS_ALLOWED_CPUS;
	}
	return lack;
}

/* "node 1 has no free core" */
static void print_lack(const struct placement *p, int node, FILE *out)
{
	static const char *const text[] = {
		[LACKS_CPUS] = "CPUs",
		[LACKS_ALLOWED_CPUS] = "CPUs that lkvm may use",
		[LACKS_FREE_CORES] = "free core",
	};

	print_node(p, node, out);
	fprintf(out, " has no %s", text[node_lacks(p->topology, node)]);
}

/* What made it home if no device did, about the node and in "the node ...". */
static const char *const home_text[][2] = {
	[HOME_OF_VCPUS] = { "has the pinned vCPUs", "of the pinned vCPUs" },
	[HOME_OF_IO] = { "has the pinned I/O threads", "of the pinned I/O threads" },
	[HOME_OF_GUEST_NODES] = { "has the guest's memory", "of the guest's memory" },
	[HOME_ROOMY] = { "has most free cores", "with most free cores" },
};

/* ", on the node of nvme0n1": why home is where it is, to a thread that has no place of its own. */
static void print_home(const struct placement *p, bool vcpu, FILE *out)
{
	const struct placement_disk *disk;

	if (p->device_disk < 0) {
		if (p->topology->nnodes > 1)
			fprintf(out, ", on the node %s",
				home_text[p->why_home][1]);
		return;
	}
	disk = &p->request->disk[p->device_disk];
	fprintf(out, ", on the node %s %s",
		disk->device->node == p->home ? "of" : "nearest to",
		disk->device->name);
	if (!vcpu)
		fprintf(out, " of %s", disk->name);
}

/* Why its node was wanted. */
static void print_wanted(const struct placement *p,
			 const struct placement_thread *thread, FILE *out)
{
	const struct placement_request *r = p->request;
	bool vcpu = thread->disk < 0;
	const struct topology_device *own =
		vcpu ? NULL : r->disk[thread->disk].device;

	if (vcpu && r->vcpu_node && r->vcpu_node[thread->index] >= 0)
		fputs(", on the node of its guest node", out);
	else if (own && own->node >= 0)
		fprintf(out, ", on the node of %s", own->name);
	else if (p->home >= 0)
		print_home(p, vcpu, out);
}

void placement_explain(const struct placement *p, unsigned int i, FILE *out)
{
	const struct placement_thread *thread = &p->thread[i];
	const struct topology_cpu *c = thread_cpu(p, thread);
	char name[32];

	placement_name(p, i, name);
	fprintf(out, "%-9s", name);
	if (!c) {
		fputs("wherever the host's scheduler puts it", out);
		return;
	}
	fprintf(out, "CPU %-4u core %-4u ", c->id, c->core);
	print_node(p, c->node, out);
	fputs(": ", out);
	switch (thread->why) {
	case PLACED_NOWHERE:
	case PLACED_BY_USER:
		fputs("as you say", out);
		break;
	case PLACED_NEAR:
		fputs("a core of its own", out);
		print_wanted(p, thread, out);
		break;
	case PLACED_AWAY:
		fputs("a core of its own", out);
		if (thread->wanted < 0)
			break;
		fputs(", elsewhere: ", out);
		print_lack(p, thread->wanted, out);
		break;
	case PLACED_BESIDE_VCPU:
		fputs("beside a vCPU: no whole core is left", out);
		break;
	case PLACED_BESIDE_IO:
		fputs("beside an I/O thread: no whole core is left", out);
		break;
	case PLACED_BESIDE_GUEST:
		fputs("on a core of another guest: no other is left", out);
		break;
	case PLACED_ON_GUEST:
		fputs("on a CPU of another guest: no other is left", out);
		break;
	}
}

/* " (node 1)", where there are any. */
static void print_nodes(const struct cpu_mask *nodes, bool none, FILE *out)
{
	unsigned int n = cpu_mask_count(nodes);

	fprintf(out, " (%s", !n ? "no node" : n > 1 ? "nodes " : "node ");
	if (n)
		cpu_mask_print(nodes, out);
	fputs(n && none ? " and none)" : ")", out);
}

/* "CPUs 8-11 (node 1)", for the threads from @first on. */
static void print_group(const struct placement *p, unsigned int first,
			unsigned int n, FILE *out)
{
	struct cpu_list list = { 0 };
	struct cpu_mask nodes = { 0 };
	bool none = false;

	for (unsigned int i = first; i < first + n; i++) {
		const struct topology_cpu *c = thread_cpu(p, &p->thread[i]);

		if (!c || list.n == CPU_LIST_MAX)
			continue;
		list.cpu[list.n++] = c->id;
		if (c->node >= 0)
			cpu_mask_add(&nodes, p->topology->node[c->node].id);
		else
			none = true;
	}
	if (!list.n) {
		fputs("any CPU", out);
		return;
	}
	fprintf(out, "CPU%s ", list.n > 1 ? "s" : "");
	cpu_list_print(&list, out);
	print_nodes(&nodes, none, out);
}

/* The worst that had to be done, if anything. */
static void print_compromise(const struct placement *p, FILE *out)
{
	static const char *const text[] = {
		[PLACED_BESIDE_VCPU] = "some vCPUs share cores: no whole one is left",
		[PLACED_BESIDE_IO] = "some share cores with I/O threads: no other is left",
		[PLACED_BESIDE_GUEST] = "some are on cores of other guests: no other is left",
		[PLACED_ON_GUEST] = "some are on CPUs of other guests: no other is left",
	};
	const struct placement_thread *worst = &p->thread[0];

	for (unsigned int i = 1; i < p->nthreads; i++)
		if (p->thread[i].why > worst->why)
			worst = &p->thread[i];
	if (worst->why > PLACED_AWAY) {
		fprintf(out, "; %s", text[worst->why]);
	} else if (worst->why == PLACED_AWAY && worst->wanted >= 0) {
		fputs("; ", out);
		print_lack(p, worst->wanted, out);
		fputs(": some are elsewhere", out);
	}
}

/* What --numa binds to, and where the rest is. */
static void print_memory(const struct placement *p, FILE *out)
{
	const struct placement_request *r = p->request;
	struct cpu_mask nodes = { 0 };

	for (unsigned int i = 0; i < r->nguest_nodes; i++)
		if (r->guest_node[i] >= 0)
			cpu_mask_add(&nodes,
				     p->topology->node[r->guest_node[i]].id);
	if (cpu_mask_count(&nodes)) {
		fprintf(out, ", memory bound to node%s ",
			cpu_mask_count(&nodes) > 1 ? "s" : "");
		cpu_mask_print(&nodes, out);
		fputs(p->memory >= 0 ? ", the rest" : "", out);
	} else if (p->memory >= 0) {
		fputs(", memory", out);
	}
	if (p->memory >= 0)
		fprintf(out, " on node %u", p->topology->node[p->memory].id);
}

void placement_summary(const struct placement *p, FILE *out)
{
	const struct placement_request *r = p->request;
	unsigned int first = 0;

	if (p->device_disk >= 0) {
		const struct placement_disk *disk = &r->disk[p->device_disk];

		fprintf(out, "%s of %s is at node %u: ", disk->device->name,
			disk->name,
			p->topology->node[disk->device->node].id);
	} else if (p->home >= 0 && p->topology->nnodes > 1) {
		fprintf(out, "node %u %s: ", p->topology->node[p->home].id,
			home_text[p->why_home][0]);
	}
	for (unsigned int d = 0; d < r->ndisks; d++) {
		fprintf(out, "%s I/O on ", r->disk[d].name);
		print_group(p, first, r->disk[d].nthreads, out);
		fputs(", ", out);
		first += r->disk[d].nthreads;
	}
	fputs("vCPUs on ", out);
	print_group(p, first, r->ncpus, out);
	print_memory(p, out);
	print_compromise(p, out);
}
