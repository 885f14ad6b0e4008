// SPDX-License-Identifier: GPL-2.0-only
/*
 * Table-driven command lines, on top of getopt_long(3).
 */
#include "options.h"
#include "log.h"
#include "spelling.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 32
#define HELP_COLUMN 28
#define HELP_WIDTH 80

bool parse_size(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (*bytes > ~0ULL >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

int parse_number(const char *text, u64 min, u64 max, unsigned int *value)
{
	u64 number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || number < min || number > max)
		return -EINVAL;
	*value = (unsigned int)number;
	return 0;
}

static int set_uint(const struct option_spec *s, const char *what,
		    const char *text)
{
	if (parse_number(text, s->min, s->max, s->value)) {
		log_error("%s %s: not a number from %llu to %llu", what,
			  log_word(text), (unsigned long long)s->min,
			  (unsigned long long)s->max);
		return -EINVAL;
	}
	return 0;
}

/* As a person writes it, in the largest unit that leaves no rest. */
static void size_text(u64 size, char *text, size_t max)
{
	static const char suffixes[][2] = { "", "K", "M", "G", "T" };
	unsigned int i = 0;

	for (; size && !(size % 1024) && i < 4; i++)
		size /= 1024;
	snprintf(text, max, "%llu%s", (unsigned long long)size, suffixes[i]);
}

static int set_size(const struct option_spec *s, const char *what,
		    const char *text)
{
	char min[24], max[24];
	u64 size;

	if (!parse_size(text, &size) || size < s->min || size > s->max) {
		size_text(s->min, min, sizeof(min));
		size_text(s->max, max, sizeof(max));
		log_error("%s %s: not a size from %s to %s; write it like 512K, 100M or 2G",
			  what, log_word(text), min, max);
		return -EINVAL;
	}
	*(u64 *)s->value = size;
	return 0;
}

/* Of @min characters or more. */
static int set_string(const struct option_spec *s, const char *what,
		      const char *text)
{
	if (strlen(text) < s->min) {
		log_error("%s %s: give %s", what, log_word(text), s->arg);
		return -EINVAL;
	}
	*(const char **)s->value = text;
	return 0;
}

static int set_flag(const struct option_spec *s, const char *what,
		    const char *text)
{
	if (!text || !strcmp(text, "on"))
		*(bool *)s->value = true;
	else if (!strcmp(text, "off"))
		*(bool *)s->value = false;
	else {
		log_error("%s %s: give on or off", what, log_word(text));
		return -EINVAL;
	}
	return 0;
}

/* Whether the alternative that @arg begins with, up to '|', is @text. */
static bool is_alternative(const char *arg, const char *text)
{
	size_t len = strcspn(arg, "|");

	return strlen(text) == len && !strncmp(arg, text, len);
}

int parse_choice(const char *text, const char *alternatives, u64 min, u64 max,
		 struct option_choice *choice)
{
	for (unsigned int i = 0; alternatives; i++) {
		const char *next = strchr(alternatives, '|');
		unsigned int number = 0;

		if (isupper((unsigned char)*alternatives) ?
			    !parse_number(text, min, max, &number) :
			    is_alternative(alternatives, text)) {
			*choice = (struct option_choice){ i, number };
			return 0;
		}
		alternatives = next ? next + 1 : NULL;
	}
	return -EINVAL;
}

static int set_choice(const struct option_spec *s, const char *what,
		      const char *text)
{
	if (!parse_choice(text, s->arg, s->min, s->max, s->value))
		return 0;
	if (s->max)
		log_error("%s %s: give %s, a number from %llu to %llu", what,
			  log_word(text), s->arg, (unsigned long long)s->min,
			  (unsigned long long)s->max);
	else
		log_error("%s %s: give one of %s", what, log_word(text),
			  s->arg);
	return -EINVAL;
}

/* @what names the option or key in messages; @text is NULL without a value. */
static int option_set(const struct option_spec *s, const char *what,
		      const char *text)
{
	switch (s->kind) {
	case OPTION_FLAG:
		return set_flag(s, what, text);
	case OPTION_STRING:
		return set_string(s, what, text);
	case OPTION_UINT:
		return set_uint(s, what, text);
	case OPTION_SIZE:
		return set_size(s, what, text);
	case OPTION_CHOICE:
		return set_choice(s, what, text);
	case OPTION_CALL:
		return s->call(s->value, text);
	}
	return -EINVAL;
}

/* The tables of getopt_long() for @specs; its val is the index plus one. */
static void build_getopt(const struct option_spec *specs, struct option *longs,
			 char *shorts)
{
	*shorts++ = '+';	/* stop at the first non-option */
	*shorts++ = ':';	/* tell a missing value from an unknown option */
	for (unsigned int i = 0; specs[i].name; i++) {
		bool has_arg = specs[i].kind != OPTION_FLAG;

		assert(i < OPTIONS_MAX);
		longs[i] = (struct option){
			.name = specs[i].name,
			.has_arg = has_arg ? required_argument : no_argument,
			.val = 256 + (int)i,
		};
		if (!specs[i].letter)
			continue;
		*shorts++ = specs[i].letter;
		if (has_arg)
			*shorts++ = ':';
	}
	*shorts = 0;
}

static const struct option_spec *find_option(const struct option_spec *specs,
					     int val)
{
	if (val >= 256)
		return &specs[val - 256];
	for (; specs->name; specs++)
		if (specs->letter == val)
			return specs;
	return NULL;
}

/*
 * getopt_long() takes the beginning of a name for the name; a later option
 * would make that ambiguous.
 */
static bool abbreviated(const struct option_spec *s, int val, char **argv)
{
	const char *word = argv[optind - 1];

	if (val < 256)
		return false;
	if (word == optarg)
		word = argv[optind - 2];
	word += 2;
	return strncmp(word, s->name, strcspn(word, "=")) != 0 ||
	       strlen(s->name) != strcspn(word, "=");
}

/* "-kernel": letters to getopt_long(), which would take "ernel" for a file. */
static bool single_dash(const struct option_spec *specs, const char *word)
{
	for (; specs->name; specs++)
		if (word[1] != '-' && !strcmp(word + 1, specs->name))
			return true;
	return false;
}

static void unknown_option(const char *command, const char *word,
			   const struct option_spec *specs)
{
	const char *name = word + strspn(word, "-");
	struct spelling spelling;

	spelling_begin(&spelling, name, strcspn(name, "="));
	for (; specs->name; specs++)
		spelling_try(&spelling, specs->name);
	log_error("%s: unknown option %s%s; see lkvm %s --help", command, word,
		  spelling_hint(&spelling, "--"), command);
}

static void bad_option(const char *command, int val, const char *word,
		       const struct option_spec *specs)
{
	if (val == ':')
		log_error("%s: a value is missing behind %s; see lkvm %s --help",
			  command, word, command);
	else if (optopt >= 256)
		log_error("%s: %s: --%s takes no value", command, word,
			  specs[optopt - 256].name);
	else if (optopt)
		log_error("%s: unknown option -%c%s%s; see lkvm %s --help",
			  command, optopt, word[2] ? " in " : "",
			  word[2] ? word : "", command);
	else
		unknown_option(command, word, specs);
}

int options_parse(const struct option_spec *specs, const char *command,
		  int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1] = { 0 };
	char shorts[2 * OPTIONS_MAX + 3];
	int val;

	build_getopt(specs, longs, shorts);
	optind = 0;	/* GNU: start afresh */
	opterr = 0;
	for (;;) {
		/* In a cluster of letters optind moves behind the last one. */
		const char *word = argv[optind ? optind : 1];
		const struct option_spec *s;
		char what[64];
		int err;

		val = getopt_long(argc, argv, shorts, longs, NULL);
		if (val == -1)
			return optind;
		s = find_option(specs, val);
		if (single_dash(specs, word) ||
		    (s && abbreviated(s, val, argv))) {
			unknown_option(command, word, specs);
			return -EINVAL;
		}
		if (!s) {
			bad_option(command, val, word, specs);
			return -EINVAL;
		}
		snprintf(what, sizeof(what), "--%s", s->name);
		err = option_set(s, what, optarg);
		if (err)
			return err;
	}
}

int options_unexpected(const char *command, const char *arg)
{
	log_error("%s: unexpected argument %s; see lkvm %s --help", command,
		  log_word(arg), command);
	return -EINVAL;
}

/* @text in a column of its own, behind @left or, if that is long, below it. */
static void help_entry(const char *left, const char *text)
{
	int at = printf("%s", left);

	if (at >= HELP_COLUMN) {
		putchar('\n');
		at = 0;
	}
	printf("%*s", HELP_COLUMN - at, "");
	for (at = HELP_COLUMN; *text; text += strspn(text, " ")) {
		int len = (int)strcspn(text, " ");

		if (at > HELP_COLUMN && at + 1 + len > HELP_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += printf("%s%.*s", at > HELP_COLUMN ? " " : "", len, text);
		text += len;
	}
	putchar('\n');
}

void options_help(const struct option_spec *specs)
{
	for (; specs->name; specs++) {
		char left[64], letter[8] = "    ";

		if (specs->letter)
			snprintf(letter, sizeof(letter), "-%c, ",
				 specs->letter);
		snprintf(left, sizeof(left), "  %s--%s%s%s", letter,
			 specs->name, specs->arg ? " " : "",
			 specs->arg ? specs->arg : "");
		help_entry(left, specs->help);
	}
}

void options_help_keys(const struct option_spec *keys)
{
	for (; keys->name; keys++) {
		char left[80];

		snprintf(left, sizeof(left), "      %s=%s", keys->name,
			 keys->arg);
		help_entry(left, keys->help);
	}
}

/*
 * Does the comma at @at end a field?  Not a double one, and in a value (@list) none before
 * a digit, with which no key begins: pin=0,2,4 is a list.
 */
static bool ends_field(const char *at, bool list)
{
	return at[1] != ',' && !(list && isdigit((unsigned char)at[1]));
}

/*
 * Cut the next field off *@rest, in place, double commas made single.  *@rest is NULL
 * behind the last.
 */
static char *next_field(char **rest, bool list)
{
	char *field = *rest, *from = field, *to = field;

	while (*from && (*from != ',' || !ends_field(from, list))) {
		if (*from == ',' && from[1] == ',')
			from++;
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = 0;
	return field;
}

static void unknown_key(const struct option_spec *keys, const char *option,
			const char *key)
{
	struct spelling spelling;
	char known[512] = "";
	size_t len = 0;

	spelling_begin(&spelling, key, strlen(key));
	for (; keys->name && len < sizeof(known); keys++) {
		spelling_try(&spelling, keys->name);
		len += (size_t)snprintf(known + len, sizeof(known) - len, " %s",
					keys->name);
	}
	log_error("%s: unknown key %s%s; there are:%s", option,
		  log_word(key), spelling_hint(&spelling, ""), known);
}

static int set_key(const struct option_spec *keys, const char *option,
		   char *field)
{
	char *value = strchr(field, '=');
	const struct option_spec *k = keys;
	char what[320];

	if (value)
		*value++ = 0;
	while (k->name && strcmp(k->name, field) != 0)
		k++;
	if (!k->name) {
		unknown_key(keys, option, field);
		return -EINVAL;
	}
	if (k->kind != OPTION_FLAG && (!value || !*value)) {
		log_error("%s: key %s needs a value: %s=%s", option, field,
			  field, k->arg);
		return -EINVAL;
	}
	snprintf(what, sizeof(what), "%s: %s", option, field);
	return option_set(k, what, value);
}

int options_parse_keys(const struct option_spec *keys, const char *option,
		       const char *text, char **copy, const char **first)
{
	char *rest = strdup(text), label[256];
	int err = 0;

	if (!rest)
		return log_no_memory();
	*copy = rest;
	*first = next_field(&rest, false);
	snprintf(label, sizeof(label), "%s %s", option, *first);
	while (rest && !err)
		err = set_key(keys, label, next_field(&rest, true));
	if (err) {
		free(*copy);
		*copy = NULL;
	}
	return err;
}
