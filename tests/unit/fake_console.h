/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm/console.h without a terminal: output is kept, kicks are counted, and the
 * test is the user.  Output is not guarded, as the caller keeps its order.
 */
#ifndef LKVM_TESTS_FAKE_CONSOLE_H
#define LKVM_TESTS_FAKE_CONSOLE_H

#include "kvm/console.h"

#define FAKE_OUTPUT_MAX (1u << 20)

struct console {
	const struct console_ops *ops;
	void *ctx;
	size_t nout;		/* bytes written, the first of them here: */
	u8 out[FAKE_OUTPUT_MAX];
	unsigned int kicks;	/* atomic */
};

#endif
