/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the person at the terminal, one line each, on stderr.
 *
 * A function that returns a negative errno has already told what failed and
 * what can be done about it, unless its header says otherwise; its callers
 * only unwind.  Never called on the I/O path, except once per failing device.
 */
#ifndef LKVM_LOG_H
#define LKVM_LOG_H

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A word of the user's in a message: one that is empty would not be seen. */
static inline const char *log_word(const char *word)
{
	return *word ? word : "(empty)";
}

/* Out of memory: says so, and returns -ENOMEM. */
int log_no_memory(void);

#endif
