// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register model of a 16550A (National PC16550D data sheet, section 8).
 *
 * Sending takes no time: the transmitter is always empty, and a byte is with
 * the host before the guest's OUT ends.  The interrupt line is that of a PC:
 * gated by OUT2, seen by an edge-triggered input, so that an edge is reported
 * when it rises, and again when an access that serves one cause leaves another.
 * Called by serial.c on any vCPU thread and on the main thread.
 */
#include "x86/serial.h"
#include <linux/serial_reg.h>

#define RX_ERRORS	(UART_LSR_PE | UART_LSR_FE | UART_LSR_BI)
#define IER_MASK	0x0f
#define MCR_MASK	0x1f
#define IIR_FIFO	0xc0
#define IIR_RX_LATE	0x0c	/* bytes wait below the trigger level */
#define MSR_LINES	0xf0
#define DLL_9600	12

static bool uart_divisor(const struct uart *u)
{
	return u->lcr & UART_LCR_DLAB;
}

/* The modem lines: those of MCR in loopback, else a host that is there. */
static u8 uart_modem_lines(const struct uart *u)
{
	u8 lines = 0;

	if (!(u->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (u->mcr & UART_MCR_RTS)
		lines |= UART_MSR_CTS;
	if (u->mcr & UART_MCR_DTR)
		lines |= UART_MSR_DSR;
	if (u->mcr & UART_MCR_OUT1)
		lines |= UART_MSR_RI;
	if (u->mcr & UART_MCR_OUT2)
		lines |= UART_MSR_DCD;
	return lines;
}

static u8 uart_rx_errors(const struct uart *u)
{
	return u->rx_count ? u->rx[u->rx_first] >> 8 : 0;
}

static u8 uart_lsr(const struct uart *u)
{
	u8 lsr = UART_LSR_TEMT | UART_LSR_THRE | uart_rx_errors(u);

	if (u->rx_count)
		lsr |= UART_LSR_DR;
	if (u->overrun)
		lsr |= UART_LSR_OE;
	return lsr;
}

static unsigned int uart_trigger(const struct uart *u)
{
	static const u8 level[] = { 1, 4, 8, 14 };

	/* Without FIFO fcr is 0: one byte. */
	return level[u->fcr >> 6];
}

/* The most urgent cause that is enabled (data sheet, table IV). */
static u8 uart_iir(const struct uart *u)
{
	if (u->ier & UART_IER_RLSI && (u->overrun || uart_rx_errors(u)))
		return UART_IIR_RLSI;
	if (u->ier & UART_IER_RDI && u->rx_count)
		return u->rx_count >= uart_trigger(u) ? UART_IIR_RDI :
							IIR_RX_LATE;
	if (u->ier & UART_IER_THRI && u->thre_pending)
		return UART_IIR_THRI;
	if (u->ier & UART_IER_MSI && u->msr_delta)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

/* @again: the line may have been low for a moment. */
static void uart_update_irq(struct uart *u, bool again)
{
	bool gate = u->mcr & UART_MCR_OUT2 && !(u->mcr & UART_MCR_LOOP);
	bool line = gate && uart_iir(u) != UART_IIR_NO_INT;

	if (line && (again || !u->irq_line))
		u->host->interrupt(u->ctx);
	u->irq_line = line;
}

static void uart_rx_push(struct uart *u, u8 byte, u8 errors)
{
	if (u->rx_count == UART_RX_SIZE) {
		u->overrun = true;
		return;
	}
	u->rx[(u->rx_first + u->rx_count++) % UART_RX_SIZE] =
		errors << 8 | byte;
}

static u8 uart_rx_pop(struct uart *u)
{
	u8 byte;

	if (!u->rx_count)
		return 0;
	byte = u->rx[u->rx_first];
	u->rx_first = (u->rx_first + 1) % UART_RX_SIZE;
	u->rx_count--;
	return byte;
}

static u8 uart_read_iir(struct uart *u)
{
	u8 iir = uart_iir(u);

	if (iir == UART_IIR_THRI) {
		u->thre_pending = false;
		uart_update_irq(u, true);
	}
	if (u->fcr & UART_FCR_ENABLE_FIFO)
		iir |= IIR_FIFO;
	return iir;
}

/* Tells the errors of the oldest byte, once. */
static u8 uart_read_lsr(struct uart *u)
{
	u8 lsr = uart_lsr(u);

	u->overrun = false;
	if (u->rx_count)
		u->rx[u->rx_first] &= 0xff;
	return lsr;
}

static u8 uart_read_msr(struct uart *u)
{
	u8 msr = uart_modem_lines(u) | u->msr_delta;

	u->msr_delta = 0;
	return msr;
}

static u8 uart_read_register(struct uart *u, unsigned int reg)
{
	switch (reg) {
	case UART_RX:
		return uart_divisor(u) ? u->dll : uart_rx_pop(u);
	case UART_IER:
		return uart_divisor(u) ? u->dlm : u->ier;
	case UART_IIR:
		return uart_read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return uart_read_lsr(u);
	case UART_MSR:
		return uart_read_msr(u);
	case UART_SCR:
		return u->scr;
	}
	return 0xff;
}

/* Returns whether the byte goes out on the line. */
static bool uart_write_thr(struct uart *u, u8 byte)
{
	u->thre_pending = true;
	if (!(u->mcr & UART_MCR_LOOP))
		return true;
	uart_rx_push(u, byte, 0);
	return false;
}

/* Enabling the interrupt of an empty transmitter raises it. */
static void uart_write_ier(struct uart *u, u8 value)
{
	if (value & ~u->ier & UART_IER_THRI)
		u->thre_pending = true;
	u->ier = value & IER_MASK;
	uart_update_irq(u, true);
}

static void uart_write_fcr(struct uart *u, u8 value)
{
	u8 changed = u->fcr ^ value;

	if (value & UART_FCR_CLEAR_RCVR || changed & UART_FCR_ENABLE_FIFO)
		u->rx_count = 0;	/* what is sent is gone already */
	u->fcr = 0;
	if (value & UART_FCR_ENABLE_FIFO)
		u->fcr = value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK);
}

static void uart_write_mcr(struct uart *u, u8 value)
{
	u8 before = uart_modem_lines(u);
	u8 changed;

	u->mcr = value & MCR_MASK;
	changed = before ^ uart_modem_lines(u);
	/* Deltas are four bits below their lines; RI tells only its end. */
	u->msr_delta |= changed >> 4 & ~UART_MSR_TERI;
	if (changed & before & UART_MSR_RI)
		u->msr_delta |= UART_MSR_TERI;
}

/* Returns whether @value is a byte to send. */
static bool uart_write_register(struct uart *u, unsigned int reg, u8 value)
{
	switch (reg) {
	case UART_TX:
		if (!uart_divisor(u))
			return uart_write_thr(u, value);
		u->dll = value;
		break;
	case UART_IER:
		if (uart_divisor(u))
			u->dlm = value;
		else
			uart_write_ier(u, value);
		break;
	case UART_FCR:
		uart_write_fcr(u, value);
		break;
	case UART_LCR:
		u->lcr = value;
		break;
	case UART_MCR:
		uart_write_mcr(u, value);
		break;
	case UART_SCR:
		u->scr = value;
		break;
	}
	return false;
}

/* Half of the buffer free: not a wake-up of the main thread for each byte. */
static bool uart_end_stall(struct uart *u)
{
	if (!u->stalled || u->mcr & UART_MCR_LOOP ||
	    u->rx_count > UART_RX_SIZE / 2)
		return false;
	u->stalled = false;
	return true;
}

u8 uart_read(struct uart *u, unsigned int reg)
{
	bool room;
	u8 value;

	pthread_mutex_lock(&u->lock);
	value = uart_read_register(u, reg);
	uart_update_irq(u, false);
	room = uart_end_stall(u);
	pthread_mutex_unlock(&u->lock);
	if (room)
		u->host->room(u->ctx);
	return value;
}

void uart_write(struct uart *u, unsigned int reg, u8 value)
{
	bool room, send;

	pthread_mutex_lock(&u->order);
	pthread_mutex_lock(&u->lock);
	send = uart_write_register(u, reg, value);
	uart_update_irq(u, false);
	room = uart_end_stall(u);
	pthread_mutex_unlock(&u->lock);
	if (send)
		u->host->output(u->ctx, &value, 1);
	pthread_mutex_unlock(&u->order);
	if (room)
		u->host->room(u->ctx);
}

size_t uart_room(struct uart *u)
{
	size_t room = 0;

	pthread_mutex_lock(&u->lock);
	/* In loopback the receiver is cut off the line: keep what comes. */
	if (!(u->mcr & UART_MCR_LOOP))
		room = UART_RX_SIZE - u->rx_count;
	if (!room)
		u->stalled = true;
	pthread_mutex_unlock(&u->lock);
	return room;
}

void uart_input(struct uart *u, const u8 *data, size_t len)
{
	pthread_mutex_lock(&u->lock);
	while (len--)
		uart_rx_push(u, *data++, 0);
	uart_update_irq(u, false);
	pthread_mutex_unlock(&u->lock);
}

/* A break is received as a zero byte without a stop bit. */
void uart_break(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	uart_rx_push(u, 0, UART_LSR_BI | UART_LSR_FE);
	uart_update_irq(u, false);
	pthread_mutex_unlock(&u->lock);
}

void uart_init(struct uart *u, const struct uart_host *host, void *ctx)
{
	*u = (struct uart){
		.host = host,
		.ctx = ctx,
		.dll = DLL_9600,
	};
	pthread_mutex_init(&u->order, NULL);
	pthread_mutex_init(&u->lock, NULL);
}

void uart_exit(struct uart *u)
{
	pthread_mutex_destroy(&u->lock);
	pthread_mutex_destroy(&u->order);
}
