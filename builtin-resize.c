// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm resize: another size for a disk that is in use.
 */
#include "commands.h"
#include "control_client.h"
#include "json_text.h"
#include <stdio.h>

int builtin_resize(int argc, char **argv)
{
	bool help = false, shrink = false;
	const struct option_spec specs[] = {
		{ 0, "shrink", OPTION_FLAG, &shrink, 0, 0, NULL,
		  "it may become smaller: what is behind is lost", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "resize",
		.usage = "NAME DISK [SIZE] [--shrink]",
		.about = "The image is made SIZE long (512M, 8G), and the guest is told. Without SIZE the\n"
			 "disk becomes as large as the image or block device is by now.\n",
		.specs = specs,
		.help = &help,
		.min = 2,
		.max = 3,
	};
	int n = control_parse(&command, argc, argv);
	json_t *fields, *result;

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	fields = json_pack("{s:o, s:b}", "disk", json_text(argv[2]), "shrink",
			   shrink);
	if (n == 3)
		json_object_set_new(fields, "size", json_text(argv[3]));
	if (control_request(argv[1], "resize", fields, &result))
		return EXIT_CANNOT_RUN;
	printf("%s: %lld bytes\n", argv[2],
	       (long long)json_integer_value(json_object_get(result, "size")));
	json_decref(result);
	return 0;
}
