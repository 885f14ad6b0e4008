// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine for io_uring: a turn is one io_uring_enter() at most, unless a ring is
 * too small, completions are read from the mapped ring, and files are registered.
 *
 * So is guest memory, in pieces, each with the first request that has its buffer
 * there: its pages stay pinned, and need not be looked up for each request.
 *
 * Since Linux 6.1 what a device completes later waits in the kernel, where it costs
 * least, until the thread enters it; a flag in the mapped ring says so, and the thread
 * looks once more before it sleeps.
 *
 * The eventfd tells of completions only while the thread sleeps.  Where the
 * kernel allows no ring, the context becomes one of the native engine, with a
 * warning; that is decided before the thread runs.  run, flush and sleep are
 * the I/O thread's, without a lock, an allocation or a log line.  A turn that
 * registers a piece, one at most, has one more system call.
 */
#include "disk/aio_context.h"
#include "log.h"
#include "probes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __CHECKER__	/* <linux/fs.h> says it again, in other words */
#undef RWF_HIPRI
#undef RWF_DSYNC
#undef RWF_SYNC
#undef RWF_NOWAIT
#undef RWF_APPEND
#endif
#include <liburing.h>

#define SUBMIT_MAX 4096u	/* entries of the submission ring */
#define DEFERRED                                                   \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | \
	 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED)
#define PIECE (2ul << 20)	/* a huge page, which comes as a whole anyway */
#define PIECES_MAX (1u << 14)	/* the kernel's limit; what is behind goes as without */

/* Of guest memory. */
enum piece {
	PIECE_NEW,		/* no request's buffer was there */
	PIECE_PINNED,		/* registered, by its number */
	PIECE_REFUSED,		/* by the kernel: of RLIMIT_MEMLOCK, say */
};

struct uring_context {
	struct aio_context ctx;	/* first: found from it */
	struct io_uring ring;
	unsigned int room;	/* entries of the completion ring */
	unsigned int nfiles;	/* registered */
	bool armed;		/* completions signal the eventfd */
	bool pinned;		/* a piece, in this turn: one is enough */
	unsigned int npieces;	/* 0: the kernel registers none */
	u64 first_piece;	/* its address, in pieces */
	u8 *pieces;		/* enum piece */
};

/* --- completions --------------------------------------------------------- */

/*
 * Hand on what has completed.  complete() may stage new calls meanwhile: that
 * does not touch the ring.
 */
static bool uring_reap(struct uring_context *uc)
{
	struct io_uring_cq *cq = &uc->ring.cq;
	unsigned int head = *cq->khead;
	unsigned int n = io_uring_cq_ready(&uc->ring);

	if (!n)
		return false;
	uc->ctx.inflight -= n;
	for (unsigned int i = 0; i < n; i++) {
		const struct io_uring_cqe *cqe =
			&cq->cqes[(head + i) & cq->ring_mask];
		struct aio_call *call = io_uring_cqe_get_data(cqe);

		call->complete(call, cqe->res);
	}
	io_uring_cq_advance(&uc->ring, n);
	aio_count_reaped(&uc->ctx, n);
	return true;
}

/*
 * Whether completions wait in the kernel.  It may say so after they were taken, until
 * the next one is, so that only what is reaped counts as work.
 */
static bool uring_waits(const struct uring_context *uc)
{
	return read_once(uc->ring.sq.kflags) & IORING_SQ_TASKRUN;
}

/* --- submission ---------------------------------------------------------- */

static void uring_pin(struct uring_context *uc, u64 piece)
{
	struct iovec iov = {
		.iov_base = (void *)((uc->first_piece + piece) * PIECE),
		.iov_len = PIECE,
	};
	int n = io_uring_register_buffers_update_tag(
		&uc->ring, (unsigned int)piece, &iov, NULL, 1);

	uc->pieces[piece] = n == 1 ? PIECE_PINNED : PIECE_REFUSED;
	uc->pinned = true;
}

/* The pinned piece that has all of the buffer, or -1. */
static int uring_piece(struct uring_context *uc, const struct iocb *iocb)
{
	u64 start = (u64)(unsigned long)iocb->u.c.buf;
	u64 last = start + iocb->u.c.nbytes - 1;
	u64 piece = start / PIECE - uc->first_piece;

	if (piece >= uc->npieces || start / PIECE != last / PIECE)
		return -1;
	if (uc->pieces[piece] == PIECE_NEW && !uc->pinned)
		uring_pin(uc, piece);
	return uc->pieces[piece] == PIECE_PINNED ? (int)piece : -1;
}

static void uring_prepare_rw(struct uring_context *uc, struct io_uring_sqe *sqe,
			     const struct iocb *iocb)
{
	static const u8 ops[][2] = {	/* with a registered buffer */
		[IO_CMD_PREAD] = { IORING_OP_READ, IORING_OP_READ_FIXED },
		[IO_CMD_PWRITE] = { IORING_OP_WRITE, IORING_OP_WRITE_FIXED },
		[IO_CMD_PREADV] = { IORING_OP_READV },
		[IO_CMD_PWRITEV] = { IORING_OP_WRITEV },
	};
	const u8 *op = ops[iocb->aio_lio_opcode];
	int piece = op[1] ? uring_piece(uc, iocb) : -1;

	io_uring_prep_rw(op[piece >= 0], sqe, iocb->aio_fildes, iocb->u.c.buf,
			 (unsigned int)iocb->u.c.nbytes,
			 (u64)iocb->u.c.offset);
	sqe->rw_flags = (__force __kernel_rwf_t)iocb->aio_rw_flags;
	if (piece >= 0)
		sqe->buf_index = (u16)piece;
}

static void uring_prepare(struct uring_context *uc, const struct iocb *iocb,
			  struct io_uring_sqe *sqe)
{
	if (iocb->aio_lio_opcode == IO_CMD_FDSYNC)
		io_uring_prep_fsync(sqe, iocb->aio_fildes,
				    IORING_FSYNC_DATASYNC);
	else
		uring_prepare_rw(uc, sqe, iocb);
	io_uring_sqe_set_data(sqe, iocb->data);
	for (unsigned int i = 0; i < uc->nfiles; i++) {
		if (uc->ctx.files[i] == iocb->aio_fildes) {
			sqe->fd = (int)i;
			sqe->flags |= IOSQE_FIXED_FILE;
			break;
		}
	}
}

/*
 * From pending to the submission ring, as many as both rings have room for: no
 * completion may lack a place.
 */
static void uring_fill(struct uring_context *uc)
{
	struct aio_context *ctx = &uc->ctx;
	unsigned int space = io_uring_sq_space_left(&uc->ring);
	unsigned int room = uc->room - ctx->inflight -
			    io_uring_sq_ready(&uc->ring);
	unsigned int batch = ctx->batch - io_uring_sq_ready(&uc->ring);
	unsigned int n = ctx->npending;

	if (n > space)
		n = space;
	if (n > room)
		n = room;
	if (n > batch)
		n = batch;
	for (unsigned int i = 0; i < n; i++)
		uring_prepare(uc, ctx->pending[i],
			      io_uring_get_sqe(&uc->ring));
	aio_unpend(ctx, n);
}

/*
 * All that is staged, in one system call; more of them only if a ring is too
 * small for it, for batch=, or if the kernel stops in between, as it does at a
 * call that it refuses: that one is completed with the error, like any other.
 */
static void uring_submit(struct uring_context *uc)
{
	struct aio_context *ctx = &uc->ctx;
	int n;

	ctx->full = false;
	uc->pinned = false;
	uring_fill(uc);
	while (io_uring_sq_ready(&uc->ring)) {
		n = io_uring_submit_and_get_events(&uc->ring);
		counter_add(&ctx->stats.submits, 1);
		if (n == -EINTR)
			continue;
		if (n <= 0) {	/* out of memory: once more in the next turn */
			ctx->full = true;
			counter_add(&ctx->stats.retried, 1);
			return;
		}
		ctx->inflight += (unsigned int)n;
		counter_add(&ctx->stats.submitted, (u64)n);
		probe_submit(aio_uring.name, n);
		uring_fill(uc);
	}
	ctx->full = ctx->npending;
}

/* --- the thread's turn --------------------------------------------------- */

static unsigned int uring_left(const struct uring_context *uc)
{
	return uc->ctx.npending + io_uring_sq_ready(&uc->ring);
}

static bool uring_run(struct iothread_client *c)
{
	struct uring_context *uc = (struct uring_context *)c;

	if (uc->armed) {
		io_uring_cq_eventfd_toggle(&uc->ring, false);
		uc->armed = false;
	}
	/* What is staged brings them along. */
	if (uring_waits(uc) && (uc->ctx.full || !uring_left(uc)))
		io_uring_get_events(&uc->ring);
	return uring_reap(uc);
}

static void uring_flush(struct iothread_client *c)
{
	struct uring_context *uc = (struct uring_context *)c;

	if (uring_left(uc)) {
		uring_submit(uc);
		/* What is in the page cache is done by now. */
		uring_reap(uc);
	}
	if (uc->ctx.ndeferred)
		aio_complete_deferred(&uc->ctx);
}

static bool uring_sleep(struct iothread_client *c)
{
	struct uring_context *uc = (struct uring_context *)c;

	if (aio_wants_turn(&uc->ctx, uring_left(uc)))
		return true;
	if (!uc->ctx.inflight)
		return false;
	if (!uc->armed) {
		io_uring_cq_eventfd_toggle(&uc->ring, true);
		uc->armed = true;
		/* Pairs with the kernel's between a completion and its signal. */
		full_fence();
	}
	/* Its flag, unlike its list, is not ordered with the signal. */
	if (uc->ring.flags & IORING_SETUP_DEFER_TASKRUN)
		io_uring_get_events(&uc->ring);
	return io_uring_cq_ready(&uc->ring);
}

/* --- set-up and tear-down ------------------------------------------------ */

static void uring_warn(const char *path, int err)
{
	const char *why = strerror(-err), *remedy = "free some memory";

	switch (-err) {
	case ENOSYS:
	case EINVAL:
		why = "this kernel has none";
		remedy = "use Linux 5.6 or later with CONFIG_IO_URING";
		break;
	case EACCES:
	case EPERM:
		why = "the kernel forbids it";
		remedy = "let the seccomp filter of this container or service permit io_uring_setup, io_uring_enter and io_uring_register";
		if (!aio_sysctl("/proc/sys/kernel/io_uring_disabled"))
			break;
		why = "kernel.io_uring_disabled forbids it";
		remedy = "permit it with `sysctl -w kernel.io_uring_disabled=0`";
		break;
	case ENOMEM:
		why = "no locked memory is left";
		remedy = "raise `ulimit -l`";
		break;
	case EMFILE:
	case ENFILE:
		remedy = "raise `ulimit -n`";
		break;
	}
	log_warn("--disk %s: aio=io_uring: %s, so aio=native is used instead; to have it, %s",
		 path, why, remedy);
}

static int uring_setup_as(struct io_uring *ring, unsigned int depth,
			  unsigned int flags)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | flags,
		.cq_entries = depth,
	};
	unsigned int entries = depth < SUBMIT_MAX ? depth : SUBMIT_MAX;
	int err;

	err = io_uring_queue_init_params(entries, ring, &params);
	if (err)
		return err;
	if (params.features & IORING_FEAT_RW_CUR_POS)	/* Linux 5.6 */
		return 0;
	io_uring_queue_exit(ring);
	return -ENOSYS;
}

static int uring_setup(struct io_uring *ring, unsigned int depth)
{
	int err = uring_setup_as(ring, depth, DEFERRED);

	return err == -EINVAL ? uring_setup_as(ring, depth, 0) : err;
}

/* By the thread that will submit: from now on the ring is its own.  0 or -errno. */
static int uring_enable(struct io_uring *ring)
{
	if (!(ring->flags & IORING_SETUP_R_DISABLED))
		return 0;
	return io_uring_register((unsigned int)ring->ring_fd,
				 IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

bool aio_uring_allowed(const char *path)
{
	struct io_uring ring;
	int err = uring_setup(&ring, 1);

	if (!err) {
		/* A ring that may not be entered would not do. */
		err = uring_enable(&ring);
		io_uring_prep_nop(io_uring_get_sqe(&ring));
		if (!err)
			err = io_uring_submit_and_wait(&ring, 1);
		io_uring_queue_exit(&ring);
	}
	if (err < 0)
		uring_warn(path, err);
	return err >= 0;
}

static void uring_enter(struct iothread_client *c)
{
	struct uring_context *uc = (struct uring_context *)c;
	int err = uring_enable(&uc->ring);

	assert(!err);	/* of a ring that is not enabled yet, nothing refuses it */
}

/* At once: the ring itself is freed later, files hold locks, memory is locked. */
static void uring_leave(struct iothread_client *c)
{
	struct uring_context *uc = (struct uring_context *)c;

	if (uc->nfiles)
		io_uring_unregister_files(&uc->ring);
	if (uc->npieces)
		io_uring_unregister_buffers(&uc->ring);
	uc->nfiles = uc->npieces = 0;
}

static void uring_stop(struct aio_context *ctx)
{
	struct uring_context *uc = (struct uring_context *)ctx;

	uring_leave(&ctx->client);	/* if no thread ever ran */
	io_uring_queue_exit(&uc->ring);
	free(uc->pieces);
}

/* Room for all whole pieces; none is registered yet.  Refused, all is as without. */
static void uring_add_memory(struct uring_context *uc)
{
	const struct iovec *memory = &uc->ctx.memory;
	u64 start = (u64)(unsigned long)memory->iov_base;
	u64 first = (start + PIECE - 1) / PIECE;
	u64 n = (start + memory->iov_len) / PIECE - first;

	if (memory->iov_len < 2 * PIECE)
		return;
	if (n > PIECES_MAX)
		n = PIECES_MAX;
	uc->pieces = calloc(n, sizeof(*uc->pieces));
	if (!uc->pieces)
		return;
	if (io_uring_register_buffers_sparse(&uc->ring, (unsigned int)n))
		return;
	uc->first_piece = first;
	uc->npieces = (unsigned int)n;
}

static int uring_start(struct aio_context *ctx)
{
	struct uring_context *uc = (struct uring_context *)ctx;
	int err = uring_setup(&uc->ring, ctx->depth);

	if (err)
		goto native;
	uc->room = uc->ring.cq.ring_entries;
	err = io_uring_register_eventfd(&uc->ring, ctx->client.fd);
	if (err)
		goto exit_ring;
	/* Refused, they are named by descriptor as elsewhere. */
	if (!io_uring_register_files(&uc->ring, ctx->files, ctx->nfiles))
		uc->nfiles = ctx->nfiles;
	uring_add_memory(uc);
	/* Before Linux 5.8 it cannot be switched: some signals too many. */
	io_uring_cq_eventfd_toggle(&uc->ring, false);
	return 0;
exit_ring:
	io_uring_queue_exit(&uc->ring);
native:
	uring_warn(ctx->path, err);
	memset(ctx + 1, 0, sizeof(*uc) - sizeof(*ctx));
	ctx->engine = &aio_native;
	ctx->info->engine = aio_native.name;
	ctx->info->engine_why = AIO_URING_REFUSED;
	ctx->client.ops = &aio_native.thread;
	return aio_native.start(ctx);
}

const struct aio_engine aio_uring = {
	.name = "io_uring",
	.thread = {
		.start = aio_context_start,
		.enter = uring_enter,
		.leave = uring_leave,
		.run = uring_run,
		.flush = uring_flush,
		.sleep = uring_sleep,
	},
	.size = sizeof(struct uring_context),
	.start = uring_start,
	.stop = uring_stop,
};
