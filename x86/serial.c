// SPDX-License-Identifier: GPL-2.0-only
/*
 * COM1: connects the registers of uart.c to the PIO bus, to ISA interrupt 4
 * and to the host's console.
 *
 * Guest accesses come from any vCPU thread, console input from the main
 * thread; the uart's lock orders them.  Made by arch_devices_init().
 */
#include "x86/serial.h"
#include "kvm/bus.h"
#include "kvm/console.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include "log.h"
#include "x86/x86.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct serial {
	struct uart uart;
	struct vm *vm;
	struct console *console;
	int irq_fd;
};

static void serial_output(void *ctx, const u8 *data, size_t len)
{
	struct serial *serial = ctx;

	console_write(serial->console, data, len);
}

static void serial_interrupt(void *ctx)
{
	struct serial *serial = ctx;

	event_signal(serial->irq_fd);
}

static void serial_room_grown(void *ctx)
{
	struct serial *serial = ctx;

	console_kick(serial->console);
}

static const struct uart_host serial_uart_host = {
	.output = serial_output,
	.interrupt = serial_interrupt,
	.room = serial_room_grown,
};

static size_t serial_room(void *ctx)
{
	struct serial *serial = ctx;

	return uart_room(&serial->uart);
}

static void serial_input(void *ctx, const u8 *data, size_t len)
{
	struct serial *serial = ctx;

	uart_input(&serial->uart, data, len);
}

static void serial_break(void *ctx)
{
	struct serial *serial = ctx;

	uart_break(&serial->uart);
}

static const struct console_ops serial_console_ops = {
	.room = serial_room,
	.input = serial_input,
	.send_break = serial_break,
};

/* The registers are bytes: a wide access is one to each in turn. */
static void serial_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	struct serial *serial = ctx;
	u8 *to = data;

	for (unsigned int i = 0; i < len; i++)
		to[i] = uart_read(&serial->uart, offset + i);
}

static void serial_write(void *ctx, u64 offset, const void *data,
			 unsigned int len)
{
	struct serial *serial = ctx;
	const u8 *from = data;

	for (unsigned int i = 0; i < len; i++)
		uart_write(&serial->uart, offset + i, from[i]);
}

static const struct bus_ops serial_bus_ops = {
	.read = serial_read,
	.write = serial_write,
};

int serial_new(struct serial **sp, struct vm *vm, struct console *con)
{
	struct serial *serial = calloc(1, sizeof(*serial));
	int err;

	if (!serial) {
		log_error("no host memory for the serial port; free some");
		return -ENOMEM;
	}
	serial->vm = vm;
	serial->console = con;
	uart_init(&serial->uart, &serial_uart_host, serial);
	err = event_new();
	if (err < 0) {
		log_error("no eventfd for the serial port: %s; raise ulimit -n",
			  strerror(-err));
		goto free_serial;
	}
	serial->irq_fd = err;
	err = irqfd_attach(vm, serial->irq_fd, X86_COM1_IRQ, -1);
	if (err)
		goto close_irq;
	bus_add(&vm->pio, X86_COM1_PORT, UART_PORTS, &serial_bus_ops, serial);
	console_connect(con, &serial_console_ops, serial);
	*sp = serial;
	return 0;

close_irq:
	close(serial->irq_fd);
free_serial:
	uart_exit(&serial->uart);
	free(serial);
	return err;
}

void serial_free(struct serial *serial)
{
	if (!serial)
		return;
	irqfd_detach(serial->vm, serial->irq_fd, X86_COM1_IRQ);
	close(serial->irq_fd);
	uart_exit(&serial->uart);
	free(serial);
}
