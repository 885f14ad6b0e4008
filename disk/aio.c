// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end for raw images and block devices: from a request to an iocb,
 * which describes a kernel call to every engine, and from its result to done().
 *
 * stage() fills in the iocb and leaves it to the thread's AIO context
 * (aio_context.h), whose engine submits and reaps.  A short transfer is continued, a
 * read behind the end of the file gives zeroes.  Every staged request gets
 * done() exactly once.  open, close, queue_init and queue_exit run at set-up
 * and tear-down; all else on the I/O thread, without an allocation or a copy
 * but for memory or ranges that direct I/O refuses.
 */
#include "disk/aio_context.h"
#include "disk/backend.h"
#include "disk/erase.h"
#include "disk/flush.h"
#include "disk/image.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AIO_BOUNCE_ALIGN 4096
#define AIO_BOUNCE_MAX (256u << 10)	/* a guest chooses lengths: in pieces */

/* The back end's side of a request, by tag. */
struct aio_req {
	_Alignas(AIO_LINE) struct aio_call call;	/* found from it */
	struct disk_req *req;
	struct aio_queue *queue;
	struct iovec *iov;	/* what is still to be transferred: */
	u64 left;		/* bytes */
	u32 niov;
	u32 skip;		/* bytes of bounce that nobody wants */
	char *bounce;		/* stands in for iov, if buf points there */
};

_Static_assert(sizeof(struct aio_req) == AIO_LINE, "one line per request");

struct aio_disk {
	struct image image;
	const struct aio_engine *engine;
	struct eraser *eraser;
	struct flusher *flusher;	/* NULL: nothing to flush, or not wanted */
	unsigned int batch;	/* 0: no limit */
	struct iovec memory;
	bool ignore_flush;
};

/* Constant while the thread runs. */
struct aio_queue {
	struct aio_context *ctx;
	const struct image *image;
	struct aio_req *reqs;
	struct erase_job *jobs;	/* by tag, too */
	struct flush_job *flushes;
	struct eraser *eraser;
	struct flusher *flusher;
	struct iothread *thread;
	u64 offset_mask;
	u64 mem_mask;
	int rw_flags[2];	/* [1]: of a write that is to be durable */
};

static bool aio_is_aligned(const struct aio_queue *aq, const struct aio_req *ar)
{
	u64 bases = 0, lens = 0;

	/* Its length is what is left, which is in whole blocks. */
	if (ar->niov == 1)
		return !((u64)(unsigned long)ar->iov->iov_base & aq->mem_mask);
	for (u32 i = 0; i < ar->niov; i++) {
		bases |= (u64)(unsigned long)ar->iov[i].iov_base;
		lens |= ar->iov[i].iov_len;
	}
	/* Until Linux 6.18 each length counts, not only their sum. */
	return !(bases & aq->mem_mask) && !(lens & aq->offset_mask);
}

/* Copy @n bytes between @bounce and the request's own memory. */
static void aio_bounce_copy(struct aio_req *ar, char *bounce, u64 n)
{
	bool read = ar->req->op == DISK_READ;

	for (struct iovec *iov = ar->iov; n; iov++) {
		u64 len = iov->iov_len < n ? iov->iov_len : n;

		if (read)
			memcpy(iov->iov_base, bounce, len);
		else
			memcpy(bounce, iov->iov_base, len);
		bounce += len;
		n -= len;
	}
}

/*
 * The exceptional path: direct I/O would refuse this memory, or this range of a
 * read, which is then widened to whole blocks.  One aligned buffer takes its
 * place, a bounded one: what does not fit follows as if the transfer had been
 * short.
 */
static int aio_bounce(struct aio_queue *aq, struct aio_req *ar, u64 offset)
{
	u64 align = aq->mem_mask + 1;
	struct iocb *iocb = &ar->call.iocb;
	u64 size;
	void *buf;

	ar->skip = (u32)(offset & aq->offset_mask);
	size = (ar->skip + ar->left + aq->offset_mask) & ~aq->offset_mask;
	if (size > AIO_BOUNCE_MAX)
		size = AIO_BOUNCE_MAX;
	if (align < AIO_BOUNCE_ALIGN)
		align = AIO_BOUNCE_ALIGN;
	/* Once it is there it is large enough for what is left, too. */
	if (!ar->bounce) {
		if (posix_memalign(&buf, align, size))
			return -ENOMEM;
		ar->bounce = buf;
	}
	if (ar->req->op == DISK_WRITE)
		aio_bounce_copy(ar, ar->bounce, size);
	iocb->aio_lio_opcode =
		ar->req->op == DISK_READ ? IO_CMD_PREAD : IO_CMD_PWRITE;
	iocb->u.c.buf = ar->bounce;
	iocb->u.c.nbytes = size;
	iocb->u.c.offset = (long long)(offset - ar->skip);
	return 0;
}

/*
 * Smaller than the host's blocks.  A read takes the blocks around it.  A write
 * goes through the page cache, which reads, modifies and writes whole blocks,
 * by a buffered file of the same inode.  Both ways see the same bytes: a direct
 * read or write first writes back the dirty pages of its range, and a direct
 * write drops them; FDSYNC covers the inode, so it makes both durable.  Only
 * two writes in flight that overlap, a small and a direct one, may leave either
 * one's data in the whole host block, or fail a flush with EIO (the kernel
 * notices); a guest that does so cannot rely on the outcome anyway.
 */
static int aio_prepare_small(struct aio_queue *aq, struct aio_req *ar,
			     u64 offset)
{
	if (ar->left == ar->req->len)
		counter_add(&aq->ctx->stats.buffered, 1);
	if (ar->req->op == DISK_READ)
		return aio_bounce(aq, ar, offset);
	if (aq->image->buffered_fd < 0)
		return -EIO;	/* a direct write ended inside of a block */
	ar->call.iocb.aio_fildes = aq->image->buffered_fd;
	return 0;
}

/* A list of one spares the kernel to read it. */
static void aio_set_buffers(struct aio_req *ar)
{
	struct iocb *iocb = &ar->call.iocb;
	bool read = ar->req->op == DISK_READ;

	if (ar->niov == 1) {
		iocb->aio_lio_opcode = read ? IO_CMD_PREAD : IO_CMD_PWRITE;
		iocb->u.c.buf = ar->iov->iov_base;
		iocb->u.c.nbytes = ar->iov->iov_len;
	} else {
		iocb->aio_lio_opcode = read ? IO_CMD_PREADV : IO_CMD_PWRITEV;
		iocb->u.c.buf = ar->iov;
		iocb->u.c.nbytes = ar->niov;
	}
}

/* Point the iocb at what is left of a read or write. */
static int aio_prepare_rw(struct aio_queue *aq, struct aio_req *ar)
{
	const struct disk_req *req = ar->req;
	u64 offset = req->offset + req->len - ar->left;
	struct iocb *iocb = &ar->call.iocb;

	aio_set_buffers(ar);
	iocb->aio_fildes = aq->image->fd;
	iocb->u.c.offset = (long long)offset;
	if ((offset | ar->left) & aq->offset_mask)
		return aio_prepare_small(aq, ar, offset);
	if (aio_is_aligned(aq, ar))
		return 0;
	if (ar->left == req->len)
		counter_add(&aq->ctx->stats.bounced, 1);
	return aio_bounce(aq, ar, offset);
}

/* --- from a result to done() --------------------------------------------- */

static void aio_finish(struct aio_req *ar, int err)
{
	struct disk_req *req = ar->req;

	if (ar->bounce) {
		free(ar->bounce);
		ar->bounce = NULL;
	}
	ar->req = NULL;		/* before done(), which may stage it again */
	disk_done(req, err);
}

static void aio_advance(struct aio_req *ar, u64 n)
{
	ar->left -= n;
	while (n) {
		u64 len = ar->iov->iov_len < n ? ar->iov->iov_len : n;

		ar->iov->iov_base = (char *)ar->iov->iov_base + len;
		ar->iov->iov_len -= len;
		n -= len;
		if (!ar->iov->iov_len) {
			ar->iov++;
			ar->niov--;
		}
	}
}

/* The file ends here, though it was longer when it was opened. */
static void aio_finish_at_end(struct aio_req *ar)
{
	if (ar->req->op == DISK_WRITE) {
		aio_finish(ar, -ENOSPC);
		return;
	}
	for (u32 i = 0; i < ar->niov; i++)
		memset(ar->iov[i].iov_base, 0, ar->iov[i].iov_len);
	aio_finish(ar, 0);
}

/* How far a transfer of @n bytes brought the request. */
static u64 aio_progress(struct aio_req *ar, u64 n)
{
	if (ar->call.iocb.u.c.buf != ar->bounce)
		return n;
	n = n < ar->skip ? 0 : n - ar->skip;
	if (n > ar->left)
		n = ar->left;
	if (ar->req->op == DISK_READ)
		aio_bounce_copy(ar, ar->bounce + ar->skip, n);
	return n;
}

/*
 * Not simply all done: failed, short, or bounced.  The rest of a short
 * transfer is submitted by the next flush.
 */
static void aio_complete_rest(struct aio_req *ar, long res)
{
	struct aio_queue *aq = ar->queue;
	u64 n;
	int err;

	if (res < 0) {
		aio_finish(ar, (int)res);
		return;
	}
	n = aio_progress(ar, (u64)res);
	aio_advance(ar, n);
	if (!ar->left) {
		aio_finish(ar, 0);
		return;
	}
	if (!n) {
		aio_finish_at_end(ar);
		return;
	}
	counter_add(&aq->ctx->stats.continued, 1);
	err = aio_prepare_rw(aq, ar);
	if (err)
		aio_finish(ar, err);
	else
		aio_call_stage(aq->ctx, &ar->call, ar->req->durable);
}

static void aio_complete(struct aio_call *call, long res)
{
	struct aio_req *ar = (struct aio_req *)call;

	if (res == (long)ar->left && !ar->bounce)
		aio_finish(ar, 0);
	else
		aio_complete_rest(ar, res);
}

/* --- staging ------------------------------------------------------------- */

/* All but reads and writes. */
static void aio_stage_other(struct aio_queue *aq, struct disk_req *req)
{
	if (req->op == DISK_FLUSH)
		flush_start(aq->flusher, &aq->flushes[req->tag], req, aq->ctx,
			    aq->thread);
	else
		erase_start(aq->eraser, &aq->jobs[req->tag], req, aq->thread);
}

static void aio_stage(struct disk_queue *q, struct disk_req *req)
{
	struct aio_queue *aq = q->priv;
	struct aio_req *ar = &aq->reqs[req->tag];
	int err;

	assert(!ar->req);
	if (req->op > DISK_WRITE) {
		aio_stage_other(aq, req);
		return;
	}
	ar->req = req;
	ar->iov = req->iov;
	ar->niov = req->niov;
	ar->left = req->len;
	ar->call.iocb.aio_rw_flags = aq->rw_flags[req->durable];
	err = aio_prepare_rw(aq, ar);
	if (err)
		aio_call_defer(aq->ctx, &ar->call, err);
	else
		aio_call_stage(aq->ctx, &ar->call, req->durable);
}

/* --- set-up and tear-down ------------------------------------------------ */

static struct aio_req *aio_reqs_new(struct aio_queue *aq, unsigned int depth)
{
	struct aio_req *reqs;

	reqs = aligned_alloc(AIO_LINE, depth * sizeof(*reqs));
	if (!reqs)
		return NULL;
	memset(reqs, 0, depth * sizeof(*reqs));
	for (unsigned int i = 0; i < depth; i++) {
		reqs[i].queue = aq;
		aio_call_init(aq->ctx, &reqs[i].call, aio_complete);
	}
	return reqs;
}

static void aio_queue_free(struct aio_queue *aq)
{
	if (!aq)
		return;
	free(aq->reqs);
	free(aq->jobs);
	free(aq->flushes);
	free(aq);
}

static int aio_queue_init(struct disk_queue *q, struct iothread *thread)
{
	const struct aio_disk *ad = q->disk->priv;
	const struct image *image = &ad->image;
	struct aio_context *ctx;
	struct aio_queue *aq;
	int err;

	err = aio_context_get(thread, ad->engine, image->path, q->depth, &ctx);
	if (err)
		return err;
	if (!ctx->info)
		ctx->info = &q->disk->info;
	aio_context_add_file(ctx, image->fd);
	aio_context_add_file(ctx, image->buffered_fd);
	if (ad->batch)
		ctx->batch = ad->batch;
	ctx->memory = ad->memory;
	aq = aligned_alloc(AIO_LINE, AIO_LINE);
	if (!aq)
		goto no_memory;
	*aq = (struct aio_queue){
		.ctx = ctx,
		.image = image,
		.offset_mask = image->offset_align - 1,
		.mem_mask = image->mem_align - 1,
		.rw_flags = { 0, ad->ignore_flush ? 0 : RWF_DSYNC },
		.eraser = ad->eraser,
		.flusher = ad->flusher,
		.thread = thread,
	};
	aq->jobs = calloc(q->depth, sizeof(*aq->jobs));
	aq->flushes = calloc(q->depth, sizeof(*aq->flushes));
	aq->reqs = aio_reqs_new(aq, q->depth);
	if (!aq->jobs || !aq->flushes || !aq->reqs)
		goto no_memory;
	q->priv = aq;
	q->stats = &ctx->stats;
	return 0;
no_memory:
	log_error("--disk %s: no memory for %u requests; use a smaller queue-size",
		  image->path, q->depth);
	aio_queue_free(aq);
	aio_context_put(ctx);
	return -ENOMEM;
}

static void aio_queue_exit(struct disk_queue *q)
{
	struct aio_queue *aq = q->priv;

	for (unsigned int i = 0; i < q->depth; i++)
		assert(!aq->reqs[i].req && !aq->jobs[i].req &&
		       !aq->flushes[i].req);
	aio_context_put(aq->ctx);
	aio_queue_free(aq);
}

static bool aio_match(const char *path)
{
	(void)path;
	return true;
}

static void aio_choose_engine(struct aio_disk *ad, struct disk_info *info,
			      enum disk_engine wanted)
{
	static const struct aio_engine *const engines[] = {
		[DISK_ENGINE_NATIVE] = &aio_native,
		[DISK_ENGINE_IO_URING] = &aio_uring,
		[DISK_ENGINE_THREADS] = &aio_threads,
	};

	info->engine_why = "as asked for";
	if (wanted == DISK_ENGINE_AUTO && (info->direct || ad->image.memory)) {
		wanted = DISK_ENGINE_NATIVE;
		info->engine_why = info->direct ?
			"direct I/O, for which io_submit does not wait" :
			"a file in memory, which does not block io_submit";
	} else if (wanted == DISK_ENGINE_AUTO) {
		wanted = DISK_ENGINE_THREADS;
		info->engine_why = "the host's page cache would block io_submit";
	}
	if (wanted == DISK_ENGINE_IO_URING &&
	    !aio_uring_allowed(ad->image.path)) {
		wanted = DISK_ENGINE_NATIVE;
		info->engine_why = AIO_URING_REFUSED;
	}
	ad->engine = engines[wanted];
	info->engine = ad->engine->name;
}

static int aio_open(struct disk *disk, const struct disk_params *params)
{
	struct aio_disk *ad;
	int err;

	ad = calloc(1, sizeof(*ad));
	if (!ad) {
		log_error("--disk %s: out of memory", params->path);
		return -ENOMEM;
	}
	err = image_open(&ad->image, &disk->info, params);
	if (err)
		goto close;
	aio_choose_engine(ad, &disk->info, params->engine);
	if (params->batch && ad->engine == &aio_threads) {
		log_error("--disk %s: batch=%u: the workers of aio=threads take requests one by one; leave it out, or give aio=native",
			  params->path, params->batch);
		err = -EINVAL;
		goto close;
	}
	ad->ignore_flush = disk_cache_mode(params)->ignore_flush;
	ad->batch = params->batch;
	ad->memory = params->memory;
	if (!disk->info.readonly && !ad->ignore_flush)
		err = flusher_new(&ad->flusher, ad->image.fd, ad->image.path);
	if (err)
		goto close;
	erase_probe(&ad->image, &disk->info, params);
	err = eraser_new(&ad->eraser, &ad->image, &disk->info, ad->flusher);
	if (err)
		goto close;
	if (ad->ignore_flush)
		log_warn("--disk %s: cache=unsafe: what the guest flushes is lost if this host crashes; use it for guests that can be made anew",
			 params->path);
	disk->priv = ad;
	disk->merge_mask = ad->image.offset_align - 1;
	return 0;
close:
	flusher_free(ad->flusher);
	image_close(&ad->image);
	free(ad);
	return err;
}

static void aio_close(struct disk *disk)
{
	struct aio_disk *ad = disk->priv;

	eraser_free(ad->eraser);
	flusher_free(ad->flusher);
	image_close(&ad->image);
	free(ad);
}

static int aio_sync(struct disk *disk)
{
	const struct aio_disk *ad = disk->priv;

	return ad->flusher ? flush_now(ad->flusher) : 0;
}

static int aio_host_size(const struct disk *disk, u64 *size, bool *settable)
{
	const struct aio_disk *ad = disk->priv;

	return image_size(&ad->image, size, settable);
}

static int aio_set_host_size(struct disk *disk, u64 size)
{
	const struct aio_disk *ad = disk->priv;

	return ftruncate(ad->image.fd, (off_t)size) ? -errno : 0;
}

/* Of reads, writes and flushes none takes long. */
static void aio_cancel(struct disk_queue *q)
{
	struct aio_queue *aq = q->priv;

	erase_cancel(aq->eraser, aq->jobs, q->depth);
}

const struct disk_ops disk_aio_ops = {
	.name = "aio",
	.match = aio_match,
	.open = aio_open,
	.close = aio_close,
	.queue_init = aio_queue_init,
	.queue_exit = aio_queue_exit,
	.stage = aio_stage,
	.cancel = aio_cancel,
	.sync = aio_sync,
	.host_size = aio_host_size,
	.set_host_size = aio_set_host_size,
};
