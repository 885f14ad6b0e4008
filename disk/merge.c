// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging: of the requests that a queue stages in one turn, those that read or
 * write one behind the other go to the back end as one.  The first of them
 * carries the buffers of all; all are done when it is.  If it fails, each is
 * tried again by itself, so that one bad block fails no neighbour.
 *
 * Runs on the I/O thread that owns the queue.  A request that has no neighbour
 * pays for one comparison.
 */
#include "disk/backend.h"
#include "barrier.h"
#include <string.h>

#define MERGE_SEGMENTS 128		/* what host devices usually take ... */
#define MERGE_BYTES (512u << 10)	/* ... in one piece */

static bool merge_fits(const struct disk_req *head, const struct disk_req *req,
		       u64 mask)
{
	/* Its own buffers stay as they are, for a second try. */
	u32 needed = head->merged ? req->niov : head->niov + req->niov;

	/* A small request would make a large one small, too: see aio.c. */
	if (!((head->offset | head->len) & mask) !=
	    !((req->offset | req->len) & mask))
		return false;
	return head->iov_end - (head->iov + head->niov) >= needed &&
	       head->niov + req->niov <= MERGE_SEGMENTS &&
	       head->len + req->len <= MERGE_BYTES;
}

/* From now on @head's buffers are a list of their own, behind its own ones. */
static void merge_begin(struct disk_queue *q, struct disk_req *head)
{
	struct iovec *own = head->iov;

	head->iov += head->niov;
	memcpy(head->iov, own, head->niov * sizeof(*own));
	q->last = head;
	head->queue = q;
}

bool disk_merge_adjacent(struct disk_queue *q, struct disk_req *req)
{
	struct disk_req *head = q->held;

	if (req->op != head->op || req->durable != head->durable ||
	    !merge_fits(head, req, q->disk->merge_mask))
		return false;
	if (!head->merged)
		merge_begin(q, head);
	memcpy(head->iov + head->niov, req->iov, req->niov * sizeof(*req->iov));
	head->niov += req->niov;
	head->len += req->len;
	q->last->merged = req;
	q->last = req;
	counter_add(&q->merged, 1);
	return true;
}

/* Give @head back its own buffers, which stand before those of all. */
static void merge_undo(struct disk_req *head)
{
	for (struct disk_req *r = head->merged; r; r = r->merged) {
		head->niov -= r->niov;
		head->len -= r->len;
	}
	head->iov -= head->niov;
}

void disk_merged_done(struct disk_req *head, int err)
{
	struct disk_req *next, *req = head;

	merge_undo(head);
	for (; req; req = next) {
		next = req->merged;
		req->merged = NULL;
		if (err)
			head->queue->ops->stage(head->queue, req);
		else
			req->done(req, 0);
	}
}
