// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run-time services: the argument block, hostile ones above all, and the
 * services that are not about PCI.
 */
/* helpers: fake_console.c fake_event.c fake_spapr.c spapr_rig.c guest_ring.c ../../powerpc/hvcons.c ../../powerpc/epow.c ../../powerpc/pci.c ../../powerpc/rtas.c */
#include "fake_spapr.h"
#include "guest_ring.h"
#include "kvm/event.h"
#include "spapr_rig.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEADER 12u
#define UNTOUCHED 0xffffffffu

static struct spapr_rig rig;

static void setup(void)
{
	rig_init(&rig);
}

static void teardown(void)
{
	rig_exit(&rig);
}

static long long hcall_at(u64 gpa)
{
	return (long long)rtas_hcall(&rig.vm, 1, gpa);
}

/* --- the table ----------------------------------------------------------- */

START_TEST(test_table)
{
	static const char *const kernels[] = { "ibm,set-xive", "ibm,get-xive",
					       "ibm,int-on", "ibm,int-off" };
	unsigned int in_kernel = 0;

	ck_assert_uint_eq(rtas_nservices, 20);
	for (unsigned int i = 0; i < rtas_nservices; i++) {
		in_kernel += !rtas_services[i].fn;
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(rtas_services[i].name,
					 rtas_services[k].name);
	}
	ck_assert_uint_eq(in_kernel, 4);
	for (unsigned int i = 0; i < 4; i++) {
		u32 token = rig_token(kernels[i]);

		ck_assert_ptr_null(rtas_services[token - RTAS_TOKEN_BASE].fn);
	}
}
END_TEST

/* As a host that has booted with them has them (POWER8.md). */
START_TEST(test_blob)
{
	static const u32 code[] = { 0x7c641b78, 0x3c600000, 0x6063f000,
				    0x44000022, 0x4e800020 };

	for (unsigned int i = 0; i < 5; i++) {
		__be32 word;

		memcpy(&word, rtas_blob + 4 * i, sizeof(word));
		ck_assert_uint_eq(be32_to_cpu(word), code[i]);
	}
}
END_TEST

/* --- the block ----------------------------------------------------------- */

START_TEST(test_block_at_the_end)
{
	u32 token = rig_token("event-scan");
	u64 size = HEADER + 5 * 4;

	rig_block(&rig, RIG_RAM - size, token, 4, (const u32[]){ 0, 0, 0, 0 },
		  1);
	ck_assert_int_eq(hcall_at(RIG_RAM - size), H_SUCCESS);
	ck_assert_uint_eq(rig_cell(&rig, RIG_RAM - 4), 1);
	/* One cell, byte, header too far. */
	rig_block(&rig, RIG_RAM - size + 4, token, 4,
		  (const u32[]){ 0, 0, 0, 0 }, 0);
	rig_set_cell(&rig, RIG_RAM - size + 4 + 8, 1);
	ck_assert_int_eq(hcall_at(RIG_RAM - size + 4), H_PARAMETER);
	for (unsigned int i = 0; i < HEADER + 8; i++)
		ck_assert_int_eq(hcall_at(RIG_RAM - i), H_PARAMETER);
}
END_TEST

START_TEST(test_block_nowhere)
{
	static const u64 gpas[] = {
		RIG_RAM, RIG_RAM + 1, 1ull << 32, 1ull << 40, 1ull << 63,
		~0ull, ~0ull - 3, ~0ull - 11, ~0ull - 15, ~0ull - 63,
		0xc000000000001000, /* a kernel's virtual address */
	};

	for (unsigned int i = 0; i < sizeof(gpas) / sizeof(gpas[0]); i++)
		ck_assert_int_eq(hcall_at(gpas[i]), H_PARAMETER);
}
END_TEST

/* 7.2.7 wants eight bytes' alignment; Linux takes care, nobody need. */
START_TEST(test_block_unaligned)
{
	rig_block(&rig, 0x801, rig_token("query-cpu-stopped-state"), 1,
		  (const u32[]){ 0 }, 2);
	ck_assert_int_eq(hcall_at(0x801), H_SUCCESS);
	ck_assert_uint_eq(rig_cell(&rig, 0x801 + HEADER + 4), 0);
	ck_assert_uint_eq(rig_cell(&rig, 0x801 + HEADER + 8), 2);
}
END_TEST

START_TEST(test_huge_counts)
{
	static const u32 counts[][2] = {
		{ 0, 17 }, { 16, 1 }, { 15, 2 }, { 17, 1 }, { 1, 16 },
		{ 0x40000000, 1 }, { 1, 0x40000000 }, { 0x80000000, 0x80000000 },
		{ ~0u, 1 }, { 1, ~0u }, { ~0u, ~0u }, { 0x3fffffff, 2 },
		{ 0xfffffff0, 17 }, { 2, 0xfffffffe }, { 0xfffffffd, 16 },
	};
	u8 before[RIG_RAM], *ram = rig.vm.mem.region[0].host;

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (u32 token = 0; token <= rtas_nservices + 1; token++) {
			rig_block(&rig, 0, token, 0, NULL, 0);
			rig_set_cell(&rig, 4, counts[i][0]);
			rig_set_cell(&rig, 8, counts[i][1]);
			memcpy(before, ram, RIG_RAM);
			expect(hcall_at(0) == H_PARAMETER);
			expect(!memcmp(before, ram, RIG_RAM));
		}
	}
	ck_assert_int_eq(vm_ended(&rig.vm), VM_RUNNING);
}
END_TEST

/* No cell for the status: nothing is done. */
START_TEST(test_no_results)
{
	rig_block(&rig, 0, rig_token("power-off"), 2, (const u32[]){ 0, 0 }, 0);
	ck_assert_int_eq(hcall_at(0), H_PARAMETER);
	ck_assert_int_eq(vm_ended(&rig.vm), VM_RUNNING);
}
END_TEST

START_TEST(test_unknown_tokens)
{
	const u32 tokens[] = { 0, RTAS_TOKEN_BASE + rtas_nservices,
			       RTAS_TOKEN_BASE + rtas_nservices + 1, 0x2000,
			       0x7fffffff, 0x80000000, ~0u,
			       rig_token("ibm,set-xive"),
			       rig_token("ibm,int-off") };

	for (unsigned int i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		rig_block(&rig, 0, tokens[i], 3, (const u32[]){ 1, 2, 3 }, 3);
		ck_assert_int_eq(hcall_at(0), H_SUCCESS);
		ck_assert_int_eq((int)rig_cell(&rig, HEADER + 12),
				 RTAS_PARAMETER);
		ck_assert_uint_eq(rig_cell(&rig, HEADER + 16), 0);
		ck_assert_uint_eq(rig_cell(&rig, HEADER + 24), 0);
	}
}
END_TEST

/* Every service with every wrong count: a status, and nothing else. */
START_TEST(test_wrong_counts)
{
	static const u32 zeroes[16];

	for (u32 i = 0; i < rtas_nservices; i++) {
		const struct rtas_service *s = &rtas_services[i];

		for (u32 nargs = 0; nargs < 16; nargs++) {
			for (u32 nret = 1; nret <= 16 - nargs; nret++) {
				if (nargs == s->nargs && nret > s->nret_min)
					continue;
				rig_block(&rig, 0, i + RTAS_TOKEN_BASE, nargs,
					  zeroes, nret);
				expect(hcall_at(0) == H_SUCCESS);
				expect((int)rig_cell(&rig, HEADER + 4 * nargs) ==
				       RTAS_PARAMETER);
			}
		}
	}
	ck_assert_int_eq(vm_ended(&rig.vm), VM_RUNNING);
	ck_assert_int_eq(fake_spapr.cpu[0].state, SPAPR_CPU_RUNNING);
}
END_TEST

/* More room for results than there are: zeroes; and nothing behind the block. */
START_TEST(test_more_results)
{
	rig_set_cell(&rig, HEADER + 16 * 4, UNTOUCHED);
	rig_block(&rig, 0, rig_token("query-cpu-stopped-state"), 1,
		  (const u32[]){ 0 }, 15);
	ck_assert_int_eq(hcall_at(0), H_SUCCESS);
	ck_assert_uint_eq(rig_cell(&rig, HEADER), 0);
	ck_assert_uint_eq(rig_cell(&rig, HEADER + 4), 0);
	ck_assert_uint_eq(rig_cell(&rig, HEADER + 8), 2);
	for (unsigned int i = 3; i < 16; i++)
		ck_assert_uint_eq(rig_cell(&rig, HEADER + 4 * i), 0);
	ck_assert_uint_eq(rig_cell(&rig, HEADER + 4 * 16), UNTOUCHED);
}
END_TEST

/* --- services ------------------------------------------------------------ */

START_TEST(test_ends)
{
	static const struct {
		const char *name;
		u32 nargs;
		enum vm_end end;
	} ends[] = {
		{ "power-off", 2, VM_POWEROFF },
		{ "system-reboot", 0, VM_RESET },
		{ "ibm,os-term", 1, VM_PANIC },
	};
	const u32 args[] = { ~0u, ~0u };

	ck_assert_int_eq(rig_rtas(&rig, ends[_i].name, ends[_i].nargs, args, 0,
				  NULL),
			 RTAS_SUCCESS);
	ck_assert_int_eq(vm_ended(&rig.vm), ends[_i].end);
	ck_assert(event_pending(rig.vm.end_fd));
}
END_TEST

START_TEST(test_time)
{
	time_t before = time(NULL), told;
	u32 t[7];
	struct tm tm;

	ck_assert_int_eq(RIG_CALL(&rig, "get-time-of-day", 7, t), RTAS_SUCCESS);
	tm = (struct tm){
		.tm_year = (int)t[0] - 1900, .tm_mon = (int)t[1] - 1,
		.tm_mday = (int)t[2], .tm_hour = (int)t[3],
		.tm_min = (int)t[4], .tm_sec = (int)t[5],
	};
	told = timegm(&tm);
	ck_assert_int_ge(told, before);
	ck_assert_int_le(told, time(NULL));
	ck_assert_uint_lt(t[6], 1000000000);
}
END_TEST

START_TEST(test_event_scan)
{
	ck_assert_int_eq(RIG_CALL(&rig, "event-scan", 0, NULL, ~0u, 0,
				  0xfffffff0, ~0u),
			 1);
}
END_TEST

/* --- the power button ------------------------------------------------------ */

#define EPOW_CLASS 0x40000000
#define LOG_AT 0x2000u
#define LOG_SIZE 116u

/* check-exception as Linux calls it; bytes that it does not write stay all ones. */
static int check_exception(u32 mask, u32 critical, u32 buffer, u32 room)
{
	memset(guest_ptr(&rig.vm.mem, LOG_AT, 0x100), 0xff, 0x100);
	return RIG_CALL(&rig, "check-exception", 0, NULL, 0x500, SPAPR_IRQ_EPOW,
			mask, critical, buffer, room);
}

static u32 epow_sensor(void)
{
	u32 state;

	ck_assert_int_eq(RIG_CALL(&rig, "get-sensor-state", 1, &state, 9, 0),
			 RTAS_SUCCESS);
	return state;
}

static void press(void)
{
	fake_spapr.enabled = SPAPR_IRQ_EPOW;
	ck_assert_int_eq(spapr_power_button(&rig.vm), 0);
}

START_TEST(test_button_unheard)
{
	ck_assert_int_eq(spapr_power_button(&rig.vm), -ENOTCONN);
	ck_assert(!event_pending(rig.arch.epow_irq_fd));
	ck_assert_int_eq(check_exception(~0u, 0, LOG_AT, 2048), 1);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT), UNTOUCHED);
	ck_assert_uint_eq(epow_sensor(), 0);
}
END_TEST

/* What Linux looks at (asm/rtas.h, pseries/ras.c). */
START_TEST(test_button_log)
{
	const u8 *log = guest_ptr(&rig.vm.mem, LOG_AT, LOG_SIZE);

	press();
	ck_assert(event_pending(rig.arch.epow_irq_fd));
	ck_assert_uint_eq(epow_sensor(), 3);
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 2048), 0);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT), 0x06340040);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT + 4), LOG_SIZE - 8);
	ck_assert_uint_eq(log[8], 0x86);
	ck_assert_uint_eq(log[10], 0x8e);
	ck_assert_mem_eq(log + 20, "IBM", 4);
	ck_assert_mem_eq(log + 24, "PH\0\x30", 4);
	ck_assert_mem_eq(log + 72, "UH\0\x18", 4);
	ck_assert_mem_eq(log + 96, "EP\0\x14", 4);
	ck_assert_uint_eq(log[104], 3);
	ck_assert_uint_eq(log[105], 1);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT + LOG_SIZE), UNTOUCHED);
	/* Told once, but the sensor stays. */
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 2048), 1);
	ck_assert_uint_eq(epow_sensor(), 3);
	press();
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 2048), 0);
}
END_TEST

START_TEST(test_button_date)
{
	time_t before = time(NULL), told;
	const u8 *log = guest_ptr(&rig.vm.mem, LOG_AT, LOG_SIZE);
	char text[16];
	struct tm tm = { 0 };

	press();
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 2048), 0);
	snprintf(text, sizeof(text), "%08x%06x", rig_cell(&rig, LOG_AT + 32),
		 rig_cell(&rig, LOG_AT + 36) >> 8);
	ck_assert_ptr_nonnull(strptime(text, "%Y%m%d%H%M%S", &tm));
	told = timegm(&tm);
	ck_assert_int_ge(told, before);
	ck_assert_int_le(told, time(NULL));
	ck_assert_uint_eq(log[39], 0);
}
END_TEST

/* Of no event that is not asked for, in no more room than there is. */
START_TEST(test_button_fits)
{
	static const u32 nowhere[] = { RIG_RAM - LOG_SIZE + 1, RIG_RAM, ~0u };

	press();
	ck_assert_int_eq(check_exception(~(u32)EPOW_CLASS, 0, LOG_AT, 2048), 1);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(check_exception(EPOW_CLASS, 0, nowhere[i],
						 2048), RTAS_PARAMETER);
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 3),
			 RTAS_PARAMETER);
	ck_assert_int_eq(check_exception(EPOW_CLASS, 1, LOG_AT, 2048), 0);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT), 0x06300040);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT + 4), UNTOUCHED);
	press();
	ck_assert_int_eq(check_exception(EPOW_CLASS, 0, LOG_AT, 8), 0);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT + 4), LOG_SIZE - 8);
	ck_assert_uint_eq(rig_cell(&rig, LOG_AT + 8), UNTOUCHED);
}
END_TEST

START_TEST(test_no_such_sensor)
{
	static const u32 none[][2] = { { 9, 1 }, { 8, 0 }, { 0, 0 },
				       { ~0u, ~0u }, { 9, ~0u } };
	u32 state;

	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(RIG_CALL(&rig, "get-sensor-state", 1, &state,
					  none[i][0], none[i][1]),
				 RTAS_PARAMETER);
}
END_TEST

START_TEST(test_start_cpu)
{
	u32 state;

	ck_assert_int_eq(RIG_CALL(&rig, "query-cpu-stopped-state", 1, &state, 3),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(state, 0);
	ck_assert_int_eq(RIG_CALL(&rig, "start-cpu", 0, NULL, 3, 0xcee4,
				  0xfedcba98),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(fake_spapr.cpu[3].pc, 0xcee4);
	ck_assert_uint_eq(fake_spapr.cpu[3].r3, 0xfedcba98);
	ck_assert_int_eq(RIG_CALL(&rig, "query-cpu-stopped-state", 1, &state, 3),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(state, 2);
	ck_assert_int_ne(RIG_CALL(&rig, "start-cpu", 0, NULL, 3, 0, 0),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(fake_spapr.cpu[3].pc, 0xcee4);
}
END_TEST

START_TEST(test_stop_self)
{
	u32 state;

	fake_spapr.cpu[1].state = SPAPR_CPU_RUNNING;
	ck_assert_int_eq(RIG_CALL(&rig, "stop-self", 0, NULL), RTAS_SUCCESS);
	RIG_CALL(&rig, "query-cpu-stopped-state", 1, &state, 1);
	ck_assert_uint_eq(state, 0);
	fake_spapr.cpu[1].state = SPAPR_CPU_STOPPING;
	RIG_CALL(&rig, "query-cpu-stopped-state", 1, &state, 1);
	ck_assert_uint_eq(state, 1);
}
END_TEST

START_TEST(test_no_such_cpu)
{
	static const u32 ids[] = { RIG_CPUS, SPAPR_CPUS_MAX,
				   SPAPR_CPUS_MAX + 1, 0x80000000, ~0u };
	u32 state;

	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(RIG_CALL(&rig, "query-cpu-stopped-state", 1,
					  &state, ids[i]),
				 RTAS_PARAMETER);
		ck_assert_uint_eq(state, 0);
		ck_assert_int_eq(RIG_CALL(&rig, "start-cpu", 0, NULL, ids[i],
					  0x100, 0),
				 RTAS_PARAMETER);
	}
}
END_TEST

/* --- nonsense ------------------------------------------------------------ */

/* Where results may go, of what is at @gpa; false: nowhere. */
static bool results_of(u64 gpa, u64 *from, u64 *to)
{
	u64 nargs, nret;

	if (gpa > RIG_RAM - HEADER)
		return false;
	nargs = rig_cell(&rig, gpa + 4);
	nret = rig_cell(&rig, gpa + 8);
	*from = gpa + HEADER + 4 * nargs;
	*to = *from + 4 * nret;
	return nret && nargs + nret <= 16 && *to <= RIG_RAM;
}

static void random_block(u64 gpa, u64 *seed)
{
	u32 token = rig_random(seed) % (rtas_nservices + 3);
	u32 index = token - RTAS_TOKEN_BASE;
	u32 nargs = rig_nasty(seed), nret = rig_nasty(seed);

	/* Mostly right counts, or nothing but they would be tested. */
	if (index < rtas_nservices && rig_random(seed) % 8) {
		nargs = rtas_services[index].nargs;
		nret = 1 + rtas_services[index].nret_min +
		       rig_random(seed) % 3;
	}
	for (u64 at = gpa; at + 4 <= RIG_RAM && at < gpa + 80; at += 4)
		rig_set_cell(&rig, at, rig_nasty(seed));
	if (gpa + HEADER > RIG_RAM)
		return;
	rig_set_cell(&rig, gpa, token);
	rig_set_cell(&rig, gpa + 4, nargs);
	rig_set_cell(&rig, gpa + 8, nret);
}

/* For services that take one: the bridge's id, so that they go on. */
static void right_buid(u64 gpa)
{
	if (gpa + HEADER + 12 > RIG_RAM)
		return;
	rig_set_cell(&rig, gpa + HEADER + 4, SPAPR_PHB_BUID >> 32);
	rig_set_cell(&rig, gpa + HEADER + 8, (u32)SPAPR_PHB_BUID);
}

START_TEST(test_nonsense)
{
	u8 before[RIG_RAM], *ram = rig.vm.mem.region[0].host;
	u64 seed = 19700101, served = 0, from, to;

	for (unsigned int n = test_scale(300000); n; n--) {
		u64 gpa = rig_random(&seed) % 512;
		bool ok;

		if (rig_random(&seed) % 4 == 0)
			gpa = RIG_RAM - gpa / 4;
		random_block(gpa, &seed);
		if (rig_random(&seed) % 2)
			right_buid(gpa);
		memcpy(before, ram, RIG_RAM);
		ok = results_of(gpa, &from, &to);
		expect(hcall_at(gpa) == (ok ? H_SUCCESS : H_PARAMETER));
		if (!ok)
			from = to = 0;
		served += ok && !rig_cell(&rig, from);
		expect(!memcmp(before, ram, from));
		expect(!memcmp(before + to, ram + to, RIG_RAM - to));
		fake_spapr.nsources = 0;
	}
	ck_assert_uint_gt(served, test_scale(300000) / 20);
}
END_TEST

/* --- several vCPUs ------------------------------------------------------- */

static unsigned int ncalls;

/* One block for each, one controller and one bridge for all. */
static void *vcpu(void *arg)
{
	unsigned int cpu = (unsigned int)(intptr_t)arg;
	u64 gpa = 0x1000 * cpu, seed = cpu;

	for (unsigned int i = 0; i < ncalls; i++) {
		random_block(gpa, &seed);
		right_buid(gpa);
		rig_set_cell(&rig, gpa + HEADER, 0x800 | (seed & 0xfc));
		rtas_hcall(&rig.vm, cpu, gpa);
	}
	return NULL;
}

START_TEST(test_concurrent)
{
	pthread_t threads[RIG_CPUS];

	ncalls = test_scale(20000);
	for (intptr_t i = 0; i < RIG_CPUS; i++)
		pthread_create(&threads[i], NULL, vcpu, (void *)i);
	for (unsigned int i = 0; i < RIG_CPUS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

static void add_block(Suite *suite)
{
	TCase *tc = tcase_create("argument block");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_blob);
	tcase_add_test(tc, test_block_at_the_end);
	tcase_add_test(tc, test_block_nowhere);
	tcase_add_test(tc, test_block_unaligned);
	tcase_add_test(tc, test_huge_counts);
	tcase_add_test(tc, test_no_results);
	tcase_add_test(tc, test_unknown_tokens);
	tcase_add_test(tc, test_wrong_counts);
	tcase_add_test(tc, test_more_results);
	tcase_add_test(tc, test_nonsense);
	tcase_add_test(tc, test_concurrent);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
}

static void add_services(Suite *suite)
{
	TCase *tc = tcase_create("services");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_ends, 0, 3);
	tcase_add_test(tc, test_time);
	tcase_add_test(tc, test_event_scan);
	tcase_add_test(tc, test_button_unheard);
	tcase_add_test(tc, test_button_log);
	tcase_add_test(tc, test_button_date);
	tcase_add_test(tc, test_button_fits);
	tcase_add_test(tc, test_no_such_sensor);
	tcase_add_test(tc, test_start_cpu);
	tcase_add_test(tc, test_stop_self);
	tcase_add_test(tc, test_no_such_cpu);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("rtas");
	SRunner *runner;
	int failed;

	add_block(suite);
	add_services(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
