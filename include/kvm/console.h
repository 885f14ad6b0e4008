/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host side of the guest's console: the user's terminal, a new pty, a file
 * or nothing.  Knows the escape keys (Ctrl-A ...) and keeps the terminal raw
 * while the guest runs; a guest UART sits on the other side.
 */
#ifndef LKVM_KVM_CONSOLE_H
#define LKVM_KVM_CONSOLE_H

#include "endian.h"

struct console;
struct vm;

/* What the guest's UART gives; called on the main thread. */
struct console_ops {
	/* Bytes it can take now; console input waits while it is 0. */
	size_t (*room)(void *ctx);
	void (*input)(void *ctx, const u8 *data, size_t len);
	void (*send_break)(void *ctx);
};

/* @spec: "stdio", "pty", "file:PATH" or "none".  0 or -errno. */
int console_new(struct console **cp, struct vm *vm, const char *spec);
/* Gives the terminal back as it was. */
void console_free(struct console *con);

/* The UART that gets the input.  Before vm_run(). */
void console_connect(struct console *con, const struct console_ops *ops,
		     void *ctx);

/*
 * From here on input is no terminal's, but fed: the guest's own program asks for
 * a line (console_want_input()), and gets the next bytes of it in hex, or an empty
 * line at the end.  So all bytes get through, none before somebody reads, and the
 * end as well.  False: there is a person at a terminal, who types.  Before vm_run().
 */
bool console_feed(struct console *con);
/* Any thread; nothing unless input is fed. */
void console_want_input(struct console *con);

/* The guest is about to run: empty the file that takes its output. */
void console_begin(struct console *con);

/* Guest output; any vCPU thread, the caller keeps the order. */
void console_write(struct console *con, const u8 *data, size_t len);

/* room() has grown: look for input again.  Any thread. */
void console_kick(struct console *con);

/* Whether the guest kernel's panic banner was printed. */
bool console_saw_panic(const struct console *con);
/*
 * Copy the last of what was printed, at most @size - 1 bytes, and a NUL.  When no
 * vCPU runs.
 */
void console_last_output(const struct console *con, char *text, size_t size);

#endif
