// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the inputs made the device do, so that run.sh can tell whether the seeds
 * reach all of it: see fuzz_counts.h.
 */
#include "fuzz_counts.h"
#include "virtio/blk_queue.h"
#include <stdio.h>
#include <stdlib.h>

static unsigned long counts[FUZZ_COUNTS];

static void fuzz_print_counts(void)
{
	static const char *const names[FUZZ_COUNTS] = {
		[FUZZ_READ] = "read",
		[FUZZ_WRITE] = "write",
		[FUZZ_FLUSH] = "flush",
		[FUZZ_DISCARD] = "discard",
		[FUZZ_WRITE_ZEROES] = "write-zeroes",
		[FUZZ_SECURE_ERASE] = "secure-erase",
		[FUZZ_GET_ID] = "get-id",
		[FUZZ_UNKNOWN] = "unknown-type",
		[FUZZ_CONFIG_READ] = "config-read",
		[FUZZ_CACHE_OFF] = "cache-off",
		[FUZZ_CACHE_ON] = "cache-on",
		[FUZZ_BROKEN] = "broken",
	};
	FILE *file = fopen(getenv("FUZZ_COUNTS"), "w");

	if (!file)
		abort();
	for (unsigned int i = 0; i < FUZZ_COUNTS; i++)
		fprintf(file, "%s %lu\n", names[i], counts[i]);
	fclose(file);
}

void fuzz_count(enum fuzz_count what)
{
	static bool begun;

	if (!begun && getenv("FUZZ_COUNTS"))
		atexit(fuzz_print_counts);
	begun = true;
	counts[what]++;
}

void __real_disk_stage(struct disk_queue *q, struct disk_req *req);
void __wrap_disk_stage(struct disk_queue *q, struct disk_req *req);

/* A request that is in order, on its way to the disk. */
void __wrap_disk_stage(struct disk_queue *q, struct disk_req *req)
{
	static const enum fuzz_count ops[] = {
		[DISK_READ] = FUZZ_READ,
		[DISK_WRITE] = FUZZ_WRITE,
		[DISK_FLUSH] = FUZZ_FLUSH,
		[DISK_DISCARD] = FUZZ_DISCARD,
		[DISK_WRITE_ZEROES] = FUZZ_WRITE_ZEROES,
		[DISK_SECURE_ERASE] = FUZZ_SECURE_ERASE,
	};

	fuzz_count(ops[req->op]);
	__real_disk_stage(q, req);
}

void __real_blk_other(struct blk_request *req, u32 type, struct buffers out,
		      struct buffers in);
void __wrap_blk_other(struct blk_request *req, u32 type, struct buffers out,
		      struct buffers in);

void __wrap_blk_other(struct blk_request *req, u32 type, struct buffers out,
		      struct buffers in)
{
	if (type == VIRTIO_BLK_T_GET_ID)
		fuzz_count(FUZZ_GET_ID);
	else if (type > VIRTIO_BLK_T_SECURE_ERASE)
		fuzz_count(FUZZ_UNKNOWN);
	__real_blk_other(req, type, out, in);
}
