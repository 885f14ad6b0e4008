// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests as sums: for each queue and kind of request how many, how long each
 * stage took in percentiles, and for each queue its batches.
 *
 * Times are counted in buckets whose width is 1/32 of their value, so that a
 * trace of any length takes the same memory.  Most times of a stage are within a
 * few powers of two: only those that occur have buckets.
 */
#include "log.h"
#include "trace_show.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SUB_BITS 5
#define SUB (1u << SUB_BITS)
#define OCTAVES (64 - SUB_BITS + 1)

struct histogram {
	u64 n;
	u64 max;
	u64 *octaves[OCTAVES];	/* SUB buckets each; NULL: none in there */
};

/* One kind of request of one queue. */
struct kind {
	u64 requests;
	u64 bytes;
	u64 errors;
	struct histogram stages[TRACE_STAGES];
};

struct sums {
	struct kind *kinds[TRACE_OPS];	/* NULL: there was none */
	u64 batches;
	u64 popped;
	u64 publications;
	u64 interrupts;
	u64 dropped;
	bool left_out;
};

struct trace_table {
	const struct trace_lane *lanes;
	struct sums *sums;
	u32 n;
};

static const char *const stage_names[] = {
	[TRACE_STAGE_SUBMIT] = "submit",
	[TRACE_STAGE_DISK] = "disk",
	[TRACE_STAGE_PUBLISH] = "publish",
	[TRACE_STAGE_TOTAL] = "total",
};

u64 trace_stage_ns(const struct trace_request *r, enum trace_stage stage)
{
	const u64 from[] = { r->popped, r->submitted, r->completed, r->popped };
	const u64 to[] = { r->submitted, r->completed, r->published,
			   r->published };

	if (from[stage] == TRACE_UNKNOWN || to[stage] == TRACE_UNKNOWN)
		return TRACE_UNKNOWN;
	return to[stage] - from[stage];
}

/* --- histograms ---------------------------------------------------------- */

static unsigned int bucket_of(u64 ns)
{
	unsigned int shift;

	if (ns < SUB)
		return (unsigned int)ns;
	shift = 63 - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned int)(ns >> shift);
}

/* The middle of a bucket. */
static u64 bucket_ns(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * SUB)
		return bucket;
	shift = (bucket >> SUB_BITS) - 1;
	return ((u64)(SUB + bucket % SUB) << shift) + (1ull << shift) / 2;
}

/* 0 or -ENOMEM with a message. */
static int histogram_add(struct histogram *h, u64 ns)
{
	unsigned int bucket = bucket_of(ns);
	u64 **octave = &h->octaves[bucket / SUB];

	if (!*octave)
		*octave = calloc(SUB, sizeof(**octave));
	if (!*octave)
		return log_no_memory();
	h->n++;
	(*octave)[bucket % SUB]++;
	if (ns > h->max)
		h->max = ns;
	return 0;
}

/* @permille of 1000 took at most so long; 0 if there were none. */
static u64 histogram_at(const struct histogram *h, unsigned int permille)
{
	u64 rank = (h->n * permille + 999) / 1000, sum = 0, ns = 0;

	for (unsigned int b = 0; b < OCTAVES * SUB && sum < rank; b++) {
		const u64 *octave = h->octaves[b / SUB];

		sum += octave ? octave[b % SUB] : 0;
		ns = bucket_ns(b);
	}
	return ns < h->max ? ns : h->max;
}

/* --- counting ------------------------------------------------------------ */

int trace_table_new(struct trace_table **tp, const struct trace_lane *lanes,
		    u32 n)
{
	struct trace_table *t = calloc(1, sizeof(*t));

	if (t)
		t->sums = calloc(n + 1, sizeof(*t->sums));
	if (!t || !t->sums) {
		free(t);
		return log_no_memory();
	}
	t->lanes = lanes;
	t->n = n;
	*tp = t;
	return 0;
}

static void kind_free(struct kind *k)
{
	for (unsigned int s = 0; k && s < TRACE_STAGES; s++)
		for (unsigned int o = 0; o < OCTAVES; o++)
			free(k->stages[s].octaves[o]);
	free(k);
}

void trace_table_free(struct trace_table *t)
{
	if (!t)
		return;
	for (u32 i = 0; i < t->n; i++)
		for (unsigned int op = 0; op < TRACE_OPS; op++)
			kind_free(t->sums[i].kinds[op]);
	free(t->sums);
	free(t);
}

void trace_table_leave_out(struct trace_table *t, u32 lane)
{
	t->sums[lane].left_out = true;
}

int trace_table_request(struct trace_table *t, const struct trace_request *r)
{
	struct kind **k = &t->sums[r->lane].kinds[r->op];
	int err = 0;

	if (!*k)
		*k = calloc(1, sizeof(**k));
	if (!*k)
		return log_no_memory();
	(*k)->requests++;
	(*k)->bytes += r->bytes;
	(*k)->errors += r->status != 0;
	for (unsigned int s = 0; s < TRACE_STAGES && !err; s++) {
		u64 ns = trace_stage_ns(r, s);

		if (ns != TRACE_UNKNOWN)
			err = histogram_add(&(*k)->stages[s], ns);
	}
	return err;
}

void trace_table_batch(struct trace_table *t, u32 lane, u32 requests)
{
	t->sums[lane].batches++;
	t->sums[lane].popped += requests;
}

void trace_table_publish(struct trace_table *t, u32 lane)
{
	t->sums[lane].publications++;
}

void trace_table_interrupt(struct trace_table *t, u32 lane, bool sent)
{
	t->sums[lane].interrupts += sent;
}

void trace_table_dropped(struct trace_table *t, u32 lane, u64 n)
{
	t->sums[lane].dropped += n;
}

static double batch_size(const struct sums *s)
{
	return s->batches ? (double)s->popped / (double)s->batches : 0;
}

/* --- for a person -------------------------------------------------------- */

static void print_kind(FILE *to, const struct trace_lane *lane,
		       enum trace_op op, const struct kind *k)
{
	fprintf(to, "%-5s %5u %-7s %10llu %13llu %6llu", lane->disk, lane->queue,
		trace_op_name(op), (unsigned long long)k->requests,
		(unsigned long long)k->bytes, (unsigned long long)k->errors);
	for (unsigned int s = 0; s < TRACE_STAGES; s++)
		fprintf(to, " %9.1f %9.1f",
			(double)histogram_at(&k->stages[s], 500) / 1000,
			(double)histogram_at(&k->stages[s], 990) / 1000);
	fprintf(to, " %9.1f\n",
		(double)k->stages[TRACE_STAGE_TOTAL].max / 1000);
}

static void print_batches(FILE *to, const struct trace_lane *lane,
			  const struct sums *s)
{
	fprintf(to, "%-5s %5u %10llu %19.1f %13llu %10llu %15llu\n", lane->disk,
		lane->queue, (unsigned long long)s->batches, batch_size(s),
		(unsigned long long)s->publications,
		(unsigned long long)s->interrupts,
		(unsigned long long)s->dropped);
}

void trace_table_print(const struct trace_table *t, FILE *to)
{
	fprintf(to, "%48s %19s %19s %19s %29s\n", "us:", "to submit",
		"on the disk", "to publish", "in all");
	fprintf(to, "disk  queue op        requests         bytes errors");
	for (unsigned int s = 0; s < TRACE_STAGES; s++)
		fprintf(to, " %9s %9s", "p50", "p99");
	fprintf(to, " %9s\n", "max");
	for (u32 i = 0; i < t->n; i++)
		for (unsigned int op = 0; op < TRACE_OPS; op++)
			if (t->sums[i].kinds[op])
				print_kind(to, &t->lanes[i], op,
					   t->sums[i].kinds[op]);
	fprintf(to, "\ndisk  queue    batches  requests per batch  publications interrupts dropped records\n");
	for (u32 i = 0; i < t->n; i++)
		if (t->sums[i].batches || t->sums[i].dropped)
			print_batches(to, &t->lanes[i], &t->sums[i]);
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *json_stages(const struct kind *k)
{
	json_t *stages = json_object();

	for (unsigned int s = 0; s < TRACE_STAGES; s++) {
		const struct histogram *h = &k->stages[s];

		json_object_set_new(
			stages, stage_names[s],
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
				  "count", (json_int_t)h->n,
				  "p50", (json_int_t)histogram_at(h, 500),
				  "p90", (json_int_t)histogram_at(h, 900),
				  "p99", (json_int_t)histogram_at(h, 990),
				  "p999", (json_int_t)histogram_at(h, 999),
				  "max", (json_int_t)h->max));
	}
	return stages;
}

static json_t *json_queue(const struct trace_lane *lane, const struct sums *s)
{
	json_t *ops = json_array();

	for (unsigned int op = 0; op < TRACE_OPS; op++) {
		const struct kind *k = s->kinds[op];

		if (k)
			json_array_append_new(
				ops, json_pack("{s:s, s:I, s:I, s:I, s:o}",
					       "op", trace_op_name(op),
					       "requests", (json_int_t)k->requests,
					       "bytes", (json_int_t)k->bytes,
					       "errors", (json_int_t)k->errors,
					       "ns", json_stages(k)));
	}
	return json_pack("{s:s, s:I, s:I, s:f, s:I, s:I, s:I, s:o}",
			 "disk", lane->disk,
			 "queue", (json_int_t)lane->queue,
			 "batches", (json_int_t)s->batches,
			 "requests_per_batch", batch_size(s),
			 "publications", (json_int_t)s->publications,
			 "interrupts", (json_int_t)s->interrupts,
			 "dropped", (json_int_t)s->dropped, "ops", ops);
}

int trace_table_json(const struct trace_table *t, FILE *to)
{
	json_t *queues = json_array(), *root;
	int err = 0;

	for (u32 i = 0; i < t->n; i++)
		if (!t->sums[i].left_out)
			json_array_append_new(queues, json_queue(&t->lanes[i],
								 &t->sums[i]));
	root = json_pack("{s:i, s:o}", "version", TRACE_VERSION, "queues",
			 queues);
	if (!root || json_dumpf(root, to, JSON_INDENT(2)))
		err = log_no_memory();
	fputc('\n', to);
	json_decref(root);
	return err;
}
