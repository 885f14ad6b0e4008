// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm mkinitrd: an initrd by the system's own tools.  scripts/mkinitrd.sh, which
 * lkvm has in itself, is all of it.
 */
#include "commands.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* guest/embed.S */
extern char mkinitrd_script[];

int builtin_mkinitrd(int argc, char **argv)
{
	char **args = calloc((size_t)argc + 4, sizeof(*args));

	if (!args) {
		log_no_memory();
		return EXIT_CANNOT_RUN;
	}
	args[0] = "sh";
	args[1] = "-c";
	args[2] = mkinitrd_script;
	memcpy(args + 3, argv, (size_t)argc * sizeof(*args));
	execv("/bin/sh", args);
	log_error("/bin/sh: %s; lkvm mkinitrd needs a shell", strerror(errno));
	free(args);
	return EXIT_CANNOT_RUN;
}
