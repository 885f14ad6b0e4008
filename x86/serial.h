/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of a 16550A, apart from the VM and the console that serial.c
 * connects them to.  Any thread; each uart has its own lock.
 */
#ifndef LKVM_X86_SERIAL_H
#define LKVM_X86_SERIAL_H

#include "endian.h"
#include <pthread.h>

#define UART_PORTS	8
#define UART_RX_SIZE	256	/* the guest sees a FIFO that is never late */

struct uart_host {
	/*
	 * Bytes sent, in order.  May block: only other writers wait for it, not
	 * the host's side.
	 */
	void (*output)(void *ctx, const u8 *data, size_t len);
	/* An edge of the interrupt line.  Lock held. */
	void (*interrupt)(void *ctx);
	/* uart_room() was 0 and has grown.  Lock not held. */
	void (*room)(void *ctx);
};

struct uart {
	pthread_mutex_t order;	/* of what is sent; taken before lock */
	pthread_mutex_t lock;	/* registers */
	const struct uart_host *host;
	void *ctx;
	u8 ier, fcr, lcr, mcr, scr, dll, dlm;
	u8 msr_delta;
	bool overrun;		/* LSR OE */
	bool thre_pending;	/* nothing to send, and the guest was not told */
	bool irq_line;
	bool stalled;		/* the host waits for room */
	u16 rx[UART_RX_SIZE];	/* error bits of LSR << 8 | byte */
	unsigned int rx_first;
	unsigned int rx_count;
};

void uart_init(struct uart *u, const struct uart_host *host, void *ctx);
void uart_exit(struct uart *u);

/* Guest side: one register, 0..7. */
u8 uart_read(struct uart *u, unsigned int reg);
void uart_write(struct uart *u, unsigned int reg, u8 value);

/* Host side: what the other end of the line sends. */
size_t uart_room(struct uart *u);
void uart_input(struct uart *u, const u8 *data, size_t len);
void uart_break(struct uart *u);

#endif
