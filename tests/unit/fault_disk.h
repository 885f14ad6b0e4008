/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks and hosts that misbehave on purpose, for the tests.
 *
 * Back ends, to be opened with disk_open_with():
 *   memory:SIZE                 a disk in memory; SIZE in bytes
 *   fault:SEED:ERRORS:DELAY:PATH  another disk (memory:, null: or a file), of
 *                               whose requests ERRORS per cent fail with EIO,
 *                               and whose completions come up to DELAY turns
 *                               late and in any order, all drawn from SEED
 *
 * And a host: io_setup(), io_submit() and io_getevents() of libaio, and statx(),
 * are replaced by ones that do what struct fault_host says; all zero, they are
 * transparent.  So are, by fault_engine.c, liburing's set-up and submission,
 * preadv(), pwritev2() and fdatasync(), and, by fault_erase.c, fallocate(),
 * pwrite() and ioctl().
 */
#ifndef LKVM_TESTS_FAULT_DISK_H
#define LKVM_TESTS_FAULT_DISK_H

#include "disk/backend.h"
#include <libaio.h>

/* Set while nothing is in flight.  One per process, as the kernel is. */
struct fault_host {
	unsigned int again;	/* so many submits fail with EAGAIN */
	unsigned int interrupt;	/* so many with EINTR */
	unsigned int take;	/* at most so many a call; 0: all */
	unsigned int cut;	/* transfers to so many bytes; 0: not at all */
	int refuse;		/* errno for an iocb at refuse_offset */
	u64 refuse_offset;
	bool no_fdsync;		/* EINVAL, as before Linux 4.18 */
	int no_sync;		/* errno of fdatasync(), of disk_sync() in memory */
	bool no_dioalign;	/* statx() tells nothing, as before Linux 6.1 */
	bool no_direct;		/* it tells that there is no direct I/O */
	bool no_ring;		/* the completion ring has another layout */
	/* Called instead of the kernel; they need no_ring, too. */
	int (*submit)(long n, struct iocb **ios);
	int (*reap)(long min, struct io_event *events, struct timespec *wait);

	/* fault_engine.c */
	int no_uring;		/* errno of a ring's set-up ... */
	unsigned int uring_allow;	/* ... after so many */
	unsigned int uring_entries;	/* submissions at most, and twice that */
	bool no_defer;		/* no ring whose completions wait, as before Linux 6.1 */
	int no_pin;		/* errno when memory is registered */
	bool hold;		/* preadv(), pwritev2(), fdatasync() wait meanwhile */
	int lost;		/* errno of a lost page: one fdatasync() tells it */

	/* fault_erase.c */
	int no_punch;		/* errno of such an fallocate() */
	int no_zero_range;
	u32 zones;		/* block devices have so many */
	bool secure;		/* block devices can erase securely, ... */
	u64 secure_range[2];	/* ... as this one, lately */
	int direct_fd;		/* one for whole blocks of 4 KiB, if not 0: */
	unsigned int direct_pwrites;	/* to it, */
	unsigned int misplaced_pwrites;	/* of other things, or not to it */

	unsigned int submits;	/* calls, counted */
	struct disk_req erased;	/* the last one, of a disk in memory */
	unsigned int durable;	/* writes with RWF_DSYNC */
	unsigned int syncs;	/* fdatasync, by whatever call */
	unsigned int unheard;	/* iocbs submitted without a signal */
	unsigned int unheard_flushes;	/* of them, flushes */
	unsigned int punches;
	unsigned int zero_ranges;
	unsigned int pwrites;
	unsigned int uring_rings;
	struct io_uring *uring;	/* the last of them */
	unsigned int uring_files;	/* registered */
	unsigned int uring_pins;	/* pieces of memory to register, ... */
	unsigned int uring_refused;	/* ... and that were not */
	unsigned int uring_fixed;	/* requests with a buffer there */
	unsigned int held;	/* calls that waited */
	unsigned int getevents;
};

extern struct fault_host fault_host;

extern const struct disk_ops disk_memory_ops;
extern const struct disk_ops disk_fault_ops;

#endif
