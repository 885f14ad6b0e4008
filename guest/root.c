// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's file systems: those of the kernel, the root, and what programs expect.
 */
#include "guest/init.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEW_ROOT "/lkvm/root"
#define WAIT_MS 5000	/* for the disk to appear */
#define STEP_MS 10

static const struct {
	const char *dir, *type, *options;
} mounts[] = {
	{ "/proc", "proc", NULL },
	{ "/sys", "sysfs", NULL },
	{ "/dev", "devtmpfs", NULL },
#define KERNEL_MOUNTS 3
	{ "/dev/pts", "devpts", NULL },
	{ "/dev/shm", "tmpfs", "mode=1777" },
	{ "/run", "tmpfs", "mode=755" },
	{ "/tmp", "tmpfs", "mode=1777" },	/* only where it cannot be written */
};
#define MOUNTS (sizeof(mounts) / sizeof(mounts[0]))

/* EBUSY: it is there already, as devtmpfs may be. */
static bool mount_one(unsigned int i)
{
	mkdir(mounts[i].dir, 0755);
	return !mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0,
		      mounts[i].options) || errno == EBUSY;
}

void mount_kernel_filesystems(void)
{
	for (unsigned int i = 0; i < KERNEL_MOUNTS; i++)
		if (!mount_one(i))
			give_up(errno, "%s cannot be mounted", mounts[i].dir);
}

static void wait_for_device(const char *path)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };

	for (int ms = 0; access(path, F_OK); ms += STEP_MS) {
		if (ms >= WAIT_MS)
			give_up(0, "--root=%s: there is no such disk", path);
		nanosleep(&step, NULL);
	}
}

/* With any file system that the kernel has and that takes it. */
static bool mount_any(const char *device, unsigned long flags)
{
	size_t size;
	char *list = read_file("/proc/filesystems", &size), *rest = list, *line;
	bool done = false;

	while (!done && rest && (line = strsep(&rest, "\n")))
		if (*line == '\t')	/* else "nodev", or the end */
			done = !mount(device, NEW_ROOT, line + 1, flags, NULL);
	free(list);
	return done;
}

static void mount_root(const struct orders *o)
{
	wait_for_device(o->root);
	mkdir(NEW_ROOT, 0755);
	if (!mount_any(o->root, o->root_readonly ? MS_RDONLY : 0))
		give_up(0, "--root=%s: cannot be mounted%s; is there a file system on it, and its driver in the kernel? lkvm mkinitrd --modules adds modules by name",
			o->root, o->root_readonly ? "" :
			" (a read-only disk is mounted by --root=DISK,ro)");
}

static void move_to(const char *dir)
{
	char to[64];

	snprintf(to, sizeof(to), NEW_ROOT "%s", dir);
	mkdir(to, 0755);
	if (mount(dir, to, NULL, MS_MOVE, NULL))
		give_up(errno, "the root file system has no %s", dir);
}

void root_enter(const struct orders *o)
{
	if (o->root) {
		mount_root(o);
		for (unsigned int i = 0; i < KERNEL_MOUNTS; i++)
			move_to(mounts[i].dir);
		if (chdir(NEW_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) ||
		    chroot(".") || chdir("/"))
			give_up(errno, "--root=%s: cannot be made the root", o->root);
	}
	/* What a root cannot have, a program may not need. */
	for (unsigned int i = KERNEL_MOUNTS; i < MOUNTS - !o->root_readonly; i++)
		mount_one(i);
	if (!o->root)
		mkdir("/tmp", 01777);
}

void root_leave(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	sync();
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}
