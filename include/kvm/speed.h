/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_KVM_SPEED_H
#define LKVM_KVM_SPEED_H

/*
 * Run a tiny guest in kernel mode and tell its speed in millions of
 * instructions per second: native, or the KVM of a sandbox that emulates.
 * 0 or -errno, with a message.
 */
int guest_speed(double *mips);

#endif
