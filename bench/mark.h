/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A no-op that nobody else executes ("LKVM" is its displacement): sample.c executes
 * it, insn.c sees it.
 */
#ifndef LKVM_BENCH_MARK_H
#define LKVM_BENCH_MARK_H

#define MARK_ASM "nopl 0x4d564b4c(%rax,%rax)"
#define MARK_CODE "\x0f\x1f\x84\x00\x4c\x4b\x56\x4d"

#endif
