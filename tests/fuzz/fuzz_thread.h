/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm/iothread.h without a thread: turns happen when the fuzzer says so, and
 * time goes by in them alone, so that an input always has the same course.
 */
#ifndef LKVM_TESTS_FUZZ_THREAD_H
#define LKVM_TESTS_FUZZ_THREAD_H

#include "kvm/iothread.h"

/* One turn of the loop.  Returns whether any client found work. */
bool fuzz_turn(struct iothread *t);
/* Re-arm all clients, and sleep for as long as their patience allows. */
void fuzz_sleep(struct iothread *t);
/* Turns and sleeps until there is nothing left to do; aborts if that never is. */
void fuzz_settle(struct iothread *t);

/* The harness's: called where another vCPU could be writing to guest memory. */
void fuzz_meanwhile(void);

#endif
