// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm: which command?
 */
#include "commands.h"
#include "log.h"
#include "spelling.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct command commands[] = {
	{ "run", builtin_run, "Boot a Linux kernel with multi-queue disks" },
	{ "list", builtin_list, "List the guests that are running" },
	{ "stat", builtin_stat, "Show what a guest's disks and queues do" },
	{ "stop", builtin_stop, "Have a guest power off, or end it" },
	{ "pause", builtin_pause, "Stop a guest's vCPUs" },
	{ "resume", builtin_resume, "Let a paused guest go on" },
	{ "resize", builtin_resize, "Give a disk in use another size" },
	{ "throttle", builtin_throttle, "Give a disk in use other limits" },
	{ "set-poll", builtin_set_poll, "Change how a disk in use is polled" },
	{ "debug", builtin_debug, "Show a guest's registers, rings and threads" },
	{ "create", builtin_create, "Make a raw disk image" },
	{ "mkinitrd", builtin_mkinitrd, "Make an initrd with modules and programs" },
	{ "trace", builtin_trace, "Show the requests that run --trace recorded" },
	{ "check-host", builtin_check_host, "Tell how well this host can run guests" },
	{ "topology", builtin_topology, "Show CPUs and nodes of this host, and where a guest would go" },
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

const struct command *command_find(const char *name)
{
	struct spelling spelling;

	spelling_begin(&spelling, name, strlen(name));
	for (const struct command *c = commands; c->name; c++) {
		if (!strcmp(c->name, name))
			return c;
		spelling_try(&spelling, c->name);
	}
	spelling_try(&spelling, "--help");
	spelling_try(&spelling, "--version");
	if (*name == '-' && !spelling.best)
		log_error("%s: options stand behind a command, as in lkvm run %s; see lkvm help",
			  name, name);
	else
		log_error("%s: no such command%s; see lkvm help",
			  log_word(name), spelling_hint(&spelling, ""));
	return NULL;
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

/* A full disk must not pass for success. */
static int flush_stdout(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	log_error("standard output: %s; not all was written", strerror(errno));
	return status ? status : EXIT_CANNOT_RUN;
}

int main(int argc, char **argv)
{
	const struct command *c;

	open_standard_files();
	if (argc < 2) {
		help_overview(stderr);
		return EXIT_CANNOT_RUN;
	}
	c = command_find(command_alias(argv[1]));
	if (!c)
		return EXIT_CANNOT_RUN;
	return flush_stdout(c->run(argc - 1, argv + 1));
}
