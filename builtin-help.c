// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm help [COMMAND]
 */
#include "commands.h"
#include "log.h"
#include <stdio.h>
#include <string.h>

static void help_overview(void)
{
	printf("usage: lkvm COMMAND [OPTIONS]\n\n"
	       "A lean KVM virtual machine monitor for fast multi-queue disks.\n\n");
	for (const struct command *c = commands; c->name; c++)
		printf("  %-12s %s\n", c->name, c->summary);
	printf("\nTo begin:\n"
	       "  lkvm check-host\n"
	       "  lkvm create disk.img 8G\n"
	       "  lkvm run --kernel vmlinuz --initrd initrd.img --disk disk.img,queues=4 --cpus 4\n"
	       "  lkvm run --help\n");
}

int builtin_help(int argc, char **argv)
{
	char option[] = "--help", *help[] = { NULL, option, NULL };

	if (argc < 2) {
		help_overview();
		return 0;
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, argv[1]) != 0)
			continue;
		if (c->run == builtin_help)
			break;
		help[0] = argv[1];
		return c->run(2, help);
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help")) {
		help_overview();
		return 0;
	}
	log_error("help %s: no such command; see lkvm help", argv[1]);
	return EXIT_CANNOT_RUN;
}
