// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm topology as a drawing: a box for each node, in it a box for each core with a square for each
 * of its threads, disks' devices at their nodes, colours by what was chosen.
 */
#include "topology_report.h"
#include <string.h>

#define SQUARE 34
#define GAP 6
#define MARGIN 14
#define TITLE 24
#define DEVICE 26
#define THREADS_IN_ROW 16
#define NODES_IN_ROW 2
#define LEGEND 64

struct canvas {
	const struct placement *p;
	FILE *out;
	unsigned int nboxes;	/* nodes, and one for CPUs without a node */
	unsigned int threads;	/* of the widest core */
	unsigned int columns;	/* of cores, in any node */
	unsigned int rows;	/* of them, in the fullest one */
	unsigned int devices;	/* of the node with most of them */
	unsigned int width, height;	/* of a node's box */
};

struct colour {
	const char *fill;
	const char *what;
};

enum { COLOUR_IO, COLOUR_VCPU, COLOUR_TAKEN, COLOUR_BARRED, COLOUR_FREE };
static const struct colour colours[] = {
	[COLOUR_IO] = { "#f4a261", "I/O thread" },
	[COLOUR_VCPU] = { "#8ecae6", "vCPU" },
	[COLOUR_TAKEN] = { "#c9c9c9", "another guest's" },
	[COLOUR_BARRED] = { "#f1d5d5", "not allowed" },
	[COLOUR_FREE] = { "#ffffff", "free" },
};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

/* Box @i is node @i; the one behind the last node is that of no node. */
static int box_node(const struct canvas *c, unsigned int i)
{
	return i < c->p->topology->nnodes ? (int)i : -1;
}

static unsigned int count_cores(const struct topology *t, int node,
				unsigned int *threads)
{
	unsigned int n = 0, last = ~0u;
	struct cpu_mask seen = { 0 };

	for (unsigned int i = 0; i < t->ncpus; i++) {
		unsigned int in_core = 0;

		if (t->cpu[i].node != node)
			continue;
		last = t->cpu[i].core;
		if (cpu_mask_has(&seen, last))
			continue;
		cpu_mask_add(&seen, last);
		n++;
		for (unsigned int j = 0; j < t->ncpus; j++)
			in_core += t->cpu[j].core == last;
		if (in_core > *threads)
			*threads = in_core;
	}
	return n;
}

static bool disk_at(const struct canvas *c, unsigned int disk, int node)
{
	const struct topology_device *d = c->p->request->disk[disk].device;

	return d && d->node == node;
}

static void canvas_measure(struct canvas *c)
{
	const struct topology *t = c->p->topology;

	c->threads = 1;
	c->rows = 1;
	c->nboxes = t->nnodes;
	for (unsigned int i = 0; i <= t->nnodes; i++)
		count_cores(t, box_node(c, i), &c->threads);
	c->columns = c->threads < THREADS_IN_ROW ? THREADS_IN_ROW / c->threads :
						   1;
	for (unsigned int i = 0; i <= t->nnodes; i++) {
		unsigned int n = count_cores(t, box_node(c, i), &c->threads);
		unsigned int rows = (n + c->columns - 1) / c->columns;
		unsigned int devices = 0;

		for (unsigned int d = 0; d < c->p->request->ndisks; d++)
			devices += disk_at(c, d, box_node(c, i));
		if (i == t->nnodes && (n || devices))
			c->nboxes++;
		if (rows > c->rows)
			c->rows = rows;
		if (devices > c->devices)
			c->devices = devices;
	}
	c->width = c->columns * (c->threads * SQUARE + 2 * GAP) + 2 * GAP;
	c->height = TITLE + c->rows * (SQUARE + 2 * GAP) + GAP +
		    c->devices * DEVICE;
}

static unsigned int cpu_colour(const struct canvas *c, unsigned int id,
			       char name[32])
{
	const struct placement *p = c->p;

	*name = 0;
	for (unsigned int i = 0; i < p->nthreads; i++) {
		if (p->thread[i].cpu != (int)id)
			continue;
		placement_name(p, i, name);
		return p->thread[i].disk < 0 ? COLOUR_VCPU : COLOUR_IO;
	}
	if (cpu_mask_has(&p->request->taken, id))
		return COLOUR_TAKEN;
	return cpu_mask_has(&p->topology->allowed, id) ? COLOUR_FREE :
							 COLOUR_BARRED;
}

static void draw_cpu(const struct canvas *c, unsigned int id, unsigned int x,
		     unsigned int y)
{
	char name[32];
	unsigned int colour = cpu_colour(c, id, name);

	fprintf(c->out, "<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" fill=\"%s\" stroke=\"#555\"/>\n",
		x, y, SQUARE, SQUARE, colours[colour].fill);
	fprintf(c->out, "<text x=\"%u\" y=\"%u\" class=\"cpu\">%u</text>\n",
		x + SQUARE / 2, y + (*name ? 14 : 21), id);
	if (*name)
		fprintf(c->out, "<text x=\"%u\" y=\"%u\" class=\"use\">%s</text>\n",
			x + SQUARE / 2, y + 27, name);
}

/* The core of CPU @first, its threads side by side. */
static void draw_core(const struct canvas *c, unsigned int first,
		      unsigned int x, unsigned int y)
{
	const struct topology *t = c->p->topology;
	unsigned int core = t->cpu[first].core;

	fprintf(c->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" rx=\"3\" fill=\"#ececec\" stroke=\"#999\"/>\n",
		x, y, c->threads * SQUARE + GAP, SQUARE + GAP);
	x += GAP / 2;
	for (unsigned int i = first; i < t->ncpus; i++) {
		if (t->cpu[i].core != core)
			continue;
		draw_cpu(c, t->cpu[i].id, x, y + GAP / 2);
		x += SQUARE;
	}
}

static void draw_cores(const struct canvas *c, int node, unsigned int left,
		       unsigned int top)
{
	const struct topology *t = c->p->topology;
	struct cpu_mask seen = { 0 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->ncpus; i++) {
		if (t->cpu[i].node != node ||
		    cpu_mask_has(&seen, t->cpu[i].core))
			continue;
		cpu_mask_add(&seen, t->cpu[i].core);
		draw_core(c, i,
			  left + GAP + n % c->columns *
					       (c->threads * SQUARE + 2 * GAP),
			  top + n / c->columns * (SQUARE + 2 * GAP));
		n++;
	}
}

static void draw_devices(const struct canvas *c, int node, unsigned int x,
			 unsigned int y)
{
	const struct placement_request *r = c->p->request;

	for (unsigned int d = 0; d < r->ndisks; d++) {
		if (!disk_at(c, d, node))
			continue;
		fprintf(c->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" rx=\"9\" fill=\"#d8f3dc\" stroke=\"#2d6a4f\"/>\n",
			x + GAP, y, c->width - 2 * GAP, DEVICE - GAP);
		fprintf(c->out, "<text x=\"%u\" y=\"%u\">%s: %s, %u interrupts</text>\n",
			x + 3 * GAP, y + 14, r->disk[d].name,
			r->disk[d].device->name, r->disk[d].device->nirqs);
		y += DEVICE;
	}
}

static void draw_title(const struct canvas *c, int node, unsigned int x,
		       unsigned int y)
{
	const struct topology *t = c->p->topology;
	int package = -1;

	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->cpu[i].node == node)
			package = t->cpu[i].package;
	fprintf(c->out, "<text x=\"%u\" y=\"%u\" class=\"title\">", x, y);
	if (node < 0)
		fputs("no node", c->out);
	else
		fprintf(c->out, "node %u, %llu MiB%s%s", t->node[node].id,
			(unsigned long long)t->node[node].memory >> 20,
			t->node[node].allowed ? "" : " (not allowed)",
			node == c->p->memory ? ": guest memory" : "");
	if (package >= 0)
		fprintf(c->out, ", package %d", package);
	fputs("</text>\n", c->out);
}

static void draw_node(const struct canvas *c, unsigned int i)
{
	unsigned int x = MARGIN + i % NODES_IN_ROW * (c->width + MARGIN);
	unsigned int y = MARGIN + i / NODES_IN_ROW * (c->height + MARGIN);
	int node = box_node(c, i);
	bool memory = node >= 0 && node == c->p->memory;

	fprintf(c->out, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"5\" fill=\"%s\" stroke=\"#333\"/>\n",
		x, y, c->width, c->height, memory ? "#fff8e1" : "#fafafa");
	draw_title(c, node, x + GAP, y + 16);
	draw_cores(c, node, x, y + TITLE);
	draw_devices(c, node, x, y + c->height - c->devices * DEVICE);
}

static void draw_legend(const struct canvas *c, unsigned int y)
{
	unsigned int x = MARGIN;

	for (unsigned int i = 0; i < COLOURS; i++) {
		fprintf(c->out, "<rect x=\"%u\" y=\"%u\" width=\"14\" height=\"14\" fill=\"%s\" stroke=\"#555\"/>\n",
			x, y, colours[i].fill);
		fprintf(c->out, "<text x=\"%u\" y=\"%u\">%s</text>\n", x + 19,
			y + 12, colours[i].what);
		x += 128;
	}
	fprintf(c->out, "<text x=\"%d\" y=\"%u\">A grey box is a core, a square in it a hardware thread with its CPU number. Offline CPUs are not drawn.</text>\n",
		MARGIN, y + 34);
}

void topology_svg(const struct placement *p, FILE *out)
{
	struct canvas c = { .p = p, .out = out };
	unsigned int columns, rows, width, height;

	canvas_measure(&c);
	columns = c.nboxes < NODES_IN_ROW ? c.nboxes : NODES_IN_ROW;
	rows = (c.nboxes + NODES_IN_ROW - 1) / NODES_IN_ROW;
	width = MARGIN + columns * (c.width + MARGIN);
	height = MARGIN + rows * (c.height + MARGIN);
	if (width < 640)
		width = 640;
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" font-family=\"sans-serif\" font-size=\"12\">\n",
		width, height + LEGEND, width, height + LEGEND);
	fputs("<style>.cpu{font-size:11px;text-anchor:middle}.use{font-size:9px;text-anchor:middle}.title{font-weight:bold}</style>\n"
	      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", out);
	for (unsigned int i = 0; i < c.nboxes; i++)
		draw_node(&c, i);
	draw_legend(&c, height + 4);
	fputs("</svg>\n", out);
}
