// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm trace FILE: what lkvm run --trace FILE recorded, as a table, as JSON, request
 * by request as CSV, and as a picture.
 */
#include "commands.h"
#include "log.h"
#include "options.h"
#include "output.h"
#include "trace_show.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SVG_REQUESTS 1000	/* unless told otherwise: what one can look at */
#define QUEUE_MAX 0xffffffffu
#define TIME_MAX 1000000000000000ull	/* us; 31 years */

struct trace_command {
	/* The command line. */
	const char *path;
	bool json;
	bool csv;
	const char *svg_path;
	const char *disk;
	unsigned int queue;
	bool one_queue;
	unsigned int limit;	/* 0: none */
	u64 from, to;		/* us; to 0: the end */
	bool help;

	/* What was read. */
	const struct trace_lane *lanes;
	u32 nlanes;
	struct trace_table *table;
	struct trace_request *svg;	/* requests for the picture */
	size_t nsvg;
	u64 taken;
	bool more;		/* than the picture takes */
};

/* --- what the reader hands over ------------------------------------------ */

static bool trace_wants_lane(const struct trace_command *c, u32 lane)
{
	return (!c->disk || !strcmp(c->disk, c->lanes[lane].disk)) &&
	       (!c->one_queue || c->queue == c->lanes[lane].queue);
}

static bool trace_wants_time(const struct trace_command *c, u64 ns)
{
	return ns >= c->from * 1000 && (!c->to || ns < c->to * 1000);
}

static int trace_begin(void *ctx, const struct trace_lane *lanes, u32 n)
{
	struct trace_command *c = ctx;
	bool any = false;
	int err;

	c->lanes = lanes;
	c->nlanes = n;
	for (u32 i = 0; i < n; i++)
		any |= trace_wants_lane(c, i);
	if (!any) {
		log_error("trace %s: it has no queue as in --disk and --queue; leave them out to see which it has",
			  c->path);
		return -EINVAL;
	}
	if (c->csv)
		printf("disk,queue,op,status,sector,bytes,popped_ns,submitted_ns,completed_ns,published_ns\n");
	err = trace_table_new(&c->table, lanes, n);
	for (u32 i = 0; i < n && !err; i++)
		if (!trace_wants_lane(c, i))
			trace_table_leave_out(c->table, i);
	return err;
}

/* A time that is not known is an empty field. */
static void trace_print_time(u64 ns)
{
	if (ns == TRACE_UNKNOWN)
		printf(",");
	else
		printf(",%llu", (unsigned long long)ns);
}

static void trace_print_csv(const struct trace_lane *lane,
			    const struct trace_request *r)
{
	printf("%s,%u,%s,%u,%llu,%llu", lane->disk, lane->queue,
	       trace_op_name(r->op), r->status, (unsigned long long)r->sector,
	       (unsigned long long)r->bytes);
	trace_print_time(r->popped);
	trace_print_time(r->submitted);
	trace_print_time(r->completed);
	trace_print_time(r->published);
	printf("\n");
}

static void trace_keep_for_svg(struct trace_command *c,
			       const struct trace_request *r)
{
	size_t room = c->limit ? c->limit : SVG_REQUESTS;

	if (c->nsvg < room)
		c->svg[c->nsvg++] = *r;
	else
		c->more = true;
}

static int trace_take(void *ctx, const struct trace_request *r)
{
	struct trace_command *c = ctx;

	if (!trace_wants_lane(c, r->lane) || !trace_wants_time(c, r->popped) ||
	    (c->limit && c->taken == c->limit))
		return 0;
	c->taken++;
	if (c->csv)
		trace_print_csv(&c->lanes[r->lane], r);
	if (c->svg)
		trace_keep_for_svg(c, r);
	return trace_table_request(c->table, r);
}

static void trace_take_batch(void *ctx, u32 lane, u64 ns, u32 n)
{
	struct trace_command *c = ctx;

	if (trace_wants_lane(c, lane) && trace_wants_time(c, ns))
		trace_table_batch(c->table, lane, n);
}

static void trace_take_publish(void *ctx, u32 lane, u64 ns, u32 n)
{
	struct trace_command *c = ctx;

	if (n && trace_wants_lane(c, lane) && trace_wants_time(c, ns))
		trace_table_publish(c->table, lane);
}

static void trace_take_interrupt(void *ctx, u32 lane, u64 ns, bool sent)
{
	struct trace_command *c = ctx;

	if (trace_wants_lane(c, lane) && trace_wants_time(c, ns))
		trace_table_interrupt(c->table, lane, sent);
}

static void trace_take_dropped(void *ctx, u32 lane, u64 n)
{
	struct trace_command *c = ctx;

	if (trace_wants_lane(c, lane))
		trace_table_dropped(c->table, lane, n);
}

/* --- what comes of it ---------------------------------------------------- */

static int trace_write_svg(struct trace_command *c)
{
	FILE *to;
	int err = 0, closed;

	if (!c->nsvg) {
		log_error("trace: --svg %s: no request to draw; look at the times of --csv, and choose others with --from and --to",
			  c->svg_path);
		return -EINVAL;
	}
	to = fopen(c->svg_path, "we");
	if (to) {
		err = trace_svg(to, c->lanes, c->svg, c->nsvg);
		closed = ferror(to);
		if (fclose(to) || closed)
			to = NULL;
	}
	if (!to) {
		log_error("trace: --svg %s: %s; give a file that can be written",
			  c->svg_path, strerror(errno));
		return -EIO;
	}
	if (c->more)
		log_warn("trace: --svg %s: only the first %zu requests; choose others with --from and --to, or more with --limit",
			 c->svg_path, c->nsvg);
	return err;
}

/* The reader's lanes are still there. */
static int trace_finish(void *ctx)
{
	struct trace_command *c = ctx;
	int err = 0;

	if (c->svg)
		err = trace_write_svg(c);
	if (!err && c->json)
		err = trace_table_json(c->table, stdout);
	else if (!err && !c->csv)
		trace_table_print(c->table, stdout);
	if (!err && (fflush(stdout) == EOF || ferror(stdout))) {
		log_error("trace %s: stdout: %s", c->path, strerror(errno));
		err = -EIO;
	}
	return err;
}

static int trace_show(struct trace_command *c)
{
	static const struct trace_sink sink = {
		.begin = trace_begin,
		.request = trace_take,
		.batch = trace_take_batch,
		.publish = trace_take_publish,
		.interrupt = trace_take_interrupt,
		.dropped = trace_take_dropped,
		.end = trace_finish,
	};
	size_t room = c->limit ? c->limit : SVG_REQUESTS;
	int err;

	if (c->svg_path)
		c->svg = calloc(room, sizeof(*c->svg));
	if (c->svg_path && !c->svg)
		return log_no_memory();
	err = trace_read(c->path, &sink, c);
	trace_table_free(c->table);
	free(c->svg);
	return err;
}

/* --- the command line ---------------------------------------------------- */

static int trace_set_queue(void *ctx, const char *text)
{
	struct trace_command *c = ctx;

	c->one_queue = true;
	if (!parse_number(text, 0, QUEUE_MAX, &c->queue))
		return 0;
	log_error("trace: --queue %s: not a number; the first queue is 0",
		  log_word(text));
	return -EINVAL;
}

/* A plain number: one in K or M would be a size, by 1024. */
static int trace_set_time(const char *option, const char *text, u64 min, u64 *us)
{
	if (text[strspn(text, "0123456789")] == 0 && parse_size(text, us) &&
	    *us >= min && *us <= TIME_MAX)
		return 0;
	log_error("trace: %s %s: not a time in microseconds from %llu to %llu",
		  option, log_word(text), (unsigned long long)min, TIME_MAX);
	return -EINVAL;
}

static int trace_set_from(void *ctx, const char *text)
{
	struct trace_command *c = ctx;

	return trace_set_time("--from", text, 0, &c->from);
}

static int trace_set_to(void *ctx, const char *text)
{
	struct trace_command *c = ctx;

	return trace_set_time("--to", text, 1, &c->to);
}

static int trace_check(const struct trace_command *c)
{
	if (!c->path || !*c->path) {
		log_error("trace%s: no file; give one that lkvm run --trace FILE wrote",
			  c->path ? " (empty)" : "");
		return -EINVAL;
	}
	if (c->json && c->csv) {
		log_error("trace: --json and --csv: give one of them");
		return -EINVAL;
	}
	if (c->to && c->to <= c->from) {
		log_error("trace: --to %llu: not behind --from %llu; give a later time",
			  (unsigned long long)c->to, (unsigned long long)c->from);
		return -EINVAL;
	}
	if (c->svg_path && !output_is_harmless(c->svg_path, SVG_MAGIC)) {
		log_error("trace: --svg %s: there is a file that is no SVG; give a new name, or remove it",
			  c->svg_path);
		return -EEXIST;
	}
	return 0;
}

static void trace_help(const struct option_spec *specs)
{
	printf("usage: lkvm trace FILE [OPTIONS]\n\n");
	options_help(specs);
	printf("\nShows what lkvm run --trace FILE recorded of each request: when it was popped\n"
	       "from its ring, submitted to the disk, complete, and published to the guest; as\n"
	       "a table of percentiles in us, unless told otherwise.\n"
	       "Exit status: 0 shown, 125 not shown.\n");
}

static int trace_parse(struct trace_command *c, int argc, char **argv)
{
	const struct option_spec specs[] = {
		{ 0, "json", OPTION_FLAG, &c->json, 0, 0, NULL,
		  "the table as JSON, times in ns", NULL },
		{ 0, "csv", OPTION_FLAG, &c->csv, 0, 0, NULL,
		  "a line for each request, times in ns", NULL },
		{ 0, "svg", OPTION_STRING, &c->svg_path, 1, 0, "FILE",
		  "draw a timeline, too, for a browser", NULL },
		{ 0, "disk", OPTION_STRING, &c->disk, 1, 0, "NAME",
		  "only this disk, like vda", NULL },
		{ 0, "queue", OPTION_CALL, c, 0, 0, "N",
		  "only queues of this number", trace_set_queue },
		{ 0, "from", OPTION_CALL, c, 0, 0, "US",
		  "only requests popped so long after the start, or later",
		  trace_set_from },
		{ 0, "to", OPTION_CALL, c, 0, 0, "US",
		  "and before this time", trace_set_to },
		{ 0, "limit", OPTION_UINT, &c->limit, 1, 1000000, "N",
		  "at most so many requests; batches and interrupts are counted on",
		  NULL },
		{ 'h', "help", OPTION_FLAG, &c->help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};

	for (int at = 0;;) {
		int next = options_parse(specs, "trace", argc - at, argv + at);

		if (next < 0)
			return next;
		at += next;
		if (at == argc)
			break;
		if (c->path)
			return options_unexpected("trace", argv[at]);
		c->path = argv[at];
	}
	if (c->help) {
		trace_help(specs);
		return 0;
	}
	return trace_check(c);
}

int builtin_trace(int argc, char **argv)
{
	struct trace_command c = { .json = false };

	if (trace_parse(&c, argc, argv))
		return EXIT_CANNOT_RUN;
	if (c.help)
		return 0;
	return trace_show(&c) ? EXIT_CANNOT_RUN : 0;
}
