// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling lkvm how it went, by the exit device.
 */
#include "guest/init.h"
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"

static unsigned long device_number(const char *device, const char *file)
{
	char path[512], *text;
	unsigned long number;
	size_t size;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", device, file);
	text = read_file(path, &size);
	number = text ? strtoul(text, NULL, 16) : 0;
	free(text);
	return number;
}

static int open_device(const char *device)
{
	char path[512];

	if (device_number(device, "vendor") != EXIT_DEVICE_VENDOR ||
	    device_number(device, "device") != EXIT_DEVICE_ID)
		return -1;
	snprintf(path, sizeof(path), DEVICES "/%s/config", device);
	return open(path, O_RDWR | O_CLOEXEC);
}

static int device = -1;	/* its configuration space; of the only thread */

void report_open(void)
{
	DIR *devices = opendir(DEVICES);
	struct dirent *entry;

	while (devices && device < 0 && (entry = readdir(devices)))
		device = open_device(entry->d_name);
	if (devices)
		closedir(devices);
}

bool report(enum exit_report what, int value)
{
	uint32_t word = htole32((uint32_t)EXIT_DEVICE_MAGIC << 16 |
				(uint32_t)what << 8 | (value & 0xff));

	if (device < 0)
		report_open();
	return pwrite(device, &word, sizeof(word), EXIT_DEVICE_REGISTER) ==
	       sizeof(word);
}

unsigned int report_stops(void)
{
	uint32_t word;

	return pread(device, &word, sizeof(word), EXIT_DEVICE_STOPS) ==
	       sizeof(word) ? le32toh(word) : 0;
}

void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void give_up(int err, const char *format, ...)
{
	va_list args;

	dprintf(STDERR_FILENO, "lkvm-init: ");
	va_start(args, format);
	vdprintf(STDERR_FILENO, format, args);
	va_end(args);
	dprintf(STDERR_FILENO, "%s%s\n", err ? ": " : "", err ? strerror(err) : "");
	drivers_complain();
	console_drain();
	if (!report(EXIT_REPORT_NOT_RUN, err))
		dprintf(STDERR_FILENO, "lkvm-init: no exit device: is there pci=off?\n");
	power_off();
}
