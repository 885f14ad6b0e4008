// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control requests that change a disk: its size, its limits, how its threads
 * poll.  Main thread, while the guest uses it.
 */
#include "control_requests.h"
#include "disk/disk.h"
#include "drive.h"
#include "log.h"
#include "options.h"
#include "run.h"
#include "virtio/limit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_NS 1000000000ull

static void unknown_disk(struct control_call *call, const char *name)
{
	const struct run *run = call->ctx;
	char known[256] = " none";
	size_t len = 0;

	for (unsigned int i = 0; i < run->ndrives && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, " %s",
					run->drives[i].name);
	control_refuse(call, "no such disk: %.64s; there are:%s",
		       log_word(name), known);
}

/* The drive that "disk" names; NULL: refused. */
static struct drive *call_drive(struct control_call *call)
{
	struct run *run = call->ctx;
	const char *name = json_string_value(
		json_object_get(call->request, "disk"));

	if (!name) {
		control_refuse(call, "\"disk\" is missing, or no string");
		return NULL;
	}
	for (unsigned int i = 0; i < run->ndrives; i++) {
		struct drive *d = &run->drives[i];

		if (strcmp(d->name, name) != 0)
			continue;
		if (drive_answers(d, ANSWER_NS))
			return d;
		control_refuse(call, "%s: its I/O threads wait for the host's disk; look at that and its log, and try again",
			       name);
		return NULL;
	}
	unknown_disk(call, name);
	return NULL;
}

/* A number, or text like "2G".  False: refused. */
static bool call_size(struct control_call *call, const char *key, u64 max,
		      u64 *size)
{
	json_t *value = json_object_get(call->request, key);
	const char *text = json_string_value(value);
	bool ok = text && parse_size(text, size);

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*size = (u64)json_integer_value(value);
		ok = true;
	}
	if (ok && *size <= max)
		return true;
	control_refuse(call, "%s %.64s: not a size or number up to %llu; write it like 1000, 512K, 100M or 2G",
		       key, text ? log_word(text) : "", (unsigned long long)max);
	return false;
}

/* --- resize --------------------------------------------------------------- */

/* Why the disk cannot have @size; true: it can. */
static bool size_fits(struct control_call *call, const struct drive *d, u64 size,
		      u64 host, bool settable, bool shrink)
{
	const struct disk_info *info = disk_info(d->disk);
	unsigned long long n = size;

	if (size != host && !settable)
		control_refuse(call, "%s: %s is a block device of %llu bytes; resize that, and leave out the size to take it over",
			       d->name, d->path, (unsigned long long)host);
	else if (size != host && info->readonly)
		control_refuse(call, "%s: it is read-only; resize %.128s on the host and leave out the size, or run the guest without ro",
			       d->name, d->path);
	else if (!size || size % info->block_size)
		control_refuse(call, "%s: %llu is not a multiple of its blocks of %u bytes; give one, like %llu",
			       d->name, n, info->block_size,
			       (n / info->block_size + 1) * info->block_size);
	else if (size < info->size && !shrink)
		control_refuse(call, "%s: it has %llu bytes, and what is behind %llu would be lost; add --shrink if nobody needs it",
			       d->name, (unsigned long long)info->size, n);
	else
		return true;
	return false;
}

static void resize(struct control_call *call, struct drive *d, u64 size)
{
	int err = drive_resize(d, size);

	if (err == -EBUSY)
		control_refuse(call, "%s: the guest uses what is behind %llu; have it use less of the disk first",
			       d->name, (unsigned long long)size);
	else if (err)
		control_refuse(call, "%s: the host cannot make %.128s %llu bytes long: %s; see df and ulimit -f there, or give another size",
			       d->name, d->path, (unsigned long long)size,
			       strerror(-err));
	else
		call->result = json_pack("{s:I}", "size", (json_int_t)size);
}

void control_resize(struct control_call *call)
{
	struct drive *d;
	u64 host, size;
	bool settable, shrink;
	int err;

	if (!CONTROL_TAKES(call, "disk", "size", "shrink") ||
	    !control_bool(call, "shrink", &shrink))
		return;
	d = call_drive(call);
	if (!d)
		return;
	err = disk_host_size(d->disk, &host, &settable);
	if (err) {
		control_refuse(call, "%s: the host does not tell its size: %s; see whether %.128s works there, and its log (dmesg)",
			       d->name, strerror(-err), d->path);
		return;
	}
	size = host;
	if (json_object_get(call->request, "size") &&
	    !call_size(call, "size", 1ull << 62, &size))
		return;
	if (size_fits(call, d, size, host, settable, shrink))
		resize(call, d, size);
}

/* --- throttle ------------------------------------------------------------- */

struct limits {
	u64 iops, iops_burst, bps, bps_burst;
};

/* Those that @call names, into @l. */
static bool call_limits(struct control_call *call, struct limits *l)
{
	const struct {
		const char *key;
		u64 *value;
		u64 max;
	} table[] = {
		{ "iops", &l->iops, LIMIT_REQUESTS_MAX },
		{ "iops-burst", &l->iops_burst, LIMIT_REQUESTS_BURST_MAX },
		{ "bps", &l->bps, LIMIT_BYTES_MAX },
		{ "bps-burst", &l->bps_burst, LIMIT_BYTES_BURST_MAX },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!json_object_get(call->request, table[i].key))
			continue;
		any = true;
		if (!call_size(call, table[i].key, table[i].max,
			       table[i].value))
			return false;
	}
	if (!any)
		control_refuse(call, "no limit; give iops=, bps=, iops-burst= or bps-burst= (0: none)");
	return any;
}

/* As --disk does.  A burst of before goes with its limit. */
static bool limits_fit(struct control_call *call, struct limits *l)
{
	const char *without = NULL;

	if (!l->iops && l->iops_burst &&
	    json_object_get(call->request, "iops-burst"))
		without = "iops";
	else if (!l->bps && l->bps_burst &&
		 json_object_get(call->request, "bps-burst"))
		without = "bps";
	if (without)
		control_refuse(call, "%s-burst: there is no limit; give %s=, too",
			       without, without);
	if (!l->iops)
		l->iops_burst = 0;
	if (!l->bps)
		l->bps_burst = 0;
	return !without;
}

void control_throttle(struct control_call *call)
{
	struct limits l;
	struct drive *d;

	if (!CONTROL_TAKES(call, "disk", "iops", "iops-burst", "bps", "bps-burst"))
		return;
	d = call_drive(call);
	if (!d)
		return;
	l = (struct limits){ d->iops, d->iops_burst, d->bps, d->bps_burst };
	if (!call_limits(call, &l) || !limits_fit(call, &l))
		return;
	d->iops = (unsigned int)l.iops;
	d->iops_burst = (unsigned int)l.iops_burst;
	d->bps = l.bps;
	d->bps_burst = l.bps_burst;
	drive_throttle(d);
	call->result = json_pack("{s:I, s:I, s:I, s:I}", "iops",
				 (json_int_t)d->iops, "iops-burst",
				 (json_int_t)d->iops_burst, "bps",
				 (json_int_t)d->bps, "bps-burst",
				 (json_int_t)d->bps_burst);
}

/* --- set-poll ------------------------------------------------------------- */

void control_set_poll(struct control_call *call)
{
	json_t *poll = json_object_get(call->request, "poll");
	const char *text = json_string_value(poll);
	struct drive *d;
	char number[24];

	if (!CONTROL_TAKES(call, "disk", "poll"))
		return;
	d = call_drive(call);
	if (!d)
		return;
	if (json_is_integer(poll)) {
		snprintf(number, sizeof(number), "%lld",
			 (long long)json_integer_value(poll));
		text = number;
	}
	if (!text || drive_set_poll(d, text))
		control_refuse(call, "poll %.64s: give " DRIVE_POLL_CHOICES ", microseconds from 1 to %d",
			       text ? log_word(text) : "(none)", DRIVE_POLL_US_MAX);
	else
		call->result = json_object();
}
