// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: a disk, I/O threads and virtio-blk as lkvm builds them, with a
 * transport that counts on nothing but an eventfd per I/O thread for the
 * interrupts, as MSI-X is one; and a driver that gives it all its features.
 */
#include "bench/ring_lane.h"
#include "disk/disk.h"
#include "kvm/event.h"
#include "virtio/device.h"
#include "virtio/trace.h"
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#define STATUS_FEATURES_OK \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK)

/* One device a process: too large for a stack. */
static struct ring_lane lanes[RING_QUEUES_MAX];
static struct ring rings[RING_QUEUES_MAX];
static struct iothread *threads[RING_QUEUES_MAX];
static struct guest_memory memory;
static struct trace *trace;

static bool on_queue_interrupt(struct virtio_device *dev, unsigned int q)
{
	const struct ring_run *run = dev->transport_priv;

	event_signal(lanes[q % run->threads].call_fd);
	return true;
}

static void on_config_interrupt(struct virtio_device *dev)
{
	ring_die("%s needs a reset", dev->name);
}

static const struct virtio_transport_ops transport = {
	.queue_interrupt = on_queue_interrupt,
	.config_interrupt = on_config_interrupt,
};

static struct disk *disk_new(const struct ring_run *run)
{
	const struct disk_params params = {
		.path = run->path,
		.readonly = true,
		.merge = true,
		.engine = run->engine,
	};
	struct disk *disk;

	if (disk_open(&disk, &params))
		ring_die("cannot open %s", run->path);
	return disk;
}

static struct virtio_blk *blk_new(const struct ring_run *run, struct disk *disk)
{
	struct virtio_blk_params params = {
		.name = "vda",
		.serial = "bench",
		.nqueues = run->queues,
		.queue_size = RING_QUEUE_SIZE,
		.packed = run->packed,
		.nthreads = run->threads,
		.threads = threads,
	};
	struct virtio_blk *blk;

	if (run->limited)
		params.limits = (struct limit_params){
			.requests.rate = 1000ull * LIMIT_REQUESTS_MAX,
			.bytes.rate = 1000 * LIMIT_BYTES_MAX,
		};
	if (run->trace && trace_open(&trace, run->trace))
		ring_die("cannot trace");
	params.trace = trace;
	for (unsigned int i = 0; i < run->threads; i++) {
		if (iothread_new(&threads[i], "bench"))
			ring_die("cannot make I/O thread %u", i);
		iothread_set_poll(threads[i], &run->poll);
	}
	ring_memory_new(&memory, rings, run, disk_info(disk)->size);
	if (virtio_blk_new(&blk, &memory, disk, &params))
		ring_die("cannot make a device with %u queues", run->queues);
	return blk;
}

/* Lane i has the queues of I/O thread i. */
static void lanes_new(const struct ring_run *run, struct virtio_blk *blk)
{
	struct virtio_device *dev = virtio_blk_device(blk);

	for (unsigned int i = 0; i < run->threads; i++)
		ring_lane_init(&lanes[i], run, threads[i], i);
	for (unsigned int q = 0; q < run->queues; q++) {
		struct ring_lane *l = &lanes[q % run->threads];

		rings[q].kick_fd = dev->queues[q].kick_fd;
		l->rings[l->nrings] = &rings[q];
		l->stats[l->nrings++] = virtio_blk_stats(blk, q);
	}
	if (trace && trace_start(trace))
		ring_die("cannot trace");
	for (unsigned int i = 0; i < run->threads; i++)
		if (iothread_start(threads[i]))
			ring_die("cannot start I/O thread %u", i);
}

/* What a driver does up to DRIVER_OK (virtio 1.2, 3.1.1). */
static void device_start(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_features(dev, dev->features);
	virtio_device_set_status(dev, STATUS_FEATURES_OK);
	for (unsigned int q = 0; q < dev->nqueues; q++) {
		dev->queues[q].config = rings[q].config;
		virtio_device_enable_queue(dev, q);
	}
	virtio_device_set_status(dev, STATUS_FEATURES_OK |
				      VIRTIO_CONFIG_S_DRIVER_OK);
	pthread_mutex_unlock(&dev->lock);
	if (virtio_device_status(dev) !=
	    (STATUS_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK))
		ring_die("the device refuses its own features");
}

static void device_stop(const struct ring_run *run, struct virtio_blk *blk,
			struct disk *disk)
{
	struct virtio_device *dev = virtio_blk_device(blk);

	pthread_mutex_lock(&dev->lock);
	virtio_device_set_status(dev, 0);
	pthread_mutex_unlock(&dev->lock);
	for (unsigned int i = 0; i < run->threads; i++)
		iothread_stop(threads[i]);
	if (trace) {
		trace_stop(trace);
		trace_close(trace);
	}
	virtio_blk_free(blk);
	for (unsigned int i = 0; i < run->threads; i++) {
		ring_lane_exit(&lanes[i]);
		iothread_free(threads[i]);
	}
	guest_memory_unmap(&memory);
	disk_close(disk);
}

void ring_device_run(const struct ring_run *run, struct ring_result *result)
{
	struct disk *disk = disk_new(run);
	struct virtio_blk *blk = blk_new(run, disk);
	struct virtio_device *dev = virtio_blk_device(blk);

	dev->transport = &transport;
	dev->transport_priv = (void *)run;
	result->direct = disk_info(disk)->direct;
	result->engine = disk_info(disk)->engine;
	if (!result->engine)
		result->engine = disk_info(disk)->backend;
	lanes_new(run, blk);
	device_start(dev);
	if (run->mode == RING_LINES) {
		ring_lines_run(lanes, run->threads, result);
	} else {
		for (unsigned int i = 0; i < run->threads; i++)
			ring_lane_start(&lanes[i]);
		for (unsigned int i = 0; i < run->threads; i++)
			ring_lane_wait(&lanes[i]);
		for (unsigned int i = 0; i < run->threads; i++)
			ring_result_add(result, &lanes[i].samples[0],
					&lanes[i].samples[1]);
	}
	device_stop(run, blk, disk);
}
