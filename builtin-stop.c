// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm stop, lkvm pause, lkvm resume: a guest's life, by its name.
 */
#include "commands.h"
#include "control_client.h"
#include "log.h"
#include <errno.h>

#define TIMEOUT_DEFAULT 60
#define TIMEOUT_MAX 86400

/* It has been asked to end: wait for it. */
static int stop_wait(struct control_peer *peer, unsigned int seconds)
{
	if (control_wait_end(peer, (int)seconds * 1000))
		return 0;
	log_error("stop %s: after %u seconds the guest is still there; wait for longer with --timeout, or add --force",
		  peer->name, seconds);
	return EXIT_TIMED_OUT;
}

static int stop(const char *name, bool force, unsigned int seconds)
{
	json_t *fields = json_pack("{s:b}", "force", force), *result;
	struct control_peer peer;
	int status = EXIT_CANNOT_RUN, err;

	if (control_connect(&peer, name)) {
		json_decref(fields);
		return EXIT_CANNOT_RUN;
	}
	err = control_ask(&peer, "stop", fields, &result);
	if (!err) {
		json_decref(result);
		status = stop_wait(&peer, seconds);
	}
	control_disconnect(&peer);
	return status;
}

int builtin_stop(int argc, char **argv)
{
	bool help = false, force = false;
	unsigned int seconds = TIMEOUT_DEFAULT;
	const struct option_spec specs[] = {
		{ 'f', "force", OPTION_FLAG, &force, 0, 0, NULL,
		  "end it at once, without asking it", NULL },
		{ 0, "timeout", OPTION_UINT, &seconds, 1, TIMEOUT_MAX,
		  "SECONDS", "wait for its end so long (60)", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "stop",
		.usage = "NAME [OPTIONS]",
		.about = "The guest's power button is pressed, and its end waited for. What runs behind --\n"
			 "gets SIGTERM instead. With --force its lkvm ends as by SIGTERM, with status 143.\n"
			 "Exit status: 0 it has ended, 124 not in time, 125 it could not be asked.\n",
		.specs = specs,
		.help = &help,
		.min = 1,
		.max = 1,
	};
	int n = control_parse(&command, argc, argv);

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	return stop(argv[1], force, seconds);
}

/* A request that has nothing but its name. */
static int plain(const char *name, const char *about, int argc, char **argv)
{
	const struct control_command command = {
		.name = name,
		.usage = "NAME",
		.about = about,
		.min = 1,
		.max = 1,
	};
	int n = control_parse(&command, argc, argv);

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	return control_request(argv[1], name, NULL, NULL) ? EXIT_CANNOT_RUN : 0;
}

int builtin_pause(int argc, char **argv)
{
	return plain("pause", "Its vCPUs stop; what its disks have taken is completed.\n",
		     argc, argv);
}

int builtin_resume(int argc, char **argv)
{
	return plain("resume", "Its vCPUs go on; what failed and paused it (rerror=stop, werror=stop) is tried\n"
			       "again.\n", argc, argv);
}
