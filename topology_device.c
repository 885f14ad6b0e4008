// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an image to the hardware under it: its file system's block device, through
 * partitions, loop devices, and those that device mapper and md make of others.
 * Where links are: Linux, Documentation/ABI (stable/sysfs-block, testing/sysfs-bus-pci)
 * and Documentation/nvme-multipath.
 */
#include "topology.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_MAX 8	/* devices made of devices */

struct search {
	const struct topology *t;
	struct topology_device *device;
	size_t top;	/* length of the path of root/sys/devices */
	bool spread;	/* over several nodes, or some tell none */
	int told;	/* node of the last one that tells it, or -1 */
};

static int visit_path(struct search *s, const char *path, int depth);
static int visit(struct search *s, char *dir, int depth);

/* Does @dir have @name in it? */
static bool has(const char *dir, const char *name)
{
	char path[PATH_MAX + NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void parent(char *dir)
{
	char *slash = strrchr(dir, '/');

	if (slash)
		*slash = 0;
}

/* --- the hardware -------------------------------------------------------- */

static void add_irq(struct topology_device *d, unsigned int irq)
{
	for (unsigned int i = 0; i < d->nirqs; i++)
		if (d->irq[i] == irq)
			return;
	if (d->nirqs < TOPOLOGY_IRQS_MAX)
		d->irq[d->nirqs++] = irq;
}

static int by_number(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

/* One file for each of its interrupts, named by its number; false: there is none. */
static bool read_msi_irqs(struct search *s, const char *dir)
{
	char path[PATH_MAX + NAME_MAX];
	struct dirent *entry;
	bool any = false;
	DIR *irqs;

	snprintf(path, sizeof(path), "%s/msi_irqs", dir);
	irqs = opendir(path);
	while (irqs && (entry = readdir(irqs))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		add_irq(s->device,
			(unsigned int)strtoul(entry->d_name, NULL, 10));
		any = true;
	}
	if (irqs)
		closedir(irqs);
	return any;
}

/* Those of the device at @dir, or the one of old (INTx). */
static void read_irqs(struct search *s, const char *dir)
{
	int irq;

	if (!read_msi_irqs(s, dir)) {
		irq = topology_number(dir, 0, "irq");
		if (irq > 0)
			add_irq(s->device, (unsigned int)irq);
	}
	qsort(s->device->irq, s->device->nirqs, sizeof(unsigned int),
	      by_number);
}

static void join_node(struct search *s, int node)
{
	if (s->device->ndevices == 1)
		s->device->node = node;
	else if (s->device->node != node)
		s->spread = true;
	if (node < 0)
		return;
	s->device->several |= s->told >= 0 && s->told != node;
	s->told = node;
}

/* Up from a disk to what has a node, and interrupts. */
static int climb(struct search *s, char *dir)
{
	struct topology_device *d = s->device;
	int node = -1;
	bool irqs = false;

	if (!d->ndevices++)
		snprintf(d->name, sizeof(d->name), "%s",
			 strrchr(dir, '/') + 1);
	for (; strlen(dir) > s->top; parent(dir)) {
		if (node < 0) {
			int id = topology_number(dir, -1, "numa_node");

			node = id < 0 ? -1 : topology_node(s->t, (unsigned int)id);
		}
		if (!irqs && (has(dir, "msi_irqs") || has(dir, "irq"))) {
			read_irqs(s, dir);
			irqs = true;
		}
	}
	join_node(s, node);
	return 0;
}

/* --- what lies above it -------------------------------------------------- */

/* All devices that @dir/slaves names; -ENOENT: none. */
static int visit_slaves(struct search *s, const char *dir, int depth)
{
	char path[PATH_MAX + NAME_MAX], real[PATH_MAX];
	int err = -ENOENT;
	struct dirent *entry;
	DIR *slaves;

	snprintf(path, sizeof(path), "%s/slaves", dir);
	slaves = opendir(path);
	while (slaves && (entry = readdir(slaves))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/slaves/%s", dir,
			 entry->d_name);
		if (realpath(path, real))
			err = visit(s, real, depth + 1);
	}
	if (slaves)
		closedir(slaves);
	return err;
}

/*
 * An NVMe disk of several paths stands beside links to its controllers, nvme0 and
 * so on; the first one serves.
 */
static int visit_controller(struct search *s, const char *dir)
{
	char path[PATH_MAX + NAME_MAX], real[PATH_MAX];
	int err = -ENOENT;
	struct dirent *entry;
	DIR *beside;

	snprintf(path, sizeof(path), "%s/..", dir);
	beside = opendir(path);
	while (beside && err && (entry = readdir(beside))) {
		unsigned int number;
		char rest;

		if (sscanf(entry->d_name, "nvme%u%c", &number, &rest) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/../%s", dir, entry->d_name);
		if (realpath(path, real))
			err = climb(s, real);
	}
	if (beside)
		closedir(beside);
	return err;
}

/* @dir: the directory of a block device, which is changed. */
static int visit(struct search *s, char *dir, int depth)
{
	char file[PATH_MAX];
	int err;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	if (has(dir, "partition"))
		parent(dir);
	err = visit_slaves(s, dir, depth);
	if (err != -ENOENT)
		return err;
	if (topology_file(dir, file, sizeof(file), "loop/backing_file") > 0)
		return visit_path(s, file, depth + 1);
	if (strstr(dir, "/nvme-subsystem/") && !visit_controller(s, dir))
		return 0;
	return climb(s, dir);
}

/* --- where it begins ----------------------------------------------------- */

/* A file system without a device number of its own (btrfs) names its source. */
static dev_t mounted_device(const struct topology *t, dev_t dev)
{
	char path[PATH_MAX], line[PATH_MAX + 512], source[256];
	unsigned int major, minor;
	struct stat st;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", t->root);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, " - ");

		found = rest &&
			sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
			makedev(major, minor) == dev &&
			sscanf(rest, " - %*s %255s", source) == 1;
	}
	if (file)
		fclose(file);
	if (!found || *source != '/' || stat(source, &st) ||
	    !S_ISBLK(st.st_mode))
		return 0;
	return st.st_rdev;
}

static bool device_dir(const struct topology *t, dev_t dev, char *real)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/dev/block/%u:%u", t->root,
		 major(dev), minor(dev));
	return dev && realpath(path, real);
}

/* @path: of this host's. */
static int visit_path(struct search *s, const char *path, int depth)
{
	char real[PATH_MAX];
	struct stat st;
	dev_t dev;

	if (stat(path, &st))
		return -ENODEV;
	dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	if (!device_dir(s->t, dev, real) &&
	    !device_dir(s->t, mounted_device(s->t, dev), real))
		return -ENODEV;
	return visit(s, real, depth);
}

/* A tree of another host has no files but these: disks go by their names. */
static int visit_name(struct search *s, const char *path)
{
	const char *name = strrchr(path, '/');
	char link[PATH_MAX + NAME_MAX], real[PATH_MAX];

	snprintf(link, sizeof(link), "%s/sys/class/block/%s", s->t->root,
		 name ? name + 1 : path);
	return realpath(link, real) ? visit(s, real, 0) : -ENODEV;
}

int topology_find_device(const struct topology *t, const char *path,
			 struct topology_device *device)
{
	struct search s = { .t = t, .device = device, .told = -1 };
	char link[PATH_MAX], top[PATH_MAX];
	int err;

	memset(device, 0, sizeof(*device));
	device->node = -1;
	snprintf(link, sizeof(link), "%s/sys/devices", t->root);
	if (!realpath(link, top))
		return -ENODEV;
	s.top = strlen(top);
	err = *t->root ? visit_name(&s, path) : visit_path(&s, path, 0);
	if (s.spread)
		device->node = -1;
	return err || !device->ndevices ? -ENODEV : 0;
}
