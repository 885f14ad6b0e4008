// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_host (fault_disk.h) does to the engines beside libaio: liburing's
 * set-up, submission and registration, and the system calls of aio=threads.
 */
#include "fault_disk.h"
#include "barrier.h"
#include "memcheck.h"
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CUT_IOVS 16

/* --- io_uring ------------------------------------------------------------ */

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *p)
{
	int (*real)(unsigned int, struct io_uring *, struct io_uring_params *);
	struct fault_host *h = &fault_host;
	int err;

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	if (h->no_uring && h->uring_rings++ >= h->uring_allow)
		return -h->no_uring;
	if (h->no_defer && p->flags & IORING_SETUP_DEFER_TASKRUN)
		return -EINVAL;
	if (h->uring_entries && entries > h->uring_entries) {
		entries = h->uring_entries;
		p->cq_entries = 2 * entries;
	}
	err = real(entries, ring, p);
	if (!err) {
		h->uring = ring;
		VALGRIND_MAKE_MEM_DEFINED(ring->sq.ring_ptr, ring->sq.ring_sz);
		VALGRIND_MAKE_MEM_DEFINED(ring->cq.ring_ptr, ring->cq.ring_sz);
	}
	return err;
}

int io_uring_register_files(struct io_uring *ring, const int *files,
			    unsigned int nr)
{
	int (*real)(struct io_uring *, const int *, unsigned int);
	int err;

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_register_files");
	err = real(ring, files, nr);
	if (!err)
		fault_host.uring_files = nr;
	return err;
}

int io_uring_register_buffers_update_tag(struct io_uring *ring,
					 unsigned int off,
					 const struct iovec *iovecs,
					 const __u64 *tags, unsigned int nr)
{
	int (*real)(struct io_uring *, unsigned int, const struct iovec *,
		    const __u64 *, unsigned int);
	int n = -fault_host.no_pin;

	*(void **)&real =
		dlsym(RTLD_NEXT, "io_uring_register_buffers_update_tag");
	if (!n)
		n = real(ring, off, iovecs, tags, nr);
	fault_host.uring_pins += nr;
	fault_host.uring_refused += n < 0;
	return n;
}

static bool is_fixed(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READ_FIXED ||
	       sqe->opcode == IORING_OP_WRITE_FIXED;
}

/* Shorten or spoil one; returns what is to be put back after its submission. */
static struct iovec *fault_sqe(struct io_uring_sqe *sqe, struct iovec *saved)
{
	struct fault_host *h = &fault_host;
	struct iovec *iov = (struct iovec *)(unsigned long)sqe->addr;
	size_t room = h->cut;

	if (sqe->opcode == IORING_OP_FSYNC)
		return NULL;
	if (h->refuse && sqe->off == h->refuse_offset) {
		sqe->fd = -1;
		sqe->flags = 0;
	}
	if (!room)
		return NULL;
	if (sqe->opcode == IORING_OP_READ || sqe->opcode == IORING_OP_WRITE ||
	    is_fixed(sqe)) {
		if (sqe->len > room)
			sqe->len = (u32)room;
		return NULL;
	}
	for (u32 i = 0; i < sqe->len; room -= iov[i++].iov_len) {
		if (iov[i].iov_len < room)
			continue;
		*saved = iov[i];
		iov[i].iov_len = room;
		sqe->len = i + 1;
		return &iov[i];
	}
	return NULL;
}

/* One by one, as the kernel reads an iovec at its submission. */
static int fault_submit_sqes(struct io_uring *ring, unsigned int n,
			     int (*submit)(struct io_uring *))
{
	unsigned int end = ring->sq.sqe_tail;
	int done = 0;

	ring->sq.sqe_tail = ring->sq.sqe_head;
	while (n--) {
		struct iovec saved, *iov;
		int ret;

		iov = fault_sqe(&ring->sq.sqes[ring->sq.sqe_tail++ &
					       ring->sq.ring_mask], &saved);
		ret = submit(ring);
		if (iov)
			*iov = saved;
		if (ret != 1)
			abort();
		done++;
	}
	ring->sq.sqe_tail = end;
	return done;
}

static void count_sqes(const struct io_uring *ring)
{
	const struct io_uring_sq *sq = &ring->sq;

	for (unsigned int i = sq->sqe_head; i != sq->sqe_tail; i++) {
		const struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		if (sqe->opcode == IORING_OP_FSYNC)
			fault_host.syncs +=
				sqe->fsync_flags == IORING_FSYNC_DATASYNC;
		else if (sqe->rw_flags & RWF_DSYNC)
			fault_host.durable++;
		fault_host.uring_fixed += is_fixed(sqe);
	}
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
	struct fault_host *h = &fault_host;
	unsigned int n = ring->sq.sqe_tail - ring->sq.sqe_head;
	int (*real)(struct io_uring *);

	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_get_events");
	h->submits++;
	if (h->interrupt) {
		h->interrupt--;
		return -EINTR;
	}
	if (h->again) {
		h->again--;
		return -EAGAIN;
	}
	count_sqes(ring);
	if (!h->take && !h->cut && !h->refuse)
		return real(ring);
	return fault_submit_sqes(ring, h->take && n > h->take ? h->take : n,
				 real);
}

/* --- aio=threads --------------------------------------------------------- */

static void fault_wait(struct fault_host *h)
{
	if (!read_once(&h->hold))
		return;
	__atomic_add_fetch(&h->held, 1, __ATOMIC_SEQ_CST);
	while (read_once(&h->hold))
		usleep(1000);
}

static ssize_t fault_rw(long call, int fd, const struct iovec *iov, int n,
			off_t offset, int flags)
{
	struct fault_host *h = &fault_host;
	struct iovec cut[CUT_IOVS];
	size_t room = h->cut;

	if (h->refuse && (u64)offset == h->refuse_offset) {
		errno = h->refuse;
		return -1;
	}
	fault_wait(h);
	for (int i = 0; room && i < n && i < CUT_IOVS; i++) {
		cut[i] = iov[i];
		if (cut[i].iov_len < room) {
			room -= cut[i].iov_len;
			continue;
		}
		cut[i].iov_len = room;
		return syscall(call, fd, cut, i + 1, offset, 0, flags);
	}
	return syscall(call, fd, iov, n, offset, 0, flags);
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return fault_rw(SYS_preadv2, fd, iov, n, offset, 0);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	if (flags & RWF_DSYNC)
		__atomic_add_fetch(&fault_host.durable, 1, __ATOMIC_RELAXED);
	return fault_rw(SYS_pwritev2, fd, iov, n, offset, flags);
}

int fdatasync(int fd)
{
	struct fault_host *h = &fault_host;
	int err = h->no_sync;

	__atomic_add_fetch(&h->syncs, 1, __ATOMIC_RELAXED);
	fault_wait(h);
	if (!err)
		err = __atomic_exchange_n(&h->lost, 0, __ATOMIC_RELAXED);
	if (err) {
		errno = err;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}
