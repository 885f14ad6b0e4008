// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm list: the guests of this user.
 */
#include "commands.h"
#include "control_client.h"
#include "json_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000

/* NULL: it has ended. */
static json_t *list_guest(struct control_peer *peer)
{
	json_t *info;
	int err = control_probe(peer, "info", &info);

	if (!err)
		return info;
	if (err == -EPIPE)
		return NULL;
	return json_pack("{s:s, s:i, s:s}", "name", peer->name, "pid",
			 (int)peer->pid, "state",
			 err == -EREMOTEIO ? "busy" : "silent");
}

static void list_found(void *ctx, struct control_peer *peer)
{
	json_t *guest = list_guest(peer);

	if (guest)
		json_array_append_new(ctx, guest);
}

/* "3d04h", "4h05m", "5m06s" or "7s" */
static const char *duration(long long seconds, char text[16])
{
	static const struct {
		int size;
		char name, next;
		int part;
	} units[] = { { 86400, 'd', 'h', 3600 }, { 3600, 'h', 'm', 60 },
		      { 60, 'm', 's', 1 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds < units[i].size)
			continue;
		snprintf(text, 16, "%lld%c%02lld%c",
			 seconds / units[i].size % 10000, units[i].name,
			 seconds % units[i].size / units[i].part,
			 units[i].next);
		return text;
	}
	snprintf(text, 16, "%llds", seconds % 60);
	return text;
}

static void list_disks(const json_t *info, char *text, size_t room)
{
	const json_t *disks = json_object_get(info, "disks"), *disk;
	size_t i, len = 0;

	snprintf(text, room, "-");
	json_array_foreach(disks, i, disk) {
		if (len < room)
			len += (size_t)snprintf(text + len, room - len, "%s%s",
						len ? "," : "",
						text_of(disk, "name"));
	}
}

static void list_print(const json_t *guests)
{
	const json_t *info;
	size_t i;

	printf("%-20s %8s %-8s %4s %8s %8s  %s\n", "NAME", "PID", "STATE",
	       "CPUS", "MEM", "UPTIME", "DISKS");
	json_array_foreach(guests, i, info) {
		char mem[24], uptime[16], disks[256];

		snprintf(mem, sizeof(mem), "%lldM", number_of(info, "mem") >> 20);
		list_disks(info, disks, sizeof(disks));
		printf("%-20s %8lld %-8s %4lld %8s %8s  %s\n",
		       text_of(info, "name"), number_of(info, "pid"),
		       text_of(info, "state"), number_of(info, "cpus"), mem,
		       duration(number_of(info, "uptime_ns") / NS_PER_S, uptime),
		       disks);
	}
}

int builtin_list(int argc, char **argv)
{
	bool help = false, json = false;
	const struct option_spec specs[] = {
		{ 0, "json", OPTION_FLAG, &json, 0, 0, NULL,
		  "as a JSON array", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "list",
		.usage = "[--json]",
		.about = "States: running, paused, ending, busy (it has too many clients to tell more), or\n"
			 "silent (it does not answer).\n",
		.specs = specs,
		.help = &help,
	};
	int n = control_parse(&command, argc, argv);
	json_t *guests;

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	guests = json_array();
	control_for_each(list_found, guests);
	if (json) {
		json_dumpf(guests, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		list_print(guests);
	}
	json_decref(guests);
	return 0;
}
