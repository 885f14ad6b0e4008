// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console as the command's terminal; or, when lkvm's input is none, as a
 * channel for any bytes: lkvm then sends a line of hex digits each time it is
 * asked for one (EXIT_REPORT_INPUT), an empty one at the end.  So nothing is lost
 * when nobody reads, no byte means anything to a terminal, and the end gets through.
 */
#include "guest/init.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The terminal itself: /dev/console has no name, and cannot be a session's. */
static int open_terminal(void)
{
	size_t size;
	char *active = read_file("/sys/class/tty/console/active", &size), *name;
	char path[128];
	int fd = -1;

	if (active) {
		active[strcspn(active, "\n")] = 0;
		name = strrchr(active, ' ');	/* the last is /dev/console */
		snprintf(path, sizeof(path), "/dev/%s", name ? name + 1 : active);
		fd = open(path, O_RDWR | O_NOCTTY);
	}
	free(active);
	return fd >= 0 ? fd : open("/dev/console", O_RDWR | O_NOCTTY);
}

void console_open(void)
{
	int fd = open_terminal();

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
}

void console_set(const struct orders *o)
{
	struct winsize size = { .ws_row = o->rows, .ws_col = o->columns };
	struct termios mode;

	/*
	 * The session is this process's, as it outlives the command: the end of a
	 * session's leader would hang up the terminal, and what it has not sent yet.
	 */
	setsid();
	ioctl(STDOUT_FILENO, TIOCSCTTY, 1);
	if (o->rows)
		ioctl(STDOUT_FILENO, TIOCSWINSZ, &size);
	if (tcgetattr(STDOUT_FILENO, &mode))
		return;
	mode.c_oflag &= ~OPOST;	/* bytes arrive as they are written */
	if (o->fed)
		cfmakeraw(&mode);
	tcsetattr(STDOUT_FILENO, TCSANOW, &mode);
}

void console_drain(void)
{
	tcdrain(STDOUT_FILENO);
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* A line, without its end; returns its length, or -1. */
static ssize_t read_line(FILE *console, char *line, size_t max)
{
	size_t len = 0;
	int c;

	while ((c = getc(console)) != '\n' && c != EOF && len < max)
		line[len++] = (char)c;
	return c == '\n' ? (ssize_t)len : -1;
}

static void feed(int pipe)
{
	FILE *console = fdopen(STDIN_FILENO, "r");
	char line[4096];
	ssize_t len;

	while (report(EXIT_REPORT_INPUT, 0) &&
	       (len = read_line(console, line, sizeof(line))) > 0) {
		for (ssize_t i = 0; i < len / 2; i++)
			line[i] = (char)(hex_digit(line[2 * i]) << 4 |
					 hex_digit(line[2 * i + 1]));
		for (ssize_t done = 0, n; done < len / 2; done += n) {
			n = write(pipe, line + done, (size_t)(len / 2 - done));
			if (n < 0)
				return;	/* nobody reads any more */
		}
	}
}

int console_feed(void)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		give_up(errno, "no pipe for the command's input");
	pid = fork();
	if (pid < 0)
		give_up(errno, "no process for the command's input");
	if (!pid) {
		close(ends[0]);
		setsid();	/* never in the background of the terminal */
		feed(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}
