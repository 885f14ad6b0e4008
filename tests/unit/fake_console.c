// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm/console.h without a terminal: see fake_console.h.
 */
#include "fake_console.h"

void console_connect(struct console *con, const struct console_ops *ops,
		     void *ctx)
{
	con->ops = ops;
	con->ctx = ctx;
}

void console_write(struct console *con, const u8 *data, size_t len)
{
	for (; len; len--, con->nout++)
		if (con->nout < FAKE_OUTPUT_MAX)
			con->out[con->nout] = *data++;
}

void console_kick(struct console *con)
{
	__atomic_add_fetch(&con->kicks, 1, __ATOMIC_RELEASE);
}
