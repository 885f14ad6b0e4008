// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front of the disk seam: picks the back end of a path and hands calls to
 * it.  Asserts the caller's part of the contract in disk.h, so that no back end
 * has to: a request that breaks it is a bug in the device model, which must
 * have refused it.  disk_stage() runs on the I/O thread that owns the queue,
 * everything else at set-up and tear-down, on any thread.
 */
#include "disk/backend.h"
#include "barrier.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SECTOR_MASK 511u

/* The first that matches opens it; aio takes every path. */
static const struct disk_ops *const disk_backends[] = {
	&disk_null_ops,
	&disk_aio_ops,
};

const struct disk_cache_mode *disk_cache_mode(const struct disk_params *params)
{
	static const struct disk_cache_mode modes[] = {
		[DISK_CACHE_NONE] = { "none", true, true, false },
		[DISK_CACHE_WRITEBACK] = { "writeback", true, false, false },
		[DISK_CACHE_WRITETHROUGH] = { "writethrough", false, false,
					      false },
		[DISK_CACHE_DIRECTSYNC] = { "directsync", false, true, false },
		[DISK_CACHE_UNSAFE] = { "unsafe", true, false, true },
	};

	return &modes[params->cache];
}

void disk_close(struct disk *disk)
{
	if (!disk)
		return;
	disk->ops->close(disk);
	free(disk);
}

/* The remedy; only a file can be made longer. */
static void disk_odd_size(u64 size, const struct disk_params *params)
{
	struct stat st;
	bool file = !stat(params->path, &st) && S_ISREG(st.st_mode);

	if (file)
		log_error("--disk %s: block-size=%u: its size, %llu bytes, is not a multiple of that; use block-size=512, or round the image up with `truncate -s %%%u %s`",
			  params->path, params->block_size,
			  (unsigned long long)size, params->block_size,
			  params->path);
	else
		log_error("--disk %s: block-size=%u: its size, %llu bytes, is not a multiple of that; use block-size=512",
			  params->path, params->block_size,
			  (unsigned long long)size);
}

/* The guest's logical blocks are not the host's; those stay its physical ones. */
static int disk_set_block(struct disk_info *info,
			  const struct disk_params *params)
{
	u32 block = params->block_size;

	if (info->size % block) {
		disk_odd_size(info->size, params);
		return -EINVAL;
	}
	info->block_size = block;
	if (info->physical_size < block)
		info->physical_size = block;
	if (info->discard_align < block)
		info->discard_align = block;
	info->discard_max -= info->discard_max % block;
	return 0;
}

int disk_open_with(const struct disk_ops *ops, struct disk **dp,
		   const struct disk_params *params)
{
	struct disk *disk;
	int err;

	disk = calloc(1, sizeof(*disk));
	if (!disk) {
		log_error("--disk %s: out of memory", params->path);
		return -ENOMEM;
	}
	disk->ops = ops;
	disk->merge = params->merge;
	err = ops->open(disk, params);
	if (err) {
		free(disk);
		return err;
	}
	if (params->block_size)
		err = disk_set_block(&disk->info, params);
	if (err) {
		disk_close(disk);
		return err;
	}
	assert(disk->info.size && !(disk->info.size & SECTOR_MASK));
	assert(disk->info.physical_size >= disk->info.block_size);
	disk->info.backend = ops->name;
	disk->info.cache = disk_cache_mode(params)->name;
	disk->info.write_cache = disk_cache_mode(params)->write_cache;
	*dp = disk;
	return 0;
}

int disk_open(struct disk **dp, const struct disk_params *params)
{
	size_t i = 0;

	while (!disk_backends[i]->match(params->path))
		i++;
	return disk_open_with(disk_backends[i], dp, params);
}

const struct disk_info *disk_info(const struct disk *disk)
{
	return &disk->info;
}

int disk_sync(struct disk *disk)
{
	return disk->ops->sync ? disk->ops->sync(disk) : 0;
}

int disk_host_size(const struct disk *disk, u64 *size, bool *settable)
{
	*settable = true;
	*size = disk->info.size;
	return disk->ops->host_size ?
		       disk->ops->host_size(disk, size, settable) : 0;
}

int disk_set_size(struct disk *disk, u64 size)
{
	u64 host;
	bool settable;
	int err = disk_host_size(disk, &host, &settable);

	assert(size && !(size % disk->info.block_size));
	if (!err && size != host && disk->ops->set_host_size)
		err = disk->ops->set_host_size(disk, size);
	if (!err)
		write_once(&disk->info.size, size);
	return err;
}

int disk_queue_new(struct disk *disk, struct iothread *thread,
		   unsigned int depth, struct disk_queue **qp)
{
	struct disk_queue *q;
	int err;

	assert(depth && depth <= 1u << 16);	/* tags are 16 bits */
	q = aligned_alloc(128, 128);
	_Static_assert(sizeof(*q) <= 128, "one line, one owner");
	if (!q) {
		log_error("disk queue of %u requests: out of memory", depth);
		return -ENOMEM;
	}
	*q = (struct disk_queue){
		.ops = disk->ops,
		.disk = disk,
		.depth = depth,
	};
	err = q->ops->queue_init(q, thread);
	if (err) {
		free(q);
		return err;
	}
	*qp = q;
	return 0;
}

void disk_queue_free(struct disk_queue *q)
{
	if (!q)
		return;
	q->ops->queue_exit(q);
	free(q);
}

static inline void disk_check_range(const struct disk_queue *q,
				    const struct disk_req *req)
{
	assert(!((req->offset + req->len) & SECTOR_MASK));
	assert(req->len <= read_once(&q->disk->info.size) &&
	       req->offset <= read_once(&q->disk->info.size) - req->len);
}

/* All but reads and writes.  What came before goes before it. */
static void disk_stage_other(struct disk_queue *q, struct disk_req *req)
{
	if (req->op != DISK_FLUSH)
		disk_check_range(q, req);
	disk_unplug(q);
	q->ops->stage(q, req);
}

void disk_stage(struct disk_queue *q, struct disk_req *req)
{
	assert(req->tag < q->depth);
	req->merged = NULL;
	if (req->op > DISK_WRITE) {
		disk_stage_other(q, req);
		return;
	}
	disk_check_range(q, req);
	if (!q->disk->merge) {
		q->ops->stage(q, req);
		return;
	}
	if (disk_merge(q, req))
		return;
	disk_unplug(q);
	q->held = req;
}

void disk_unplug(struct disk_queue *q)
{
	struct disk_req *req = q->held;

	if (!req)
		return;
	q->held = NULL;
	q->ops->stage(q, req);
}

void disk_cancel(struct disk_queue *q)
{
	if (q->ops->cancel)
		q->ops->cancel(q);
}

u64 disk_queue_merged(const struct disk_queue *q)
{
	return read_once(&q->merged);
}

const struct disk_thread_stats *disk_thread_stats(const struct disk_queue *q)
{
	return q->stats;
}
