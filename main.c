// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm: which command?
 */
#include "commands.h"
#include "log.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct command commands[] = {
	{ "run", builtin_run, "Boot a Linux kernel with multi-queue disks" },
	{ "create", builtin_create, "Make a raw disk image" },
	{ "check-host", builtin_check_host, "Tell how well this host can run guests" },
	{ "version", builtin_version, "Print the version" },
	{ "help", builtin_help, "Show how to use lkvm or one of its commands" },
	{ NULL, NULL, NULL },
};

static const char *command_alias(const char *name)
{
	if (!strcmp(name, "-h") || !strcmp(name, "--help"))
		return "help";
	if (!strcmp(name, "-V") || !strcmp(name, "--version"))
		return "version";
	return name;
}

/* Or the first files that lkvm opens would be taken for its terminal. */
static void open_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name;

	open_standard_files();
	if (argc < 2) {
		builtin_help(1, argv);
		return EXIT_CANNOT_RUN;
	}
	name = command_alias(argv[1]);
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c->run(argc - 1, argv + 1);
	log_error("%s: no such command; see lkvm help", name);
	return EXIT_CANNOT_RUN;
}
