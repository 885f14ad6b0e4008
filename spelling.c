// SPDX-License-Identifier: GPL-2.0-only
/*
 * The name that a misspelt word was meant to be.
 */
#include "spelling.h"
#include <stdio.h>
#include <string.h>

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * How many letters are to be put in, left out, changed or swapped with the next
 * one to make @b of @a (optimal string alignment); both are short.
 */
static unsigned int distance(const char *a, size_t alen, const char *b,
			     size_t blen)
{
	unsigned int d[SPELLING_MAX][SPELLING_MAX];

	for (unsigned int i = 0; i <= alen; i++)
		d[i][0] = i;
	for (unsigned int j = 0; j <= blen; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= alen; i++) {
		for (size_t j = 1; j <= blen; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[alen][blen];
}

void spelling_begin(struct spelling *s, const char *word, size_t len)
{
	*s = (struct spelling){ .best = NULL };
	if (len >= SPELLING_MAX)
		len = 0;
	memcpy(s->word, word, len);
	/* One of three letters may be wrong; one letter alone says nothing. */
	s->distance = len < 2 ? 0 : len < 6 ? 2 : (unsigned int)len / 3 + 1;
}

void spelling_try(struct spelling *s, const char *name)
{
	size_t len = strlen(s->word), name_len = strlen(name);
	unsigned int d;

	if (name_len >= SPELLING_MAX)
		return;
	d = strncmp(name, s->word, len) ?
		    distance(s->word, len, name, name_len) : 1;
	if (d < s->distance) {
		s->distance = d;
		s->best = name;
	}
}

const char *spelling_hint(struct spelling *s, const char *prefix)
{
	s->hint[0] = 0;
	if (s->best)
		snprintf(s->hint, sizeof(s->hint), " (did you mean %s%s?)",
			 prefix, s->best);
	return s->hint;
}
