// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control request "debug": what a guest that hangs hangs at.  Registers,
 * rings, and where threads are.
 */
#include "arch.h"
#include "clock.h"
#include "control_requests.h"
#include "drive.h"
#include "inspect.h"
#include "json_text.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "run.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_NS 300000000ull	/* all disks together */

struct collector {
	struct inspector inspector;	/* first: found from it */
	json_t *to;
	bool hex;
};

static void collect(const struct inspector *to, const char *name, u64 value)
{
	const struct collector *c = (const struct collector *)to;
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	json_object_set_new(c->to, name,
			    c->hex ? json_string(text) :
				     json_integer((json_int_t)value));
}

/* --- vCPUs ---------------------------------------------------------------- */

/* It is out of the guest for no longer than this takes. */
static json_t *debug_vcpu(struct vcpu *vcpu)
{
	struct collector c = { { collect }, json_object(), true };

	vcpu_pause(vcpu);
	if (arch_vcpu_inspect(vcpu, &c.inspector))
		json_object_clear(c.to);
	vcpu_resume(vcpu);
	return json_pack("{s:i, s:i, s:o}", "id", (int)vcpu->id, "tid",
			 (int)vcpu->tid, "registers", c.to);
}

static json_t *debug_vcpus(const struct vm *vm)
{
	json_t *vcpus = json_array();

	for (unsigned int i = 0; i < vm->ncpus; i++)
		json_array_append_new(vcpus, debug_vcpu(vm->vcpus[i]));
	return vcpus;
}

/* --- disks ---------------------------------------------------------------- */

static json_t *debug_queue(const struct drive *d, unsigned int q)
{
	struct collector c = { { collect }, json_object(), false };

	virtio_blk_inspect(d->blk, q, &c.inspector);
	json_object_set_new(c.to, "index", json_integer((json_int_t)q));
	return c.to;
}

/*
 * Threads that do not answer within @ns are not waited for, nor is the device's lock,
 * which a vCPU holds that waits for them.
 */
static json_t *debug_disk(const struct drive *d, u64 ns)
{
	json_t *queues = json_array();
	bool answers = drive_answers(d, ns);

	for (unsigned int q = 0; answers && q < d->queues; q++)
		json_array_append_new(queues, debug_queue(d, q));
	return json_pack("{s:s, s:b, s:i, s:o}", "name", d->name, "answers",
			 answers, "status",
			 (int)virtio_device_status(virtio_blk_device(d->blk)),
			 "queues", queues);
}

/* Each may take its share of what is left of the time. */
static json_t *debug_disks(const struct run *run)
{
	u64 until = now_ns() + ANSWER_NS, now;
	unsigned int n = run->ndrives;
	json_t *disks = json_array();

	for (unsigned int i = 0; i < n; i++) {
		now = now_ns();
		json_array_append_new(disks,
			debug_disk(&run->drives[i], now < until ?
				   (until - now) / (n - i) : 0));
	}
	return disks;
}

/* --- threads -------------------------------------------------------------- */

/* The first line of a file of thread @tid that begins with @key, behind it. */
static bool task_line(const char *tid, const char *file, const char *key,
		      char *line, int room)
{
	char path[64];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/%s", tid, file);
	f = fopen(path, "re");
	while (f && !found && fgets(line, room, f))
		found = !strncmp(line, key, strlen(key));
	if (f)
		fclose(f);
	if (!found)
		return false;
	line[strcspn(line, "\n")] = 0;
	memmove(line, line + strlen(key), strlen(line + strlen(key)) + 1);
	return true;
}

/* proc(5): of /proc/PID/stat, behind the name in brackets, state is the first. */
static const char *stat_field(char *line, unsigned int n)
{
	char *at = strrchr(line, ')'), *save = NULL;

	at = at ? strtok_r(at + 1, " ", &save) : NULL;
	while (at && --n)
		at = strtok_r(NULL, " ", &save);
	return at ? at : "";
}

#define STATE_FIELD 1	/* 3 of the line */
#define CPU_FIELD 37	/* 39 */

static json_t *debug_thread(const char *tid)
{
	char name[32], cpus[256], stat[1024], copy[1024];

	if (!task_line(tid, "comm", "", name, sizeof(name)) ||
	    !task_line(tid, "status", "Cpus_allowed_list:\t", cpus,
		       sizeof(cpus)) ||
	    !task_line(tid, "stat", "", stat, sizeof(stat)))
		return NULL;
	memcpy(copy, stat, sizeof(copy));
	return json_pack("{s:i, s:o, s:s, s:i, s:s}", "tid", atoi(tid), "name",
			 json_text(name), "state",
			 stat_field(stat, STATE_FIELD), "cpu",
			 atoi(stat_field(copy, CPU_FIELD)), "affinity", cpus);
}

static json_t *debug_threads(void)
{
	json_t *threads = json_array(), *thread;
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		thread = debug_thread(entry->d_name);
		if (thread)	/* it may have ended */
			json_array_append_new(threads, thread);
	}
	if (dir)
		closedir(dir);
	return threads;
}

void control_debug(struct control_call *call)
{
	const struct run *run = call->ctx;
	json_t *threads, *vcpus, *disks;

	if (!CONTROL_TAKES_NOTHING(call))
		return;
	threads = debug_threads();	/* before they are asked */
	vcpus = debug_vcpus(&run->vm);
	disks = debug_disks(run);
	call->result = json_pack("{s:o, s:o, s:o}", "threads", threads,
				 "vcpus", vcpus, "disks", disks);
}
