// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPU threads.  Generic exits are served here, the rest by arch_vcpu_exit().
 */
#include "kvm/vcpu.h"
#include "arch.h"
#include "barrier.h"
#include "kvm/caps.h"
#include "kvm/thread.h"
#include "kvm/vm.h"
#include "log.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define VCPU_STOP_SIGNAL SIGRTMIN

int vcpu_new(struct vm *vm, unsigned int id, struct vcpu **vp)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int size, err;

	if (!vcpu)
		return log_no_memory();
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	pthread_mutex_init(&vcpu->lock, NULL);
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0) {
		err = -errno;
		log_error("--cpus %u: KVM cannot create vCPU %u: %s; %s, or give fewer",
			  vm->ncpus, id, strerror(-err), kvm_remedy(err));
		goto fail;
	}
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0) {
		err = -errno;
		goto fail_map;
	}
	vcpu->run_size = (size_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		err = -errno;
		goto fail_map;
	}
	err = arch_vcpu_init(vcpu);
	if (err)
		goto fail;
	*vp = vcpu;
	return 0;
fail_map:
	log_error("vCPU %u: cannot map its state: %s; %s", id, strerror(-err),
		  kvm_remedy(err));
fail:
	vcpu_free(vcpu);
	return err;
}

void vcpu_free(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	pthread_mutex_destroy(&vcpu->lock);
	free(vcpu);
}

static void vcpu_died(struct vcpu *vcpu, const char *what, u64 detail)
{
	log_error("guest died on vCPU %u: %s (0x%llx)", vcpu->id, what,
		  (unsigned long long)detail);
	vm_end(vcpu->vm, VM_DIED, 0);
}

static void vcpu_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data,
			  run->mmio.len);
	else
		bus_read(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data,
			 run->mmio.len);
}

static void vcpu_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vm_end(vcpu->vm, VM_POWEROFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vm_end(vcpu->vm, VM_RESET, 0);
		break;
	default:
		vcpu_died(vcpu, "crash told to KVM",
			  vcpu->run->system_event.type);
	}
}

static void vcpu_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		vcpu_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		vcpu_died(vcpu, "triple fault", run->exit_reason);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vcpu_system_event(vcpu);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vcpu_died(vcpu, "KVM cannot enter the guest",
			  run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vcpu_died(vcpu, "KVM internal error", run->internal.suberror);
		break;
	default:
		if (!arch_vcpu_exit(vcpu))
			vcpu_died(vcpu, "unknown exit", run->exit_reason);
	}
}

static void vcpu_wait(struct vcpu *vcpu)
{
	vm_wait_resumed(vcpu->vm);
	arch_vcpu_resumed(vcpu);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "lkvm/vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	write_once(&vcpu->tid, gettid());
	full_fence();	/* with vcpu_pause(): it sees tid or we immediate_exit */

	arch_vcpu_wait(vcpu);
	while (!vm_ended(vcpu->vm)) {
		if (vm_paused(vcpu->vm))
			vcpu_wait(vcpu);
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			vcpu_exit(vcpu);
		} else if (errno != EINTR && errno != EAGAIN) {
			log_error("guest died on vCPU %u: KVM_RUN: %s",
				  vcpu->id, strerror(errno));
			vm_end(vcpu->vm, VM_DIED, 0);
		}
	}
	return NULL;
}

int vcpu_start(struct vcpu *vcpu)
{
	int err = thread_start(&vcpu->thread, vcpu->cpu, vcpu_main, vcpu);

	if (err == -EINVAL) {
		log_error("vCPU %u cannot run on CPU %d; see lkvm topology for those that lkvm may use",
			  vcpu->id, vcpu->cpu);
		return err;
	}
	if (err) {
		log_error("--cpus %u: cannot start a thread: %s; raise ulimit -u",
			  vcpu->vm->ncpus, strerror(-err));
		return err;
	}
	vcpu->started = true;
	return 0;
}

void vcpu_ask_stop(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	write_once(&vcpu->run->immediate_exit, 1);
	pthread_kill(vcpu->thread, VCPU_STOP_SIGNAL);
}

/* By number: unlike ask_stop()'s caller, ours does not know if it was joined. */
void vcpu_pause(struct vcpu *vcpu)
{
	pid_t tid;

	pthread_mutex_lock(&vcpu->lock);
	vcpu->pauses++;
	write_once(&vcpu->run->immediate_exit, 1);
	pthread_mutex_unlock(&vcpu->lock);
	full_fence();	/* with vcpu_main() */
	tid = read_once(&vcpu->tid);
	if (tid)
		tgkill(getpid(), tid, VCPU_STOP_SIGNAL);
}

/* An ask_stop() that is undone by this comes again. */
void vcpu_resume(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->lock);
	if (!--vcpu->pauses)
		write_once(&vcpu->run->immediate_exit, 0);
	pthread_mutex_unlock(&vcpu->lock);
}

bool vcpu_stopped(struct vcpu *vcpu)
{
	if (vcpu->started && pthread_tryjoin_np(vcpu->thread, NULL) == 0)
		vcpu->started = false;
	return !vcpu->started;
}

static void vcpu_stop_signal(int sig)
{
	(void)sig;	/* its only effect is EINTR */
}

int vcpu_signal_init(void)
{
	struct sigaction action = { .sa_handler = vcpu_stop_signal };

	return sigaction(VCPU_STOP_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}
