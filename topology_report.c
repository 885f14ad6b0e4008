// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm topology as text and as JSON.
 */
#include "topology_report.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- text ---------------------------------------------------------------- */

/* What of node @node, or of no node (-1), is online, allowed and another guest's. */
struct node_cpus {
	struct cpu_mask online, allowed, taken, cores;
};

static void node_count(const struct placement *p, int node,
		       struct node_cpus *n)
{
	const struct topology *t = p->topology;

	memset(n, 0, sizeof(*n));
	for (unsigned int i = 0; i < t->ncpus; i++) {
		const struct topology_cpu *c = &t->cpu[i];

		if (c->node != node)
			continue;
		cpu_mask_add(&n->online, c->id);
		cpu_mask_add(&n->cores, c->core);
		if (cpu_mask_has(&t->allowed, c->id))
			cpu_mask_add(&n->allowed, c->id);
		if (cpu_mask_has(&p->request->taken, c->id))
			cpu_mask_add(&n->taken, c->id);
	}
}

static void print_if_any(const char *what, const struct cpu_mask *m, FILE *out)
{
	if (!cpu_mask_count(m))
		return;
	fprintf(out, "%-9s", what);
	cpu_mask_print(m, out);
	fputc('\n', out);
}

static void print_node(const struct placement *p, int node, FILE *out)
{
	const struct topology_node *about =
		node < 0 ? NULL : &p->topology->node[node];
	struct node_cpus n;

	node_count(p, node, &n);
	if (!about && !cpu_mask_count(&n.online))
		return;
	if (about)
		fprintf(out, "%-6u %6llu%s ", about->id,
			(unsigned long long)about->memory >> 20,
			about->allowed ? " " : "*");
	else
		fprintf(out, "%-6s %6s  ", "none", "-");
	fprintf(out, "%5u  ", cpu_mask_count(&n.cores));
	cpu_mask_print(&n.online, out);
	if (cpu_mask_count(&n.allowed) != cpu_mask_count(&n.online)) {
		fputs("; allowed ", out);
		cpu_mask_print(&n.allowed, out);
	}
	if (cpu_mask_count(&n.taken)) {
		fputs("; other guests' ", out);
		cpu_mask_print(&n.taken, out);
	}
	fputc('\n', out);
}

static void print_nodes(const struct placement *p, FILE *out)
{
	const struct topology *t = p->topology;
	struct cpu_mask offline = t->present;
	bool starred = false;

	fprintf(out, "%-6s %6s  %5s  %s\n", "node", "MiB", "cores", "CPUs");
	for (int i = 0; i < (int)t->nnodes; i++) {
		print_node(p, i, out);
		starred |= !t->node[i].allowed;
	}
	print_node(p, -1, out);
	if (starred)
		fputs("* lkvm may not have its memory\n", out);
	CPU_XOR_S(sizeof(offline.set), offline.set, offline.set,
		  t->online.set);
	print_if_any("offline", &offline, out);
	print_if_any("isolated", &t->isolated, out);
}

static void print_distances(const struct topology *t, FILE *out)
{
	if (t->nnodes < 2)
		return;
	fputs("\ndistance", out);
	for (unsigned int i = 0; i < t->nnodes; i++)
		fprintf(out, " %4u", t->node[i].id);
	for (unsigned int i = 0; i < t->nnodes; i++) {
		fprintf(out, "\n%8u", t->node[i].id);
		for (unsigned int j = 0; j < t->nnodes; j++)
			fprintf(out, " %4u", t->node[i].distance[j]);
	}
	fputc('\n', out);
}

static void print_irqs(const struct topology_device *d, FILE *out)
{
	unsigned int first;

	fprintf(out, ", %u interrupt%s", d->nirqs, d->nirqs == 1 ? "" : "s");
	for (unsigned int i = 0; i < d->nirqs; i++) {
		first = d->irq[i];
		while (i + 1 < d->nirqs && d->irq[i + 1] == d->irq[i] + 1)
			i++;
		fprintf(out, first == d->irq[i] ? " %u" : " %u-%u", first,
			d->irq[i]);
	}
}

static void print_disk(const struct placement *p,
		       const struct placement_disk *disk, FILE *out)
{
	const struct topology_device *d = disk->device;

	fprintf(out, "%-9s", disk->name);
	if (!d) {
		fputs("no device is known under it\n", out);
		return;
	}
	fputs(d->name, out);
	if (d->ndevices > 1)
		fprintf(out, " and %u more", d->ndevices - 1);
	if (d->node >= 0)
		fprintf(out, ", node %u", p->topology->node[d->node].id);
	else
		fputs(d->several ? ", on several nodes" : ", node not told",
		      out);
	print_irqs(d, out);
	fputc('\n', out);
}

void topology_print(const struct placement *p, FILE *out)
{
	const struct placement_request *r = p->request;

	print_nodes(p, out);
	print_distances(p->topology, out);
	fputc('\n', out);
	for (unsigned int d = 0; d < r->ndisks; d++)
		print_disk(p, &r->disk[d], out);
	for (unsigned int i = 0; i < p->nthreads; i++) {
		placement_explain(p, i, out);
		fputc('\n', out);
	}
	fputs("\naffinity: ", out);
	placement_summary(p, out);
	fputc('\n', out);
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *json_id(const struct topology *t, int node)
{
	return node < 0 ? json_null() : json_integer(t->node[node].id);
}

/* @number: -1 for what is not known. */
static json_t *json_known(int number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static json_t *json_nodes(const struct topology *t)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < t->nnodes; i++) {
		const struct topology_node *n = &t->node[i];
		json_t *distances = json_array();

		for (unsigned int j = 0; j < t->nnodes; j++)
			json_array_append_new(distances,
					      json_integer(n->distance[j]));
		json_array_append_new(list, json_pack(
			"{s:i, s:I, s:I, s:b, s:o}", "node", n->id,
			"memory", (json_int_t)n->memory, "free",
			(json_int_t)n->free, "allowed", n->allowed,
			"distances", distances));
	}
	return list;
}

static json_t *json_cpus(const struct placement *p)
{
	const struct topology *t = p->topology;
	json_t *list = json_array();

	for (unsigned int i = 0; i < t->ncpus; i++) {
		const struct topology_cpu *c = &t->cpu[i];

		json_array_append_new(list, json_pack(
			"{s:i, s:i, s:o, s:o, s:b, s:b}", "cpu", c->id, "core",
			c->core, "package", json_known(c->package), "node",
			json_id(t, c->node), "allowed",
			(int)cpu_mask_has(&t->allowed, c->id), "taken",
			(int)cpu_mask_has(&p->request->taken, c->id)));
	}
	return list;
}

static json_t *json_disks(const struct placement *p)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < p->request->ndisks; i++) {
		const struct placement_disk *disk = &p->request->disk[i];
		const struct topology_device *d = disk->device;
		json_t *irqs = json_array();

		for (unsigned int j = 0; d && j < d->nirqs; j++)
			json_array_append_new(irqs, json_integer(d->irq[j]));
		json_array_append_new(list, json_pack(
			"{s:s, s:s?, s:o, s:o}", "disk", disk->name, "device",
			d ? d->name : NULL, "node",
			json_id(p->topology, d ? d->node : -1), "interrupts",
			irqs));
	}
	return list;
}

/* What placement_explain() says, without the columns before it. */
static json_t *json_why(const struct placement *p, unsigned int i)
{
	char text[256] = "", *why;
	FILE *out = fmemopen(text, sizeof(text), "w");

	if (!out)
		return json_null();
	placement_explain(p, i, out);
	fclose(out);
	why = strstr(text, ": ");
	return json_string(why ? why + 2 : text);
}

static json_t *json_threads(const struct placement *p)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < p->nthreads; i++) {
		char name[32];

		placement_name(p, i, name);
		json_array_append_new(list, json_pack(
			"{s:s, s:o, s:o}", "thread", name, "cpu",
			json_known(p->thread[i].cpu), "why", json_why(p, i)));
	}
	return list;
}

int topology_json(const struct placement *p, FILE *out)
{
	json_t *all = json_pack("{s:o, s:o, s:o, s:o, s:o}", "nodes",
				json_nodes(p->topology), "cpus", json_cpus(p),
				"disks", json_disks(p), "threads",
				json_threads(p), "memory_node",
				json_id(p->topology, p->memory));
	int err;

	if (!all)
		return -ENOMEM;
	err = json_dumpf(all, out, JSON_INDENT(1));
	json_decref(all);
	return err || fputc('\n', out) == EOF ? -EIO : 0;
}
