// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks and hosts that misbehave on purpose: see fault_disk.h.
 *
 * The fault back end copies each request into a slot of its own, sends the copy
 * to the disk behind it, and keeps what completes until its time has come.  So
 * it holds back and reorders completions of any back end, on the I/O thread.
 */
#include "fault_disk.h"
#include "kvm/iothread.h"
#include "log.h"
#include "memcheck.h"
#include <errno.h>
#include <libaio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000u
#endif

/* --- a host -------------------------------------------------------------- */

struct fault_host fault_host;

int io_setup(int maxevents, io_context_t *ctxp)
{
	u32 *ring;

	if (syscall(SYS_io_setup, maxevents, ctxp) < 0)
		return -errno;
	ring = (u32 *)*ctxp;
	/* valgrind takes the ring to be as short as asked for. */
	VALGRIND_MAKE_MEM_DEFINED(ring, 32 + ring[1] * sizeof(struct io_event));
	if (fault_host.no_ring)
		ring[4] = 0;	/* magic */
	return 0;
}

int io_getevents(io_context_t ctx, long min_nr, long nr,
		 struct io_event *events, struct timespec *timeout)
{
	long n;

	fault_host.getevents++;
	if (fault_host.reap)
		return fault_host.reap(min_nr, events, timeout);
	n = syscall(SYS_io_getevents, ctx, min_nr, nr, events, timeout);
	return n < 0 ? -errno : (int)n;
}

/* The errno that this iocb is to be refused with, or 0. */
static int fault_refusal(const struct iocb *iocb)
{
	if (iocb->aio_lio_opcode == IO_CMD_FDSYNC)
		return fault_host.no_fdsync ? EINVAL : 0;
	if ((u64)iocb->u.c.offset == fault_host.refuse_offset)
		return fault_host.refuse;
	return 0;
}

/* Shorten what is transferred; returns what fault_mend() must put back. */
struct fault_cut {
	struct iovec *iov;
	size_t len;
	unsigned long niov;	/* or bytes, without segments */
};

static struct fault_cut fault_cut(struct iocb *iocb)
{
	struct fault_cut cut = { .niov = iocb->u.c.nbytes };
	struct iovec *iov = iocb->u.c.buf;
	size_t room = fault_host.cut;

	if (!room || iocb->aio_lio_opcode == IO_CMD_FDSYNC)
		return cut;
	if (iocb->aio_lio_opcode == IO_CMD_PREAD ||
	    iocb->aio_lio_opcode == IO_CMD_PWRITE) {
		if (iocb->u.c.nbytes > room)
			iocb->u.c.nbytes = room;
		return cut;
	}
	for (unsigned long i = 0; i < cut.niov; i++) {
		if (iov[i].iov_len >= room) {
			cut.iov = &iov[i];
			cut.len = iov[i].iov_len;
			iov[i].iov_len = room;
			iocb->u.c.nbytes = i + 1;
			break;
		}
		room -= iov[i].iov_len;
	}
	return cut;
}

static void fault_mend(struct iocb *iocb, const struct fault_cut *cut)
{
	iocb->u.c.nbytes = cut->niov;
	if (cut->iov)
		cut->iov->iov_len = cut->len;
}

static int fault_submit_one(io_context_t ctx, struct iocb *iocb)
{
	struct fault_cut cut = fault_cut(iocb);
	long n = syscall(SYS_io_submit, ctx, 1L, &iocb);
	int err = errno;

	fault_mend(iocb, &cut);
	return n < 0 ? -err : 1;
}

static int fault_submit(io_context_t ctx, long nr, struct iocb **ios)
{
	long i;

	for (i = 0; i < nr; i++) {
		int refusal = fault_refusal(ios[i]);
		int n = refusal ? -refusal : fault_submit_one(ctx, ios[i]);

		if (n < 0)
			return i ? (int)i : n;
	}
	return (int)i;
}

int io_submit(io_context_t ctx, long nr, struct iocb *ios[])
{
	struct fault_host *h = &fault_host;
	long n;

	h->submits++;
	for (long i = 0; i < nr; i++) {
		bool unheard = !(ios[i]->u.c.flags & 1);

		h->durable += !!(ios[i]->aio_rw_flags & RWF_DSYNC);
		h->syncs += ios[i]->aio_lio_opcode == IO_CMD_FDSYNC;
		h->unheard += unheard;
		h->unheard_flushes +=
			unheard && ios[i]->aio_lio_opcode == IO_CMD_FDSYNC;
	}
	if (h->submit)
		return h->submit(nr, ios);
	if (h->interrupt) {
		h->interrupt--;
		return -EINTR;
	}
	if (h->again) {
		h->again--;
		return -EAGAIN;
	}
	if (h->take && nr > h->take)
		nr = h->take;
	if (h->cut || h->refuse || h->no_fdsync)
		return fault_submit(ctx, nr, ios);
	n = syscall(SYS_io_submit, ctx, nr, ios);
	return n < 0 ? -errno : (int)n;
}

int statx(int fd, const char *path, int flags, unsigned int mask,
	  struct statx *stx)
{
	long err = syscall(SYS_statx, fd, path, flags, mask, stx);

	if (!err && fault_host.no_dioalign)
		stx->stx_mask &= ~STATX_DIOALIGN;
	if (!err && fault_host.no_direct) {
		stx->stx_mask |= STATX_DIOALIGN;
		stx->stx_dio_offset_align = 0;
	}
	return (int)err;
}

/* --- a disk in memory ---------------------------------------------------- */

struct memory_queue {
	struct iothread_client client;
	char *data;
	unsigned int n;
	struct disk_req **staged;
};

static bool memory_match(const char *path)
{
	return !strncmp(path, "memory:", 7);
}

/* Limits that are all different. */
static void fault_offer_erasure(struct disk_info *info)
{
	info->discard_max = 512 << 10;
	info->discard_align = 8192;
	info->zeroes_max = 256 << 10;
	info->zeroes_unmap = true;
	info->secure_erase_max = 128 << 10;
}

static int memory_open(struct disk *disk, const struct disk_params *params)
{
	u64 size = strtoull(params->path + 7, NULL, 0);

	disk->info = (struct disk_info){
		.size = size,
		.block_size = 512,
		.physical_size = 512,
		.readonly = params->readonly,
	};
	if (params->discard)
		fault_offer_erasure(&disk->info);
	disk->priv = calloc(1, size);
	return disk->priv ? 0 : -ENOMEM;
}

static void memory_close(struct disk *disk)
{
	free(disk->priv);
}

static void memory_stage(struct disk_queue *q, struct disk_req *req)
{
	struct memory_queue *mq = q->priv;

	mq->staged[mq->n++] = req;
}

static void memory_transfer(const struct memory_queue *mq,
			    const struct disk_req *req)
{
	char *data = mq->data + req->offset;

	if (req->op == DISK_WRITE && req->durable)
		__atomic_add_fetch(&fault_host.durable, 1, __ATOMIC_RELAXED);
	if (req->op > DISK_FLUSH) {
		fault_host.erased = *req;
		memset(data, 0, req->len);
	}
	if (req->op > DISK_WRITE)
		return;
	for (u32 i = 0; i < req->niov; i++) {
		const struct iovec *iov = &req->iov[i];

		if (req->op == DISK_READ)
			memcpy(iov->iov_base, data, iov->iov_len);
		else
			memcpy(data, iov->iov_base, iov->iov_len);
		data += iov->iov_len;
	}
}

static bool memory_work(struct iothread_client *c)
{
	return ((struct memory_queue *)c)->n;
}

static void memory_flush(struct iothread_client *c)
{
	struct memory_queue *mq = (struct memory_queue *)c;

	for (unsigned int left = mq->n; left; left--) {
		struct disk_req *req = mq->staged[0];

		memmove(mq->staged, mq->staged + 1,
			--mq->n * sizeof(*mq->staged));
		memory_transfer(mq, req);
		disk_done(req, 0);
	}
}

static const struct iothread_ops memory_thread_ops = {
	.run = memory_work,
	.flush = memory_flush,
	.sleep = memory_work,
};

static int memory_queue_init(struct disk_queue *q, struct iothread *thread)
{
	struct memory_queue *mq = calloc(1, sizeof(*mq));

	if (!mq)
		return -ENOMEM;
	mq->staged = calloc(q->depth, sizeof(*mq->staged));
	if (!mq->staged) {
		free(mq);
		return -ENOMEM;
	}
	mq->client.ops = &memory_thread_ops;
	mq->client.fd = -1;
	mq->data = q->disk->priv;
	q->priv = mq;
	return iothread_add(thread, &mq->client);
}

static void memory_queue_exit(struct disk_queue *q)
{
	struct memory_queue *mq = q->priv;

	free(mq->staged);
	free(mq);
}

static int memory_sync(struct disk *disk)
{
	(void)disk;
	fault_host.syncs++;
	return -fault_host.no_sync;
}

const struct disk_ops disk_memory_ops = {
	.name = "memory",
	.match = memory_match,
	.open = memory_open,
	.close = memory_close,
	.queue_init = memory_queue_init,
	.queue_exit = memory_queue_exit,
	.stage = memory_stage,
	.sync = memory_sync,
};

/* --- a disk that fails, delays and reorders ------------------------------ */

struct fault_disk {
	struct disk *inner;
	u64 seed;
	unsigned int errors;	/* per cent */
	unsigned int delay;	/* turns */
};

struct fault_slot {
	struct disk_req copy;	/* first: found from it */
	struct disk_req *req;
	struct fault_queue *queue;
	int err;
	bool held;		/* complete, but not told */
	unsigned int turns;	/* until it is */
};

struct fault_queue {
	struct iothread_client client;
	struct disk_queue *inner;
	const struct fault_disk *disk;
	u64 random;
	unsigned int depth;
	unsigned int nheld;
	struct fault_slot *slots;
};

static unsigned int fault_random(struct fault_queue *fq, unsigned int below)
{
	u64 x = fq->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	fq->random = x;
	return (unsigned int)((x >> 32) % below);
}

static bool fault_match(const char *path)
{
	return !strncmp(path, "fault:", 6);
}

static int fault_open(struct disk *disk, const struct disk_params *params)
{
	struct disk_params inner = *params;
	struct fault_disk *fd = calloc(1, sizeof(*fd));
	unsigned long long seed;
	int used = 0, err;

	if (!fd)
		return -ENOMEM;
	if (sscanf(params->path, "fault:%llu:%u:%u:%n", &seed, &fd->errors,
		   &fd->delay, &used) != 3 || !used) {
		log_error("--disk %s: give fault:SEED:ERRORS:DELAY:PATH",
			  params->path);
		err = -EINVAL;
		goto free_fd;
	}
	fd->seed = seed;
	inner.path += used;
	inner.merge = false;	/* nobody unplugs its queues */
	err = memory_match(inner.path) ?
		      disk_open_with(&disk_memory_ops, &fd->inner, &inner) :
		      disk_open(&fd->inner, &inner);
	if (err)
		goto free_fd;
	disk->info = *disk_info(fd->inner);
	disk->priv = fd;
	return 0;
free_fd:
	free(fd);
	return err;
}

static void fault_close(struct disk *disk)
{
	struct fault_disk *fd = disk->priv;

	disk_close(fd->inner);
	free(fd);
}

static void fault_hold(struct fault_slot *slot, int err)
{
	struct fault_queue *fq = slot->queue;

	slot->err = err;
	slot->held = true;
	slot->turns = fault_random(fq, fq->disk->delay + 1);
	fq->nheld++;
}

static void fault_inner_done(struct disk_req *copy, int err)
{
	fault_hold((struct fault_slot *)copy, err);
}

static void fault_stage(struct disk_queue *q, struct disk_req *req)
{
	struct fault_queue *fq = q->priv;
	struct fault_slot *slot = &fq->slots[req->tag];

	slot->req = req;
	slot->copy = *req;
	slot->copy.done = fault_inner_done;
	if (fault_random(fq, 100) < fq->disk->errors)
		fault_hold(slot, -EIO);
	else
		disk_stage(fq->inner, &slot->copy);
}

/* In each turn, those whose time has come, starting anywhere. */
static void fault_flush(struct iothread_client *c)
{
	struct fault_queue *fq = (struct fault_queue *)c;
	unsigned int first = fault_random(fq, fq->depth);

	for (unsigned int i = 0; i < fq->depth && fq->nheld; i++) {
		struct fault_slot *slot =
			&fq->slots[(first + i) % fq->depth];

		if (!slot->held || slot->turns--)
			continue;
		slot->held = false;
		fq->nheld--;
		disk_done(slot->req, slot->err);
	}
}

static bool fault_work(struct iothread_client *c)
{
	return ((struct fault_queue *)c)->nheld;
}

static const struct iothread_ops fault_thread_ops = {
	.run = fault_work,
	.flush = fault_flush,
	.sleep = fault_work,
};

static int fault_queue_init(struct disk_queue *q, struct iothread *thread)
{
	struct fault_queue *fq = calloc(1, sizeof(*fq));
	int err = -ENOMEM;

	if (!fq)
		return -ENOMEM;
	fq->client.ops = &fault_thread_ops;
	fq->client.fd = -1;
	fq->disk = q->disk->priv;
	fq->random = fq->disk->seed * 0x9e3779b97f4a7c15 + 1;
	fq->depth = q->depth;
	fq->slots = calloc(q->depth, sizeof(*fq->slots));
	if (!fq->slots)
		goto fail;
	for (unsigned int i = 0; i < q->depth; i++)
		fq->slots[i].queue = fq;
	err = disk_queue_new(fq->disk->inner, thread, q->depth, &fq->inner);
	if (err)
		goto fail;
	q->priv = fq;
	q->stats = disk_thread_stats(fq->inner);
	return iothread_add(thread, &fq->client);
fail:
	free(fq->slots);
	free(fq);
	return err;
}

static void fault_queue_exit(struct disk_queue *q)
{
	struct fault_queue *fq = q->priv;

	disk_queue_free(fq->inner);
	free(fq->slots);
	free(fq);
}

static int fault_sync(struct disk *disk)
{
	const struct fault_disk *fd = disk->priv;

	return disk_sync(fd->inner);
}

const struct disk_ops disk_fault_ops = {
	.name = "fault",
	.match = fault_match,
	.open = fault_open,
	.close = fault_close,
	.queue_init = fault_queue_init,
	.queue_exit = fault_queue_exit,
	.stage = fault_stage,
	.sync = fault_sync,
};
