// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm version
 */
#include "commands.h"
#include <stdio.h>

int builtin_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("lkvm " LKVM_VERSION "\n");
	return 0;
}
