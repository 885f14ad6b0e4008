/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strings for JSON that come from elsewhere, paths, names, messages; and fields of
 * objects.
 */
#ifndef LKVM_JSON_TEXT_H
#define LKVM_JSON_TEXT_H

#include <jansson.h>

/* @text; if it is no UTF-8, with '?' for each byte that is not ASCII. */
json_t *json_text(const char *text);

/* The string or number @key of @from; "-" and 0 where there is none. */
const char *text_of(const json_t *from, const char *key);
long long number_of(const json_t *from, const char *key);

#endif
