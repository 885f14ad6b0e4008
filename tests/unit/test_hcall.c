// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypervisor calls as a guest makes them, good and bad ones.
 */
/* helpers: fake_console.c fake_event.c fake_spapr.c spapr_rig.c guest_ring.c ../../powerpc/hcall.c ../../powerpc/hvcons.c ../../powerpc/epow.c ../../powerpc/pci.c ../../powerpc/rtas.c */
#include "fake_spapr.h"
#include "guest_ring.h"
#include "spapr_rig.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define H_GET_TERM_CHAR		0x54
#define H_PUT_TERM_CHAR		0x58
#define H_SET_MODE		0x31c
#define H_RTAS			0xf000
#define H_P3			(-56LL)
#define H_P4			(-57LL)
#define H_UNSUPPORTED_FLAG	(-256LL)

static struct spapr_rig rig;
static u64 args[HCALL_ARGS];

static void setup(void)
{
	rig_init(&rig);
}

static void teardown(void)
{
	rig_exit(&rig);
}

/* On CPU 2, with the first four arguments; the others are junk. */
static long long call(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	memset(args, 0x5a, sizeof(args));
	args[0] = a;
	args[1] = b;
	args[2] = c;
	args[3] = d;
	return (long long)hcall(&rig.vm, 2, nr, args);
}

static void type(const char *text)
{
	rig.console.ops->input(rig.console.ctx, (const u8 *)text, strlen(text));
}

/* --- terminal ------------------------------------------------------------ */

START_TEST(test_put)
{
	const u64 high = 0x4142434445464748, low = 0x494a4b4c4d4e4f50;

	for (unsigned int len = 0; len <= 16; len++) {
		rig.console.nout = 0;
		ck_assert_int_eq(call(H_PUT_TERM_CHAR, SPAPR_VTY_UNIT, len,
				      high, low),
				 H_SUCCESS);
		ck_assert_uint_eq(rig.console.nout, len);
		ck_assert_mem_eq(rig.console.out, "ABCDEFGHIJKLMNOP", len);
	}
}
END_TEST

START_TEST(test_bad_put)
{
	static const u64 units[] = { 0, 1, SPAPR_VTY_UNIT + 1, ~0ull,
				     SPAPR_VTY_UNIT | 1ull << 32 };
	static const u64 lengths[] = { 17, 32, 1ull << 32, ~0ull, 1ull << 63 };

	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(call(H_PUT_TERM_CHAR, units[i], 3, 0, 0),
				 H_PARAMETER);
		ck_assert_int_eq(call(H_PUT_TERM_CHAR, SPAPR_VTY_UNIT,
				      lengths[i], 0, 0),
				 H_PARAMETER);
	}
	ck_assert_uint_eq(rig.console.nout, 0);
}
END_TEST

START_TEST(test_get)
{
	ck_assert_int_eq(call(H_GET_TERM_CHAR, SPAPR_VTY_UNIT, 9, 9, 9),
			 H_SUCCESS);
	ck_assert_uint_eq(args[0], 0);
	type("abcdefghijk");
	ck_assert_int_eq(call(H_GET_TERM_CHAR, SPAPR_VTY_UNIT, 9, 9, 9),
			 H_SUCCESS);
	ck_assert_uint_eq(args[0], 11);
	ck_assert_uint_eq(args[1], 0x6162636465666768);
	ck_assert_uint_eq(args[2] >> 40, 0x696a6b);
	type("0123456789abcdefXY");
	call(H_GET_TERM_CHAR, SPAPR_VTY_UNIT, 0, 0, 0);
	ck_assert_uint_eq(args[0], 16);
	ck_assert_uint_eq(args[2], 0x3839616263646566);
	call(H_GET_TERM_CHAR, SPAPR_VTY_UNIT, 0, 0, 0);
	ck_assert_uint_eq(args[0], 2);
}
END_TEST

/* The length of nothing is 0, not what was in the register. */
START_TEST(test_bad_get)
{
	static const u64 units[] = { 0, SPAPR_VTY_UNIT - 1, ~0ull,
				     SPAPR_VTY_UNIT | 1ull << 32 };

	type("secret");
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_int_eq(call(H_GET_TERM_CHAR, units[i], 0, 0, 0),
				 H_PARAMETER);
		ck_assert_uint_eq(args[0], 0);
	}
	call(H_GET_TERM_CHAR, SPAPR_VTY_UNIT, 0, 0, 0);
	ck_assert_uint_eq(args[0], 6);
}
END_TEST

/* --- H_SET_MODE ---------------------------------------------------------- */

START_TEST(test_endian)
{
	ck_assert_int_eq(call(H_SET_MODE, 1, 4, 0, 0), H_SUCCESS);
	ck_assert_uint_eq(fake_spapr.lpcr, SPAPR_LPCR_ILE);
	ck_assert_int_eq(call(H_SET_MODE, 3, 3, 0, 0), H_SUCCESS);
	ck_assert_uint_eq(fake_spapr.lpcr, SPAPR_LPCR_ILE | SPAPR_LPCR_AIL);
	ck_assert_int_eq(call(H_SET_MODE, 0, 4, 0, 0), H_SUCCESS);
	ck_assert_uint_eq(fake_spapr.lpcr, SPAPR_LPCR_AIL);
	ck_assert_int_eq(call(H_SET_MODE, 0, 3, 0, 0), H_SUCCESS);
	ck_assert_uint_eq(fake_spapr.lpcr, 0);
}
END_TEST

START_TEST(test_bad_mode)
{
	static const struct {
		u64 flags, resource, value1, value2;
		long long want;
	} bad[] = {
		{ 2, 4, 0, 0, H_UNSUPPORTED_FLAG },
		{ ~0ull, 4, 0, 0, H_UNSUPPORTED_FLAG },
		{ 1ull << 32, 4, 0, 0, H_UNSUPPORTED_FLAG },
		{ 1, 3, 0, 0, H_UNSUPPORTED_FLAG },
		{ 2, 3, 0, 0, H_UNSUPPORTED_FLAG },
		{ 4, 3, 0, 0, H_UNSUPPORTED_FLAG },
		{ 1ull << 32 | 3, 3, 0, 0, H_UNSUPPORTED_FLAG },
		{ 1, 4, 1, 0, H_P3 },
		{ 1, 4, 0, 1, H_P4 },
		{ 3, 3, 1ull << 63, 0, H_P3 },
		{ 3, 3, 0, 1ull << 63, H_P4 },
		{ 0, 0, 0, 0, H_P2 },
		{ 0, 1, 0, 0, H_P2 },	/* the kernel's, and only its */
		{ 0, 2, 0, 0, H_P2 },
		{ 0, 5, 0, 0, H_P2 },
		{ 1, 1ull << 32 | 4, 0, 0, H_P2 },
		{ 0, ~0ull, 0, 0, H_P2 },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(call(H_SET_MODE, bad[i].flags, bad[i].resource,
				      bad[i].value1, bad[i].value2),
				 bad[i].want);
	ck_assert_uint_eq(fake_spapr.lpcr_sets, 0);
}
END_TEST

START_TEST(test_mode_refused)
{
	fake_spapr.refuse_lpcr = -EIO;
	ck_assert_int_eq(call(H_SET_MODE, 1, 4, 0, 0), H_HARDWARE);
	ck_assert_int_eq(call(H_SET_MODE, 3, 3, 0, 0), H_HARDWARE);
}
END_TEST

/* --- the others ---------------------------------------------------------- */

START_TEST(test_unknown)
{
	static const u64 numbers[] = {
		0,	0x50,  0x5c,   0x1c8,  0x20,   0x138,  0x13c,
		0x380,	0x64,  0x6c,   0xf004, 0xf080, 0xeffc, 0xffff,
		1ull << 32 | H_PUT_TERM_CHAR,  1ull << 63 | H_RTAS, ~0ull,
	};

	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		ck_assert_int_eq(call(numbers[i], SPAPR_VTY_UNIT, 3, 0, 0),
				 H_FUNCTION);
	ck_assert_uint_eq(rig.console.nout, 0);
}
END_TEST

/* As the host tells it, or not at all. */
START_TEST(test_cpu_characteristics)
{
	ck_assert_int_eq(call(0x1c8, 1, 2, 3, 4), H_FUNCTION);
	ck_assert_uint_eq(args[0], 1);
	fake_spapr.tells_cpu_char = true;
	ck_assert_int_eq(call(0x1c8, 1, 2, 3, 4), H_SUCCESS);
	ck_assert_uint_eq(args[0], FAKE_CHARACTER);
	ck_assert_uint_eq(args[1], FAKE_BEHAVIOUR);
}
END_TEST

START_TEST(test_rtas)
{
	rig_block(&rig, 0x800, rig_token("event-scan"), 4,
		  (const u32[]){ 0, 0, 0, 0 }, 1);
	ck_assert_int_eq(call(H_RTAS, 0x800, 0, 0, 0), H_SUCCESS);
	ck_assert_uint_eq(rig_cell(&rig, 0x800 + 12 + 16), 1);
	ck_assert_int_eq(call(H_RTAS, RIG_RAM, 0, 0, 0), H_PARAMETER);
}
END_TEST

/* The service knows who called. */
START_TEST(test_rtas_of_cpu)
{
	fake_spapr.cpu[2].state = SPAPR_CPU_RUNNING;
	rig_block(&rig, 0x800, rig_token("stop-self"), 0, NULL, 1);
	ck_assert_int_eq(call(H_RTAS, 0x800, 0, 0, 0), H_SUCCESS);
	ck_assert_int_eq(fake_spapr.cpu[2].state, SPAPR_CPU_STOPPED);
	ck_assert_int_eq(fake_spapr.cpu[0].state, SPAPR_CPU_RUNNING);
}
END_TEST

START_TEST(test_nonsense)
{
	static const u64 numbers[] = { H_GET_TERM_CHAR, H_PUT_TERM_CHAR,
				       H_SET_MODE, H_RTAS, 0x1c8 };
	u64 seed = 20240607, nr;

	for (unsigned int n = test_scale(200000); n; n--) {
		nr = numbers[rig_random(&seed) % 5];
		for (unsigned int i = 0; i < HCALL_ARGS; i++)
			args[i] = rig_nasty(&seed);
		if (rig_random(&seed) % 4 == 0)
			args[0] |= (u64)rig_nasty(&seed) << 32;
		if (rig_random(&seed) % 2)
			args[0] = SPAPR_VTY_UNIT;
		switch ((long long)hcall(&rig.vm, 3, nr, args)) {
		case H_SUCCESS:
		case H_PARAMETER:
		case H_P2:
		case H_P3:
		case H_P4:
		case H_UNSUPPORTED_FLAG:
			break;
		case H_FUNCTION:
			expect(nr == 0x1c8);
			break;
		default:
			ck_abort_msg("hcall 0x%llx", (long long)nr);
		}
		expect(nr != H_GET_TERM_CHAR || args[0] <= 16);
	}
}
END_TEST

/* --- several vCPUs ------------------------------------------------------- */

static unsigned int ncalls;

static void *vcpu(void *arg)
{
	unsigned int cpu = (unsigned int)(intptr_t)arg;
	u64 a[HCALL_ARGS] = { 0 };

	for (unsigned int i = 0; i < ncalls; i++) {
		a[0] = SPAPR_VTY_UNIT;
		a[1] = 2;
		a[2] = (u64)('a' + cpu) << 56 | (u64)('a' + cpu) << 48;
		expect(hcall(&rig.vm, cpu, H_PUT_TERM_CHAR, a) == H_SUCCESS);
		a[0] = SPAPR_VTY_UNIT;
		expect(hcall(&rig.vm, cpu, H_GET_TERM_CHAR, a) == H_SUCCESS);
		expect(a[0] <= 16);
		a[0] = i & 1;
		a[1] = 4;
		a[2] = 0;
		a[3] = 0;
		expect(hcall(&rig.vm, cpu, H_SET_MODE, a) == H_SUCCESS);
	}
	return NULL;
}

START_TEST(test_concurrent)
{
	pthread_t threads[RIG_CPUS];

	ncalls = test_scale(20000);
	for (intptr_t i = 0; i < RIG_CPUS; i++)
		pthread_create(&threads[i], NULL, vcpu, (void *)i);
	for (unsigned int i = 0; i < ncalls; i++)
		if (rig.console.ops->room(rig.console.ctx))
			type("x");
	for (unsigned int i = 0; i < RIG_CPUS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(rig.console.nout, 2ul * RIG_CPUS * ncalls);
	for (size_t i = 0; i < rig.console.nout; i += 2)
		expect(rig.console.out[i] == rig.console.out[i + 1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hcall");
	TCase *tc = tcase_create("hcalls");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_put);
	tcase_add_test(tc, test_bad_put);
	tcase_add_test(tc, test_get);
	tcase_add_test(tc, test_bad_get);
	tcase_add_test(tc, test_endian);
	tcase_add_test(tc, test_bad_mode);
	tcase_add_test(tc, test_mode_refused);
	tcase_add_test(tc, test_unknown);
	tcase_add_test(tc, test_cpu_characteristics);
	tcase_add_test(tc, test_rtas);
	tcase_add_test(tc, test_rtas_of_cpu);
	tcase_add_test(tc, test_nonsense);
	tcase_add_test(tc, test_concurrent);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
