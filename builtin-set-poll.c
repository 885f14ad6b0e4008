// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm set-poll: whether the threads of a disk that is in use poll.
 */
#include "commands.h"
#include "control_client.h"
#include "drive.h"
#include "json_text.h"

int builtin_set_poll(int argc, char **argv)
{
	const struct control_command command = {
		.name = "set-poll",
		.usage = "NAME DISK " DRIVE_POLL_CHOICES,
		.about = "Whether its I/O threads look for work before they sleep, as poll= of lkvm run\n"
			 "--disk: not at all, as long as it pays, for ever, or up to so many microseconds.\n",
		.min = 3,
		.max = 3,
	};
	int n = control_parse(&command, argc, argv);

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	return control_request(argv[1], "set-poll",
			       json_pack("{s:o, s:o}", "disk", json_text(argv[2]),
					 "poll", json_text(argv[3])), NULL) ?
		       EXIT_CANNOT_RUN : 0;
}
