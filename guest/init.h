/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program that lkvm run -- COMMAND has the guest's kernel run first: what its
 * parts know of each other.  It is linked with musl, so that it is small.
 */
#ifndef LKVM_GUEST_INIT_H
#define LKVM_GUEST_INIT_H

#include "guest_files.h"
#include "kvm/exit_device.h"
#include <stdbool.h>
#include <stddef.h>

/* orders.c: what lkvm wants, from GUEST_ORDERS. */
struct orders {
	char **argv;
	char **environ;
	const char *root;	/* NULL: stay in the initrd */
	bool root_readonly;
	bool fed;
	unsigned int rows, columns;	/* 0: not known */
};
void orders_read(struct orders *orders);
/* All of a small file, with a NUL behind it; NULL if it cannot be read. */
char *read_file(const char *path, size_t *size);

/* report.c */
/* Find the exit device, while there is a /sys: the command may hide it. */
void report_open(void);
/* Tell lkvm; false: there is no exit device. */
bool report(enum exit_report what, int value);
/* How often lkvm stop has asked the command to end. */
unsigned int report_stops(void);
/* One line on the console, and the end: the command is not run. */
void give_up(int err, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Power off, if a report was not enough. */
void power_off(void) __attribute__((noreturn));

/* drivers.c */
/* Load the modules that the initrd has. */
void drivers_load(void);
/* Name the devices of lkvm that no driver has taken, and the remedy. */
void drivers_complain(void);

/* root.c */
void mount_kernel_filesystems(void);
/* Make orders->root the root, if it is given, and mount what programs expect. */
void root_enter(const struct orders *orders);
/* Nothing runs any more: have all on the disks. */
void root_leave(void);

/* console.c */
/* Standard input, output and error are the console from here on. */
void console_open(void);
/* As the command wants it: its terminal, or a channel for its bytes. */
void console_set(const struct orders *orders);
/*
 * A process that takes fed input off the console.  Returns the end of a pipe where
 * it comes out.
 */
int console_feed(void);
/* All that was written is with the host. */
void console_drain(void);

#endif
