// SPDX-License-Identifier: GPL-2.0-only
/*
 * One --disk from the command line to the guest's device, and back.
 */
#include "drive.h"
#include "arch.h"
#include "clock.h"
#include "disk/disk.h"
#include "kvm/iothread.h"
#include "kvm/vm.h"
#include "kvm/wakeup.h"
#include "log.h"
#include "options.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio/mmio.h"
#include "virtio/pci.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIVE_KEYS 18
#define LIMIT_KEYS 6
#define ALL_KEYS (DRIVE_KEYS + LIMIT_KEYS)
#define DEFAULT_QUEUE_SIZE 256

/*
 * Adaptive polling: up to so many times what a wake-up costs; that is 200 us, as
 * KVM's own halt polling, where it costs 2.
 */
#define POLL_WAKEUPS 100
#define POLL_NS_LEAST 200000
#define POLL_NS_MOST 5000000

#define IRQ_DELAY_US_MAX 1000
#define IRQ_DELAY_AUTO_US 50

/* Alternatives of the keys, in the order of their help. */
enum { FORMAT_PROBE, FORMAT_RAW };
enum { POLL_OFF, POLL_ADAPTIVE, POLL_ALWAYS, POLL_MAX_US };
enum { IRQ_DELAY_OFF, IRQ_DELAY_AUTO, IRQ_DELAY_US };
enum { BLOCK_512, BLOCK_4096, BLOCK_OF_HOST };	/* the last one by default */
enum { TRANSPORT_PCI, TRANSPORT_MMIO };

/* Of limits and of errors of the host. */
static void drive_limit_keys(struct drive *d, struct option_spec *keys)
{
	const struct option_spec table[LIMIT_KEYS + 1] = {
		{ .name = "iops", .kind = OPTION_UINT, .value = &d->iops,
		  .max = LIMIT_REQUESTS_MAX, .arg = "N",
		  .help = "requests a second, all queues together (0: no limit)" },
		{ .name = "iops-burst", .kind = OPTION_UINT,
		  .value = &d->iops_burst, .max = LIMIT_REQUESTS_BURST_MAX, .arg = "N",
		  .help = "requests at once after a pause (0: those of 100 ms)" },
		{ .name = "bps", .kind = OPTION_SIZE, .value = &d->bps,
		  .max = LIMIT_BYTES_MAX, .arg = "SIZE",
		  .help = "bytes read and written a second (0: no limit)" },
		{ .name = "bps-burst", .kind = OPTION_SIZE,
		  .value = &d->bps_burst, .max = LIMIT_BYTES_BURST_MAX, .arg = "SIZE",
		  .help = "bytes at once after a pause (0: those of 100 ms)" },
		{ .name = "rerror", .kind = OPTION_CHOICE, .value = &d->rerror,
		  .arg = "report|stop|ignore",
		  .help = "the host fails a read: the guest is told or paused (report)" },
		{ .name = "werror", .kind = OPTION_CHOICE, .value = &d->werror,
		  .arg = "report|stop|ignore|enospc",
		  .help = "it fails a write; enospc: paused without space (report)" },
		{ .name = NULL },
	};

	memcpy(keys, table, sizeof(table));
}

static int drive_set_cpus(void *ctx, const char *text)
{
	struct drive *d = ctx;
	int err = cpu_list_parse(&d->cpus, text);

	if (err)
		log_error("--disk: iothread-cpus %s: %s", text,
			  cpu_list_remedy(err));
	return err;
}

static void drive_keys(struct drive *d, struct option_spec *keys)
{
	const struct option_spec table[DRIVE_KEYS + 1] = {
		{ .name = "queues", .kind = OPTION_UINT, .value = &d->queues,
		  .min = 1, .max = VIRTIO_PCI_QUEUES_MAX, .arg = "N",
		  .help = "virtqueues (default: one for each vCPU)" },
		{ .name = "queue-size", .kind = OPTION_UINT,
		  .value = &d->queue_size, .min = VIRTIO_BLK_QUEUE_SIZE_MIN,
		  .max = VIRTQUEUE_SIZE_MAX, .arg = "N",
		  .help = "entries of each virtqueue, a power of two (256)" },
		{ .name = "packed", .kind = OPTION_FLAG, .value = &d->packed,
		  .arg = "on|off",
		  .help = "offer packed virtqueues to the guest (off)" },
		{ .name = "iothreads", .kind = OPTION_UINT,
		  .value = &d->iothreads, .min = 1,
		  .max = VIRTIO_PCI_QUEUES_MAX, .arg = "N",
		  .help = "I/O threads, 1 to queues (default: one for each queue)" },
		{ .name = "iothread-cpus", .kind = OPTION_CALL, .value = d,
		  .call = drive_set_cpus, .arg = "LIST",
		  .help = "a host CPU for each I/O thread, in order: 4-7 or 4,6" },
		{ .name = "ro", .kind = OPTION_FLAG, .value = &d->readonly,
		  .arg = "on|off", .help = "read-only (off)" },
		{ .name = "block-size", .kind = OPTION_CHOICE,
		  .value = &d->block_size, .arg = "512|4096",
		  .help = "logical blocks of the guest (default: the host's)" },
		{ .name = "serial", .kind = OPTION_STRING, .value = &d->serial,
		  .arg = "TEXT",
		  .help = "serial number, up to 20 characters (its name)" },
		{ .name = "lock", .kind = OPTION_FLAG, .value = &d->lock,
		  .arg = "on|off",
		  .help = "refuse an image that is in use (on)" },
		{ .name = "format", .kind = OPTION_CHOICE, .value = &d->format,
		  .arg = "probe|raw",
		  .help = "refuse what looks like another format, or not (probe)" },
		{ .name = "aio", .kind = OPTION_CHOICE, .value = &d->aio,
		  .arg = "auto|native|io_uring|threads",
		  .help = "how I/O reaches the host (auto: native if it never blocks)" },
		{ .name = "cache", .kind = OPTION_CHOICE, .value = &d->cache,
		  .arg = "none|writeback|writethrough|directsync|unsafe",
		  .help = "what is cached, and when it is durable (none)" },
		{ .name = "poll", .kind = OPTION_CHOICE, .value = &d->poll,
		  .min = 1, .max = DRIVE_POLL_US_MAX,
		  .arg = DRIVE_POLL_CHOICES,
		  .help = "look for work before sleeping (adaptive)" },
		{ .name = "merge", .kind = OPTION_FLAG, .value = &d->merge,
		  .arg = "on|off",
		  .help = "adjacent requests go to the host as one (on)" },
		{ .name = "batch", .kind = OPTION_UINT, .value = &d->batch,
		  .max = VIRTIO_PCI_QUEUES_MAX * VIRTQUEUE_SIZE_MAX, .arg = "N",
		  .help = "requests that one io_submit carries at most (0: no limit)" },
		{ .name = "discard", .kind = OPTION_FLAG, .value = &d->discard,
		  .arg = "on|off",
		  .help = "what the guest discards frees space on the host (on)" },
		{ .name = "irq-delay", .kind = OPTION_CHOICE,
		  .value = &d->irq_delay, .min = 1, .max = IRQ_DELAY_US_MAX,
		  .arg = "off|auto|US",
		  .help = "let completions gather before the interrupt (off)" },
		{ .name = "transport", .kind = OPTION_CHOICE,
		  .value = &d->transport, .arg = "pci|mmio",
		  .help = "how the guest reaches the device (pci)" },
		{ .name = NULL },
	};

	memcpy(keys, table, sizeof(table));
	drive_limit_keys(d, keys + DRIVE_KEYS);
}

void drive_help(void)
{
	struct option_spec keys[ALL_KEYS + 1];
	struct drive d;

	drive_keys(&d, keys);
	options_help_keys(keys);
}

/* vda ... vdz, vdaa ...: as Linux counts. */
static void drive_set_name(struct drive *d, unsigned int index)
{
	if (index < 26)
		snprintf(d->name, sizeof(d->name), "vd%c", 'a' + (int)index);
	else
		snprintf(d->name, sizeof(d->name), "vd%c%c",
			 'a' + (int)(index / 26) - 1, 'a' + (int)(index % 26));
}

static int drive_check(const struct drive *d)
{
	if (!*d->path) {
		log_error("--disk: no path; give an image, a block device or null:SIZE");
		return -EINVAL;
	}
	if (d->queue_size & (d->queue_size - 1)) {
		log_error("--disk %s: queue-size %u: not a power of two",
			  d->path, d->queue_size);
		return -EINVAL;
	}
	if (strlen(d->serial) > 20) {
		log_error("--disk %s: serial %s: longer than 20 characters",
			  d->path, d->serial);
		return -EINVAL;
	}
	if (d->iops_burst && !d->iops) {
		log_error("--disk %s: iops-burst %u: there is no limit; give iops=, too",
			  d->path, d->iops_burst);
		return -EINVAL;
	}
	if (d->bps_burst && !d->bps) {
		log_error("--disk %s: bps-burst %llu: there is no limit; give bps=, too",
			  d->path, (unsigned long long)d->bps_burst);
		return -EINVAL;
	}
	return 0;
}

int drive_parse(struct drive *d, const char *text, unsigned int index)
{
	struct option_spec keys[ALL_KEYS + 1];
	int err;

	memset(d, 0, sizeof(*d));
	drive_set_name(d, index);
	d->queue_size = DEFAULT_QUEUE_SIZE;
	d->serial = d->name;
	d->lock = true;
	d->merge = true;
	d->discard = true;
	d->poll.index = POLL_ADAPTIVE;
	d->adaptive_ns = POLL_NS_LEAST;
	d->all_iothreads = 1;
	d->block_size.index = BLOCK_OF_HOST;
	drive_keys(d, keys);
	err = options_parse_keys(keys, "--disk", text, &d->text, &d->path);
	if (err)
		return err;
	err = drive_check(d);
	if (err)
		drive_forget(d);
	return err;
}

void drive_forget(struct drive *d)
{
	free(d->text);
	d->text = NULL;
}

/* For long only where vCPUs and I/O threads can have a CPU each. */
void drives_measure(struct drive *drives, unsigned int n, unsigned int ncpus)
{
	unsigned int threads = 0;
	u64 ns = POLL_NS_LEAST;

	for (unsigned int i = 0; i < n; i++)
		threads += drives[i].iothreads;
	if (cpus_allowed() >= ncpus + threads)
		ns = POLL_WAKEUPS * wakeup_cost();
	if (ns < POLL_NS_LEAST)
		ns = POLL_NS_LEAST;
	if (ns > POLL_NS_MOST)
		ns = POLL_NS_MOST;
	for (unsigned int i = 0; i < n; i++) {
		drives[i].adaptive_ns = ns;
		drives[i].all_iothreads = threads;
	}
}

static struct iothread_poll drive_poll(struct drive *d)
{
	struct iothread_poll poll = { .always = d->poll.index == POLL_ALWAYS };

	if (poll.always || d->poll.index == POLL_OFF)
		return poll;
	poll.trial = &d->trial;
	if (d->poll.index == POLL_ADAPTIVE)
		poll.max_ns = d->adaptive_ns;
	else
		poll.max_ns = d->poll.number * 1000ull;
	return poll;
}

/* Thread i owns queues i, i + iothreads, ...; "+" if more than one. */
static int drive_new_threads(struct drive *d)
{
	const struct iothread_poll poll = drive_poll(d);

	d->threads = calloc(d->iothreads, sizeof(struct iothread *));
	if (!d->threads)
		return log_no_memory();
	poll_trial_init(&d->trial, d->threads, d->iothreads);
	for (unsigned int i = 0; i < d->iothreads; i++) {
		char name[32];
		int err;

		snprintf(name, sizeof(name), "lkvm/%s.q%u%s", d->name, i,
			 i + d->iothreads < d->queues ? "+" : "");
		err = iothread_new(&d->threads[i], name);
		if (err)
			return err;
		iothread_set_poll(d->threads[i], &poll);
	}
	return 0;
}

int drive_set_poll(struct drive *d, const char *text)
{
	struct iothread_poll poll;
	int err = parse_choice(text, DRIVE_POLL_CHOICES, 1, DRIVE_POLL_US_MAX,
			       &d->poll);

	if (err)
		return err;
	poll = drive_poll(d);
	for (unsigned int i = 0; i < d->iothreads; i++)
		iothread_set_poll(d->threads[i], &poll);
	poll_trial_reset(&d->trial);
	return 0;
}

static struct limit_params drive_limits(const struct drive *d)
{
	return (struct limit_params){
		.requests = { d->iops, d->iops_burst },
		.bytes = { d->bps, d->bps_burst },
	};
}

void drive_throttle(struct drive *d)
{
	const struct limit_params limits = drive_limits(d);

	virtio_blk_throttle(d->blk, &limits);
}

bool drive_answers(const struct drive *d, u64 ns)
{
	u64 until = now_ns() + ns, now;

	for (unsigned int i = 0; i < d->iothreads; i++) {
		now = now_ns();
		if (!iothread_answers(d->threads[i],
				      now < until ? until - now : 0))
			return false;
	}
	return true;
}

int drive_resize(struct drive *d, u64 size)
{
	u64 old = disk_info(d->disk)->size;
	int err = size < old ? virtio_blk_cut(d->blk, size) : 0;

	if (err)
		return err;
	err = disk_set_size(d->disk, size);
	if (!err)
		virtio_blk_resize(d->blk, size);
	else if (size < old)
		virtio_blk_cut(d->blk, old);
	return err;
}

static u64 drive_irq_delay(const struct drive *d)
{
	static const u64 us = 1000;

	switch (d->irq_delay.index) {
	case IRQ_DELAY_AUTO:
		return IRQ_DELAY_AUTO_US * us;
	case IRQ_DELAY_US:
		return d->irq_delay.number * us;
	}
	return 0;
}

static u32 drive_block_size(const struct drive *d)
{
	static const u32 sizes[] = { [BLOCK_512] = 512, [BLOCK_4096] = 4096,
				     [BLOCK_OF_HOST] = 0 };

	return sizes[d->block_size.index];
}

/* The first slot of the machine that no other disk has. */
static int drive_plug_mmio(struct drive *d, struct vm *vm)
{
	struct arch_mmio_slot slot;
	unsigned int i = 0;

	while (arch_mmio_slot(i, &slot) && bus_claimed(&vm->mmio, slot.addr))
		i++;
	if (!arch_mmio_slot(i, &slot)) {
		log_error("--disk %s: transport=mmio: this machine has interrupts for %u such disks; use transport=pci",
			  d->path, i);
		return -ENOSPC;
	}
	return virtio_mmio_new(&d->mmio, vm, virtio_blk_device(d->blk),
			       slot.addr, slot.gsi);
}

static void drive_pause(void *ctx, const char *why)
{
	vm_pause(ctx, why);
}

static int drive_new_device(struct drive *d, struct vm *vm)
{
	const struct virtio_blk_params params = {
		.name = d->name,
		.serial = d->serial,
		.nqueues = d->queues,
		.queue_size = (u16)d->queue_size,
		.packed = d->packed,
		.nthreads = d->iothreads,
		.threads = d->threads,
		.trace = d->trace,
		.irq_delay_ns = drive_irq_delay(d),
		.irq_delay_auto = d->irq_delay.index == IRQ_DELAY_AUTO,
		.limits = drive_limits(d),
		.on_error = {
			.read = (enum virtio_blk_policy)d->rerror.index,
			.write = (enum virtio_blk_policy)d->werror.index,
			.pause = drive_pause,
			.ctx = vm,
		},
	};
	int err = virtio_blk_new(&d->blk, &vm->mem, d->disk, &params);

	if (err)
		return err;
	if (d->transport.index == TRANSPORT_MMIO)
		return drive_plug_mmio(d, vm);
	return virtio_pci_new(&d->pci, vm, vm->pci, virtio_blk_device(d->blk),
			      VIRTIO_BLK_CLASS_CODE);
}

int drive_count(struct drive *d, unsigned int ncpus)
{
	if (!d->queues)
		d->queues = ncpus;
	if (!d->iothreads)
		d->iothreads = d->queues;
	if (d->iothreads > d->queues) {
		log_error("--disk %s: iothreads %u: more than its queues (%u)",
			  d->path, d->iothreads, d->queues);
		return -EINVAL;
	}
	return 0;
}

int drive_attach(struct drive *d, struct vm *vm)
{
	struct disk_params params = {
		.path = d->path,
		.readonly = d->readonly,
		.lock = d->lock,
		.merge = d->merge,
		.raw = d->format.index == FORMAT_RAW,
		.discard = d->discard,
		.block_size = drive_block_size(d),
		.batch = d->batch,
		.engine = (enum disk_engine)d->aio.index,
		.cache = (enum disk_cache)d->cache.index,
	};
	int err = drive_count(d, vm->ncpus);

	if (err)
		return err;
	/* Each thread has a ring, which locks it by itself; a part would bring little. */
	if (guest_memory_lockable(&vm->mem, d->all_iothreads))
		params.memory = (struct iovec){ vm->mem.base, vm->mem.size };
	err = disk_open(&d->disk, &params);
	if (!err)
		err = drive_new_threads(d);
	if (!err)
		err = drive_new_device(d, vm);
	if (err)
		drive_detach(d);
	return err;
}

void drive_detach(struct drive *d)
{
	if (d->pci)
		virtio_pci_free(d->pci);
	if (d->mmio)
		virtio_mmio_free(d->mmio);
	if (d->blk)
		virtio_blk_free(d->blk);
	for (unsigned int i = 0; d->threads && i < d->iothreads; i++)
		if (d->threads[i])
			iothread_free(d->threads[i]);
	free(d->threads);
	if (d->disk)
		disk_close(d->disk);
	d->pci = NULL;
	d->mmio = NULL;
	d->blk = NULL;
	d->threads = NULL;
	d->disk = NULL;
}

int drive_start(struct drive *d)
{
	for (unsigned int i = 0; i < d->iothreads; i++) {
		int err = iothread_start(d->threads[i]);

		if (err)
			return err;
	}
	return 0;
}

void drive_retry(struct drive *d)
{
	virtio_blk_retry(d->blk);
}

/* The reset waits for what is in flight: the host's disk may still write. */
void drive_stop(struct drive *d)
{
	struct virtio_device *dev = virtio_blk_device(d->blk);

	pthread_mutex_lock(&dev->lock);
	virtio_device_set_status(dev, 0);
	pthread_mutex_unlock(&dev->lock);
	for (unsigned int i = 0; i < d->iothreads; i++)
		iothread_stop(d->threads[i]);
}

void drive_describe(const struct drive *d)
{
	const struct disk_info *info = disk_info(d->disk);

	log_info("%s: %s: %llu bytes, blocks of %u, %s, cache=%s%s%s; %u queues of %u on %u I/O threads",
		 d->name, d->path, (unsigned long long)info->size,
		 info->block_size, info->backend, info->cache,
		 info->direct ? ", O_DIRECT" : "",
		 info->readonly ? ", read-only" : "", d->queues, d->queue_size,
		 d->iothreads);
	if (info->engine)
		log_info("%s: aio=%s: %s", d->name, info->engine,
			 info->engine_why);
}
