// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm stat's table: rates from two samples of the counters.
 */
#include "stat_view.h"
#include "json_text.h"
#include <string.h>

#define NS_PER_S 1e9
#define NS_PER_US 1e3
#define BYTES_PER_MB 1e6

/* A counter only grows; a sample that does not fit counts nothing. */
static double growth(const json_t *from, const json_t *to, const char *key)
{
	long long n = number_of(to, key) - number_of(from, key);

	return n > 0 ? (double)n : 0;
}

static const json_t *queue_of(const json_t *sample, size_t d, size_t q)
{
	const json_t *disk = json_array_get(json_object_get(sample, "disks"), d);

	return json_array_get(json_object_get(disk, "queues"), q);
}

static const char *thread_name(const json_t *sample, size_t d, size_t q)
{
	return text_of(queue_of(sample, d, q), "iothread");
}

static const json_t *thread_of(const json_t *sample, const char *name)
{
	const json_t *threads = json_object_get(sample, "iothreads"), *thread;
	size_t i;

	json_array_foreach(threads, i, thread) {
		if (!strcmp(text_of(thread, "name"), name))
			return thread;
	}
	return NULL;
}

static void add_latency(struct stat_sum *sum, const json_t *from,
			const json_t *to)
{
	const json_t *before = json_object_get(from, "latency_ns");
	const json_t *after = json_object_get(to, "latency_ns");

	for (size_t i = 0; i < STAT_LATENCIES; i++)
		sum->latency[i] += json_number_value(json_array_get(after, i)) -
				   json_number_value(json_array_get(before, i));
}

static void add_thread(struct stat_sum *sum, const json_t *from,
		       const json_t *to, const char *name)
{
	const json_t *before = thread_of(from, name), *after = thread_of(to, name);

	sum->submits += growth(before, after, "submits");
	sum->submitted += growth(before, after, "submitted");
	sum->poll_ns += growth(before, after, "poll_found_ns") +
			growth(before, after, "poll_vain_ns");
	sum->threads++;
}

void stat_add_queue(struct stat_sum *sum, const json_t *from, const json_t *to,
		    size_t d, size_t q, size_t first)
{
	const json_t *before = queue_of(from, d, q), *after = queue_of(to, d, q);
	const char *thread = thread_name(to, d, q);
	size_t i = first;

	sum->requests += growth(before, after, "requests");
	sum->bytes += growth(before, after, "read_bytes") +
		      growth(before, after, "written_bytes");
	sum->kicks += growth(before, after, "kicks");
	sum->interrupts += growth(before, after, "interrupts");
	add_latency(sum, before, after);
	while (i < q && strcmp(thread_name(to, d, i), thread) != 0)
		i++;
	if (i == q)
		add_thread(sum, from, to, thread);
}

/* Within its power of two, requests are taken to be spread evenly. */
double stat_percentile(const struct stat_sum *sum, double share)
{
	double all = 0, rank, width = 1;

	for (size_t i = 0; i < STAT_LATENCIES; i++)
		all += sum->latency[i];
	rank = share * all;
	for (size_t i = 0; i < STAT_LATENCIES && all > 0; i++, width *= 2) {
		if (rank <= sum->latency[i] && sum->latency[i] > 0)
			return width + width * rank / sum->latency[i];
		rank -= sum->latency[i];
	}
	return 0;
}

/* So many digits behind the point that few are not rounded by some percent. */
static int decimals(double value, int of_many)
{
	if (!(value > 0) || value >= 100)
		return of_many;
	return value < 10 ? of_many + 2 : of_many + 1;
}

static void print_line(FILE *out, const char *disk, const char *queue,
		       const struct stat_sum *s, double ns)
{
	double seconds = ns / NS_PER_S;
	double iops = s->requests / seconds;
	double mb = s->bytes / seconds / BYTES_PER_MB;

	fprintf(out, "%-5s %5s %10.*f %9.*f %10.1f %9.1f %9.1f %9.0f %9.0f %6.1f\n",
		disk, queue, decimals(iops, 0), iops, decimals(mb, 1), mb,
		s->submits > 0 ? s->submitted / s->submits : 0,
		stat_percentile(s, 0.5) / NS_PER_US,
		stat_percentile(s, 0.99) / NS_PER_US, s->kicks / seconds,
		s->interrupts / seconds,
		s->threads ? 100 * s->poll_ns / s->threads / ns : 0);
}

static void print_disk(FILE *out, const json_t *from, const json_t *to, size_t d,
		       double ns)
{
	const json_t *disk = json_array_get(json_object_get(to, "disks"), d);
	const char *name = text_of(disk, "name");
	size_t n = json_array_size(json_object_get(disk, "queues"));
	struct stat_sum all = { 0 };

	for (size_t q = 0; q < n; q++) {
		struct stat_sum sum = { 0 };
		char number[24];

		snprintf(number, sizeof(number), "%zu", q);
		stat_add_queue(&sum, from, to, d, q, q);
		stat_add_queue(&all, from, to, d, q, 0);
		print_line(out, name, number, &sum, ns);
	}
	if (n > 1)
		print_line(out, name, "all", &all, ns);
}

void stat_table(FILE *out, const json_t *from, const json_t *to)
{
	size_t n = json_array_size(json_object_get(to, "disks"));
	double ns = growth(from, to, "time_ns");

	fprintf(out, "%-5s %5s %10s %9s %10s %9s %9s %9s %9s %6s\n", "DISK",
		"QUEUE", "IOPS", "MB/s", "REQ/SUBMIT", "P50 us", "P99 us",
		"KICKS/s", "INTR/s", "POLL %");
	for (size_t d = 0; d < n && ns > 0; d++)
		print_disk(out, from, to, d, ns);
}
