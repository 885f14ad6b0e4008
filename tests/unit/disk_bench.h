/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The back ends that the disk tests loop over, and one of them opened on a disk
 * of DISK_SIZE bytes, with an I/O thread.
 */
#ifndef LKVM_TESTS_DISK_BENCH_H
#define LKVM_TESTS_DISK_BENCH_H

#include "disk_rig.h"
#include "fault_disk.h"
#include <check.h>

#define DISK_SIZE (1u << 20)
#define DEPTH 64u
#define PATH_ROOM 256

enum place { NOWHERE, LOCAL, TMPFS };

struct variant {
	const char *name;
	const struct disk_ops *ops;	/* NULL: as disk_open() chooses */
	enum place place;		/* of the file, appended to path */
	const char *path;
	bool data;			/* it keeps what is written */
	bool errors;			/* some requests fail */
	bool no_ring;
	bool no_defer;
	enum disk_engine engine;
	u32 align;			/* as if the host had such blocks */
};

/* Which one is which, where it matters. */
enum {
	AIO, AIO_4K, AIO_BUFFERED, AIO_NO_RING, THREADS, THREADS_DIRECT,
	THREADS_4K, NULL_DISK,
	URING = 14, URING_4K, URING_BUFFERED, URING_OLD, URING_LATE, NVARIANTS,
};

extern const struct variant variants[NVARIANTS];

/*
 * Loop a test over all variants, or over those that are an engine and no more:
 * without io_uring where the kernel forbids it, which is told as skipped.
 */
void bench_add_all(TCase *tc, const TTest *test);
void bench_add_engines(TCase *tc, const TTest *test);
/* Whether the kernel allows io_uring; tells the skipped ones if not. */
bool bench_has_uring(void);

struct bench {
	const struct variant *variant;
	struct disk *disk;
	struct rig rig;
	char file[PATH_ROOM];
};

void bench_open(struct bench *b, const struct variant *v);
/* The same, with a queue, and running. */
void bench_start(struct bench *b, const struct variant *v, unsigned int depth);
void bench_exit(struct bench *b);

/* Taken by the thread between two turns, so that the last one is in it. */
struct disk_thread_stats bench_stats(const struct bench *b);

/* Done once, and with success where the back end knows no failure. */
void bench_check(const struct bench *b, const struct rig_req *r);
/* @n writes of @len bytes from @data in one turn; all must succeed. */
void bench_write(struct bench *b, char *data, unsigned int n, u64 len);
/* Compare with the file itself, past the back end. */
void bench_check_file(const struct bench *b, u64 offset, const char *data,
		      size_t len);

#endif
