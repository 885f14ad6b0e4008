// SPDX-License-Identifier: GPL-2.0-only
/*
 * From records to requests, see trace_read.h.  A request's record tells of its
 * pop and its completion; when its batch was submitted, and when it was published,
 * say records of its queue that it has in common with others.
 *
 * Nothing in the file is trusted: what a queue has under way is bounded by its
 * depth, and where records are missing times are unknown.
 */
#include "trace_read.h"
#include "log.h"
#include "virtio/virtqueue.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_RECORDS 4096	/* at once */

struct batch {
	u64 popped;
	u64 submitted;
	u32 left;		/* requests to come */
};

/* A queue: what was popped, and what is complete but not published. */
struct lane {
	struct batch *batches;	/* by time; room for depth */
	u32 nbatches;
	u64 early;		/* when some were popped that ended before ... */
	u32 nearly;		/* ... the batch was submitted; how many */
	struct trace_request *done;	/* room for depth */
	u32 ndone;
};

struct reader {
	const char *path;
	FILE *file;
	const struct trace_sink *sink;
	void *ctx;
	struct trace_header header;
	struct trace_lane *lanes;
	struct lane *state;
	struct trace_record *records;
};

static int reader_foreign(const struct reader *r)
{
	log_error("trace %s: no trace; give a file that lkvm run --trace FILE wrote",
		  r->path);
	return -EINVAL;
}

static int reader_damaged(const struct reader *r)
{
	log_error("trace %s: damaged at byte %ld; record it once more", r->path,
		  ftell(r->file));
	return -EINVAL;
}

/* --- one queue ----------------------------------------------------------- */

/*
 * At its first record: a file may claim more queues than it tells of.  Not cleared,
 * for it may claim more depth than it has requests, too: such pages stay unused.
 */
static int lane_open(struct lane *l, u32 depth)
{
	if (l->batches)
		return 0;
	l->batches = malloc(depth * sizeof(*l->batches));
	l->done = malloc(depth * sizeof(*l->done));
	return l->batches && l->done ? 0 : log_no_memory();
}

static void lane_forget_batch(struct lane *l, u32 i)
{
	l->nbatches--;
	memmove(l->batches + i, l->batches + i + 1,
		(l->nbatches - i) * sizeof(*l->batches));
}

static void lane_batch(struct lane *l, u32 depth, const struct trace_record *rec)
{
	u32 early = l->early == rec->popped ? l->nearly : 0;

	l->nearly = 0;
	if (rec->count <= early)
		return;
	if (l->nbatches == depth)	/* some ends of the oldest were dropped */
		lane_forget_batch(l, 0);
	l->batches[l->nbatches++] = (struct batch){
		.popped = rec->popped,
		.submitted = rec->ns,
		.left = rec->count - early,
	};
}

/* When the request that was popped at @popped was submitted. */
static u64 lane_submitted(struct lane *l, u64 popped, u64 completed)
{
	for (u32 i = l->nbatches; i-- > 0;) {
		struct batch *b = &l->batches[i];
		u64 submitted = b->submitted;

		if (b->popped != popped)
			continue;
		if (!--b->left)
			lane_forget_batch(l, i);
		return submitted;
	}
	if (completed != popped)
		return TRACE_UNKNOWN;
	/* In the same step of the turn: it did not get as far as the disk. */
	if (l->early != popped)
		l->nearly = 0;
	l->early = popped;
	l->nearly++;
	return popped;
}

/* All that is complete: published at @ns, if that is known. */
static int reader_publish(struct reader *r, struct lane *l, u64 ns)
{
	u32 n = l->ndone;
	int err = 0;

	l->ndone = 0;
	for (u32 i = 0; i < n && !err; i++) {
		l->done[i].published = ns;
		if (ns < l->done[i].completed)
			return reader_damaged(r);
		err = r->sink->request(r->ctx, &l->done[i]);
	}
	return err;
}

static int reader_request(struct reader *r, u32 index,
			  const struct trace_record *rec)
{
	struct lane *l = &r->state[index];
	u64 begin = r->header.begin, submitted;
	int err = 0;

	if (rec->op >= TRACE_OPS || rec->popped < begin || rec->ns < rec->popped)
		return reader_damaged(r);
	submitted = lane_submitted(l, rec->popped, rec->ns);
	if (submitted != TRACE_UNKNOWN &&
	    (submitted < rec->popped || submitted > rec->ns))
		return reader_damaged(r);
	if (l->ndone == r->lanes[index].depth)	/* a publication was dropped */
		err = reader_publish(r, l, TRACE_UNKNOWN);
	if (err)
		return err;
	l->done[l->ndone++] = (struct trace_request){
		.lane = index,
		.op = rec->op,
		.status = rec->status,
		.sector = rec->sector,
		.bytes = (u64)rec->count << 9,
		.popped = rec->popped - begin,
		.submitted = submitted == TRACE_UNKNOWN ? submitted :
							  submitted - begin,
		.completed = rec->ns - begin,
	};
	return 0;
}

static int reader_record(struct reader *r, u32 index,
			 const struct trace_record *rec)
{
	struct lane *l = &r->state[index];
	u64 ns = rec->ns - r->header.begin;
	int err = 0;

	if (rec->ns < r->header.begin || rec->ns == TRACE_UNKNOWN)
		return reader_damaged(r);
	switch (rec->kind) {
	case TRACE_REQUEST:
		err = reader_request(r, index, rec);
		break;
	case TRACE_BATCH:
		lane_batch(l, r->lanes[index].depth, rec);
		r->sink->batch(r->ctx, index, ns, rec->count);
		break;
	case TRACE_PUBLISH:
		err = reader_publish(
			r, l, rec->count == l->ndone ? ns : TRACE_UNKNOWN);
		r->sink->publish(r->ctx, index, ns, rec->count);
		break;
	case TRACE_INTERRUPT:
		r->sink->interrupt(r->ctx, index, ns, rec->status);
		break;
	default:
		err = reader_damaged(r);
	}
	return err;
}

/* --- the file ------------------------------------------------------------ */

static int reader_check_lane(const struct reader *r, const struct trace_lane *l)
{
	if (!l->depth || l->depth > VIRTQUEUE_SIZE_MAX || !l->disk[0] ||
	    !memchr(l->disk, 0, sizeof(l->disk)))
		return reader_damaged(r);
	for (const char *c = l->disk; *c; c++)
		if (!isalnum((unsigned char)*c))
			return reader_damaged(r);
	return 0;
}

static int reader_check_header(const struct reader *r)
{
	const struct trace_header *h = &r->header;

	if (memcmp(h->magic, TRACE_MAGIC, sizeof(h->magic)) != 0)
		return reader_foreign(r);
	if (h->byte_order != TRACE_BYTE_ORDER) {
		log_error("trace %s: from a machine of another byte order; read it there, as with --json",
			  r->path);
		return -EINVAL;
	}
	if (h->version != TRACE_VERSION) {
		log_error("trace %s: of version %u, this lkvm reads %u; use the lkvm that recorded it",
			  r->path, h->version, TRACE_VERSION);
		return -EINVAL;
	}
	return h->nlanes > TRACE_LANES_MAX ? reader_damaged(r) : 0;
}

static int reader_head(struct reader *r)
{
	int err;

	if (fread(&r->header, sizeof(r->header), 1, r->file) != 1)
		return reader_foreign(r);
	err = reader_check_header(r);
	if (err)
		return err;
	r->lanes = calloc(r->header.nlanes + 1, sizeof(*r->lanes));
	r->state = calloc(r->header.nlanes + 1, sizeof(*r->state));
	r->records = calloc(READ_RECORDS, sizeof(*r->records));
	if (!r->lanes || !r->state || !r->records)
		return log_no_memory();
	if (fread(r->lanes, sizeof(*r->lanes), r->header.nlanes, r->file) !=
	    r->header.nlanes)
		return reader_damaged(r);
	for (u32 i = 0; i < r->header.nlanes && !err; i++)
		err = reader_check_lane(r, &r->lanes[i]);
	return err ? err : r->sink->begin(r->ctx, r->lanes, r->header.nlanes);
}

/* The records of a chunk.  1, 0 at a premature end of the file, or -errno. */
static int reader_records(struct reader *r, const struct trace_chunk *chunk)
{
	for (u32 left = chunk->n; left;) {
		size_t want = left < READ_RECORDS ? left : READ_RECORDS;
		size_t n = fread(r->records, sizeof(*r->records), want, r->file);

		for (size_t i = 0; i < n; i++) {
			int err = reader_record(r, chunk->lane, &r->records[i]);

			if (err)
				return err;
		}
		if (n < want)
			return 0;
		left -= (u32)n;
	}
	return 1;
}

/* 1, 0 at a premature end of the file, or -errno. */
static int reader_chunk(struct reader *r, const struct trace_chunk *chunk)
{
	int err;

	if (chunk->lane >= r->header.nlanes)
		return reader_damaged(r);
	err = lane_open(&r->state[chunk->lane], r->lanes[chunk->lane].depth);
	if (err)
		return err;
	if (chunk->dropped)
		r->sink->dropped(r->ctx, chunk->lane, chunk->dropped);
	return reader_records(r, chunk);
}

static int reader_chunks(struct reader *r)
{
	struct trace_chunk chunk;
	int more = 1;

	while (more > 0 && fread(&chunk, sizeof(chunk), 1, r->file) == 1) {
		if (chunk.lane == TRACE_END)
			return 0;
		more = reader_chunk(r, &chunk);
	}
	if (more >= 0)
		log_warn("trace %s: it ends too early, as when lkvm is killed or the disk is full; what is there is shown",
			 r->path);
	return more < 0 ? more : 0;
}

static void reader_free(struct reader *r)
{
	for (u32 i = 0; r->state && i < r->header.nlanes; i++) {
		free(r->state[i].batches);
		free(r->state[i].done);
	}
	free(r->state);
	free(r->lanes);
	free(r->records);
	if (r->file)
		fclose(r->file);
}

int trace_read(const char *path, const struct trace_sink *sink, void *ctx)
{
	struct reader r = { .path = path, .sink = sink, .ctx = ctx };
	int err = 0;

	r.file = fopen(path, "re");
	if (!r.file) {
		err = -errno;
		log_error("trace %s: %s; give a file that lkvm run --trace FILE wrote",
			  path, strerror(-err));
		return err;
	}
	err = reader_head(&r);
	if (!err)
		err = reader_chunks(&r);
	for (u32 i = 0; !err && i < r.header.nlanes; i++)
		err = reader_publish(&r, &r.state[i], TRACE_UNKNOWN);
	if (!err)
		err = sink->end(ctx);
	reader_free(&r);
	return err;
}

const char *trace_op_name(enum trace_op op)
{
	static const char *const names[] = {
		[TRACE_READ] = "read",
		[TRACE_WRITE] = "write",
		[TRACE_FLUSH] = "flush",
		[TRACE_DISCARD] = "discard",
		[TRACE_ZEROES] = "zeroes",
		[TRACE_SECURE_ERASE] = "erase",
		[TRACE_OTHER] = "other",
	};

	return names[op];
}
