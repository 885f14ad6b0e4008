// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of requests that the host failed (rerror=, werror=): the guest
 * is told, or it is not, or the request is kept and the guest paused until
 * someone has mended the host.
 *
 * All runs on the queue's I/O thread, and on the error path only.
 */
#include "barrier.h"
#include "disk/disk.h"
#include "log.h"
#include "virtio/blk_queue.h"
#include "virtio/device.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHY_MAX 192

static const char *blk_describe(const struct blk_request *req, int err,
				char *text)
{
	static const char *const verbs[] = {
		[DISK_READ] = "read",
		[DISK_WRITE] = "write",
		[DISK_FLUSH] = "flush",
		[DISK_DISCARD] = "discard",
		[DISK_WRITE_ZEROES] = "zeroing",
		[DISK_SECURE_ERASE] = "secure erasure",
	};
	const struct disk_req *disk = &req->disk;

	snprintf(text, WHY_MAX, "%s: host %s of %llu bytes at %llu failed: %s",
		 req->queue->blk->dev.name, verbs[disk->op],
		 (unsigned long long)disk->len,
		 (unsigned long long)disk->offset, strerror(-err));
	return text;
}

static void blk_complain(const struct blk_request *req, int err,
			 enum blk_complaint kind)
{
	static const char *const outcomes[] = {
		[BLK_REPORTED] = "the guest gets I/O errors",
		[BLK_IGNORED] = "the guest is told that all is well",
	};
	char text[WHY_MAX];

	if (blk_complains(req->queue->blk, kind))
		log_error("%s; %s (told once)", blk_describe(req, err, text),
			  outcomes[kind]);
}

static void blk_report(struct blk_request *req, int err)
{
	u8 status = VIRTIO_BLK_S_IOERR;

	/* That the host cannot is no failure of its own. */
	if (err == -EOPNOTSUPP && req->disk.op == DISK_SECURE_ERASE)
		status = VIRTIO_BLK_S_UNSUPP;
	else if (err != -ECANCELED)	/* by a reset */
		blk_complain(req, err, BLK_REPORTED);
	blk_end(req, status, 0);
}

/* What could not be read is zeroes, not what the guest's memory held before. */
static void blk_ignore(struct blk_request *req, int err)
{
	const struct disk_req *disk = &req->disk;
	bool read = disk->op == DISK_READ;

	blk_complain(req, err, BLK_IGNORED);
	counter_add(&req->queue->stats.ignored, 1);
	for (u32 i = 0; read && i < disk->niov; i++)
		memset(disk->iov[i].iov_base, 0, disk->iov[i].iov_len);
	blk_end(req, VIRTIO_BLK_S_OK, read ? (u32)req->writable : 0);
}

static void blk_keep(struct blk_request *req, int err)
{
	struct blk_queue *q = req->queue;
	struct blk_request **end = &q->kept;
	char why[WHY_MAX];

	while (*end)
		end = &(*end)->next_kept;
	*end = req;
	req->next_kept = NULL;
	counter_add(&q->stats.kept, 1);
	/* Whoever resumes it later finds the request there. */
	q->blk->on_error.pause(q->blk->on_error.ctx,
			       blk_describe(req, err, why));
}

static enum virtio_blk_policy blk_policy(const struct blk_request *req, int err)
{
	const struct virtio_blk_on_error *on = &req->queue->blk->on_error;
	enum virtio_blk_policy policy =
		req->disk.op == DISK_READ ? on->read : on->write;

	if (req->queue->stopping || err == -ECANCELED ||
	    (err == -EOPNOTSUPP && req->disk.op == DISK_SECURE_ERASE))
		return VIRTIO_BLK_REPORT;
	if (policy == VIRTIO_BLK_ENOSPC)
		return err == -ENOSPC || err == -EDQUOT ? VIRTIO_BLK_STOP :
							  VIRTIO_BLK_REPORT;
	return policy;
}

void blk_failed(struct blk_request *req, int err)
{
	switch (blk_policy(req, err)) {
	case VIRTIO_BLK_STOP:
		blk_keep(req, err);
		break;
	case VIRTIO_BLK_IGNORE:
		blk_ignore(req, err);
		break;
	default:
		blk_report(req, err);
	}
}

/* The disk cuts off the buffers what it has transferred: the rest remains. */
static void blk_skip_done(struct disk_req *disk)
{
	u64 left = 0;

	while (disk->niov && !disk->iov->iov_len) {
		disk->iov++;
		disk->niov--;
	}
	for (u32 i = 0; i < disk->niov; i++)
		left += disk->iov[i].iov_len;
	assert(left && left <= disk->len);
	disk->offset += disk->len - left;
	disk->len = left;
}

/*
 * A flush that failed cannot be mended: the host has dropped what it could not
 * write, tells so once, and would say of the next one that all is well.
 */
static void blk_retry_one(struct blk_request *req)
{
	if (req->disk.op == DISK_FLUSH) {
		blk_end(req, VIRTIO_BLK_S_IOERR, 0);
		return;
	}
	if (req->disk.op <= DISK_WRITE)
		blk_skip_done(&req->disk);
	blk_hand_over(req);
}

void blk_retry(struct blk_queue *q)
{
	struct blk_request *req = q->kept, *next;

	q->kept = NULL;
	for (; req; req = next) {
		next = req->next_kept;
		blk_retry_one(req);
	}
}

void blk_give_up(struct blk_queue *q)
{
	struct blk_request *req = q->kept, *next;

	q->kept = NULL;
	for (; req; req = next) {
		next = req->next_kept;
		blk_end(req, VIRTIO_BLK_S_IOERR, 0);
	}
}
