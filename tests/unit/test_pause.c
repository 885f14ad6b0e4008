// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest paused and resumed, as vCPU threads and those who ask for it see it.
 * There is no KVM and no vCPU here, only threads that wait as they do.
 */
/* helpers: disk_rig.c */
#include "barrier.h"
#include "disk_rig.h"
#include "kvm/vm.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CPUS 4

static struct vm vm;
static unsigned int rounds[CPUS];	/* in the guest */
static unsigned int out;		/* so many wait outside */

static void setup(void)
{
	vm = (struct vm){ .resumed = PTHREAD_COND_INITIALIZER };
	pthread_mutex_init(&vm.pause_lock, NULL);
	vm.end_fd = event_new();
}

static void *cpu(void *arg)
{
	unsigned int *count = arg;

	while (!vm_ended(&vm)) {
		if (vm_paused(&vm)) {
			__atomic_fetch_add(&out, 1, __ATOMIC_SEQ_CST);
			vm_wait_resumed(&vm);
			__atomic_fetch_sub(&out, 1, __ATOMIC_SEQ_CST);
		}
		write_once(count, *count + 1);
		usleep(100);
	}
	return NULL;
}

static unsigned int sum(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < CPUS; i++)
		n += read_once(&rounds[i]);
	return n;
}

static void *pauser(void *arg)
{
	vm_pause(&vm, arg);
	return NULL;
}

/* Told once, whoever asks as well; out until resumed; the end wakes all. */
START_TEST(test_pause)
{
	pthread_t cpus[CPUS], pausers[CPUS];
	struct rig_capture c;
	char pid[32];

	snprintf(pid, sizeof(pid), "kill -USR2 %d", getpid());
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_create(&cpus[i], NULL, cpu, &rounds[i]);
	for (unsigned int round = 0; round < 5; round++) {
		unsigned int before;

		rig_capture_start(&c);
		for (unsigned int i = 0; i < CPUS; i++)
			pthread_create(&pausers[i], NULL, pauser,
				       "vda: no room");
		for (unsigned int i = 0; i < CPUS; i++)
			pthread_join(pausers[i], NULL);
		rig_capture_end(&c);
		rig_expect_line(&c, "vda: no room", "paused", pid);
		ck_assert(vm_paused(&vm));
		while (read_once(&out) < CPUS)
			usleep(1000);
		before = sum();
		usleep(50000);
		ck_assert_uint_eq(sum(), before);
		if (round == 4)
			break;
		ck_assert(vm_resume(&vm));
		ck_assert(!vm_resume(&vm));
		while (sum() == before || read_once(&out))
			usleep(1000);
	}
	vm_end(&vm, VM_TIMEOUT, 0);
	ck_assert_int_eq(vm_run(&vm, &(int){ 0 }), VM_TIMEOUT);
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_join(cpus[i], NULL);
	close(vm.end_fd);
}
END_TEST

/* The user has paused it: what fails behind that is told all the same, once. */
START_TEST(test_told_while_paused)
{
	struct rig_capture c;

	vm.control_name = "web";
	for (int round = 0; round < 2; round++) {
		rig_capture_start(&c);
		vm_pause(&vm, NULL);
		vm_pause(&vm, "vda: no room");
		vm_pause(&vm, "vda: no room");
		rig_capture_end(&c);
		rig_expect_line(&c, "vda: no room", "paused", "lkvm resume web, or kill -USR2");
		ck_assert(vm_resume(&vm));
	}
	close(vm.end_fd);
}
END_TEST

/* A guest that has ended is not paused any more. */
START_TEST(test_pause_after_the_end)
{
	struct rig_capture c;

	vm_end(&vm, VM_POWEROFF, 0);
	rig_capture_start(&c);
	vm_pause(&vm, "vda: no room");
	rig_capture_end(&c);
	ck_assert_str_eq(c.text, "");
	vm_wait_resumed(&vm);
	close(vm.end_fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pause");
	TCase *tc = tcase_create("pause");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, test_pause);
	tcase_add_test(tc, test_told_while_paused);
	tcase_add_test(tc, test_pause_after_the_end);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
