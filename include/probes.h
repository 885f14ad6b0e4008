/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Static probes (USDT) of the data path, in its order; docs/tracing.md has
 * their arguments and how perf and bpftrace use them.
 *
 * A probe is a nop and a note in the ELF file that says where its arguments
 * are: give it what is in a register or in memory anyway, so that one that
 * nobody looks at costs that nop. 
 */
#ifndef LKVM_PROBES_H
#define LKVM_PROBES_H

#ifdef __CHECKER__	/* sparse does not know its assembler */
#define PROBE(name, ...) do { } while (0)
#elif __has_include(<sys/sdt.h>)
#define SDT_USE_VARIADIC
/* Registers, constants, or memory at an offset: no address is made for it. */
#define STAP_SDT_ARG_CONSTRAINT nor
#include <sys/sdt.h>
#define PROBE(name, ...) STAP_PROBEV(lkvm, name, __VA_ARGS__)
#else
#error "no <sys/sdt.h>: scripts/setup.sh build installs it (Debian's systemtap-sdt-dev)"
#endif

/* The eventfd of queue @queue of disk @disk has woken its I/O thread. */
#define probe_kick(disk, queue, thread) PROBE(kick, disk, queue, thread)
/* The guest's request @head was popped at @ns; it is @tag up to its completion. */
#define probe_pop(disk, queue, tag, head, ns) \
	PROBE(pop, disk, queue, tag, head, ns)
/* It is a read, a write... (enum disk_op) for the disk; in bytes. */
#define probe_stage(disk, queue, tag, op, offset, len) \
	PROBE(stage, disk, queue, tag, op, offset, len)
/* @count requests of all queues of this thread are the kernel's now. */
#define probe_submit(engine, count) PROBE(submit, engine, count)
/* It is complete; @ns is when it was popped. */
#define probe_complete(disk, queue, tag, status, written, ns) \
	PROBE(complete, disk, queue, tag, status, written, ns)
/* @count completed requests are about to be shown to the guest. */
#define probe_publish(disk, queue, count) PROBE(publish, disk, queue, count)
/* An interrupt for it was sent, or (@sent is 0) turned out to be needless. */
#define probe_interrupt(disk, queue, sent) PROBE(interrupt, disk, queue, sent)
/* The thread polls for at most @budget ns ... */
#define probe_poll_start(thread, budget) PROBE(poll_start, thread, budget)
/* ... and found work, or (@found is 0) did not. */
#define probe_poll_end(thread, found) PROBE(poll_end, thread, found)

#endif
