// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of all disks, queues and I/O threads as one JSON object.
 * Called when the I/O threads have stopped.
 */
#include "stats.h"
#include "disk/disk.h"
#include "drive.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include <errno.h>
#include <jansson.h>

static json_int_t number(u64 value)
{
	return (json_int_t)value;
}

static json_t *stats_queue(const struct virtio_blk *blk, unsigned int q)
{
	const struct virtio_blk_stats *s = virtio_blk_stats(blk, q);

	return json_pack(
		"{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"index", (int)q,
		"iothread", iothread_name(virtio_blk_thread(blk, q)),
		"requests", number(s->reads + s->writes + s->flushes + s->others),
		"reads", number(s->reads),
		"writes", number(s->writes),
		"flushes", number(s->flushes),
		"others", number(s->others),
		"read_bytes", number(s->read_bytes),
		"written_bytes", number(s->written_bytes),
		"errors", number(s->errors),
		"kicks", number(virtio_blk_kicks(blk, q)),
		"batches", number(s->batches),
		"publications", number(s->publications),
		"interrupts", number(s->interrupts),
		"interrupts_suppressed", number(s->suppressed));
}

static json_t *stats_disk(const struct drive *d)
{
	json_t *queues = json_array();

	for (unsigned int q = 0; q < d->queues; q++)
		json_array_append_new(queues, stats_queue(d->blk, q));
	return json_pack("{s:s, s:s, s:s, s:o}", "name", d->name, "path",
			 d->path, "backend", disk_info(d->disk)->backend,
			 "queues", queues);
}

/* Queue @q is the first that its thread owns: it has the thread's counters. */
static json_t *stats_iothread(const struct drive *d, unsigned int q)
{
	const struct iothread_stats *t = iothread_stats(d->threads[q]);
	const struct disk_thread_stats *s =
		disk_thread_stats(virtio_blk_disk_queue(d->blk, q));

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "name", iothread_name(d->threads[q]),
			 "turns", number(t->turns),
			 "sleeps", number(t->sleeps),
			 "gathers", number(t->gathers),
			 "gathers_in_vain", number(t->gathers_in_vain),
			 "submits", number(s ? s->submits : 0),
			 "submitted", number(s ? s->submitted : 0),
			 "reaps", number(s ? s->reaps : 0),
			 "bounced", number(s ? s->bounced : 0),
			 "buffered", number(s ? s->buffered : 0),
			 "continued", number(s ? s->continued : 0),
			 "retried", number(s ? s->retried : 0));
}

int stats_write(FILE *file, const struct drive *drives, unsigned int ndrives)
{
	json_t *disks = json_array(), *threads = json_array(), *root;
	int err;

	for (unsigned int i = 0; i < ndrives; i++) {
		json_array_append_new(disks, stats_disk(&drives[i]));
		for (unsigned int t = 0; t < drives[i].iothreads; t++)
			json_array_append_new(threads,
					      stats_iothread(&drives[i], t));
	}
	root = json_pack("{s:i, s:o, s:o}", "version", STATS_VERSION, "disks",
			 disks, "iothreads", threads);
	if (!root)
		return -ENOMEM;
	err = json_dumpf(root, file, JSON_INDENT(2)) ? -EIO : 0;
	json_decref(root);
	if (fputc('\n', file) == EOF || fflush(file) == EOF)
		err = -EIO;
	return err;
}
