// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm stat: what the disks of a guest do, once or again and again.
 */
#include "clock.h"
#include "commands.h"
#include "control_client.h"
#include "log.h"
#include "stat_view.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define INTERVAL_MAX 3600
#define INTERVAL_DEFAULT 1
#define NS_PER_S 1000000000ull
#define TERMINAL_CLEAR "\033[H\033[J"

struct stat_options {
	bool json;
	bool prometheus;
	bool watch;
	unsigned int interval;	/* s */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Until @until, unless Ctrl-C comes first. */
static void wait_until(u64 until)
{
	const struct timespec when = timespec_of(until);

	while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
					       &when, NULL) == EINTR)
		;
}

static void show_json(const json_t *sample, bool one_line)
{
	json_dumpf(sample, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
}

static void show_table(const struct control_peer *peer,
		       const struct stat_options *o, const json_t *from,
		       const json_t *to)
{
	bool redraw = o->watch && isatty(STDOUT_FILENO);

	if (redraw)
		printf(TERMINAL_CLEAR "%s, every %u s; Ctrl-C ends\n\n",
		       peer->name, o->interval);
	stat_table(stdout, from, to);
	if (o->watch && !redraw)
		putchar('\n');
}

/* A line or a table for each interval. */
static int stat_repeat(struct control_peer *peer, const struct stat_options *o)
{
	u64 next = now_ns();
	json_t *from = NULL, *to;
	int err;

	err = control_ask(peer, "stat", NULL, &from);
	while (!err && !interrupted) {
		next += o->interval * NS_PER_S;
		wait_until(next);
		if (interrupted)
			break;
		err = control_ask(peer, "stat", NULL, &to);
		if (err)
			break;
		if (o->json)
			show_json(to, true);
		else
			show_table(peer, o, from, to);
		json_decref(from);
		from = to;
		if (fflush(stdout) || !o->watch)
			break;
	}
	json_decref(from);
	return err;
}

static int stat_once(struct control_peer *peer, const struct stat_options *o)
{
	json_t *sample;
	int err = control_ask(peer, "stat", NULL, &sample);

	if (err)
		return err;
	if (o->json)
		show_json(sample, false);
	else
		stat_prometheus(stdout, peer->name, sample);
	json_decref(sample);
	return 0;
}

static int stat_guest(const char *name, const struct stat_options *o)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	struct control_peer peer;
	int err = control_connect(&peer, name);

	if (err)
		return EXIT_CANNOT_RUN;
	if (o->watch)	/* else Ctrl-C ends it as it does others */
		sigaction(SIGINT, &action, NULL);
	if (o->watch || !(o->json || o->prometheus))
		err = stat_repeat(&peer, o);
	else
		err = stat_once(&peer, o);
	control_disconnect(&peer);
	if (interrupted && isatty(STDOUT_FILENO))
		putchar('\n');	/* behind the ^C */
	/* A watch ends with its guest, or by Ctrl-C. */
	return err && !interrupted && !(o->watch && err == -EPIPE) ?
		       EXIT_CANNOT_RUN : 0;
}

static int check(struct stat_options *o)
{
	if (o->interval && !o->watch && (o->json || o->prometheus)) {
		log_error("stat: --interval %u: %s has the counters since the start, once; leave out --interval%s",
			  o->interval, o->json ? "--json" : "--prometheus",
			  o->json ? ", or add --watch" : "");
		return -EINVAL;
	}
	if (!o->interval)
		o->interval = INTERVAL_DEFAULT;
	if (o->prometheus && (o->json || o->watch)) {
		log_error("stat: --prometheus: one sample in a format of its own; leave out --json and --watch");
		return -EINVAL;
	}
	return 0;
}

int builtin_stat(int argc, char **argv)
{
	struct stat_options o = { .json = false };
	bool help = false;
	const struct option_spec specs[] = {
		{ 'w', "watch", OPTION_FLAG, &o.watch, 0, 0, NULL,
		  "again and again, until Ctrl-C or the guest's end", NULL },
		{ 'i', "interval", OPTION_UINT, &o.interval, 1, INTERVAL_MAX,
		  "SECONDS",
		  "of what a table is the mean, or between lines of --json --watch (1)",
		  NULL },
		{ 0, "json", OPTION_FLAG, &o.json, 0, 0, NULL,
		  "all counters; with --watch a line for each interval", NULL },
		{ 0, "prometheus", OPTION_FLAG, &o.prometheus, 0, 0, NULL,
		  "all counters in the text format of Prometheus", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "stat",
		.usage = "NAME [OPTIONS]",
		.about = "For each queue: requests and 10^6 bytes a second, requests that go to the host\n"
			 "together, latency inside of lkvm (interpolated between powers of two), kicks and\n"
			 "interrupts a second, how much of the time its thread polls.\n",
		.specs = specs,
		.help = &help,
		.min = 1,
		.max = 1,
	};
	int n = control_parse(&command, argc, argv);

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	return check(&o) ? EXIT_CANNOT_RUN : stat_guest(argv[1], &o);
}
