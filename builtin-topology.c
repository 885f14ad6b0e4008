// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm topology: what a host offers, and what --affinity auto would choose.
 */
#include "commands.h"
#include "log.h"
#include "options.h"
#include "output.h"
#include "run.h"
#include "topology_report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct topology_command {
	struct run run;		/* the guest's options */
	const char *root;
	const char *svg;
	bool json;
	bool help;
};

static int topology_parse(struct topology_command *c, int argc, char **argv)
{
	const struct option_spec specs[] = {
		{ 'c', "cpus", OPTION_CALL, &c->run, 0, 0, "N[,dedicated=on][,pin=LIST]",
		  "vCPUs of the guest (1), as lkvm run has it", run_set_cpus },
		{ 'd', "disk", OPTION_CALL, &c->run, 0, 0, "PATH[,KEY=VALUE...]",
		  "a disk of the guest, as lkvm run has it; may be repeated",
		  run_add_drive },
		{ 0, "svg", OPTION_STRING, &c->svg, 1, 0, "FILE",
		  "draw it", NULL },
		{ 0, "json", OPTION_FLAG, &c->json, 0, 0, NULL,
		  "for programs, instead of a table", NULL },
		{ 0, "sysfs", OPTION_STRING, &c->root, 1, 0, "DIR",
		  "another host, whose sys and proc are in DIR; disks are its block devices",
		  NULL },
		{ 'h', "help", OPTION_FLAG, &c->help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "topology", argc, argv);

	if (next < 0)
		return next;
	if (c->help) {
		printf("usage: lkvm topology [OPTIONS]\n\n");
		options_help(specs);
		printf("\nTells what this host offers, and where lkvm run --affinity auto would put a\n"
		       "guest now.\n");
		return 0;
	}
	if (next < argc)
		return options_unexpected("topology", argv[next]);
	for (unsigned int i = 0; i < c->run.ndrives; i++) {
		int err = drive_count(&c->run.drives[i], c->run.cpus);

		if (err)
			return err;
	}
	return 0;
}

/* Is that disk there? */
static int topology_check_disk(const struct topology_command *c,
			       unsigned int i)
{
	const char *path = c->run.drives[i].path;
	struct stat st;

	if (!strncmp(path, "null:", 5))
		return 0;
	if (!*c->root && stat(path, &st)) {
		log_error("--disk %s: %s; give an image, a block device or null:SIZE",
			  path, strerror(errno));
		return -ENOENT;
	}
	if (!*c->root && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		log_error("--disk %s: it is no image; give an image, a block device or null:SIZE",
			  path);
		return -EINVAL;
	}
	if (*c->root && !c->run.affinity.disk[i].device) {
		log_error("--disk %s: %s/sys/class/block has no such device; give one that is there, or null:SIZE",
			  path, c->root);
		return -ENODEV;
	}
	return 0;
}

static int topology_draw(const struct topology_command *c)
{
	FILE *out;

	if (!output_is_harmless(c->svg, SVG_MAGIC)) {
		log_error("--svg %s: there is a file that is no SVG; give a new name, or remove it",
			  c->svg);
		return -EEXIST;
	}
	out = fopen(c->svg, "we");
	if (out)
		topology_svg(&c->run.affinity.plan, out);
	if (!out || ferror(out) | fclose(out)) {
		log_error("--svg %s: %s; give a file that can be written",
			  c->svg, strerror(errno));
		return -EIO;
	}
	return 0;
}

static int topology_show(struct topology_command *c)
{
	struct affinity *a = &c->run.affinity;
	int err;

	a->automatic = true;
	a->look = true;
	err = affinity_plan(a, c->root, c->run.cpus, c->run.drives,
			    c->run.ndrives, &c->run.vm.numa);
	for (unsigned int i = 0; !err && i < c->run.ndrives; i++)
		err = topology_check_disk(c, i);
	if (err)
		return err;
	if (c->svg) {
		err = topology_draw(c);
		if (err)
			return err;
	}
	if (c->json)
		err = topology_json(&a->plan, stdout);
	else
		topology_print(&a->plan, stdout);
	return err == -ENOMEM ? log_no_memory() : 0;	/* main() tells the rest */
}

int builtin_topology(int argc, char **argv)
{
	struct topology_command c = { .run.cpus = 1, .root = "" };
	int err = topology_parse(&c, argc, argv);

	if (!err && !c.help) {
		err = topology_show(&c);
		affinity_free(&c.run.affinity);
	}
	for (unsigned int i = 0; i < c.run.ndrives; i++)
		drive_forget(&c.run.drives[i]);
	return err ? EXIT_CANNOT_RUN : 0;
}
