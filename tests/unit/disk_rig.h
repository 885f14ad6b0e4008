/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the disk tests drive a disk with: an I/O thread, queues on it, requests
 * that know whether they were finished, and stderr caught in a buffer.
 */
#ifndef LKVM_TESTS_DISK_RIG_H
#define LKVM_TESTS_DISK_RIG_H

#include "disk/backend.h"
#include "kvm/iothread.h"
#include <pthread.h>
#include <sys/uio.h>

#define RIG_QUEUES 4
#define RIG_IOVS 8

struct rig {
	struct iothread *thread;
	unsigned int nqueues;
	struct disk_queue *queues[RIG_QUEUES];
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int pending;	/* staged, not done */
};

struct rig_req {
	struct disk_req req;	/* first: found from it */
	struct rig *rig;
	struct disk_queue *queue;
	struct iovec iov[RIG_IOVS];
	void *buf;		/* around all of them, */
	size_t room;		/* of so many bytes */
	unsigned int times;	/* that done() ran */
	unsigned int restage;	/* so many times more, from done() */
	int err;		/* of the last time */
};

struct disk *rig_open(const struct disk_ops *ops, const char *path);
struct disk *rig_open_engine(const struct disk_ops *ops, const char *path,
			     enum disk_engine engine);

void rig_init(struct rig *rig);
struct disk_queue *rig_add(struct rig *rig, struct disk *disk,
			   unsigned int depth);
void rig_start(struct rig *rig);
/* Stops the thread and frees it and the queues. */
void rig_exit(struct rig *rig);

/* A request on queue @q of one buffer; for a flush, none. */
void rig_prepare(struct rig *rig, struct rig_req *r, unsigned int q, u16 tag,
		 enum disk_op op, u64 offset, void *buf, u64 len);
/* Stage all @n in one turn. */
void rig_stage(struct rig *rig, struct rig_req *reqs, unsigned int n);
/* Until all is done; fails the test after 20 s. */
void rig_wait(struct rig *rig);
/* One request alone, with tag 0 of queue 0: its result. */
int rig_io(struct rig *rig, enum disk_op op, u64 offset, void *buf, u64 len);

/* A fresh file of @size bytes: direct if the test directory is, or tmpfs. */
void rig_file(char *path, size_t room, const char *dir, u64 size);
/* A directory whose file system takes O_DIRECT, or NULL. */
const char *rig_direct_dir(void);

/* Memory of @size bytes that direct I/O takes, filled from @seed. */
char *rig_buffer(size_t size, unsigned int seed);
void rig_fill(char *buf, size_t size, unsigned int seed);

/* Between the two, stderr goes to @text. */
struct rig_capture {
	int saved;
	int file;
	char text[4096];
};

void rig_capture_start(struct rig_capture *c);
void rig_capture_end(struct rig_capture *c);
/* Exactly one line, with all of these strings in it. */
#define rig_expect_line(c, ...) \
	rig_expect_strings(c, (const char *const[]){ __VA_ARGS__, NULL })
void rig_expect_strings(const struct rig_capture *c, const char *const *want);

#endif
