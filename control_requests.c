// SPDX-License-Identifier: GPL-2.0-only
/*
 * The requests of a running guest's control socket, one function each.  Main
 * thread; the I/O threads and vCPUs run meanwhile.
 */
#include "control_requests.h"
#include "arch.h"
#include "disk/disk.h"
#include "drive.h"
#include "json_text.h"
#include "kvm/exit_device.h"
#include "kvm/vm.h"
#include "run.h"
#include "stats.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

bool control_takes(struct control_call *call, const char *const *fields)
{
	const char *key;
	json_t *value;

	json_object_foreach(call->request, key, value) {
		const char *const *field = fields;

		while (*field && strcmp(*field, key) != 0)
			field++;
		if (!*field) {
			control_refuse(call, "unknown field %.64s", key);
			return false;
		}
	}
	return true;
}

bool control_bool(struct control_call *call, const char *key, bool *value)
{
	const json_t *given = json_object_get(call->request, key);

	*value = json_is_true(given);
	if (!given || json_is_boolean(given))
		return true;
	control_refuse(call, "%s: neither true nor false", key);
	return false;
}

static json_int_t number(u64 value)
{
	return (json_int_t)value;
}

static const char *state_name(const struct run *run)
{
	if (vm_ended(&run->vm))
		return "ending";
	return vm_paused(&run->vm) ? "paused" : "running";
}

/* --- info, stat ----------------------------------------------------------- */

static json_t *info_disk(const struct drive *d)
{
	const struct disk_info *info = disk_info(d->disk);

	return json_pack("{s:s, s:o, s:I, s:b, s:I, s:I}", "name", d->name,
			 "path", json_text(d->path), "size", number(info->size),
			 "readonly", info->readonly, "queues",
			 number(d->queues), "iothreads", number(d->iothreads));
}

static void serve_info(struct control_call *call)
{
	const struct run *run = call->ctx;
	json_t *disks;

	if (!CONTROL_TAKES_NOTHING(call))
		return;
	disks = json_array();
	for (unsigned int i = 0; i < run->ndrives; i++)
		json_array_append_new(disks, info_disk(&run->drives[i]));
	call->result = json_pack(
		"{s:o, s:i, s:s, s:I, s:I, s:I, s:o}", "name",
		json_text(run->name), "pid", (int)getpid(), "state",
		state_name(run), "cpus", number(run->cpus), "mem",
		number(run->mem), "uptime_ns", number(run_uptime(run)),
		"disks", disks);
}

static void serve_stat(struct control_call *call)
{
	const struct run *run = call->ctx;

	if (CONTROL_TAKES_NOTHING(call))
		call->result = stats_sample(run->drives, run->ndrives);
}

/* --- stop, pause, resume -------------------------------------------------- */

/* The guest itself, or the command that it is there for.  NULL, or why it cannot be asked. */
static const char *ask_to_end(struct run *run)
{
	if (vm_paused(&run->vm))
		return "it is paused, and cannot power off; resume it first, or add --force";
	if (run->command)	/* guest/init.c has no ear for the button */
		return exit_device_stop(run->exit_device) ?
			       "its command does not run yet; try again later, or add --force" : NULL;
	return arch_power_button(&run->vm) ?
		       "the guest does not listen to its power button: it has no driver for it, or has not loaded it yet; power off inside of it, or add --force" : NULL;
}

static void serve_stop(struct control_call *call)
{
	struct run *run = call->ctx;
	const char *refusal;
	bool force;

	if (!CONTROL_TAKES(call, "force") ||
	    !control_bool(call, "force", &force))
		return;
	if (force) {
		vm_end(&run->vm, VM_SIGNAL, SIGTERM);
		call->result = json_object();
		return;
	}
	refusal = ask_to_end(run);
	if (refusal)
		control_refuse(call, "%s", refusal);
	else
		call->result = json_object();
}

static void serve_pause(struct control_call *call)
{
	struct run *run = call->ctx;

	if (!CONTROL_TAKES_NOTHING(call))
		return;
	vm_pause(&run->vm, NULL);
	call->result = json_object();
}

static void serve_resume(struct control_call *call)
{
	struct run *run = call->ctx;

	if (!CONTROL_TAKES_NOTHING(call))
		return;
	run_resume(run);
	call->result = json_object();
}

const struct control_request control_requests[] = {
	{ "info", serve_info },
	{ "stat", serve_stat },
	{ "stop", serve_stop },
	{ "pause", serve_pause },
	{ "resume", serve_resume },
	{ "resize", control_resize },
	{ "throttle", control_throttle },
	{ "set-poll", control_set_poll },
	{ "debug", control_debug },
	{ NULL, NULL },
};
