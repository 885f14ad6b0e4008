// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests as a picture: time goes to the right, a lane for each queue, a bar for
 * each request, in as many rows as are under way at once.  A bar's parts are the
 * stages; pointing at it tells all about it.
 */
#include "log.h"
#include "trace_show.h"
#include <errno.h>
#include <stdlib.h>

#define LEFT 90			/* for names */
#define WIDTH 1200		/* of the time axis */
#define TOP 50			/* for the legend and the axis */
#define ROW 8
#define BAR 6
#define LANE_GAP 12
#define TICKS 10
#define NARROWEST 0.4		/* that can be seen */

struct svg {
	FILE *to;
	u64 begin;		/* the first pop */
	u64 end;
	unsigned int y;		/* of the lane */
};

static const char *const op_colours[] = {
	[TRACE_READ] = "#4c78a8",
	[TRACE_WRITE] = "#e45756",
	[TRACE_FLUSH] = "#b279a2",
	[TRACE_DISCARD] = "#9d755d",
	[TRACE_ZEROES] = "#ff9da6",
	[TRACE_SECURE_ERASE] = "#79706e",
	[TRACE_OTHER] = "#bab0ac",
};

#define SUBMIT_COLOUR "#f2cf5b"
#define PUBLISH_COLOUR "#54a24b"

/* Where times are unknown, the last one that is known stands for them. */
static u64 request_end(const struct trace_request *r)
{
	return r->published != TRACE_UNKNOWN ? r->published : r->completed;
}

static int by_queue_and_time(const void *pa, const void *pb)
{
	const struct trace_request *a = pa, *b = pb;

	if (a->lane != b->lane)
		return a->lane < b->lane ? -1 : 1;
	if (a->popped != b->popped)
		return a->popped < b->popped ? -1 : 1;
	return a->completed < b->completed ? -1 : a->completed > b->completed;
}

static double svg_x(const struct svg *s, u64 ns)
{
	return LEFT + (double)(ns - s->begin) * WIDTH /
			      (double)(s->end - s->begin);
}

static void svg_rect(const struct svg *s, u64 from, u64 to, unsigned int row,
		     const char *colour)
{
	double width;

	if (from == TRACE_UNKNOWN || to == TRACE_UNKNOWN || to <= from)
		return;
	width = svg_x(s, to) - svg_x(s, from);
	fprintf(s->to, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>",
		svg_x(s, from), s->y + row * ROW,
		width < NARROWEST ? NARROWEST : width, BAR, colour);
}

static void svg_stage_title(const struct svg *s, const struct trace_request *r,
			    enum trace_stage stage, const char *name)
{
	u64 ns = trace_stage_ns(r, stage);

	if (ns != TRACE_UNKNOWN)
		fprintf(s->to, ", %s %.1f us", name, (double)ns / 1000);
}

static void svg_request(const struct svg *s, const struct trace_request *r,
			unsigned int row)
{
	u64 submitted = r->submitted;

	fprintf(s->to, "<g><title>%s %llu bytes, sector %llu, at %.1f us",
		trace_op_name(r->op), (unsigned long long)r->bytes,
		(unsigned long long)r->sector, (double)r->popped / 1000);
	svg_stage_title(s, r, TRACE_STAGE_SUBMIT, "to submit");
	svg_stage_title(s, r, TRACE_STAGE_DISK, "on the disk");
	svg_stage_title(s, r, TRACE_STAGE_PUBLISH, "to publish");
	fprintf(s->to, "%s</title>", r->status ? ", failed" : "");
	if (submitted == TRACE_UNKNOWN)
		submitted = r->popped;
	svg_rect(s, r->popped, submitted, row, SUBMIT_COLOUR);
	svg_rect(s, submitted, r->completed, row, op_colours[r->op]);
	svg_rect(s, r->completed, r->published, row, PUBLISH_COLOUR);
	fprintf(s->to, "</g>\n");
}

/* The requests of one queue.  Returns how many rows they took, or -ENOMEM. */
static int svg_lane(struct svg *s, const struct trace_lane *lane,
		    const struct trace_request *r, size_t n)
{
	u64 *busy = calloc(n, sizeof(*busy));	/* until when, of each row */
	unsigned int rows = 0;

	if (!busy)
		return log_no_memory();
	fprintf(s->to, "<text x=\"4\" y=\"%u\">%s queue %u</text>\n", s->y + BAR,
		lane->disk, lane->queue);
	for (size_t i = 0; i < n; i++) {
		unsigned int row = 0;

		while (row < rows && busy[row] > r[i].popped)
			row++;
		if (row == rows)
			rows++;
		busy[row] = request_end(&r[i]);
		svg_request(s, &r[i], row);
	}
	free(busy);
	s->y += rows * ROW + LANE_GAP;
	return 0;
}

static void svg_axis(const struct svg *s)
{
	u64 length = s->end - s->begin;

	for (unsigned int i = 0; i <= TICKS; i++) {
		/* Divided first: a hostile trace may last for 2^64 ns. */
		u64 ns = s->begin + length / TICKS * i +
			 length % TICKS * i / TICKS;
		double x = svg_x(s, ns);

		fprintf(s->to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%u\" stroke=\"#ddd\"/>"
			"<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.1f us</text>\n",
			x, x, TOP - 8, s->y, x, TOP - 12, (double)ns / 1000);
	}
}

static void svg_legend(const struct svg *s)
{
	int x = LEFT;

	fprintf(s->to, "<rect x=\"%d\" y=\"6\" width=\"10\" height=\"10\" fill=\"%s\"/>"
		"<text x=\"%d\" y=\"15\">popped, not submitted</text>\n",
		x, SUBMIT_COLOUR, x + 14);
	x += 170;
	for (unsigned int op = 0; op < TRACE_OPS; op++, x += 90)
		fprintf(s->to, "<rect x=\"%d\" y=\"6\" width=\"10\" height=\"10\" fill=\"%s\"/>"
			"<text x=\"%d\" y=\"15\">%s</text>\n",
			x, op_colours[op], x + 14, trace_op_name(op));
	fprintf(s->to, "<rect x=\"%d\" y=\"6\" width=\"10\" height=\"10\" fill=\"%s\"/>"
		"<text x=\"%d\" y=\"15\">complete, not published</text>\n",
		x, PUBLISH_COLOUR, x + 14);
}

static void svg_find_window(struct svg *s, const struct trace_request *r,
			    size_t n)
{
	s->begin = n ? TRACE_UNKNOWN : 0;
	for (size_t i = 0; i < n; i++) {
		if (r[i].popped < s->begin)
			s->begin = r[i].popped;
		if (request_end(&r[i]) > s->end)
			s->end = request_end(&r[i]);
	}
	if (s->end <= s->begin)
		s->end = s->begin + 1;
}

/* Bars of all queues.  0 or -ENOMEM with a message. */
static int svg_lanes(struct svg *s, const struct trace_lane *lanes,
		     const struct trace_request *r, size_t n)
{
	size_t last;
	int err = 0;

	for (size_t first = 0; first < n && !err; first = last) {
		last = first;
		while (last < n && r[last].lane == r[first].lane)
			last++;
		err = svg_lane(s, &lanes[r[first].lane], &r[first],
			       last - first);
	}
	return err;
}

int trace_svg(FILE *to, const struct trace_lane *lanes,
	      struct trace_request *requests, size_t n)
{
	struct svg s = { .y = TOP };
	char *bars = NULL;
	size_t size;
	int err;

	qsort(requests, n, sizeof(*requests), by_queue_and_time);
	svg_find_window(&s, requests, n);
	/* How high it is, and what lies behind the bars, is known then. */
	s.to = open_memstream(&bars, &size);
	if (!s.to)
		return log_no_memory();
	err = svg_lanes(&s, lanes, requests, n);
	if (fclose(s.to) && !err)
		err = log_no_memory();
	s.to = to;
	fprintf(to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" font-family=\"sans-serif\" font-size=\"11\">\n",
		LEFT + WIDTH + 60, s.y);
	svg_legend(&s);
	svg_axis(&s);
	if (!err)
		fprintf(to, "%s</svg>\n", bars);
	free(bars);
	return err;
}
