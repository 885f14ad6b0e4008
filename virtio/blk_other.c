// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-blk requests that are rare (virtio 1.2, 5.2.6): discards, zeroes,
 * secure erasure, the serial number, what is not known at all, and what of reads
 * and writes never gets to the disk.
 *
 * Runs on the queue's I/O thread.  Ranges are checked here; what they do to the
 * host's file is disk/erase.c's.
 */
#include "barrier.h"
#include "disk/disk.h"
#include "virtio/blk_queue.h"
#include "virtio/device.h"

void blk_end_early(struct blk_request *req, enum disk_op op, u64 sector,
		   u64 len, u8 status)
{
	static const struct buffers nothing;

	blk_prepare(req, op, sector << SECTOR_SHIFT, &nothing, len);
	blk_end(req, status, 0);
}

/* 5.2.6: up to 20 bytes of serial number, ended by 0 if shorter. */
static void blk_get_id(struct blk_request *req, const struct buffers *data)
{
	const struct virtio_blk *blk = req->queue->blk;
	size_t done = 0;

	counter_add(&req->queue->stats.others, 1);
	for (unsigned int i = 0; i < data->n && done < sizeof(blk->serial); i++) {
		size_t part = sizeof(blk->serial) - done;

		if (part > data->iov[i].iov_len)
			part = data->iov[i].iov_len;
		memcpy(data->iov[i].iov_base, blk->serial + done, part);
		done += part;
	}
	blk_end_as(req, TRACE_OTHER, VIRTIO_BLK_S_OK, (u32)done);
}

/* One kind of request on a range without data. */
struct erasure {
	enum disk_op op;
	unsigned int feature;
	u32 flags;		/* that are known */
	size_t count, bytes;	/* counters in struct virtio_blk_stats */
};

#define STAT(name) offsetof(struct virtio_blk_stats, name)
static const struct erasure discard = {
	.op = DISK_DISCARD,
	.feature = VIRTIO_BLK_F_DISCARD,
	.count = STAT(discards),
	.bytes = STAT(discarded_bytes),
}, write_zeroes = {
	.op = DISK_WRITE_ZEROES,
	.feature = VIRTIO_BLK_F_WRITE_ZEROES,
	.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
	.count = STAT(write_zeroes),
	.bytes = STAT(zeroed_bytes),
}, secure_erase = {
	.op = DISK_SECURE_ERASE,
	.feature = VIRTIO_BLK_F_SECURE_ERASE,
	.count = STAT(secure_erases),
	.bytes = STAT(discarded_bytes),
};

static void blk_count(struct blk_queue *q, size_t counter, u64 n)
{
	counter_add((u64 *)((char *)&q->stats + counter), n);
}

static u64 blk_erase_max(const struct disk_info *info, enum disk_op op)
{
	switch (op) {
	case DISK_DISCARD:
		return info->discard_max;
	case DISK_WRITE_ZEROES:
		return info->zeroes_max;
	default:
		return info->secure_erase_max;
	}
}

static void blk_unsupported(struct blk_request *req)
{
	counter_add(&req->queue->stats.others, 1);
	blk_end_as(req, TRACE_OTHER, VIRTIO_BLK_S_UNSUPP, 0);
}

/*
 * The one segment of the request: the device has said that it takes no more
 * (max_discard_seg and its like are 1).  Its status, OK if it is in order.
 */
static u8 blk_take_segment(struct blk_request *req, const struct erasure *e,
			   struct buffers *out,
			   struct virtio_blk_discard_write_zeroes *segment)
{
	const struct virtio_blk *blk = req->queue->blk;
	u64 len = buffers_len(out), bytes;

	if (!len || len % sizeof(*segment))
		return VIRTIO_BLK_S_IOERR;
	if (len != sizeof(*segment) ||
	    !buffers_take(out, segment, sizeof(*segment)))
		return VIRTIO_BLK_S_UNSUPP;
	/* 5.2.6.2: unknown flags, and unmap but for zeroes. */
	if (le32_to_cpu((__force __le32)segment->flags) & ~e->flags)
		return VIRTIO_BLK_S_UNSUPP;
	bytes = (u64)le32_to_cpu((__force __le32)segment->num_sectors)
		<< SECTOR_SHIFT;
	if (bytes > blk_erase_max(disk_info(blk->disk), e->op) ||
	    !blk_range_ok(blk, le64_to_cpu((__force __le64)segment->sector),
			  bytes))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void blk_erase(struct blk_request *req, const struct erasure *e,
		      struct buffers *out)
{
	static const struct buffers nothing;
	struct virtio_blk_discard_write_zeroes segment = { 0 };
	struct blk_queue *q = req->queue;
	u64 bytes;
	u8 status;

	if (!virtio_device_has(&q->blk->dev, e->feature)) {
		blk_unsupported(req);
		return;
	}
	blk_count(q, e->count, 1);
	status = blk_take_segment(req, e, out, &segment);
	bytes = (u64)le32_to_cpu((__force __le32)segment.num_sectors)
		<< SECTOR_SHIFT;
	if (status != VIRTIO_BLK_S_OK || !bytes) {
		blk_end_early(req, e->op,
			      le64_to_cpu((__force __le64)segment.sector),
			      bytes, status);
		return;
	}
	blk_count(q, e->bytes, bytes);
	req->disk.durable = read_once(&q->blk->write_through);
	req->disk.unmap = segment.flags != 0;
	blk_stage(req, e->op,
		  le64_to_cpu((__force __le64)segment.sector) << SECTOR_SHIFT,
		  &nothing, bytes);
}

void blk_other(struct blk_request *req, u32 type, struct buffers out,
	       struct buffers in)
{
	switch (type) {
	case VIRTIO_BLK_T_GET_ID:
		blk_get_id(req, &in);
		break;
	case VIRTIO_BLK_T_DISCARD:
		blk_erase(req, &discard, &out);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		blk_erase(req, &write_zeroes, &out);
		break;
	case VIRTIO_BLK_T_SECURE_ERASE:
		blk_erase(req, &secure_erase, &out);
		break;
	default:
		blk_unsupported(req);
	}
}
