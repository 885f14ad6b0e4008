/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Command lines by table: options of a command, and the KEY=VALUE lists inside
 * one option's value.  Whatever is wrong is one line that names the option, the
 * value and what would be right.
 */
#ifndef LKVM_OPTIONS_H
#define LKVM_OPTIONS_H

#include "endian.h"

enum option_kind {
	OPTION_FLAG,	/* bool: given or not; as a key: on, off, or alone */
	OPTION_STRING,	/* const char * into argv, of min characters or more */
	OPTION_UINT,	/* unsigned int within [min, max] */
	OPTION_SIZE,	/* u64 within [min, max], like 512M */
	OPTION_CHOICE,	/* struct option_choice: one of arg, "a|b|NUMBER" */
	OPTION_CALL,	/* call(ctx, text): may come several times */
};

/* What was chosen of "a|b|NUMBER"; an alternative in capitals is a number. */
struct option_choice {
	unsigned int index;	/* of the alternative, from 0 */
	unsigned int number;	/* within [min, max], where it is a number */
};

struct option_spec {
	char letter;		/* 0: none; unused in keys */
	const char *name;
	enum option_kind kind;
	void *value;		/* OPTION_CALL: ctx */
	u64 min;
	u64 max;
	const char *arg;	/* for the help text, NULL with OPTION_FLAG */
	const char *help;
	int (*call)(void *ctx, const char *text);
};

/*
 * Parse argv[1...] by @specs, which end with a NULL name.  Stops at the first
 * argument that is no option, or behind "--", and returns its index; a negative
 * errno, with a message, when something is wrong.  @command: for messages.
 */
int options_parse(const struct option_spec *specs, const char *command,
		  int argc, char **argv);
/* What each option does, on stdout, in 80 columns. */
void options_help(const struct option_spec *specs);
/* The same for the keys of an option's value. */
void options_help_keys(const struct option_spec *keys);
/* There is an argument @arg too many: says so, and returns -EINVAL. */
int options_unexpected(const char *command, const char *arg);

/*
 * Parse "FIRST[,KEY[=VALUE]...]", the value of option @option.  A comma inside
 * FIRST or a VALUE is written twice; in a VALUE one before a digit may stand alone.  *@first and string values point into
 * *@copy, which the caller frees.  0 or -errno with a message.
 */
int options_parse_keys(const struct option_spec *keys, const char *option,
		       const char *text, char **copy, const char **first);

/* A decimal number from @min to @max.  0 or -EINVAL, without a message. */
int parse_number(const char *text, u64 min, u64 max, unsigned int *value);

/* One of "a|b|NUMBER", a number from @min to @max.  The same. */
int parse_choice(const char *text, const char *alternatives, u64 min, u64 max,
		 struct option_choice *choice);

/* "512M" to bytes.  False if it is no size. */
bool parse_size(const char *text, u64 *bytes);

#endif
