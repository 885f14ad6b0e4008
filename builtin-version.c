// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm version
 */
#include "commands.h"
#include "options.h"
#include <stdio.h>

int builtin_version(int argc, char **argv)
{
	bool help = false;
	const struct option_spec specs[] = {
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "version", argc, argv);

	if (next < 0)
		return EXIT_CANNOT_RUN;
	if (help) {
		printf("usage: lkvm version\n\n");
		options_help(specs);
		return 0;
	}
	if (next < argc) {
		options_unexpected("version", argv[next]);
		return EXIT_CANNOT_RUN;
	}
	printf("lkvm " LKVM_VERSION "\n");
	return 0;
}
