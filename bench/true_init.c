// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of the other VMMs' guests in bench/true: what guest/init.c does for
 * lkvm's, but that they end by a reset, as they have no exit device.
 */
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	static const char *const mounts[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" },
	};
	char *argv[] = { "true", NULL };

	for (unsigned int i = 0; i < 3; i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
	if (!fork()) {
		execv("/bin/true", argv);
		_exit(127);
	}
	wait(NULL);
	reboot(RB_AUTOBOOT);
}
