// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a guest that lkvm run -- COMMAND has started: makes it a
 * place where programs run, runs the command on the console, and tells lkvm by the
 * exit device how it ended.
 */
#include "guest/init.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* In the new process. */
static void become_command(const struct orders *o, int input, int failed)
{
	int err;

	if (input >= 0) {
		dup2(input, STDIN_FILENO);
		close(input);
	}
	environ = o->environ;
	execvp(o->argv[0], o->argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(1);
	_exit(0);
}

/* Returns when the command runs; its process. */
static pid_t start_command(const struct orders *o)
{
	int input = o->fed ? console_feed() : -1, failed[2], err;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC))
		give_up(errno, "no pipe");
	pid = fork();
	if (pid < 0)
		give_up(errno, "no process for the command");
	if (!pid)
		become_command(o, input, failed[1]);
	close(failed[1]);
	if (input >= 0)
		close(input);
	if (read(failed[0], &err, sizeof(err)) == sizeof(err))
		give_up(err, "%s: cannot be run from the %s%s", o->argv[0],
			o->root ? "root file system" : "initrd",
			err != ENOENT ? "" : o->root ? " (is it there, with its libraries?)" :
			" (lkvm mkinitrd --program adds programs, with their libraries)");
	close(failed[0]);
	return pid;
}

/*
 * Orphans come to this process; they end unseen.  No interrupt tells of lkvm stop,
 * so that no driver is needed: it is looked for once a second.
 */
static int wait_for(pid_t pid)
{
	const struct timespec second = { .tv_sec = 1 };
	unsigned int stops, answered = 0;
	sigset_t ends;
	int status;
	pid_t got;

	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	for (;;) {
		while ((got = waitpid(-1, &status, WNOHANG)) > 0)
			if (got == pid)
				return status;
		sigtimedwait(&ends, NULL, &second);
		stops = report_stops();
		if (stops != answered)
			kill(pid, SIGTERM);
		answered = stops;
	}
}

int main(void)
{
	struct orders orders;
	bool told;
	int status;

	mount_kernel_filesystems();
	console_open();
	orders_read(&orders);
	drivers_load();
	root_enter(&orders);
	console_set(&orders);
	report_open();
	/* Before the command can say anything; what comes meanwhile is seen later. */
	report(EXIT_REPORT_LISTENS, 0);
	status = wait_for(start_command(&orders));
	console_drain();
	root_leave();
	if (WIFSIGNALED(status))
		told = report(EXIT_REPORT_SIGNAL, WTERMSIG(status));
	else
		told = report(EXIT_REPORT_STATUS, WEXITSTATUS(status));
	if (!told)
		give_up(0, "the command has ended, but its status cannot be told");
	power_off();
}
