// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm run --stats FILE --console file:PATH --trace FILE: they are emptied, and a slip
 * of the hand shall not cost a disk.  virtio/trace.c looks whether it is a trace.
 */
#include "disk/image.h"
#include "log.h"
#include "output.h"
#include "run.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct output {
	const char *option;	/* up to the path */
	const char *path;
	const char *magic;	/* what is in it begins so; NULL: anything goes */
};

static int output_refuse(const struct output *o, const char *why)
{
	log_error("%s%s: %s; give another file", o->option, o->path, why);
	return -EINVAL;
}

/* Whether @path, of --@option, is the file of @st: then with a message. */
static bool output_is(const struct output *o, const struct stat *st,
		      const char *option, const char *path)
{
	struct stat other;

	if (!path || stat(path, &other) || other.st_dev != st->st_dev ||
	    other.st_ino != st->st_ino)
		return false;
	log_error("%s%s: would overwrite the file of --%s %s; give another file",
		  o->option, o->path, option, path);
	return true;
}

/* Another guest has its disks, and its trace, locked. */
static int output_check_lock(const struct output *o, const struct stat *st)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), pid;
	char why[48] = "in use by another process";
	bool locked;

	if (fd < 0)
		return 0;
	locked = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	if (!locked)
		return 0;
	pid = image_find_holder(st, false);
	if (pid)
		snprintf(why, sizeof(why), "in use by pid %d", pid);
	return output_refuse(o, why);
}

static int output_check(const struct run *run, const struct output *o)
{
	struct stat st;
	bool taken;
	int err;

	if (stat(o->path, &st))
		return 0;
	if (S_ISBLK(st.st_mode))
		return output_refuse(o, "is a block device");
	if (!S_ISREG(st.st_mode))
		return 0;
	taken = output_is(o, &st, "kernel", run->kernel) ||
		output_is(o, &st, "initrd", run->initrd);
	for (unsigned int i = 0; !taken && i < run->ndrives; i++)
		taken = output_is(o, &st, "disk", run->drives[i].path);
	err = taken ? -EINVAL : output_check_lock(o, &st);
	if (!err && o->magic && !output_is_harmless(o->path, o->magic))
		err = output_refuse(o, "there is a file of another kind");
	return err;
}

int run_check_outputs(const struct run *run)
{
	const char *console = run->console_spec;
	int err = 0;

	if (run->stats_path && strcmp(run->stats_path, "-"))
		err = output_check(run, &(struct output){ "--stats ",
							  run->stats_path, "{" });
	if (!err && !strncmp(console, "file:", 5))
		err = output_check(run, &(struct output){ "--console file:",
							  console + 5, NULL });
	if (!err && run->trace_path)
		err = output_check(run, &(struct output){ "--trace ",
							  run->trace_path, NULL });
	return err;
}
