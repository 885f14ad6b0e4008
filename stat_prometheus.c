// SPDX-License-Identifier: GPL-2.0-only
/*
 * One sample of the counters in the text format of Prometheus (0.0.4): for each
 * metric its help, its type, and a line for each queue or thread.  docs/stats.md
 * tells what the counters are.
 */
#include "stat_view.h"
#include "json_text.h"
#include <string.h>

struct metric {
	const char *key;	/* in the sample */
	const char *name;	/* behind the prefix */
	const char *help;
};

#define COUNTER(key, help) { #key, #key "_total", help }
#define SECONDS(key, help) { #key "_ns", #key "_seconds_total", help }
static const struct metric queue_metrics[] = {
	COUNTER(requests, "Requests taken from the ring"),
	COUNTER(reads, "Reads"),
	COUNTER(writes, "Writes"),
	COUNTER(flushes, "Flushes"),
	COUNTER(discards, "Discards"),
	COUNTER(write_zeroes, "Requests to write zeroes"),
	COUNTER(secure_erases, "Secure erasures"),
	COUNTER(others, "Requests of other types"),
	COUNTER(read_bytes, "Bytes read"),
	COUNTER(written_bytes, "Bytes written"),
	COUNTER(discarded_bytes, "Bytes discarded"),
	COUNTER(zeroed_bytes, "Bytes zeroed"),
	COUNTER(errors, "Requests completed with an error"),
	COUNTER(kept, "Failures that paused the guest"),
	COUNTER(ignored, "Failures that the guest was not told of"),
	COUNTER(merged, "Requests that went to the host with the one before"),
	COUNTER(kicks, "Wake-ups by the guest"),
	COUNTER(kicks_suppressed, "Batches found without a kick"),
	COUNTER(batches, "Looks at the ring that found requests"),
	COUNTER(held, "Batches for which more requests were waited for"),
	COUNTER(held_in_vain, "Batches that were waited for in vain"),
	COUNTER(throttled, "Times that requests were left for a limit"),
	SECONDS(throttled, "How long requests were left for a limit"),
	COUNTER(publications, "Updates of the used ring"),
	COUNTER(interrupts, "Interrupts sent"),
	COUNTER(interrupts_suppressed, "Publications without an interrupt"),
	COUNTER(interrupts_delayed, "Interrupts that waited for completions"),
};

static const struct metric disk_metrics[] = {
	COUNTER(poll_trials, "Times that polling was held against none"),
	COUNTER(poll_trials_lost, "Times that more was served without polling"),
};

static const struct metric thread_metrics[] = {
	COUNTER(turns, "Turns that found work"),
	COUNTER(sleeps, "Times asleep"),
	COUNTER(polls, "Times that the thread polled"),
	COUNTER(polls_found, "Times that polling found work"),
	SECONDS(poll_found, "Time polling with success"),
	SECONDS(poll_vain, "Time polling in vain"),
	SECONDS(wait, "Time asleep"),
	COUNTER(submits, "System calls or batches that carried requests"),
	COUNTER(submitted, "Requests that they carried"),
	COUNTER(reaps, "Looks that found completions"),
	COUNTER(reaped, "Completions that they found"),
	COUNTER(bounced, "Requests copied for their alignment"),
	COUNTER(buffered, "Requests below the blocks of the host"),
	COUNTER(continued, "Short transfers continued"),
	COUNTER(retried, "Submits that the kernel put off"),
};

static void print_head(FILE *out, const char *prefix, const struct metric *m,
		       const char *type)
{
	fprintf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, m->name,
		m->help, prefix, m->name, type);
}

/* Counters of ns are told in seconds. */
static void print_value(FILE *out, const json_t *from, const char *key)
{
	long long value = number_of(from, key);
	size_t len = strlen(key);

	if (len > 3 && !strcmp(key + len - 3, "_ns"))
		fprintf(out, "%.9f\n", (double)value / 1e9);
	else
		fprintf(out, "%lld\n", value);
}

/* Calls @print for each queue of each disk. */
static void for_each_queue(FILE *out, const char *guest, const json_t *sample,
			   const struct metric *m,
			   void (*print)(FILE *out, const char *labels,
					 const json_t *queue,
					 const struct metric *m))
{
	const json_t *disks = json_object_get(sample, "disks"), *disk, *queue;
	char labels[192];
	size_t d, q;

	json_array_foreach(disks, d, disk) {
		const json_t *queues = json_object_get(disk, "queues");

		json_array_foreach(queues, q, queue) {
			snprintf(labels, sizeof(labels),
				 "guest=\"%s\",disk=\"%s\",queue=\"%zu\"", guest,
				 text_of(disk, "name"), q);
			print(out, labels, queue, m);
		}
	}
}

static void print_queue(FILE *out, const char *labels, const json_t *queue,
			const struct metric *m)
{
	fprintf(out, "lkvm_disk_queue_%s{%s} ", m->name, labels);
	print_value(out, queue, m->key);
}

/* Cumulative, as Prometheus has it; what each took is not summed up. */
static void print_latency(FILE *out, const char *labels, const json_t *queue,
			  const struct metric *m)
{
	const json_t *buckets = json_object_get(queue, m->key);
	long long n = 0;
	double end = 2e-9;

	for (size_t i = 0; i < json_array_size(buckets); i++, end *= 2) {
		n += json_integer_value(json_array_get(buckets, i));
		fprintf(out, "lkvm_disk_queue_%s_bucket{%s,le=\"%g\"} %lld\n",
			m->name, labels, end, n);
	}
	fprintf(out, "lkvm_disk_queue_%s_bucket{%s,le=\"+Inf\"} %lld\n",
		m->name, labels, n);
	fprintf(out, "lkvm_disk_queue_%s_count{%s} %lld\n", m->name, labels, n);
}

static void print_disks(FILE *out, const char *guest, const json_t *sample,
			const struct metric *m)
{
	const json_t *disks = json_object_get(sample, "disks"), *disk;
	size_t i;

	print_head(out, "lkvm_disk_", m, "counter");
	json_array_foreach(disks, i, disk) {
		fprintf(out, "lkvm_disk_%s{guest=\"%s\",disk=\"%s\"} ", m->name,
			guest, text_of(disk, "name"));
		print_value(out, disk, m->key);
	}
}

static void print_threads(FILE *out, const char *guest, const json_t *sample,
			  const struct metric *m, const char *type)
{
	const json_t *threads = json_object_get(sample, "iothreads"), *thread;
	size_t i;

	print_head(out, "lkvm_iothread_", m, type);
	json_array_foreach(threads, i, thread) {
		fprintf(out, "lkvm_iothread_%s{guest=\"%s\",iothread=\"%s\"} ",
			m->name, guest, text_of(thread, "name"));
		print_value(out, thread, m->key);
	}
}

void stat_prometheus(FILE *out, const char *guest, const json_t *sample)
{
	static const struct metric latency = {
		"latency_ns", "latency_seconds",
		"Time from a request's pop to its completion",
	};
	static const struct metric poll_max = {
		"poll_max_ns", "poll_max_seconds",
		"The longest that it may poll at once",
	};

	for (size_t i = 0; i < sizeof(disk_metrics) / sizeof(*disk_metrics); i++)
		print_disks(out, guest, sample, &disk_metrics[i]);
	for (size_t i = 0; i < sizeof(queue_metrics) / sizeof(*queue_metrics);
	     i++) {
		print_head(out, "lkvm_disk_queue_", &queue_metrics[i],
			   "counter");
		for_each_queue(out, guest, sample, &queue_metrics[i],
			       print_queue);
	}
	print_head(out, "lkvm_disk_queue_", &latency, "histogram");
	for_each_queue(out, guest, sample, &latency, print_latency);
	for (size_t i = 0; i < sizeof(thread_metrics) / sizeof(*thread_metrics);
	     i++)
		print_threads(out, guest, sample, &thread_metrics[i],
			      "counter");
	print_threads(out, guest, sample, &poll_max, "gauge");
}
