// SPDX-License-Identifier: GPL-2.0-only
/*
 * Strings for JSON, see json_text.h.
 */
#include "json_text.h"
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

const char *text_of(const json_t *from, const char *key)
{
	const char *text = json_string_value(json_object_get(from, key));

	return text ? text : "-";
}

long long number_of(const json_t *from, const char *key)
{
	return json_integer_value(json_object_get(from, key));
}
