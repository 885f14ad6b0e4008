// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm throttle: other limits for a disk that is in use.
 */
#include "commands.h"
#include "control_client.h"
#include "json_text.h"
#include "log.h"
#include <errno.h>
#include <string.h>

static bool is_key(const char *word, size_t len)
{
	static const char *const keys[] = { "iops", "iops-burst", "bps",
					    "bps-burst" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == len && !strncmp(word, keys[i], len))
			return true;
	return false;
}

/* "KEY=VALUE" into @fields; whether values are right the guest's lkvm knows. */
static int add_limit(json_t *fields, char *word)
{
	char *value = strchr(word, '=');

	if (!value || !value[1] || !is_key(word, (size_t)(value - word))) {
		log_error("throttle: %s: give KEY=VALUE with a key of iops, iops-burst, bps, bps-burst",
			  log_word(word));
		return -EINVAL;
	}
	if (strchr(value, ',')) {	/* as --disk has them */
		log_error("throttle: %s: there is a comma; give each KEY=VALUE as a word of its own",
			  word);
		return -EINVAL;
	}
	*value++ = 0;
	if (json_object_get(fields, word)) {
		log_error("throttle: %s: given twice; give it once", word);
		return -EINVAL;
	}
	return json_object_set_new(fields, word, json_text(value));
}

int builtin_throttle(int argc, char **argv)
{
	const struct control_command command = {
		.name = "throttle",
		.usage = "NAME DISK KEY=VALUE...",
		.about = "  iops=N          requests a second, all queues together (0: no limit)\n"
			 "  iops-burst=N    requests at once after a pause (0: those of 100 ms)\n"
			 "  bps=SIZE        bytes read and written a second (0: no limit)\n"
			 "  bps-burst=SIZE  bytes at once after a pause (0: those of 100 ms)\n"
			 "What is not named stays. The new limits hold at once, also for what waits.\n",
		.min = 3,
		.max = 6,
	};
	int n = control_parse(&command, argc, argv);
	json_t *fields;

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	fields = json_pack("{s:o}", "disk", json_text(argv[2]));
	for (int i = 3; i <= n; i++) {
		if (!add_limit(fields, argv[i]))
			continue;
		json_decref(fields);
		return EXIT_CANNOT_RUN;
	}
	return control_request(argv[1], "throttle", fields, NULL) ?
		       EXIT_CANNOT_RUN : 0;
}
