/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPUs guests on this host have threads on, so that a new one takes others, and
 * which interrupts they steer.
 *
 * A claim is a shared lock on byte N of one file, for CPU N, and behind those for interrupts;
 * the kernel gives it back when the process ends, however it ends. Claims keep nobody from anything.
 */
#ifndef LKVM_CLAIMS_H
#define LKVM_CLAIMS_H

#include "cpulist.h"

#define CLAIMS_DIR "/run"
#define CLAIMS_FILE "lkvm.cpus"

/*
 * Open the file in @dir.  A descriptor whose close gives all claims back, or -errno
 * without a message.
 */
int claims_open(const char *dir);
/*
 * Open that in directory @common, or where that is not possible (*@why: -errno, else 0) one in
 * $XDG_RUNTIME_DIR, which guests of other users do not see.  As claims_open(), -errno is *@why.
 */
int claims_find(const char *common, int *why);

/*
 * Keep others from choosing until claims_end(); no longer than a second or two, should
 * one of them be stuck there: that is told.
 */
void claims_begin(int fd);
void claims_end(int fd);

/* Those of @of that others claim. */
void claims_of_others(int fd, const struct cpu_mask *of,
		      struct cpu_mask *claimed);
/* 0 or -errno, without a message. */
int claims_add(int fd, const struct cpu_mask *cpus);

/* Does another guest steer interrupt @irq? */
bool claims_has_irq(int fd, unsigned int irq);
/* 0 or -errno, without a message. */
int claims_add_irq(int fd, unsigned int irq);

#endif
