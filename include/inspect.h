/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For lkvm debug: what is inspected tells its numbers to whoever asks.
 */
#ifndef LKVM_INSPECT_H
#define LKVM_INSPECT_H

#include "endian.h"

struct inspector {
	/* @name is constant. */
	void (*number)(const struct inspector *to, const char *name, u64 value);
};

static inline void inspect(const struct inspector *to, const char *name,
			   u64 value)
{
	to->number(to, name, value);
}

#endif
