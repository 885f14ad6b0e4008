// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that the kernel has as modules: /modules.list of the initrd names those
 * in /modules in the order to load them, as lkvm mkinitrd makes it.  A
 * distribution's initrd has modprobe(8) in place of that.
 */
#include "guest/init.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether @word is "MODULE.name=value"; the kernel takes - and _ for the same. */
static bool is_parameter(const char *word, const char *module, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] != module[i] &&
		    !(strchr("-_", module[i]) && word[i] && strchr("-_", word[i])))
			return false;
	return word[len] == '.';
}

/* What @file, "MODULE.ko", is told on the kernel's command line. */
static void module_parameters(const char *file, char *params)
{
	size_t size, len = strcspn(file, ".");
	char *cmdline = read_file("/proc/cmdline", &size), *rest = cmdline, *word;

	*params = 0;
	while (rest && (word = strsep(&rest, " \n")))
		if (is_parameter(word, file, len)) {
			strcat(params, word + len + 1);
			strcat(params, " ");
		}
	free(cmdline);
}

static void load_module(const char *file)
{
	char path[512], params[4096];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", file);
	module_parameters(file, params);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, params, 0) && errno != EEXIST))
		dprintf(STDERR_FILENO, "lkvm-init: %s: %s%s\n", path, strerror(errno),
			errno == ENOEXEC || errno == EINVAL ?
			": is it of another kernel?" : "");
	close(fd);
}

static void run_modprobe(void)
{
	char *argv[] = { "/sbin/modprobe", "-q", "-a", "virtio_pci", "virtio_blk", NULL };
	pid_t pid;

	if (access(argv[0], X_OK))
		return;
	pid = fork();
	if (!pid) {
		execv(argv[0], argv);
		_exit(1);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void drivers_load(void)
{
	size_t size;
	char *list = read_file("/modules.list", &size), *rest = list, *file;

	if (!list || !*list)
		run_modprobe();
	while (rest && (file = strsep(&rest, "\n")))
		if (*file)
			load_module(file);
	free(list);
}

/* Whether there is a virtio device on @bus that has no driver. */
static bool has_idle_device(const char *bus)
{
	char path[512];
	struct dirent *entry;
	bool idle = false;
	DIR *devices;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices", bus);
	devices = opendir(path);
	while (devices && !idle && (entry = readdir(devices))) {
		char *vendor;
		size_t size;

		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/vendor", bus,
			 entry->d_name);
		vendor = read_file(path, &size);
		/* Red Hat's, for virtio over PCI; on virtio's own bus any. */
		idle = vendor && (!strcmp(bus, "virtio") ||
				  !strcmp(vendor, "0x1af4\n"));
		free(vendor);
		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/driver", bus,
			 entry->d_name);
		idle = idle && access(path, F_OK);
	}
	if (devices)
		closedir(devices);
	return idle;
}

void drivers_complain(void)
{
	const char *missing = NULL;
	struct utsname name;

	if (has_idle_device("pci"))
		missing = "virtio_pci";
	else if (has_idle_device("virtio"))
		missing = "virtio_blk";
	if (!missing || uname(&name))
		return;
	dprintf(STDERR_FILENO,
		"lkvm-init: a disk has no driver: this kernel has %s as a module, and the initrd does not; make one on the host by `lkvm mkinitrd -o initrd --modules /lib/modules/%s ...` and give it by --initrd\n",
		missing, name.release);
}
