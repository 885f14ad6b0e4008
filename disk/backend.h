/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk back end implements.  Private to disk/ and to the tests.
 * A back end's file exports one symbol, its const struct disk_ops, and is
 * listed in disk/disk.c.
 */
#ifndef LKVM_DISK_BACKEND_H
#define LKVM_DISK_BACKEND_H

#include "disk/disk.h"

/*
 * What a cache= consists of: the table of "Storage Performance Tuning for FAST!
 * Virtual Machines".
 */
struct disk_cache_mode {
	const char *name;
	bool write_cache;	/* writes are durable after a flush only */
	bool direct;		/* past the host's page cache */
	bool ignore_flush;
};

struct disk_ops {
	const char *name;
	/* Whether @path is this back end's; the first that says yes opens it. */
	bool (*match)(const char *path);
	/* Set disk->info and disk->priv.  0 or -errno, with a message. */
	int (*open)(struct disk *disk, const struct disk_params *params);
	void (*close)(struct disk *disk);
	/* Set q->priv and q->stats.  0 or -errno, with a message. */
	int (*queue_init)(struct disk_queue *q, struct iothread *thread);
	void (*queue_exit)(struct disk_queue *q);
	void (*stage)(struct disk_queue *q, struct disk_req *req);
	/* Optional: as disk_cancel(). */
	void (*cancel)(struct disk_queue *q);
	/* Optional: as disk_sync(). */
	int (*sync)(struct disk *disk);
	/* Optional: as disk_host_size(); else it has the size it was told. */
	int (*host_size)(const struct disk *disk, u64 *size, bool *settable);
	/* Optional: make the host's file so long. */
	int (*set_host_size)(struct disk *disk, u64 size);
};

struct disk {
	const struct disk_ops *ops;
	struct disk_info info;
	void *priv;
	bool merge;
	u64 merge_mask;		/* the back end's: bits of offset and length, any
				 * of which makes a request a small one */
};

struct disk_queue {
	const struct disk_ops *ops;
	struct disk *disk;
	unsigned int depth;
	const struct disk_thread_stats *stats;
	void *priv;
	struct disk_req *held;	/* staged, waits for a neighbour */
	struct disk_req *last;	/* of those merged with it */
	u64 merged;
};

/* merge.c: whether @req goes along with q->held. */
bool disk_merge_adjacent(struct disk_queue *q, struct disk_req *req);
void disk_merged_done(struct disk_req *head, int err);

static inline bool disk_merge(struct disk_queue *q, struct disk_req *req)
{
	const struct disk_req *head = q->held;

	return head && req->offset == head->offset + head->len &&
	       disk_merge_adjacent(q, req);
}

/* A back end ends each request with this, once. */
static inline void disk_done(struct disk_req *req, int err)
{
	if (req->merged)
		disk_merged_done(req, err);
	else
		req->done(req, err);
}

/* For tests too: open with a given back end. */
int disk_open_with(const struct disk_ops *ops, struct disk **dp,
		   const struct disk_params *params);

const struct disk_cache_mode *disk_cache_mode(const struct disk_params *params);

extern const struct disk_ops disk_aio_ops;
extern const struct disk_ops disk_null_ops;

#endif
