// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcpu.c and xics.c of powerpc/ without KVM: see fake_spapr.h.
 */
#include "fake_spapr.h"
#include <errno.h>

struct fake_spapr fake_spapr = { .lock = PTHREAD_MUTEX_INITIALIZER };

void fake_spapr_reset(unsigned int ncpus)
{
	fake_spapr = (struct fake_spapr){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ncpus = ncpus,
		.cpu[0].state = SPAPR_CPU_RUNNING,
	};
}

int spapr_lpcr_set(struct vm *vm, u64 mask, u64 value)
{
	int err;

	(void)vm;
	pthread_mutex_lock(&fake_spapr.lock);
	err = fake_spapr.refuse_lpcr;
	if (!err) {
		fake_spapr.lpcr = (fake_spapr.lpcr & ~mask) | (value & mask);
		fake_spapr.lpcr_sets++;
	}
	pthread_mutex_unlock(&fake_spapr.lock);
	return err;
}

bool spapr_host_cpu_char(struct vm *vm, u64 *character, u64 *behaviour)
{
	(void)vm;
	if (!fake_spapr.tells_cpu_char)
		return false;
	*character = FAKE_CHARACTER;
	*behaviour = FAKE_BEHAVIOUR;
	return true;
}

int spapr_cpu_state(struct vm *vm, u32 id)
{
	int state = -1;

	(void)vm;
	pthread_mutex_lock(&fake_spapr.lock);
	if (id < fake_spapr.ncpus)
		state = fake_spapr.cpu[id].state;
	pthread_mutex_unlock(&fake_spapr.lock);
	return state;
}

int spapr_cpu_start(struct vm *vm, u32 id, u64 pc, u64 r3)
{
	int status = RTAS_PARAMETER;

	(void)vm;
	pthread_mutex_lock(&fake_spapr.lock);
	if (id < fake_spapr.ncpus &&
	    fake_spapr.cpu[id].state == SPAPR_CPU_STOPPED) {
		fake_spapr.cpu[id] =
			(struct fake_cpu){ SPAPR_CPU_RUNNING, pc, r3 };
		status = RTAS_SUCCESS;
	}
	pthread_mutex_unlock(&fake_spapr.lock);
	return status;
}

void spapr_cpu_stop_self(struct vm *vm, unsigned int cpu)
{
	(void)vm;
	pthread_mutex_lock(&fake_spapr.lock);
	fake_spapr.cpu[cpu].state = SPAPR_CPU_STOPPED;
	pthread_mutex_unlock(&fake_spapr.lock);
}

bool xics_enabled(struct vm *vm, u32 source)
{
	(void)vm;
	return source == fake_spapr.enabled;
}

int xics_add_msi(struct vm *vm, u32 source)
{
	int err;

	(void)vm;
	pthread_mutex_lock(&fake_spapr.lock);
	err = fake_spapr.refuse_msi;
	if (!err && fake_spapr.nsources < FAKE_SOURCES_MAX)
		fake_spapr.source[fake_spapr.nsources++] = source;
	pthread_mutex_unlock(&fake_spapr.lock);
	return err;
}
