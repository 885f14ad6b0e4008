/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The name that a misspelt word was meant to be: begin with the word, try each
 * name there is, and tell the user the nearest.
 */
#ifndef LKVM_SPELLING_H
#define LKVM_SPELLING_H

#include <stddef.h>

#define SPELLING_MAX 32		/* longer words are near to nothing */

struct spelling {
	char word[SPELLING_MAX];
	const char *best;	/* the nearest name so far; NULL: none is near */
	unsigned int distance;	/* of that name; larger than what is near */
	char hint[2 * SPELLING_MAX];
};

/* @word: its first @len characters. */
void spelling_begin(struct spelling *s, const char *word, size_t len);
/* @name lives as long as @s. */
void spelling_try(struct spelling *s, const char *name);
/* " (did you mean PREFIXNAME?)", or "" if no name was near; lives in @s. */
const char *spelling_hint(struct spelling *s, const char *prefix);

#endif
