// SPDX-License-Identifier: GPL-2.0-only
/*
 * Null back end, `null:SIZE`: every request succeeds at the end of the turn it
 * was staged in, without any I/O; a read leaves the buffer as it was.  What it
 * reaches is the ceiling of the ring and of virtio-blk.  Each queue is a client
 * of its I/O thread; all but open and close runs there.
 */
#include "barrier.h"
#include "disk/backend.h"
#include "kvm/iothread.h"
#include "log.h"
#include "probes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ERASE_MAX (1u << 30)	/* as for files */

struct null_queue {
	struct iothread_client client;	/* first: found from it */
	struct disk_thread_stats stats;
	unsigned int n;			/* in staged */
	struct disk_req **staged;	/* done() may stage: one fills up ... */
	struct disk_req **finishing;	/* ... while the other is emptied */
	struct disk_req *slots[];	/* both arrays */
};

static bool null_match(const char *path)
{
	return !strncmp(path, "null:", 5);
}

/* "512", "64K", "1T" in bytes; 0: not a size. */
static u64 null_size(const char *s)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;
	u64 size;

	if (*s < '0' || *s > '9')
		return 0;
	errno = 0;
	size = strtoull(s, &end, 10);
	if (errno)
		return 0;
	if (!*end)
		return size;
	suffix = strchr(suffixes, *end & ~0x20);
	if (!suffix || end[1])
		return 0;
	for (; suffix >= suffixes; suffix--)
		if (__builtin_mul_overflow(size, (u64)1024, &size))
			return 0;
	return size;
}

static void null_offer_erasure(struct disk_info *info,
			       const struct disk_params *params)
{
	info->zeroes_max = ERASE_MAX;
	if (!params->discard)
		return;
	info->discard_max = ERASE_MAX;
	info->discard_align = info->block_size;
	info->zeroes_unmap = true;
}

static int null_open(struct disk *disk, const struct disk_params *params)
{
	u64 size = null_size(params->path + 5);

	if (!size || size % 512 || size >> 63) {
		log_error("--disk %s: `%s` is not a size; give a multiple of 512 with an optional K, M, G or T, as in null:64G",
			  params->path, params->path + 5);
		return -EINVAL;
	}
	if (params->engine != DISK_ENGINE_AUTO || params->batch) {
		log_error("--disk %s: a null disk makes no I/O; leave out %s",
			  params->path, params->batch ? "batch=" : "aio=");
		return -EINVAL;
	}
	disk->info = (struct disk_info){
		.size = size,
		.block_size = 512,
		.physical_size = 512,
		.readonly = params->readonly,
		.direct = true,
	};
	if (!params->readonly)
		null_offer_erasure(&disk->info, params);
	return 0;
}

static void null_close(struct disk *disk)
{
	(void)disk;
}

static void null_stage(struct disk_queue *q, struct disk_req *req)
{
	struct null_queue *nq = q->priv;

	nq->staged[nq->n++] = req;
}

static bool null_run(struct iothread_client *c)
{
	return ((struct null_queue *)c)->n;
}

static void null_flush(struct iothread_client *c)
{
	struct null_queue *nq = (struct null_queue *)c;
	struct disk_req **batch = nq->staged;
	unsigned int i, n = nq->n;

	if (!n)
		return;
	nq->staged = nq->finishing;
	nq->finishing = batch;
	nq->n = 0;
	counter_add(&nq->stats.submits, 1);
	counter_add(&nq->stats.submitted, n);
	probe_submit(disk_null_ops.name, n);
	for (i = 0; i < n; i++)
		disk_done(batch[i], 0);
}

/* What done() staged during the flush waits for the next turn. */
static bool null_sleep(struct iothread_client *c)
{
	return ((struct null_queue *)c)->n;
}

static const struct iothread_ops null_thread_ops = {
	.run = null_run,
	.flush = null_flush,
	.sleep = null_sleep,
};

static int null_queue_init(struct disk_queue *q, struct iothread *thread)
{
	size_t size = sizeof(struct null_queue) +
		      2 * q->depth * sizeof(struct disk_req *);
	struct null_queue *nq;
	int err;

	size = (size + 127) & ~(size_t)127;
	nq = aligned_alloc(128, size);
	if (!nq) {
		log_error("--disk null: no memory for %u requests; use a smaller queue-size",
			  q->depth);
		return -ENOMEM;
	}
	memset(nq, 0, size);
	nq->client.ops = &null_thread_ops;
	nq->client.fd = -1;
	nq->staged = nq->slots;
	nq->finishing = nq->slots + q->depth;
	err = iothread_add(thread, &nq->client);
	if (err) {
		free(nq);
		return err;
	}
	q->priv = nq;
	q->stats = &nq->stats;
	return 0;
}

static void null_queue_exit(struct disk_queue *q)
{
	free(q->priv);
}

const struct disk_ops disk_null_ops = {
	.name = "null",
	.match = null_match,
	.open = null_open,
	.close = null_close,
	.queue_init = null_queue_init,
	.queue_exit = null_queue_exit,
	.stage = null_stage,
};
