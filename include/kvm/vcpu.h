/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU: one thread that alternates between the guest and its exits.
 */
#ifndef LKVM_KVM_VCPU_H
#define LKVM_KVM_VCPU_H

#include "endian.h"
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/types.h>

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int cpu;		/* of the host, for its thread alone; -1: any.  Before vcpu_start() */
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	pid_t tid;		/* the thread's own, 0: not there yet */
	bool started;
	pthread_mutex_t lock;
	unsigned int pauses;	/* that are not resumed; under the lock */
};

int vcpu_new(struct vm *vm, unsigned int id, struct vcpu **vp);
void vcpu_free(struct vcpu *vcpu);

int vcpu_start(struct vcpu *vcpu);
/*
 * Make the thread leave the guest for good.  vm_ended() must be true: a vCPU
 * that is between two entries sees that, one that is about to enter sees
 * immediate_exit, one that is inside gets the signal.
 */
void vcpu_ask_stop(struct vcpu *vcpu);
/* Join the thread if it has ended.  False: ask again, a little later. */
bool vcpu_stopped(struct vcpu *vcpu);

/*
 * Any thread, and several: keep it out of the guest until each has called
 * vcpu_resume().  An ioctl on its fd then does not have to wait for the guest.
 * The vCPU is busy meanwhile; to let it sleep is vm_pause()'s.
 */
void vcpu_pause(struct vcpu *vcpu);
void vcpu_resume(struct vcpu *vcpu);

/* Install the handler of the stop signal; once per process, idempotent. */
int vcpu_signal_init(void);

#endif
