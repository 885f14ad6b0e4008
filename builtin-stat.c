// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm stat: what the disks of a guest do.
 */
#include "commands.h"
#include "control_client.h"
#include "log.h"
#include <stdio.h>

static int stat_json(const char *name)
{
	json_t *sample;

	if (control_request(name, "stat", NULL, &sample))
		return EXIT_CANNOT_RUN;
	json_dumpf(sample, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(sample);
	return 0;
}

int builtin_stat(int argc, char **argv)
{
	bool help = false, json = false;
	const struct option_spec specs[] = {
		{ 0, "json", OPTION_FLAG, &json, 0, 0, NULL,
		  "all counters, as docs/stats.md tells", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "stat",
		.usage = "NAME [OPTIONS]",
		.specs = specs,
		.help = &help,
		.min = 1,
		.max = 1,
	};
	int n = control_parse(&command, argc, argv);

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	return stat_json(argv[1]);
}
