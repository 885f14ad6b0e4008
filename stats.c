// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of all disks, queues and I/O threads as one JSON object.
 */
#include "stats.h"
#include "barrier.h"
#include "clock.h"
#include "disk/disk.h"
#include "drive.h"
#include "json_text.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include <errno.h>
#include <jansson.h>
#include <stddef.h>

static json_int_t number(u64 value)
{
	return (json_int_t)value;
}

/* A counter of a struct, by name: the tables are the schema, docs/stats.md. */
struct counter {
	const char *name;
	size_t offset;
};

static void add_counters(json_t *to, const void *from,
			 const struct counter *counters, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const u64 *at = (const u64 *)((const char *)from +
					      counters[i].offset);

		json_object_set_new(to, counters[i].name,
				    json_integer((json_int_t)read_once(at)));
	}
}

#define ADD_COUNTERS(to, from, counters) \
	add_counters(to, from, counters, sizeof(counters) / sizeof(*(counters)))

#define QUEUE(name, field) { name, offsetof(struct virtio_blk_stats, field) }
static const struct counter queue_counters[] = {
	QUEUE("reads", reads),
	QUEUE("writes", writes),
	QUEUE("flushes", flushes),
	QUEUE("discards", discards),
	QUEUE("write_zeroes", write_zeroes),
	QUEUE("secure_erases", secure_erases),
	QUEUE("others", others),
	QUEUE("read_bytes", read_bytes),
	QUEUE("written_bytes", written_bytes),
	QUEUE("discarded_bytes", discarded_bytes),
	QUEUE("zeroed_bytes", zeroed_bytes),
	QUEUE("errors", errors),
	QUEUE("kept", kept),
	QUEUE("ignored", ignored),
	QUEUE("kicks_suppressed", kicks_suppressed),
	QUEUE("batches", batches),
	QUEUE("held", held),
	QUEUE("held_in_vain", held_in_vain),
	QUEUE("throttled", throttled),
	QUEUE("throttled_ns", throttled_ns),
	QUEUE("publications", publications),
	QUEUE("interrupts", interrupts),
	QUEUE("interrupts_suppressed", suppressed),
	QUEUE("interrupts_delayed", delayed),
};

#define THREAD(field) { #field, offsetof(struct iothread_stats, field) }
static const struct counter thread_counters[] = {
	THREAD(turns), THREAD(sleeps), THREAD(poll_max_ns), THREAD(polls),
	THREAD(polls_found), THREAD(poll_found_ns), THREAD(poll_vain_ns),
	THREAD(wait_ns),
};

#define DISK(field) { #field, offsetof(struct disk_thread_stats, field) }
static const struct counter disk_counters[] = {
	DISK(submits), DISK(submitted), DISK(reaps), DISK(reaped),
	DISK(bounced), DISK(buffered), DISK(continued), DISK(retried),
};

/* Up to the last bucket that counts something. */
static json_t *stats_latency(const struct virtio_blk_stats *s)
{
	json_t *list = json_array();
	unsigned int n = VIRTIO_BLK_LATENCIES;

	while (n && !read_once(&s->latency[n - 1]))
		n--;
	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(list, json_integer(
			(json_int_t)read_once(&s->latency[i])));
	return list;
}

static u64 stats_requests(const struct virtio_blk_stats *s)
{
	return read_once(&s->reads) + read_once(&s->writes) +
	       read_once(&s->flushes) + read_once(&s->discards) +
	       read_once(&s->write_zeroes) + read_once(&s->secure_erases) +
	       read_once(&s->others);
}

static json_t *stats_queue(const struct virtio_blk *blk, unsigned int q)
{
	const struct virtio_blk_stats *s = virtio_blk_stats(blk, q);
	json_t *queue = json_pack(
		"{s:i, s:s, s:I, s:I, s:I}",
		"index", (int)q,
		"iothread", iothread_name(virtio_blk_thread(blk, q)),
		"requests", number(stats_requests(s)),
		"merged", number(disk_queue_merged(virtio_blk_disk_queue(blk, q))),
		"kicks", number(virtio_blk_kicks(blk, q)));

	ADD_COUNTERS(queue, s, queue_counters);
	json_object_set_new(queue, "latency_ns", stats_latency(s));
	return queue;
}

static json_t *stats_disk(const struct drive *d)
{
	const struct disk_info *info = disk_info(d->disk);
	json_t *queues = json_array();

	for (unsigned int q = 0; q < d->queues; q++)
		json_array_append_new(queues, stats_queue(d->blk, q));
	return json_pack("{s:s, s:o, s:s, s:s?, s:I, s:I, s:o}", "name", d->name,
			 "path", json_text(d->path), "backend", info->backend,
			 "engine", info->engine,
			 "poll_trials", number(read_once(&d->trial.trials)),
			 "poll_trials_lost", number(read_once(&d->trial.trials_lost)),
			 "queues", queues);
}

/* Queue @q is the first that its thread owns: it has the thread's counters. */
static json_t *stats_iothread(const struct drive *d, unsigned int q)
{
	static const struct disk_thread_stats none;
	const struct iothread_stats *t = iothread_stats(d->threads[q]);
	const struct disk_thread_stats *s =
		disk_thread_stats(virtio_blk_disk_queue(d->blk, q));

	json_t *thread = json_pack("{s:s}", "name",
				   iothread_name(d->threads[q]));

	ADD_COUNTERS(thread, t, thread_counters);
	ADD_COUNTERS(thread, s ? s : &none, disk_counters);
	return thread;
}

json_t *stats_sample(const struct drive *drives, unsigned int ndrives)
{
	json_t *disks = json_array(), *threads = json_array();
	u64 now = now_ns();

	for (unsigned int i = 0; i < ndrives; i++) {
		json_array_append_new(disks, stats_disk(&drives[i]));
		for (unsigned int t = 0; t < drives[i].iothreads; t++)
			json_array_append_new(threads,
					      stats_iothread(&drives[i], t));
	}
	return json_pack("{s:i, s:I, s:o, s:o}", "version", STATS_VERSION,
			 "time_ns", number(now), "disks", disks, "iothreads",
			 threads);
}

int stats_write(FILE *file, const struct drive *drives, unsigned int ndrives)
{
	json_t *root = stats_sample(drives, ndrives);
	int err;

	if (!root)
		return -ENOMEM;
	err = json_dumpf(root, file, JSON_INDENT(2)) ? -EIO : 0;
	json_decref(root);
	if (fputc('\n', file) == EOF || fflush(file) == EOF)
		err = -EIO;
	return err;
}
