// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X: table, pending bits, masks, and what reaches KVM of them.  KVM is
 * fake_event.c's.
 */
/* helpers: fake_event.c guest_ring.c */
#include "fake_event.h"
#include "guest_ring.h"
#include "kvm/msix.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BAR 1
#define MSG_ADDR 0xfee00000ull
#define MASK PCI_MSIX_ENTRY_CTRL_MASKBIT

static struct vm vm;
static struct pci_function fn;
static struct msix *msix;
static unsigned int cap, nvectors;
static u32 pba;

static const struct pci_function_ops no_ops;
static const struct pci_ids ids = { .vendor = 0x1af4, .device = 0x1042 };

static u16 config16(unsigned int at)
{
	return (u16)(fn.config[at] | fn.config[at + 1] << 8);
}

static u32 config32(unsigned int at)
{
	return config16(at) | (u32)config16(at + 2) << 16;
}

static void open_msix(unsigned int n)
{
	struct rlimit files;

	/* An eventfd for each vector: more than the usual soft limit. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	fake_kvm_reset();
	nvectors = n;
	pci_function_init(&fn, &no_ops, &ids);
	ck_assert_int_eq(msix_new(&msix, &vm, &fn, BAR, n), 0);
	cap = fn.config[PCI_CAPABILITY_LIST];
	pba = config32(cap + PCI_MSIX_PBA) & PCI_MSIX_PBA_OFFSET;
}

/* What a guest's write to the control word does. */
static void control(u16 flags)
{
	fn.config[cap + PCI_MSIX_FLAGS + 1] = (u8)(flags >> 8);
	msix_config_written(msix);
}

static void put(u32 offset, u64 value, unsigned int len)
{
	msix_bar_write(msix, offset, &value, len);	/* both little-endian */
}

static u64 get(u32 offset, unsigned int len)
{
	u64 value = 0;

	msix_bar_read(msix, offset, &value, len);
	return value;
}

static u32 entry(unsigned int v, unsigned int word)
{
	return v * PCI_MSIX_ENTRY_SIZE + word;
}

static void set_message(unsigned int v, u64 addr, u32 data)
{
	put(entry(v, PCI_MSIX_ENTRY_LOWER_ADDR), (u32)addr, 4);
	put(entry(v, PCI_MSIX_ENTRY_UPPER_ADDR), addr >> 32, 4);
	put(entry(v, PCI_MSIX_ENTRY_DATA), data, 4);
}

static void set_mask(unsigned int v, bool masked)
{
	put(entry(v, PCI_MSIX_ENTRY_VECTOR_CTRL), masked ? MASK : 0, 4);
}

static bool pending(unsigned int v)
{
	return get(pba + v / 32 * 4, 4) >> v % 32 & 1;
}

static void fire(unsigned int v)
{
	event_signal(msix_fd(msix, v));
}

static void open_enabled(unsigned int n)
{
	open_msix(n);
	for (unsigned int v = 0; v < n; v++)
		set_message(v, MSG_ADDR, v);
	control(PCI_MSIX_FLAGS_ENABLE);
}

static const unsigned int counts[] = { 1, 2, 31, 32, 33, 64, 128, 129, 257,
				       2048 };
#define COUNTS ((int)(sizeof(counts) / sizeof(counts[0])))

START_TEST(test_capability)
{
	unsigned int n = counts[_i];

	open_msix(n);
	ck_assert_uint_eq(fn.config[cap], PCI_CAP_ID_MSIX);
	ck_assert_uint_eq(config16(cap + PCI_MSIX_FLAGS), n - 1);
	ck_assert_uint_eq(config32(cap + PCI_MSIX_TABLE), BAR);
	ck_assert_uint_eq(config32(cap + PCI_MSIX_PBA) & PCI_MSIX_PBA_BIR, BAR);
	ck_assert_uint_ge(pba, n * PCI_MSIX_ENTRY_SIZE);
	ck_assert_uint_ge(fn.bar[BAR].size, pba + (n + 63) / 64 * 8);
	/* Only enable and function mask can be written. */
	ck_assert_uint_eq(fn.wmask[cap + PCI_MSIX_FLAGS], 0);
	ck_assert_uint_eq(fn.wmask[cap + PCI_MSIX_FLAGS + 1], 0xc0);
	ck_assert_uint_eq(msix_vectors(msix), n);
	ck_assert(!msix_enabled(msix));
	msix_free(msix);
}
END_TEST

START_TEST(test_reset_state)
{
	u32 gsi;

	open_msix(counts[_i]);
	gsi = fake_kvm.next_gsi - nvectors;
	for (unsigned int v = 0; v < nvectors; v++) {
		expect(get(entry(v, 0), 8) == 0);
		expect(get(entry(v, 8), 8) == ((u64)MASK << 32 | (gsi + v)));
		expect(!pending(v));
	}
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	msix_free(msix);
}
END_TEST

/* Every vector sends its own message, and no other's. */
START_TEST(test_every_vector)
{
	open_enabled(counts[_i]);
	for (unsigned int v = 0; v < nvectors; v++)
		set_mask(v, false);
	ck_assert_uint_eq(fake_kvm.nirqfds, nvectors);
	for (unsigned int v = 0; v < nvectors; v++) {
		fire(v);
		expect(fake_kvm.nsent == v + 1);
		expect(fake_kvm.sent[v].addr == MSG_ADDR);
		expect(fake_kvm.sent[v].data == v);
		expect(!pending(v));
	}
	msix_free(msix);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}
END_TEST

/* PEERS 10: pending while masked, delivered when unmasked, exactly once. */
START_TEST(test_masked_becomes_pending)
{
	unsigned int v;

	open_enabled(counts[_i]);
	for (v = 0; v < nvectors; v += nvectors > 64 ? 61 : 1) {
		unsigned int sent = fake_kvm.nsent;

		expect(!pending(v));
		for (unsigned int i = 0; i < 3; i++)
			fire(v);
		expect(pending(v));
		expect(fake_kvm.nsent == sent);
		expect(get(pba + v / 64 * 8, 8) == 1ull << v % 64);
		set_mask(v, false);
		expect(fake_kvm.nsent == sent + 1);
		expect(fake_sent(MSG_ADDR, v) == 1);
		expect(!pending(v));
		/* Nothing is left for the next time. */
		set_mask(v, true);
		expect(!pending(v));
		set_mask(v, false);
		expect(fake_kvm.nsent == sent + 1);
	}
	msix_free(msix);
}
END_TEST

START_TEST(test_function_mask)
{
	open_enabled(4);
	for (unsigned int v = 0; v < 3; v++)
		set_mask(v, false);	/* 3 stays masked */
	control(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	fire(0);
	fire(2);
	fire(3);
	ck_assert_uint_eq(get(pba, 4), 0xd);
	ck_assert_uint_eq(fake_kvm.nsent, 0);
	/* Unmasking one below the function mask changes nothing. */
	set_mask(2, true);
	set_mask(2, false);
	ck_assert_uint_eq(fake_kvm.nsent, 0);
	control(PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 0), 1);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 1), 0);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 2), 1);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 3), 0);
	ck_assert_uint_eq(get(pba, 4), 8);
	set_mask(3, false);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 3), 1);
	msix_free(msix);
}
END_TEST

/* As Linux sets up: enabled with the function masked, vectors, then unmasked. */
START_TEST(test_linux_order)
{
	open_msix(3);
	control(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int v = 0; v < 3; v++) {
		set_mask(v, true);
		set_message(v, MSG_ADDR, 100 + v);
		set_mask(v, false);
	}
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	control(PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_kvm.nirqfds, 3);
	fire(2);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 102), 1);
	msix_free(msix);
}
END_TEST

START_TEST(test_disable_enable)
{
	open_enabled(2);
	set_mask(0, false);
	fire(0);
	ck_assert_uint_eq(fake_kvm.nsent, 1);
	fire(1);
	ck_assert(pending(1));
	control(0);
	ck_assert(!msix_enabled(msix));
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	/* A new driver begins with nothing pending. */
	ck_assert(!pending(0) && !pending(1));
	control(PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_kvm.nsent, 1);
	fire(0);
	ck_assert_uint_eq(fake_kvm.nsent, 2);
	set_mask(1, false);
	ck_assert_uint_eq(fake_kvm.nsent, 2);
	msix_free(msix);
}
END_TEST

/* PEERS 10: a message is taken whole, at the unmask; none is torn. */
START_TEST(test_message_taken_at_unmask)
{
	unsigned int routes;

	open_enabled(1);
	set_mask(0, false);
	routes = fake_kvm.routes;
	ck_assert_uint_eq(routes, 1);
	set_message(0, 0x1fee01000ull, 0x99);	/* word by word, unmasked */
	ck_assert_uint_eq(fake_kvm.routes, routes);
	fire(0);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 0), 1);
	set_mask(0, true);
	set_mask(0, false);
	ck_assert_uint_eq(fake_kvm.routes, routes + 1);
	fire(0);
	ck_assert_uint_eq(fake_sent(0x1fee01000ull, 0x99), 1);
	msix_free(msix);
}
END_TEST

/* Pending with the old message, unmasked with a new one: the new one counts. */
START_TEST(test_pending_takes_new_message)
{
	open_enabled(1);
	fire(0);
	set_message(0, MSG_ADDR + 0x1000, 7);
	set_mask(0, false);
	ck_assert_uint_eq(fake_kvm.nsent, 1);
	ck_assert_uint_eq(fake_sent(MSG_ADDR + 0x1000, 7), 1);
	msix_free(msix);
}
END_TEST

/* PEERS 10: masking for ever costs no GSI, and no route when nothing changed. */
START_TEST(test_no_gsi_leak)
{
	open_enabled(2);
	for (unsigned int i = 0; i < 10000; i++) {
		set_mask(0, true);
		if (i % 2)
			set_message(0, MSG_ADDR, i);
		set_mask(0, false);
	}
	ck_assert_uint_eq(fake_kvm.next_gsi, FAKE_GSI_BASE + 2);
	ck_assert_uint_eq(fake_kvm.routes, 5001);
	ck_assert_uint_eq(fake_kvm.nirqfds, 1);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
	msix_free(msix);
}
END_TEST

START_TEST(test_8_byte_writes)
{
	open_msix(2);
	control(PCI_MSIX_FLAGS_ENABLE);
	put(entry(1, 0), 0x123456789abcdef0ull, 8);
	ck_assert_uint_eq(get(entry(1, PCI_MSIX_ENTRY_LOWER_ADDR), 4),
			  0x9abcdef0);
	ck_assert_uint_eq(get(entry(1, PCI_MSIX_ENTRY_UPPER_ADDR), 4),
			  0x12345678);
	fire(1);
	put(entry(1, 8), 0x42, 8);	/* data, and unmasked with it */
	ck_assert_uint_eq(fake_sent(0x123456789abcdef0ull, 0x42), 1);
	ck_assert_uint_eq(get(entry(1, 8), 8), 0x42);
	put(entry(1, 8), (u64)MASK << 32 | 0x43, 8);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	msix_free(msix);
}
END_TEST

START_TEST(test_odd_accesses_ignored)
{
	static const struct {
		u32 offset;
		unsigned int len;
	} odd[] = {
		{ 0, 1 }, { 0, 2 }, { 1, 1 }, { 2, 2 }, { 3, 1 }, { 1, 4 },
		{ 2, 4 }, { 3, 4 }, { 4, 8 }, { 12, 8 }, { 2, 8 }, { 12, 1 },
		{ 12, 2 }, { 13, 4 }, { 5, 8 },
	};

	open_msix(2);
	set_message(0, 0x1111111111111110ull, 0x22222222);
	set_message(1, 0x3333333333333330ull, 0x44444444);
	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		put(odd[i].offset, ~0ull, odd[i].len);
		put(odd[i].offset, 0, odd[i].len);
		ck_assert_uint_eq(get(odd[i].offset, odd[i].len), 0);
	}
	ck_assert_uint_eq(get(0, 8), 0x1111111111111110ull);
	ck_assert_uint_eq(get(8, 8), (u64)MASK << 32 | 0x22222222);
	ck_assert_uint_eq(get(16, 8), 0x3333333333333330ull);
	msix_free(msix);
}
END_TEST

/* Behind the table, the PBA, and behind that: nothing, and read-only. */
START_TEST(test_outside_the_table)
{
	u32 size;

	open_enabled(counts[_i]);
	size = fn.bar[BAR].size;
	fire(0);
	for (u32 at = nvectors * PCI_MSIX_ENTRY_SIZE; at < size; at += 8) {
		put(at, ~0ull, 8);
		put(at, 0, 8);
		expect(get(at, 8) == (at == pba));
	}
	ck_assert_uint_eq(fake_kvm.nsent, 0);
	ck_assert(pending(0));
	msix_free(msix);
}
END_TEST

/* What KVM refuses stays pending, and is tried again. */
START_TEST(test_kvm_refuses)
{
	open_enabled(1);
	if (_i == 0)
		fake_kvm.refuse_route = -ENOMEM;
	else
		fake_kvm.refuse_irqfd = -EBUSY;
	set_mask(0, false);
	fire(0);
	ck_assert_uint_eq(fake_kvm.nsent, 0);
	ck_assert(pending(0));
	fake_kvm.refuse_route = 0;
	fake_kvm.refuse_irqfd = 0;
	set_mask(0, true);
	set_mask(0, false);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 0), 1);
	msix_free(msix);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}
END_TEST

/* Each vector has its interrupt from the start: none is lost later. */
START_TEST(test_no_gsi_left)
{
	struct pci_function full;
	struct msix *m;

	fake_kvm_reset();
	fake_kvm.max_gsi = FAKE_GSI_BASE + 1;
	pci_function_init(&full, &no_ops, &ids);
	ck_assert_int_eq(msix_new(&m, &vm, &full, BAR, 2), -ENOSPC);
}
END_TEST

/* --- a mask that flaps while interrupts are sent ------------------------- */

struct storm {
	unsigned int sent;
	bool end;
};

static void *storm_main(void *arg)
{
	struct storm *s = arg;

	while (!__atomic_load_n(&s->end, __ATOMIC_ACQUIRE)) {
		fire(0);
		s->sent++;
	}
	return NULL;
}

/* After the last unmask nothing is pending, and no edge came from nothing. */
START_TEST(test_mask_race)
{
	struct storm storm = { 0 };
	pthread_t thread;

	open_enabled(1);
	ck_assert_int_eq(pthread_create(&thread, NULL, storm_main, &storm), 0);
	for (unsigned int i = 0; i < test_scale(20000); i++) {
		set_mask(0, true);
		set_mask(0, false);
	}
	set_mask(0, true);
	__atomic_store_n(&storm.end, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	set_mask(0, false);
	ck_assert(!pending(0));
	ck_assert_uint_le(fake_kvm.nsent, storm.sent);
	if (storm.sent)
		ck_assert_uint_gt(fake_kvm.nsent, 0);
	msix_free(msix);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("msix");
	TCase *tc = tcase_create("msix");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_capability, 0, COUNTS);
	tcase_add_loop_test(tc, test_reset_state, 0, COUNTS);
	tcase_add_loop_test(tc, test_every_vector, 0, COUNTS);
	tcase_add_loop_test(tc, test_masked_becomes_pending, 0, COUNTS);
	tcase_add_test(tc, test_function_mask);
	tcase_add_test(tc, test_linux_order);
	tcase_add_test(tc, test_disable_enable);
	tcase_add_test(tc, test_message_taken_at_unmask);
	tcase_add_test(tc, test_pending_takes_new_message);
	tcase_add_test(tc, test_no_gsi_leak);
	tcase_add_test(tc, test_8_byte_writes);
	tcase_add_test(tc, test_odd_accesses_ignored);
	tcase_add_loop_test(tc, test_outside_the_table, 0, COUNTS);
	tcase_add_loop_test(tc, test_kvm_refuses, 0, 2);
	tcase_add_test(tc, test_no_gsi_left);
	tcase_add_test(tc, test_mask_race);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
