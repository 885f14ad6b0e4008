// SPDX-License-Identifier: GPL-2.0-only
#include "topology_rig.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rig_machines[RIG_MACHINES] = {
	"kunpeng-4n",	  "opteron-8n-cpuset", "opteron-sparse",
	"power7-8n",	  "power8-20c",	       "power8-smt8",
	"power9-gpu",	  "r630-no-node0",     "xeon-2n-smt2",
	"xeon-4s-offline",
};

char rig_root[64];

/* TOPOLOGIES are those of the build, relative to the top. */
static bool rig_own(void)
{
	return *rig_root == '/';
}

static void run(const char *fmt, const char *a, const char *b)
{
	char command[256];

	snprintf(command, sizeof(command), fmt, a, b);
	ck_assert_msg(system(command) == 0, "%s", command);
}

struct topology *rig_begin(const char *machine)
{
	int len = snprintf(rig_root, sizeof(rig_root), TOPOLOGIES "/%s", machine);

	ck_assert_int_lt(len, (int)sizeof(rig_root));
	return rig_again(NULL);
}

struct topology *rig_begin_own(const char *machine)
{
	strcpy(rig_root, "/tmp/lkvm-topology.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig_root));
	run("cp -r " TOPOLOGIES "/%s/. %s", machine, rig_root);
	return rig_again(NULL);
}

struct topology *rig_again(struct topology *t)
{
	topology_free(t);
	ck_assert_int_eq(topology_read(&t, rig_root), 0);
	return t;
}

void rig_end(struct topology *t)
{
	topology_free(t);
	if (rig_own())
		run("rm -rf %s%s", rig_root, "");
}

void rig_write(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	ck_assert(rig_own());
	run("mkdir -p $(dirname %s/%s)", rig_root, path);
	snprintf(full, sizeof(full), "%s/%s", rig_root, path);
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}
