// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/irq/N/smp_affinity_list (Linux, Documentation/core-api/irq/irq-affinity.rst).  Those that a
 * driver spreads over all CPUs by itself are the kernel's alone: writing fails with EIO, since
 * Linux 6.11 with EPERM.
 */
#include "steer.h"
#include "claims.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AFFINITY_FILE "proc/irq/%u/smp_affinity_list"

struct steer {
	const char *root;
	int claims;
	unsigned int n;
	struct steered {
		unsigned int irq;
		char *before;
		char *after;	/* as the file then had it */
	} *irq;
};

struct steer *steer_new(const char *root, int claims)
{
	struct steer *s = calloc(1, sizeof(*s));

	if (s) {
		s->root = root;
		s->claims = claims;
	}
	return s;
}

/* What the file of @irq has, for free(), or NULL with *@err. */
static char *affinity_read(const char *root, unsigned int irq, int *err)
{
	char line[CPUS_MAX], *copy;
	int n = topology_file(root, line, sizeof(line), AFFINITY_FILE, irq);

	copy = n < 0 ? NULL : strdup(line);
	*err = n < 0 ? n : copy ? 0 : -ENOMEM;
	return copy;
}

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

static bool steer_has(const struct steer *s, unsigned int irq)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->irq[i].irq == irq)
			return true;
	return false;
}

/* 0 or -errno; -EALREADY: it is another guest's, whose CPU must not be taken for what was before. */
static int steer_one(struct steer *s, unsigned int irq, unsigned int cpu)
{
	struct steered *steered = &s->irq[s->n];
	char text[16];
	int err;

	if (s->claims >= 0 && claims_has_irq(s->claims, irq))
		return -EALREADY;
	steered->irq = irq;
	steered->before = affinity_read(s->root, irq, &err);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%u", cpu);
	err = affinity_write(s->root, irq, text);
	if (err)
		goto fail;
	steered->after = affinity_read(s->root, irq, &err);
	if (err) {
		affinity_write(s->root, irq, steered->before);
		goto fail;
	}
	if (s->claims >= 0)
		claims_add_irq(s->claims, irq);
	s->n++;
	return 0;

fail:
	free(steered->before);
	return err;
}

/* What became of the interrupts of one device. */
struct outcome {
	unsigned int steered;
	unsigned int shared;	/* with a disk before: steered already */
	unsigned int managed;	/* the kernel's */
	unsigned int others;	/* another guest's */
	unsigned int failed;
	int err;		/* of one that failed */
};

static void steer_tell(const struct topology_device *device,
		       const struct outcome *o)
{
	if (o->steered)
		log_info("affinity: %u of %u interrupts of %s come to the I/O threads' CPUs until the guest ends",
			 o->steered, device->nirqs, device->name);
	else if (!device->nirqs)
		log_info("affinity: %s has no interrupts to steer",
			 device->name);
	if (o->shared)
		log_info("affinity: %u of %u interrupts of %s are steered already, for another disk on it",
			 o->shared, device->nirqs, device->name);
	if (o->managed)
		log_info("affinity: %u of %u interrupts of %s are managed by the kernel and stay: each comes to CPUs that submit to its queue",
			 o->managed, device->nirqs, device->name);
	if (o->others)
		log_warn("--affinity auto,irq: %u of %u interrupts of %s come to another guest's CPUs and stay; give irq to one guest of a device",
			 o->others, device->nirqs, device->name);
	if (o->failed)
		log_warn("--affinity auto,irq: %u interrupts of %s cannot be steered: %s; run lkvm as root, with a writable /proc",
			 o->failed, device->name, strerror(-o->err));
}

static void steer_all(struct steer *s, const struct topology_device *device,
		      const struct cpu_list *cpus, struct outcome *o)
{
	for (unsigned int i = 0; i < device->nirqs; i++) {
		unsigned int irq = device->irq[i];
		int err;

		if (steer_has(s, irq)) {
			o->shared++;
			continue;
		}
		err = steer_one(s, irq, cpus->cpu[i % cpus->n]);
		if (!err) {
			o->steered++;
		} else if (err == -EIO) {
			o->managed++;
		} else if (err == -EALREADY) {
			o->others++;
		} else {
			o->failed++;
			o->err = err;
		}
	}
}

int steer_irqs(struct steer *s, const struct topology_device *device,
	       const struct cpu_list *cpus)
{
	struct outcome outcome = { 0 };
	struct steered *irq;

	if (!cpus->n)
		return 0;
	irq = reallocarray(s->irq, s->n + device->nirqs + 1, sizeof(*irq));
	if (!irq)
		return log_no_memory();
	s->irq = irq;
	if (s->claims >= 0)
		claims_begin(s->claims);
	steer_all(s, device, cpus, &outcome);
	if (s->claims >= 0)
		claims_end(s->claims);
	steer_tell(device, &outcome);
	return 0;
}

/* True unless somebody else has moved it since, and knows better. */
static bool steer_restore_one(const struct steer *s,
			      const struct steered *steered)
{
	int err;
	char *now = affinity_read(s->root, steered->irq, &err);

	if (now && strcmp(now, steered->after) != 0) {
		free(now);
		return false;
	}
	free(now);
	err = affinity_write(s->root, steered->irq, steered->before);
	if (err)
		log_warn("interrupt %u cannot be steered back: %s; write %s to %s/" AFFINITY_FILE,
			 steered->irq, strerror(-err), steered->before,
			 s->root, steered->irq);
	return true;
}

void steer_restore(struct steer *s)
{
	unsigned int moved = 0;

	if (!s)
		return;
	while (s->n) {
		struct steered *steered = &s->irq[--s->n];

		moved += !steer_restore_one(s, steered);
		free(steered->before);
		free(steered->after);
	}
	if (moved)
		log_info("affinity: %u interrupts were moved meanwhile, by irqbalance or by hand, and stay where they are",
			 moved);
	free(s->irq);
	free(s);
}
