// SPDX-License-Identifier: GPL-2.0-only
/*
 * "0-3,8" to sets and lists of CPUs, and back.
 */
#include "cpulist.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number below CPUS_MAX; moves *@text behind it. */
static int parse_cpu(const char **text, unsigned int *cpu)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	number = strtoul(*text, &end, 10);
	if (errno || number >= CPUS_MAX)
		return -ERANGE;
	*text = end;
	*cpu = (unsigned int)number;
	return 0;
}

/* "3" or "3-5", with what comes behind it: a comma, or the end. */
static int parse_range(const char **text, unsigned int *first,
		       unsigned int *last)
{
	int err = parse_cpu(text, first);

	*last = *first;
	if (!err && **text == '-') {
		(*text)++;
		err = parse_cpu(text, last);
	}
	if (err)
		return err;
	if (*last < *first)
		return -EINVAL;
	if (**text == ',')
		return *++*text ? 0 : -EINVAL;
	return **text ? -EINVAL : 0;
}

int cpu_mask_parse(struct cpu_mask *m, const char *text)
{
	unsigned int first, last;

	memset(m, 0, sizeof(*m));
	while (*text) {
		if (parse_range(&text, &first, &last))
			return -EINVAL;
		for (; first <= last; first++)
			cpu_mask_add(m, first);
	}
	return 0;
}

int cpu_list_parse(struct cpu_list *list, const char *text)
{
	unsigned int first, last;
	int err;

	list->n = 0;
	do {
		err = parse_range(&text, &first, &last);
		if (err)
			return err;
		if (last - first >= CPU_LIST_MAX - list->n)
			return -E2BIG;
		for (; first <= last; first++)
			list->cpu[list->n++] = first;
	} while (*text);
	return 0;
}

const char *cpu_list_remedy(int err)
{
	switch (err) {
	case -ERANGE:
		return "there is no such CPU; lkvm topology shows those of this host";
	case -E2BIG:
		return "too many CPUs; name one for each thread";
	default:
		return "no list of CPUs; write it like 2 or 4-7,9";
	}
}

static void print_range(FILE *out, const char *comma, unsigned int first,
			unsigned int last)
{
	if (first == last)
		fprintf(out, "%s%u", comma, first);
	else
		fprintf(out, "%s%u%c%u", comma, first,
			last == first + 1 ? ',' : '-', last);
}

void cpu_mask_print(const struct cpu_mask *m, FILE *out)
{
	const char *comma = "";
	unsigned int first;

	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (!cpu_mask_has(m, cpu))
			continue;
		first = cpu;
		while (cpu + 1 < CPUS_MAX && cpu_mask_has(m, cpu + 1))
			cpu++;
		print_range(out, comma, first, cpu);
		comma = ",";
	}
	if (!*comma)
		fputs("none", out);
}

void cpu_mask_text(const struct cpu_mask *m, char *text, size_t size)
{
	char *all = NULL, *comma;
	size_t len = 0;
	FILE *out = open_memstream(&all, &len);

	*text = 0;
	if (!out)
		return;
	cpu_mask_print(m, out);
	if (!fclose(out) && (size_t)snprintf(text, size, "%s", all) >= size) {
		text[size - sizeof("...")] = 0;
		comma = strrchr(text, ',');
		strcpy(comma ? comma + 1 : text, "...");
	}
	free(all);
}

void cpu_list_print(const struct cpu_list *list, FILE *out)
{
	const char *comma = "";
	unsigned int first;

	for (unsigned int i = 0; i < list->n; i++) {
		first = list->cpu[i];
		while (i + 1 < list->n && list->cpu[i + 1] == list->cpu[i] + 1)
			i++;
		print_range(out, comma, first, list->cpu[i]);
		comma = ",";
	}
}
