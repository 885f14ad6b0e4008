// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the user.  Each is one write(2) of one line, so that lines from
 * several threads do not mix.
 */
#include "log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_MAX 4096	/* PIPE_BUF: more would not be one write to a pipe */

static void log_line(const char *kind, const char *fmt, va_list args)
{
	char line[LOG_LINE_MAX];
	size_t len;

	len = (size_t)snprintf(line, sizeof(line), "lkvm: %s", kind);
	vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
	len = strlen(line);
	for (size_t i = 0; i < len; i++)	/* one line, whatever a user typed */
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;	/* nowhere left to complain */
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("warning: ", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("", fmt, args);
	va_end(args);
}

int log_no_memory(void)
{
	log_error("out of memory");
	return -ENOMEM;
}
