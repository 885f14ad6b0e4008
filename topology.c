// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs and NUMA nodes of a host.  Where files are: Linux, Documentation/ABI/
 * (stable/sysfs-devices-node, testing/sysfs-devices-system-cpu) and proc(5).
 */
#include "topology.h"
#include "log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 32768	/* a list of CPUs at its longest */
#define LOCAL_DISTANCE 10	/* ACPI 6.4, 5.2.17 */
#define REMOTE_DISTANCE 20

/* --- files --------------------------------------------------------------- */

static int file_open(const char *root, const char *fmt, va_list args)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/", root);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, args);
	n = open(path, O_RDONLY | O_CLOEXEC);
	return n < 0 ? -errno : n;
}

/* All of a small file, ended by a 0. */
static int file_read(const char *root, char *text, size_t size,
		     const char *fmt, va_list args)
{
	int fd = file_open(root, fmt, args);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < size - 1);
	text[len] = 0;
	close(fd);
	return n < 0 ? -EIO : (int)len;
}

int topology_file(const char *root, char *line, size_t size, const char *fmt,
		  ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = file_read(root, line, size, fmt, args);
	va_end(args);
	if (n < 0)
		return n;
	line[strcspn(line, "\n")] = 0;
	return (int)strlen(line);
}

int topology_number(const char *root, int none, const char *fmt, ...)
{
	char text[64];
	va_list args;
	int n;

	va_start(args, fmt);
	n = file_read(root, text, sizeof(text), fmt, args);
	va_end(args);
	return n < 0 || sscanf(text, "%d", &n) != 1 ? none : n;
}

/* What stands behind @key in a file of "KEY: VALUE" lines; false: nothing. */
static bool file_value(const char *root, const char *key, char *value,
		       size_t size, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static bool file_value(const char *root, const char *key, char *value,
		       size_t size, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], *at;
	va_list args;
	int n;

	va_start(args, fmt);
	n = file_read(root, text, sizeof(text), fmt, args);
	va_end(args);
	at = n < 0 ? NULL : strstr(text, key);
	if (!at)
		return false;
	at += strlen(key);
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = 0;
	return (size_t)snprintf(value, size, "%s", at) < size;
}

static int file_mask(struct cpu_mask *m, const char *root, const char *path)
{
	char text[LINE_MAX_BYTES];
	int n = topology_file(root, text, sizeof(text), "%s", path);

	memset(m, 0, sizeof(*m));
	return n < 0 ? n : cpu_mask_parse(m, text);
}

/* --- CPUs ---------------------------------------------------------------- */

static int cpu_core(const struct topology *t, unsigned int id)
{
	char text[LINE_MAX_BYTES];
	struct cpu_mask siblings;
	unsigned int first = 0;

	if (topology_file(t->root, text, sizeof(text),
			  "sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
			  id) < 0 ||
	    cpu_mask_parse(&siblings, text) || !cpu_mask_has(&siblings, id))
		return (int)id;
	while (!cpu_mask_has(&siblings, first))
		first++;
	return (int)first;
}

static int topology_read_cpus(struct topology *t)
{
	unsigned int n = cpu_mask_count(&t->online);

	t->cpu = calloc(n, sizeof(*t->cpu));
	if (!t->cpu)
		return log_no_memory();
	for (unsigned int id = 0; t->ncpus < n; id++) {
		if (!cpu_mask_has(&t->online, id))
			continue;
		t->cpu[t->ncpus++] = (struct topology_cpu){
			.id = id,
			.core = (unsigned int)cpu_core(t, id),
			.package = topology_number(t->root, -1,
				"sys/devices/system/cpu/cpu%u/topology/physical_package_id",
				id),
			.node = -1,
		};
	}
	return 0;
}

/* CPUs that lkvm may have: where nobody tells, all that are online. */
static void topology_read_allowed(struct topology *t)
{
	char text[LINE_MAX_BYTES];

	if (!file_value(t->root, "Cpus_allowed_list:", text, sizeof(text),
			"proc/self/status") ||
	    cpu_mask_parse(&t->allowed, text))
		t->allowed = t->online;
	CPU_AND_S(sizeof(t->allowed.set), t->allowed.set, t->allowed.set,
		  t->online.set);
	if (file_mask(&t->isolated, t->root, "sys/devices/system/cpu/isolated"))
		memset(&t->isolated, 0, sizeof(t->isolated));
	CPU_AND_S(sizeof(t->isolated.set), t->isolated.set, t->isolated.set,
		  t->online.set);
}

/* --- nodes --------------------------------------------------------------- */

static u64 node_kib(const struct topology *t, unsigned int id, const char *key)
{
	unsigned long long kib;
	char text[64];

	if (!file_value(t->root, key, text, sizeof(text),
			"sys/devices/system/node/node%u/meminfo", id) ||
	    sscanf(text, "%llu", &kib) != 1)
		return 0;
	return kib << 10;
}

static void node_read_cpus(struct topology *t, unsigned int index)
{
	unsigned int id = t->node[index].id;
	struct cpu_mask cpus;
	char path[96];

	snprintf(path, sizeof(path), "sys/devices/system/node/node%u/cpulist",
		 id);
	if (file_mask(&cpus, t->root, path))
		return;
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (cpu_mask_has(&cpus, t->cpu[i].id))
			t->cpu[i].node = (int)index;
}

/* One number for each node, in the order of nodes. */
static void node_read_distances(struct topology *t, unsigned int index)
{
	struct topology_node *node = &t->node[index];
	char text[LINE_MAX_BYTES], *at = text, *end;

	if (topology_file(t->root, text, sizeof(text),
			  "sys/devices/system/node/node%u/distance",
			  node->id) < 0)
		*text = 0;
	for (unsigned int i = 0; i < t->nnodes; i++) {
		unsigned long distance = strtoul(at, &end, 10);

		if (end == at || distance > TOPOLOGY_FAR)
			distance = i == index ? LOCAL_DISTANCE :
						REMOTE_DISTANCE;
		node->distance[i] = (unsigned int)distance;
		at = end;
	}
}

static void topology_read_nodes(struct topology *t,
				const struct cpu_mask *nodes)
{
	struct cpu_mask allowed;
	char text[LINE_MAX_BYTES];

	if (!file_value(t->root, "Mems_allowed_list:", text, sizeof(text),
			"proc/self/status") ||
	    cpu_mask_parse(&allowed, text))
		allowed = *nodes;
	for (unsigned int id = 0; id < CPUS_MAX; id++) {
		if (!cpu_mask_has(nodes, id) ||
		    t->nnodes == TOPOLOGY_NODES_MAX)
			continue;
		t->node[t->nnodes++] = (struct topology_node){
			.id = id,
			.memory = node_kib(t, id, "MemTotal:"),
			.free = node_kib(t, id, "MemFree:"),
			.allowed = cpu_mask_has(&allowed, id),
		};
	}
	for (unsigned int i = 0; i < t->nnodes; i++) {
		node_read_cpus(t, i);
		node_read_distances(t, i);
	}
}

/* A kernel without NUMA: all is one node. */
static void topology_make_node(struct topology *t)
{
	unsigned long long total = 0, unused = 0;
	char text[64];

	if (file_value(t->root, "MemTotal:", text, sizeof(text),
		       "proc/meminfo"))
		sscanf(text, "%llu", &total);
	if (file_value(t->root, "MemFree:", text, sizeof(text), "proc/meminfo"))
		sscanf(text, "%llu", &unused);
	t->nnodes = 1;
	t->node[0] = (struct topology_node){
		.memory = total << 10,
		.free = unused << 10,
		.allowed = true,
		.distance = { LOCAL_DISTANCE },
	};
	for (unsigned int i = 0; i < t->ncpus; i++)
		t->cpu[i].node = 0;
}

/* ------------------------------------------------------------------------- */

static int topology_fill(struct topology *t)
{
	struct cpu_mask nodes;
	int err = file_mask(&t->online, t->root,
			    "sys/devices/system/cpu/online");

	if (err || !cpu_mask_count(&t->online)) {
		log_error("%s/sys/devices/system/cpu/online: %s; mount sysfs there",
			  t->root, strerror(err ? -err : ENODATA));
		return err ? err : -ENODATA;
	}
	if (file_mask(&t->present, t->root, "sys/devices/system/cpu/present"))
		t->present = t->online;
	err = topology_read_cpus(t);
	if (err)
		return err;
	topology_read_allowed(t);
	if (!file_mask(&nodes, t->root, "sys/devices/system/node/online") &&
	    cpu_mask_count(&nodes))
		topology_read_nodes(t, &nodes);
	else
		topology_make_node(t);
	return 0;
}

int topology_read(struct topology **tp, const char *root)
{
	struct topology *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return log_no_memory();
	t->root = root;
	err = topology_fill(t);
	if (err)
		topology_free(t);
	else
		*tp = t;
	return err;
}

void topology_free(struct topology *t)
{
	if (t)
		free(t->cpu);
	free(t);
}

const struct topology_cpu *topology_cpu(const struct topology *t,
					unsigned int id)
{
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->cpu[i].id == id)
			return &t->cpu[i];
	return NULL;
}

int topology_node(const struct topology *t, unsigned int id)
{
	for (unsigned int i = 0; i < t->nnodes; i++)
		if (t->node[i].id == id)
			return (int)i;
	return -1;
}

unsigned int topology_distance(const struct topology *t, int from, int to)
{
	return from < 0 || to < 0 ? TOPOLOGY_FAR : t->node[from].distance[to];
}
