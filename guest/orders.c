// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lkvm wants of this guest.
 */
#include "guest/init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 4096

char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL, *more;
	ssize_t n = 1;

	*size = 0;
	while (fd >= 0 && n > 0) {
		more = realloc(data, *size + CHUNK + 1);
		if (!more)
			break;
		data = more;
		n = read(fd, data + *size, CHUNK);
		if (n > 0)
			*size += (size_t)n;
		data[*size] = 0;
	}
	if (fd >= 0)
		close(fd);
	return data;
}

static void take_order(struct orders *o, char *order, char ***arg, char ***env)
{
	char *text = order + 1;

	switch ((enum guest_order)*order) {
	case GUEST_ARGUMENT:
		*(*arg)++ = text;
		break;
	case GUEST_ENVIRONMENT:
		*(*env)++ = text;
		break;
	case GUEST_ROOT:
		o->root = text;
		break;
	case GUEST_ROOT_READONLY:
		o->root_readonly = true;
		break;
	case GUEST_WINDOW:
		sscanf(text, "%u %u", &o->rows, &o->columns);
		break;
	case GUEST_FED:
		o->fed = true;
		break;
	}
}

void orders_read(struct orders *o)
{
	size_t size, strings = 0;
	char *data = read_file("/" GUEST_ORDERS, &size), **arg, **env;

	for (size_t i = 0; data && i < size; i++)
		strings += !data[i];
	arg = calloc(strings + 1, sizeof(*arg));
	env = calloc(strings + 1, sizeof(*env));
	if (!data || !arg || !env)
		give_up(errno, "/%s: cannot be read", GUEST_ORDERS);
	*o = (struct orders){ .argv = arg, .environ = env };
	for (char *at = data; at < data + size; at += strlen(at) + 1)
		take_order(o, at, &arg, &env);
	if (!o->argv[0])
		give_up(EINVAL, "/%s: no command", GUEST_ORDERS);
}
