/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of lkvm, one builtin-NAME.c each, and their exit statuses. */
#ifndef LKVM_COMMANDS_H
#define LKVM_COMMANDS_H

#include <stdio.h>

/* As timeout(1) and docker run have it; 0 to 123 are the guest's own. */
#define EXIT_TIMED_OUT 124
#define EXIT_CANNOT_RUN 125
#define EXIT_GUEST_DIED 126
#define EXIT_GUEST_PANICKED 127
#define EXIT_SIGNAL_BASE 128

struct command {
	const char *name;
	int (*run)(int argc, char **argv);	/* argv[0] is the name */
	const char *summary;
};

/* Ends with a NULL name. */
extern const struct command commands[];

/* NULL, with a message, if there is no such command. */
const struct command *command_find(const char *name);
/* What lkvm is, its commands, and how to begin. */
void help_overview(FILE *out);

int builtin_run(int argc, char **argv);
int builtin_create(int argc, char **argv);
int builtin_mkinitrd(int argc, char **argv);
int builtin_trace(int argc, char **argv);
int builtin_check_host(int argc, char **argv);
int builtin_topology(int argc, char **argv);
int builtin_list(int argc, char **argv);
int builtin_stat(int argc, char **argv);
int builtin_stop(int argc, char **argv);
int builtin_pause(int argc, char **argv);
int builtin_resume(int argc, char **argv);
int builtin_resize(int argc, char **argv);
int builtin_throttle(int argc, char **argv);
int builtin_set_poll(int argc, char **argv);
int builtin_debug(int argc, char **argv);
int builtin_version(int argc, char **argv);
int builtin_help(int argc, char **argv);

#endif
