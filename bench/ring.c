// SPDX-License-Identifier: GPL-2.0-only
/*
 * One measurement of one case, as one line of JSON: see bench/ring.h, and
 * docs/measuring.md for the fields.
 */
#include "bench/ring.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP_NS 60000000ull	/* all threads are there and warm by then */

static const char *const modes[] = {
	[RING_TURNS] = "turns",
	[RING_THREADS] = "threads",
	[RING_BARE] = "bare",
	[RING_LINES] = "lines",
};

static const char *const layouts[] = { "split", "packed" };

static const char *const engines[] = {
	[DISK_ENGINE_AUTO] = "auto",
	[DISK_ENGINE_NATIVE] = "native",
	[DISK_ENGINE_IO_URING] = "io_uring",
	[DISK_ENGINE_THREADS] = "threads",
};

static const char usage[] =
	"usage: ring -m turns|threads|bare|lines -p PATH [-q QUEUES] [-t THREADS]\n"
	"            [-d DEPTH] [-r split|packed] [-l] [-T FILE] [-e ENGINE] [-P off|always|US] [-w MS | -n REQUESTS] [-c]\n"
	"       ring -C\n"
	"  -w  measure for so long, or -n for so many requests of each thread\n"
	"  -e  aio=: auto, native, io_uring or threads (native)    -P  poll= (off)\n"
	"  -l  with iops= and bps= that are never reached\n"
	"  -T  record every request in FILE, as --trace does\n"
	"  -c  count instructions; times are wrong then\n"
	"  -C  print what counts instructions here: perf or callgrind";

/* The index of @s among @n names. */
static unsigned int parse_name(int option, const char *s,
			       const char *const *names, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!strcmp(s, names[i]))
			return i;
	ring_die("-%c %s: unknown\n%s", option, s, usage);
}

static unsigned int parse_number(int option, const char *s, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!n || n > max || *end)
		ring_die("-%c %s: not a number from 1 to %lu", option, s, max);
	return (unsigned int)n;
}

static struct iothread_poll parse_poll(const char *s)
{
	if (!strcmp(s, "off"))
		return (struct iothread_poll){ .max_ns = 0 };
	if (!strcmp(s, "always"))
		return (struct iothread_poll){ .always = true };
	return (struct iothread_poll){
		.max_ns = parse_number('P', s, 100000) * 1000ull,
	};
}

static void parse(struct ring_run *run, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "m:p:q:t:d:r:e:P:w:n:T:lcC")) != -1) {
		switch (option) {
		case 'm': run->mode = parse_name(option, optarg, modes, 4); break;
		case 'e': run->engine = parse_name(option, optarg, engines, 4); break;
		case 'p': run->path = optarg; break;
		case 'P': run->poll = parse_poll(optarg); break;
		case 'q': run->queues = parse_number(option, optarg, RING_QUEUES_MAX); break;
		case 't': run->threads = parse_number(option, optarg, RING_QUEUES_MAX); break;
		case 'd': run->depth = parse_number(option, optarg, RING_QUEUE_SIZE); break;
		case 'r': run->packed = parse_name(option, optarg, layouts, 2); break;
		case 'w': run->ns = parse_number(option, optarg, 60000) * 1000000ull; break;
		case 'n': run->count = parse_number(option, optarg, 1000000000); break;
		case 'l': run->limited = true; break;
		case 'T': run->trace = optarg; break;
		case 'c': run->counted = true; break;
		case 'C': puts(ring_counter_name()); exit(0);
		default: ring_die("%s", usage);
		}
	}
	if (optind != argc || !run->path)
		ring_die("%s", usage);
	if (run->threads > run->queues || run->queues % run->threads)
		ring_die("-t %u: not a divisor of the %u queues", run->threads,
			 run->queues);
	if (run->counted && !run->count)
		ring_die("-c counts a number of requests: give -n");
	if (run->counted && run->mode == RING_THREADS)
		ring_die("-c: only where driver and device take turns, or bare");
}

static double per(double amount, u64 requests, double scale)
{
	return requests ? amount * scale / (double)requests : 0;
}

static void print(const struct ring_run *run, const struct ring_result *r)
{
	double rate = ring_result_rate(r, run->threads);
	const struct ring_sample *s = &r->sum;
	u64 n = s->requests;

	printf("{\"mode\":\"%s\",\"path\":\"%s\",\"engine\":\"%s\",\"rings\":\"%s\",\"queues\":%u,\"threads\":%u,\"depth\":%u,\"limited\":%s,\"traced\":%s,\"direct\":%s",
	       modes[run->mode], run->path, r->engine, layouts[run->packed], run->queues,
	       run->threads, run->depth, run->limited ? "true" : "false",
	       run->trace ? "true" : "false", r->direct ? "true" : "false");
	if (run->poll.always)
		printf(",\"poll\":\"always\"");
	else
		printf(",\"poll\":\"%llu us\"",
		       (unsigned long long)run->poll.max_ns / 1000);
	printf(",\"requests\":%llu,\"requests_per_s\":%.0f,\"requests_per_s_thread\":%.0f",
	       (unsigned long long)n, rate, rate / run->threads);
	/* With more threads than CPUs others ran in the middle of the driver. */
	if (run->threads <= (unsigned int)sysconf(_SC_NPROCESSORS_ONLN))
		printf(",\"ns\":%.2f,\"driver_ns\":%.2f",
		       per((double)(s->cpu_ns - s->driver_ns), n, 1),
		       per((double)s->driver_ns, n, 1));
	printf(",\"instructions\":%.1f",
	       per((double)ring_counter_total(), n, 1));
	printf(",\"batch\":%.1f,\"submits\":%.2f,\"system_calls\":%.2f,\"interrupts\":%.2f,\"sleeps\":%.2f",
	       s->batches ? (double)n / (double)s->batches : 0,
	       per((double)s->counts.submits, n, 1000),
	       per((double)s->counts.calls, n, 1000),
	       per((double)s->interrupts, n, 1000),
	       per((double)s->sleeps, n, 1000));
	printf(",\"allocations\":%llu,\"locks\":%llu",
	       (unsigned long long)s->counts.allocations,
	       (unsigned long long)s->counts.locks);
	printf(",\"lines_written\":%u,\"lines_shared\":%u}\n",
	       r->lines_written, r->lines_shared);
}

int main(int argc, char **argv)
{
	struct ring_run run = {
		.queues = 1,
		.threads = 1,
		.depth = 32,
		.ns = 250000000,
	};
	struct ring_result result = { .ns = 0 };

	parse(&run, argc, argv);
	if (run.mode == RING_LINES && !run.count)
		run.count = 1000;
	run.begin = ring_now() + SETUP_NS;
	if (run.mode == RING_BARE)
		ring_bare_run(&run, &result);
	else
		ring_device_run(&run, &result);
	print(&run, &result);
	return 0;
}
