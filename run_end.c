// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a guest's life ended: as the exit status, and in words.
 */
#include "commands.h"
#include "kvm/console.h"
#include "log.h"
#include "run.h"
#include <string.h>

#define LAST_LINES 3
#define LAST_BYTES 512

int run_status(const struct run *run, enum vm_end end, int detail)
{
	bool panicked = run->vm.console && console_saw_panic(run->vm.console);

	switch (end) {
	case VM_EXITED:
		return detail;
	case VM_KILLED:
		return EXIT_SIGNAL_BASE + detail;
	case VM_RESET:	/* before pvpanic's driver is there, a panic resets */
		if (panicked)
			return EXIT_GUEST_PANICKED;
		/* fall through */
	case VM_POWEROFF:	/* a command that told no status has not succeeded */
		return run->command ? EXIT_GUEST_DIED : 0;
	case VM_PANIC:
		return EXIT_GUEST_PANICKED;
	case VM_DIED:
		return EXIT_GUEST_DIED;
	case VM_TIMEOUT:
		return EXIT_TIMED_OUT;
	case VM_SIGNAL:
		return EXIT_SIGNAL_BASE + detail;
	case VM_NOT_RUN:
	case VM_RUNNING:
	case VM_HOST_ERROR:
		break;
	}
	return EXIT_CANNOT_RUN;
}

/* The last of the console's lines that have something in them. */
static void tell_last_output(const struct run *run)
{
	char text[LAST_BYTES] = "", *line, *rest = text;
	const char *last[LAST_LINES] = { NULL };
	unsigned int n = 0;

	console_last_output(run->vm.console, text, sizeof(text));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		if (!text[i])	/* the guest's, or behind the end */
			text[i] = '\n';
	while ((line = strsep(&rest, "\r\n")))
		if (*line)
			last[n++ % LAST_LINES] = line;
	for (unsigned int i = n < LAST_LINES ? 0 : n - LAST_LINES; i < n; i++)
		log_info("the guest last printed: %s", last[i % LAST_LINES]);
}

static void tell_timeout(const struct run *run)
{
	log_error("--timeout %u: the guest was still running%s", run->timeout,
		  console_saw_panic(run->vm.console) ?
		  ", its kernel had panicked" : "");
	tell_last_output(run);
}

/* What a status alone does not tell of the command in the guest. */
static void tell_command_end(const struct run *run, enum vm_end end, int detail)
{
	const char *command = run->command[0];

	if (end == VM_KILLED)
		log_info("%s was killed in the guest by signal %d (%s)", command,
			 detail, strsignal(detail));
	else if (end == VM_NOT_RUN)
		log_error("%s was not run: the guest's console tells why%s%s",
			  command, detail ? ": " : "",
			  detail ? strerror(detail) : "");
	else if (end == VM_EXITED && detail >= EXIT_TIMED_OUT)
		log_info("status %d is that of %s in the guest", detail, command);
	else if (end == VM_POWEROFF || end == VM_RESET)
		log_error("the guest %s before %s had ended",
			  end == VM_RESET ? "rebooted" : "powered off", command);
}

void run_tell_end(const struct run *run, enum vm_end end, int detail)
{
	int status = run_status(run, end, detail);

	if (end == VM_TIMEOUT)
		tell_timeout(run);
	else if (end != VM_EXITED && status == EXIT_GUEST_PANICKED)
		log_error("the guest kernel panicked");
	else if (run->command)
		tell_command_end(run, end, detail);
	else if (run->verbose && end == VM_POWEROFF)
		log_info("the guest powered off");
	else if (run->verbose && end == VM_RESET)
		log_info("the guest rebooted; lkvm ends");
}
