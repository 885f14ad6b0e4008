// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exit device as guests reach it, friendly and hostile.
 */
/* helpers: fake_event.c */
#include "kvm/console.h"
#include "kvm/exit_device.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include <check.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define DEVFN (1 << 3)
#define REPORT(what, value) ((u32)EXIT_DEVICE_MAGIC << 16 | (u32)(what) << 8 | (value))

static struct vm vm;
static struct exit_device *dev;

static void setup(void)
{
	memset(&vm, 0, sizeof(vm));
	vm.end_fd = event_new();
	ck_assert_int_eq(console_new(&vm.console, &vm, "none"), 0);
	ck_assert_int_eq(pci_host_new(&vm.pci, &vm), 0);
	ck_assert_int_eq(exit_device_new(&dev, &vm), 0);
}

static void teardown(void)
{
	exit_device_free(dev);
	pci_host_free(vm.pci);
	console_free(vm.console);
}

static u32 get(unsigned int offset, unsigned int len)
{
	__le32 value = 0;

	pci_config_read(vm.pci, 0, DEVFN, offset, &value, len);
	return le32_to_cpu(value);
}

static void put(unsigned int offset, u32 number, unsigned int len)
{
	__le32 value = cpu_to_le32(number);

	pci_config_write(vm.pci, 0, DEVFN, offset, &value, len);
}

/* As a program finds it: by ids, then by its capability. */
START_TEST(test_found)
{
	ck_assert_uint_eq(get(PCI_VENDOR_ID, 2), EXIT_DEVICE_VENDOR);
	ck_assert_uint_eq(get(PCI_DEVICE_ID, 2), EXIT_DEVICE_ID);
	ck_assert_uint_eq(get(PCI_CAPABILITY_LIST, 1), EXIT_DEVICE_CAP);
	ck_assert_uint_eq(get(EXIT_DEVICE_CAP, 1), PCI_CAP_ID_VNDR);
	ck_assert_uint_eq(get(EXIT_DEVICE_CAP + 1, 1), 0);
	ck_assert_uint_eq(get(EXIT_DEVICE_CAP + 2, 1), 12);
	ck_assert_uint_eq(get(EXIT_DEVICE_REGISTER, 4), 0);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 0);
	ck_assert_uint_eq(get(PCI_INTERRUPT_PIN, 1), 0);
	for (unsigned int bar = 0; bar < PCI_BARS; bar++)
		ck_assert_uint_eq(get(PCI_BASE_ADDRESS_0 + 4 * bar, 4), 0);
}
END_TEST

START_TEST(test_status)
{
	put(EXIT_DEVICE_REGISTER, REPORT(EXIT_REPORT_STATUS, (u32)_i), 4);
	ck_assert_uint_eq(vm.end, VM_EXITED | (u64)_i << 32);
	/* What comes later does not count. */
	put(EXIT_DEVICE_REGISTER, REPORT(EXIT_REPORT_SIGNAL, 9), 4);
	ck_assert_uint_eq(vm.end, VM_EXITED | (u64)_i << 32);
}
END_TEST

START_TEST(test_other_ends)
{
	put(EXIT_DEVICE_REGISTER, REPORT(_i ? EXIT_REPORT_SIGNAL : EXIT_REPORT_NOT_RUN, 11), 4);
	ck_assert_uint_eq(vm.end, (_i ? VM_KILLED : VM_NOT_RUN) | 11ull << 32);
}
END_TEST

/* Asked to end as often as lkvm stop is called, once it looks; it cannot forge that. */
START_TEST(test_stop)
{
	ck_assert_int_eq(exit_device_stop(dev), -ENOTCONN);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 0);
	put(EXIT_DEVICE_REGISTER, REPORT(EXIT_REPORT_LISTENS, 0), 4);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 0);
	ck_assert_int_eq(exit_device_stop(dev), 0);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 1);
	put(EXIT_DEVICE_STOPS, 7, 4);
	put(EXIT_DEVICE_REGISTER, REPORT(EXIT_REPORT_INPUT, 0), 4);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 1);
	ck_assert_int_eq(exit_device_stop(dev), 0);
	ck_assert_uint_eq(get(EXIT_DEVICE_STOPS, 4), 2);
	ck_assert_uint_eq(vm_ended(&vm), VM_RUNNING);
}
END_TEST

/* Everything but a whole write of what is agreed on leaves the guest running. */
START_TEST(test_hostile)
{
	static const unsigned int sizes[] = { 1, 2, 4 };
	const u32 report = REPORT(EXIT_REPORT_STATUS, 1);

	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int at = 0; at + sizes[i] <= PCI_CONFIG_SIZE; at++)
			if (at != EXIT_DEVICE_REGISTER || sizes[i] != 4)
				put(at, report, sizes[i]);
	put(EXIT_DEVICE_REGISTER, 0, 4);
	put(EXIT_DEVICE_REGISTER, ~0u, 4);
	put(EXIT_DEVICE_REGISTER, report ^ 1u << 31, 4);
	put(EXIT_DEVICE_REGISTER, report ^ 1u << 16, 4);
	for (u32 what = EXIT_REPORT_INPUT; what <= 0xff; what++)
		put(EXIT_DEVICE_REGISTER, REPORT(what, 0xff), 4);
	ck_assert_uint_eq(vm_ended(&vm), VM_RUNNING);
	ck_assert_uint_eq(get(EXIT_DEVICE_REGISTER, 4), 0);
	/* Nor has it lost its use. */
	put(EXIT_DEVICE_REGISTER, report, 4);
	ck_assert_uint_eq(vm.end, VM_EXITED | 1ull << 32);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exit device");
	TCase *tc = tcase_create("exit device");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_found);
	tcase_add_loop_test(tc, test_status, 0, 256);
	tcase_add_loop_test(tc, test_other_ends, 0, 2);
	tcase_add_test(tc, test_stop);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
