// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 16550A as a driver sees it: probing as Linux does it, sending, receiving,
 * breaks, interrupt causes and the edges of the interrupt line.
 */
#include "x86/serial.h"
#include <check.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define IIR_NONE	0x01
#define IIR_RX_LATE	0x0c
#define IIR_FIFO	0xc0

static struct uart uart;
static u8 sent[4096];
static size_t nsent;
static unsigned int edges, kicks;

static void host_output(void *ctx, const u8 *data, size_t len)
{
	ck_assert_ptr_eq(ctx, &edges);
	ck_assert_uint_le(nsent + len, sizeof(sent));
	memcpy(sent + nsent, data, len);
	nsent += len;
}

static void host_interrupt(void *ctx)
{
	(*(unsigned int *)ctx)++;
}

static bool feeding;	/* by another thread */

/* May look at the room at once: the lock is not held. */
static void host_room(void *ctx)
{
	ck_assert_ptr_eq(ctx, &edges);
	/* A feeder of its own may have filled it again by now. */
	ck_assert(uart_room(&uart) > 0 || feeding);
	kicks++;
}

static const struct uart_host host = {
	.output = host_output,
	.interrupt = host_interrupt,
	.room = host_room,
};

static void setup(void)
{
	nsent = 0;
	edges = 0;
	kicks = 0;
	uart_init(&uart, &host, &edges);
}

static void teardown(void)
{
	uart_exit(&uart);
}

/* What a driver does before it uses interrupts. */
static void driver_start(u8 ier)
{
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO);
	uart_write(&uart, UART_LCR, UART_LCR_WLEN8);
	uart_write(&uart, UART_MCR,
		   UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	uart_write(&uart, UART_IER, ier);
	edges = 0;
}

static void input(const char *text)
{
	uart_input(&uart, (const u8 *)text, strlen(text));
}

START_TEST(test_reset_state)
{
	ck_assert_uint_eq(uart_read(&uart, UART_IER), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE);
	ck_assert_uint_eq(uart_read(&uart, UART_LCR), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_MCR), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x60);
	ck_assert_uint_eq(uart_read(&uart, UART_MSR), 0xb0);
	ck_assert_uint_eq(uart_read(&uart, UART_SCR), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 0);
	ck_assert_uint_eq(edges, 0);
}
END_TEST

START_TEST(test_divisor)
{
	uart_write(&uart, UART_IER, 0x05);
	uart_write(&uart, UART_LCR, UART_LCR_DLAB);
	ck_assert_uint_eq(uart_read(&uart, UART_DLL), 12);
	uart_write(&uart, UART_DLL, 0x34);
	uart_write(&uart, UART_DLM, 0x12);
	ck_assert_uint_eq(uart_read(&uart, UART_DLL), 0x34);
	ck_assert_uint_eq(uart_read(&uart, UART_DLM), 0x12);
	uart_write(&uart, UART_LCR, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IER), 0x05);
	ck_assert_uint_eq(nsent, 0);
}
END_TEST

/* The steps of autoconfig() in Linux' 8250_port.c: a 16550A and no more. */
START_TEST(test_linux_probe)
{
	uart_write(&uart, UART_IER, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IER) & 0x0f, 0);
	uart_write(&uart, UART_IER, 0xff);
	ck_assert_uint_eq(uart_read(&uart, UART_IER), 0x0f);
	uart_write(&uart, UART_IER, 0);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | 0x0a);
	ck_assert_uint_eq(uart_read(&uart, UART_MSR) & 0xf0, 0x90);
	uart_write(&uart, UART_MCR, 0);
	uart_write(&uart, UART_LCR, 0xbf);
	uart_write(&uart, UART_FCR, 0);
	uart_write(&uart, UART_LCR, 0);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) >> 6, 3);
	uart_write(&uart, UART_LCR, UART_LCR_DLAB);
	ck_assert_uint_ne(uart_read(&uart, UART_EFR), 0);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x20, 0);
	uart_write(&uart, UART_LCR, 0);
	uart_write(&uart, UART_SCR, 0xa5);
	ck_assert_uint_eq(uart_read(&uart, UART_SCR), 0xa5);
}
END_TEST

START_TEST(test_fifo_bits)
{
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE | IIR_FIFO);
	uart_write(&uart, UART_FCR, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE);
}
END_TEST

START_TEST(test_send)
{
	for (int i = 0; i < 1000; i++) {
		ck_assert_uint_eq(uart_read(&uart, UART_LSR) & 0x60, 0x60);
		uart_write(&uart, UART_TX, i);
	}
	ck_assert_uint_eq(nsent, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(sent[i], i & 0xff);
	ck_assert_uint_eq(edges, 0);
}
END_TEST

START_TEST(test_receive)
{
	input("abc");
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x61);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'a');
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'b');
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x61);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'c');
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x60);
	ck_assert_uint_eq(edges, 0);
}
END_TEST

START_TEST(test_receive_wraps)
{
	u8 next = 0;

	for (int i = 0; i < 1000; i++) {
		const u8 data[3] = { i * 3, i * 3 + 1, i * 3 + 2 };

		uart_input(&uart, data, 3);
		for (int j = 0; j < 3; j++)
			ck_assert_uint_eq(uart_read(&uart, UART_RX), next++);
	}
}
END_TEST

START_TEST(test_receive_interrupt)
{
	driver_start(UART_IER_RDI);
	input("a");
	ck_assert_uint_eq(edges, 1);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), UART_IIR_RDI | IIR_FIFO);
	input("b");
	ck_assert_uint_eq(edges, 1);
	uart_read(&uart, UART_RX);
	uart_read(&uart, UART_RX);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE | IIR_FIFO);
	input("c");
	ck_assert_uint_eq(edges, 2);
}
END_TEST

/* Fewer than the trigger level: the time-out has always passed. */
START_TEST(test_receive_trigger)
{
	driver_start(UART_IER_RDI);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	input("1234567");
	ck_assert_uint_eq(edges, 1);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_RX_LATE | IIR_FIFO);
	input("8");
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), UART_IIR_RDI | IIR_FIFO);
}
END_TEST

START_TEST(test_out2_gates_interrupt)
{
	uart_write(&uart, UART_IER, UART_IER_RDI);
	input("a");
	ck_assert_uint_eq(edges, 0);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	ck_assert_uint_eq(edges, 1);
	uart_write(&uart, UART_MCR, 0);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	ck_assert_uint_eq(edges, 2);
}
END_TEST

START_TEST(test_thre_interrupt)
{
	driver_start(0);
	uart_write(&uart, UART_IER, UART_IER_THRI);
	ck_assert_uint_eq(edges, 1);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), UART_IIR_THRI | IIR_FIFO);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE | IIR_FIFO);
	uart_write(&uart, UART_TX, 'x');
	ck_assert_uint_eq(edges, 2);
	uart_write(&uart, UART_TX, 'y');
	ck_assert_uint_eq(edges, 2);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), UART_IIR_THRI | IIR_FIFO);
	uart_write(&uart, UART_IER, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR), IIR_NONE | IIR_FIFO);
	ck_assert_uint_eq(edges, 2);
}
END_TEST

/* Linux' test for UART_BUG_THRE: enabling again tells again. */
START_TEST(test_thre_enabled_twice)
{
	driver_start(UART_IER_THRI);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_THRI);
	uart_write(&uart, UART_IER, 0);
	uart_write(&uart, UART_IER, UART_IER_THRI);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_THRI);
	ck_assert_uint_eq(edges, 1);
}
END_TEST

START_TEST(test_priorities)
{
	driver_start(0x0f);
	uart_write(&uart, UART_TX, 'x');
	uart_break(&uart);
	/* RTS reaches MSR only in loopback: a change on the way back */
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_RLSI);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x60 | UART_LSR_DR |
			  UART_LSR_BI | UART_LSR_FE);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_RDI);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_THRI);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_MSI);
	ck_assert_uint_eq(uart_read(&uart, UART_MSR),
			  0xb0 | UART_MSR_DCTS | UART_MSR_DDSR);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, IIR_NONE);
}
END_TEST

/* Another cause is left when one is served: an edge must tell of it. */
START_TEST(test_edge_for_the_next_cause)
{
	driver_start(UART_IER_RDI | UART_IER_THRI);
	edges = 0;
	uart_write(&uart, UART_TX, 'x');
	ck_assert_uint_eq(edges, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_THRI);
	input("a");
	ck_assert_uint_eq(edges, 1);
	uart_write(&uart, UART_IER, UART_IER_RDI);
	ck_assert_uint_eq(edges, 2);
	uart_write(&uart, UART_IER, 0);
	ck_assert_uint_eq(edges, 2);
	uart_write(&uart, UART_IER, UART_IER_RDI);
	ck_assert_uint_eq(edges, 3);
}
END_TEST

START_TEST(test_break_in_line)
{
	input("a");
	uart_break(&uart);
	input("b");
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x61);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'a');
	ck_assert_uint_eq(uart_read(&uart, UART_LSR) & UART_LSR_BI,
			  UART_LSR_BI);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR) & UART_LSR_BI, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR), 0x61);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'b');
}
END_TEST

START_TEST(test_loopback)
{
	driver_start(UART_IER_RDI);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	ck_assert_uint_eq(uart_room(&uart), 0);
	uart_write(&uart, UART_TX, 'q');
	ck_assert_uint_eq(nsent, 0);
	ck_assert_uint_eq(edges, 0);
	ck_assert_uint_eq(uart_read(&uart, UART_RX), 'q');
	ck_assert_uint_eq(kicks, 0);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	ck_assert_uint_eq(kicks, 1);
}
END_TEST

START_TEST(test_loopback_lines)
{
	static const u8 map[][2] = {
		{ UART_MCR_RTS, UART_MSR_CTS }, { UART_MCR_DTR, UART_MSR_DSR },
		{ UART_MCR_OUT1, UART_MSR_RI }, { UART_MCR_OUT2, UART_MSR_DCD },
	};

	uart_write(&uart, UART_MCR, UART_MCR_LOOP);
	uart_read(&uart, UART_MSR);
	for (int i = 0; i < 4; i++) {
		u8 delta = map[i][1] >> 4, ri = map[i][1] == UART_MSR_RI;

		uart_write(&uart, UART_MCR, UART_MCR_LOOP | map[i][0]);
		ck_assert_uint_eq(uart_read(&uart, UART_MSR),
				  map[i][1] | (ri ? 0 : delta));
		uart_write(&uart, UART_MCR, UART_MCR_LOOP);
		ck_assert_uint_eq(uart_read(&uart, UART_MSR), delta);
	}
}
END_TEST

START_TEST(test_room)
{
	u8 data[UART_RX_SIZE] = { 0 };

	ck_assert_uint_eq(uart_room(&uart), UART_RX_SIZE);
	uart_input(&uart, data, UART_RX_SIZE);
	ck_assert_uint_eq(uart_room(&uart), 0);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR) & UART_LSR_OE, 0);
	for (int i = 0; i < UART_RX_SIZE / 2 - 1; i++)
		uart_read(&uart, UART_RX);
	ck_assert_uint_eq(kicks, 0);
	uart_read(&uart, UART_RX);
	ck_assert_uint_eq(kicks, 1);
	uart_read(&uart, UART_RX);
	ck_assert_uint_eq(kicks, 1);
	uart_input(&uart, data, UART_RX_SIZE / 2 + 1);
	ck_assert_uint_eq(uart_room(&uart), 0);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	ck_assert_uint_eq(kicks, 2);
	ck_assert_uint_eq(uart_room(&uart), UART_RX_SIZE);
}
END_TEST

START_TEST(test_overrun)
{
	u8 data[UART_RX_SIZE + 1] = { 0 };

	driver_start(UART_IER_RLSI);
	uart_input(&uart, data, UART_RX_SIZE);
	ck_assert_uint_eq(edges, 0);
	uart_input(&uart, data, 1);
	ck_assert_uint_eq(edges, 1);
	ck_assert_uint_eq(uart_read(&uart, UART_IIR) & 0x0f, UART_IIR_RLSI);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR) & UART_LSR_OE,
			  UART_LSR_OE);
	ck_assert_uint_eq(uart_read(&uart, UART_LSR) & UART_LSR_OE, 0);
}
END_TEST

#define THREAD_BYTES 100000

static void *feed(void *arg)
{
	u8 next = 0;

	for (int n = 0; n < THREAD_BYTES;) {
		size_t room = uart_room(&uart);

		for (; room && n < THREAD_BYTES; room--, n++)
			uart_input(&uart, &(const u8){ next++ }, 1);
		sched_yield();	/* valgrind runs one thread at a time */
	}
	return arg;
}

/* One side writes while the other reads: nothing is lost or out of order. */
START_TEST(test_threads)
{
	pthread_t thread;
	u8 next = 0;

	driver_start(UART_IER_RDI);
	feeding = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, feed, NULL), 0);
	for (int n = 0; n < THREAD_BYTES;) {
		if (!(uart_read(&uart, UART_LSR) & UART_LSR_DR)) {
			sched_yield();
			continue;
		}
		ck_assert_uint_eq(uart_read(&uart, UART_RX), next++);
		n++;
	}
	pthread_join(thread, NULL);
	feeding = false;
	ck_assert_uint_gt(edges, 0);
}
END_TEST

static Suite *serial_suite(void)
{
	Suite *suite = suite_create("serial");
	TCase *tc = tcase_create("16550A");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_reset_state);
	tcase_add_test(tc, test_divisor);
	tcase_add_test(tc, test_linux_probe);
	tcase_add_test(tc, test_fifo_bits);
	tcase_add_test(tc, test_send);
	tcase_add_test(tc, test_receive);
	tcase_add_test(tc, test_receive_wraps);
	tcase_add_test(tc, test_receive_interrupt);
	tcase_add_test(tc, test_receive_trigger);
	tcase_add_test(tc, test_out2_gates_interrupt);
	tcase_add_test(tc, test_thre_interrupt);
	tcase_add_test(tc, test_thre_enabled_twice);
	tcase_add_test(tc, test_priorities);
	tcase_add_test(tc, test_edge_for_the_next_cause);
	tcase_add_test(tc, test_break_in_line);
	tcase_add_test(tc, test_loopback);
	tcase_add_test(tc, test_loopback_lines);
	tcase_add_test(tc, test_room);
	tcase_add_test(tc, test_overrun);
	tcase_add_test(tc, test_threads);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(serial_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
