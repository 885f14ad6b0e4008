/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of --trace: what virtio/trace.c writes and lkvm trace reads.
 *
 * A header, a trace_lane for each queue, then chunks in the order in which they
 * were written: a trace_chunk and its records, all of one queue, in the order in
 * which things happened there.  The chunk of queue TRACE_END is the last one.
 * All in the byte order of the machine that wrote it.
 */
#ifndef LKVM_VIRTIO_TRACE_FORMAT_H
#define LKVM_VIRTIO_TRACE_FORMAT_H

#include "endian.h"

#define TRACE_MAGIC "lkvmtrc\n"
#define TRACE_BYTE_ORDER 0x01020304u
#define TRACE_VERSION 1
#define TRACE_LANES_MAX 16384u	/* more than lkvm can have queues */
#define TRACE_END 0xffffffffu

struct trace_header {
	char magic[8];
	u32 byte_order;
	u32 version;
	u64 begin;		/* CLOCK_MONOTONIC, ns, as all times */
	u64 wall;		/* CLOCK_REALTIME at that moment, ns */
	u32 nlanes;
	u32 reserved;
};

struct trace_lane {
	char disk[16];		/* "vda", ended by 0 */
	u32 queue;
	u32 depth;		/* requests that may be in flight */
};

struct trace_chunk {
	u32 lane;
	u32 n;			/* records that follow */
	u64 dropped;		/* records that there was no room for until now */
};

enum trace_kind {
	TRACE_REQUEST,	/* was completed at @ns */
	TRACE_BATCH,	/* what was popped at @popped went to the disk at @ns */
	TRACE_PUBLISH,	/* the last @count requests were shown to the guest */
	TRACE_INTERRUPT, /* an interrupt was sent, or (@status 0) needless */
	TRACE_KINDS
};

/* As enum disk_op, and what is not for the disk. */
enum trace_op {
	TRACE_READ,
	TRACE_WRITE,
	TRACE_FLUSH,
	TRACE_DISCARD,
	TRACE_ZEROES,
	TRACE_SECURE_ERASE,
	TRACE_OTHER,
	TRACE_OPS
};

struct trace_record {
	u64 ns;
	u64 popped;	/* of requests and batches: what both have in common */
	u64 sector;
	u32 count;	/* of requests: sectors */
	u8 kind;
	u8 op;		/* of requests */
	u8 status;	/* of requests: VIRTIO_BLK_S_* */
	u8 reserved;
};

_Static_assert(sizeof(struct trace_header) == 40 &&
		       sizeof(struct trace_lane) == 24 &&
		       sizeof(struct trace_chunk) == 16 &&
		       sizeof(struct trace_record) == 32,
	       "a file may be read by another lkvm");

#endif
