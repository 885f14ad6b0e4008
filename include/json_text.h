/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strings for JSON that come from elsewhere: paths, names, messages.
 */
#ifndef LKVM_JSON_TEXT_H
#define LKVM_JSON_TEXT_H

#include <jansson.h>

/* @text; if it is no UTF-8, with '?' for each byte that is not ASCII. */
json_t *json_text(const char *text);

#endif
