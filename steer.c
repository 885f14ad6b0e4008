// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/irq/N/smp_affinity_list (Linux, Documentation/core-api/irq/irq-affinity.rst).  Those that a
 * driver spreads over all CPUs by itself are the kernel's alone: writing fails with EIO, since
 * Linux 6.11 with EPERM.
 */
#include "steer.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AFFINITY_FILE "proc/irq/%u/smp_affinity_list"

struct steer {
	const char *root;
	unsigned int n;
	struct steered {
		unsigned int irq;
		char *before;
	} irq[TOPOLOGY_IRQS_MAX];
};

/* 0 or -errno; -EIO: it is the kernel's. */
static int affinity_write(const char *root, unsigned int irq, const char *cpus)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/" AFFINITY_FILE, root, irq);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, cpus, strlen(cpus)) < 0)
		err = errno == EPERM ? -EIO : -errno;
	close(fd);
	return err;
}

static int steer_one(struct steer *s, unsigned int irq, unsigned int cpu)
{
	struct steered *steered = &s->irq[s->n];
	char before[CPUS_MAX], after[16];
	int err;

	err = topology_file(s->root, before, sizeof(before), AFFINITY_FILE, irq);
	if (err < 0)
		return err;
	snprintf(after, sizeof(after), "%u", cpu);
	err = affinity_write(s->root, irq, after);
	if (err)
		return err;
	steered->irq = irq;
	steered->before = strdup(before);
	if (!steered->before) {
		affinity_write(s->root, irq, before);
		return -ENOMEM;
	}
	s->n++;
	return 0;
}

/* @managed of them are the kernel's; @err: what another one failed with, if any did. */
static void steer_tell(const struct steer *s,
		       const struct topology_device *device,
		       unsigned int managed, int err)
{
	if (s->n)
		log_info("affinity: %u of %u interrupts of %s come to the I/O threads' CPUs until the guest ends",
			 s->n, device->nirqs, device->name);
	else if (!device->nirqs)
		log_info("affinity: %s has no interrupts to steer",
			 device->name);
	if (managed)
		log_info("affinity: %u of %u interrupts of %s are managed by the kernel and stay: each comes to CPUs that submit to its queue",
			 managed, device->nirqs, device->name);
	if (err)
		log_warn("--affinity auto,irq: %u interrupts of %s cannot be steered: %s; run lkvm as root, with a writable /proc",
			 device->nirqs - managed - s->n, device->name,
			 strerror(-err));
}

struct steer *steer_irqs(const char *root,
			 const struct topology_device *device,
			 const struct cpu_list *cpus)
{
	struct steer *s = calloc(1, sizeof(*s));
	unsigned int managed = 0;
	int failed = 0;

	if (!s || !cpus->n) {
		free(s);
		return NULL;
	}
	s->root = root;
	for (unsigned int i = 0; i < device->nirqs; i++) {
		int err = steer_one(s, device->irq[i], cpus->cpu[i % cpus->n]);

		if (err == -EIO)
			managed++;
		else if (err)
			failed = err;
	}
	steer_tell(s, device, managed, failed);
	return s;
}

void steer_restore(struct steer *s)
{
	for (unsigned int i = 0; s && i < s->n; i++) {
		int err = affinity_write(s->root, s->irq[i].irq,
					 s->irq[i].before);

		if (err)
			log_warn("interrupt %u cannot be steered back to CPUs %s: %s",
				 s->irq[i].irq, s->irq[i].before,
				 strerror(-err));
		free(s->irq[i].before);
	}
	free(s);
}
