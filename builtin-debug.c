// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm debug: registers, rings and threads of a guest, for whoever wonders why it
 * hangs.
 */
#include "commands.h"
#include "control_client.h"
#include "json_text.h"
#include <stdio.h>

#define REGISTERS_PER_LINE 3
#define FIELDS_PER_LINE 6

static void print_registers(json_t *registers)
{
	const char *name;
	json_t *value;
	unsigned int n = 0;

	json_object_foreach(registers, name, value) {
		printf("%s%-8s %-18s", n % REGISTERS_PER_LINE ? "  " : "\n    ",
		       name, json_string_value(value));
		n++;
	}
	putchar('\n');
}

static void print_vcpus(const json_t *vcpus)
{
	const json_t *vcpu;
	size_t i;

	printf("vCPUs\n");
	json_array_foreach(vcpus, i, vcpu) {
		printf("  %lld, thread %lld:", number_of(vcpu, "id"),
		       number_of(vcpu, "tid"));
		print_registers(json_object_get(vcpu, "registers"));
	}
}

static void print_queue(json_t *queue)
{
	unsigned int n = 0;
	const char *name;
	json_t *value;

	printf("  queue %lld:", number_of(queue, "index"));
	json_object_foreach(queue, name, value) {
		printf("%s%s=%lld", n++ % FIELDS_PER_LINE ? " " : "\n    ",
		       name, (long long)json_integer_value(value));
	}
	putchar('\n');
}

static void print_disk(const json_t *disk)
{
	json_t *queues = json_object_get(disk, "queues"), *queue;
	size_t i;

	printf("disk %s, ", text_of(disk, "name"));
	if (json_is_true(json_object_get(disk, "answers")))
		printf("device status 0x%llx\n",
		       (unsigned long long)number_of(disk, "status"));
	else
		printf("whose I/O threads wait for the host's disk\n");
	json_array_foreach(queues, i, queue) {
		print_queue(queue);
	}
}

static void print_threads(const json_t *threads)
{
	const json_t *thread;
	size_t i;

	printf("threads\n%10s %-16s %-5s %4s  %s\n", "TID", "NAME", "STATE",
	       "CPU", "MAY RUN ON");
	json_array_foreach(threads, i, thread) {
		printf("%10lld %-16s %-5s %4lld  %s\n",
		       number_of(thread, "tid"), text_of(thread, "name"),
		       text_of(thread, "state"), number_of(thread, "cpu"),
		       text_of(thread, "affinity"));
	}
}

static void print_all(const json_t *state)
{
	const json_t *disks = json_object_get(state, "disks"), *disk;
	size_t i;

	print_threads(json_object_get(state, "threads"));
	print_vcpus(json_object_get(state, "vcpus"));
	json_array_foreach(disks, i, disk) {
		print_disk(disk);
	}
}

int builtin_debug(int argc, char **argv)
{
	bool help = false, json = false;
	const struct option_spec specs[] = {
		{ 0, "json", OPTION_FLAG, &json, 0, 0, NULL, "as JSON", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	const struct control_command command = {
		.name = "debug",
		.usage = "NAME [--json]",
		.about = "Where its threads are, the registers of its vCPUs, which leave the guest for a\n"
			 "moment, and the state of each virtqueue.\n",
		.specs = specs,
		.help = &help,
		.min = 1,
		.max = 1,
	};
	int n = control_parse(&command, argc, argv);
	json_t *state;

	if (n < 0)
		return n == -1 ? 0 : EXIT_CANNOT_RUN;
	if (control_request(argv[1], "debug", NULL, &state))
		return EXIT_CANNOT_RUN;
	if (json) {
		json_dumpf(state, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_all(state);
	}
	json_decref(state);
	return 0;
}
