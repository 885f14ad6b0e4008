// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm help [COMMAND]
 */
#include "commands.h"
#include "options.h"
#include <stdio.h>

void help_overview(FILE *out)
{
	fprintf(out, "usage: lkvm COMMAND [OPTIONS]\n\n"
		     "A lean KVM virtual machine monitor for fast multi-queue disks.\n\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-12s %s\n", c->name, c->summary);
	fprintf(out, "\nTo begin:\n"
		     "  lkvm check-host\n"
		     "  lkvm create disk.img 8G\n"
		     "  lkvm run --kernel vmlinuz --disk disk.img,queues=4 --cpus 4\n"
		     "\nlkvm COMMAND --help tells a command's options, man lkvm more.\n");
}

static int help_command(const char *name)
{
	const struct command *c = command_find(name);
	char option[] = "--help", *argv[] = { NULL, option, NULL };

	if (!c)
		return EXIT_CANNOT_RUN;
	argv[0] = (char *)c->name;
	return c->run(2, argv);
}

int builtin_help(int argc, char **argv)
{
	bool help = false;
	const struct option_spec specs[] = {
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "help", argc, argv);

	if (next < 0)
		return EXIT_CANNOT_RUN;
	if (help) {
		printf("usage: lkvm help [COMMAND]\n\n");
		options_help(specs);
		return 0;
	}
	if (next == argc) {
		help_overview(stdout);
		return 0;
	}
	if (next + 1 < argc) {
		options_unexpected("help", argv[next + 1]);
		return EXIT_CANNOT_RUN;
	}
	return help_command(argv[next]);
}
