/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exit device: a PCI function by which a program in the guest ends lkvm with
 * a status of its own.  Shared with the program that does so, guest/init.c.
 *
 * Its registers are in a vendor-specific capability (PCI Local Bus 3.0, 6.7.2 and
 * appendix H) at 0x40 of its configuration space, which each architecture has and
 * user space reaches without a driver: in Linux as
 * /sys/bus/pci/devices/.../config, or by setpci(8):
 *
 *	setpci -d 1b36:6c6b 44.L=6c6b002a	# status 42
 *
 * Only a write of all its 32 bits counts, and only with the magic number in its
 * upper half; it reads as zero.  The second register is only read.
 */
#ifndef LKVM_KVM_EXIT_DEVICE_H
#define LKVM_KVM_EXIT_DEVICE_H

/* Red Hat's number, where virtual devices are, and "lk", which none of them has. */
#define EXIT_DEVICE_VENDOR	0x1b36
#define EXIT_DEVICE_ID		0x6c6b

#define EXIT_DEVICE_CAP		0x40
#define EXIT_DEVICE_REGISTER	0x44
#define EXIT_DEVICE_STOPS	0x48	/* how often lkvm was asked to stop the program */

/* magic << 16 | enum exit_report << 8 | value */
#define EXIT_DEVICE_MAGIC	0x6c6b

enum exit_report {
	EXIT_REPORT_STATUS = 0,	/* value: the status that the command ended with */
	EXIT_REPORT_SIGNAL = 1,	/* value: the signal that killed it */
	EXIT_REPORT_NOT_RUN = 2, /* value: the errno for which it was not run */
	EXIT_REPORT_INPUT = 3,	/* it runs on: a line of input is wanted */
	EXIT_REPORT_LISTENS = 4, /* it runs on, and looks at EXIT_DEVICE_STOPS */
};

struct exit_device;
struct vm;

/* Plug it into @vm's PCI bus.  0 or -errno. */
int exit_device_new(struct exit_device **dp, struct vm *vm);
/* Ask the program to end.  0, or -ENOTCONN: it does not look whether it shall. */
int exit_device_stop(struct exit_device *dev);
/* vCPUs have stopped.  NULL is allowed. */
void exit_device_free(struct exit_device *dev);

#endif
