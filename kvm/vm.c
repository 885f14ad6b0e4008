// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machine as a whole: its parts in order, and the main loop that
 * waits for its end.
 */
#include "kvm/vm.h"
#include "arch.h"
#include "barrier.h"
#include "kvm/caps.h"
#include "kvm/vcpu.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define STOP_RETRY_NS 1000000

static int vm_check_cpus(const struct vm *vm)
{
	int max = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max <= 0)
		max = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	if (max > (int)arch_max_cpus)
		max = (int)arch_max_cpus;
	if ((int)vm->ncpus <= max)
		return 0;
	log_error("--cpus %u: this machine can have %d on this host; give --cpus %d or less",
		  vm->ncpus, max, max);
	return -EINVAL;
}

static int vm_create_memory(struct vm *vm, u64 size, bool hugepages)
{
	int err = arch_memory_layout(&vm->mem, size);

	if (!err)
		err = guest_memory_map(&vm->mem, hugepages);
	if (!err)
		err = guest_memory_register(&vm->mem, vm->fd);
	return err;
}

int vm_init(struct vm *vm, unsigned int ncpus, u64 mem_size, bool hugepages)
{
	int err;

	vm->ncpus = ncpus;
	vm->fd = -1;
	vm->kvm_fd = -1;
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_cond_init(&vm->resumed, NULL);
	vm->end_fd = event_new();
	if (vm->end_fd < 0) {
		log_error("cannot create an eventfd: %s; raise the limit of open files (ulimit -n)",
			  strerror(-vm->end_fd));
		return vm->end_fd;
	}
	vm->kvm_fd = kvm_open();
	if (vm->kvm_fd < 0) {
		err = vm->kvm_fd;
		goto fail;
	}
	err = vm_check_cpus(vm);
	if (err)
		goto fail;
	do {
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0) {
		err = -errno;
		log_error("/dev/kvm: cannot create a VM: %s; %s", strerror(-err),
			  kvm_remedy(err));
		goto fail;
	}
	err = vm_create_memory(vm, mem_size, hugepages);
	if (err)
		goto fail;
	err = arch_vm_init(vm);
	if (err)
		goto fail;
	err = irq_routes_init(vm);
	if (err)
		goto fail_arch;
	return 0;
fail_arch:
	arch_vm_exit(vm);
fail:
	guest_memory_unmap(&vm->mem);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	close(vm->end_fd);
	return err;
}

void vm_exit(struct vm *vm)
{
	irq_routes_exit(vm);
	arch_vm_exit(vm);
	close(vm->fd);
	close(vm->kvm_fd);
	guest_memory_unmap(&vm->mem);
	close(vm->end_fd);
}

int vm_cpus_create(struct vm *vm)
{
	int err = vcpu_signal_init();

	if (err) {
		log_error("cannot set the vCPUs' signal: %s", strerror(-err));
		return err;
	}
	vm->vcpus = calloc(vm->ncpus, sizeof(struct vcpu *));
	if (!vm->vcpus)
		return log_no_memory();
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		err = vcpu_new(vm, i, &vm->vcpus[i]);
		if (err) {
			vm_cpus_destroy(vm);
			return err;
		}
	}
	return 0;
}

void vm_cpus_destroy(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (vm->vcpus[i])
			vcpu_free(vm->vcpus[i]);
	free(vm->vcpus);
	vm->vcpus = NULL;
}

void vm_end(struct vm *vm, enum vm_end end, int detail)
{
	u64 none = VM_RUNNING;
	u64 first = (u64)end | (u64)(u32)detail << 32;

	if (__atomic_compare_exchange_n(&vm->end, &none, first, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		event_signal(vm->end_fd);
}

enum vm_end vm_ended(const struct vm *vm)
{
	return (enum vm_end)(u32)load_acquire(&vm->end);
}

void vm_pause(struct vm *vm, const char *why)
{
	const char *name = vm->control_name;
	bool pause, tell;

	pthread_mutex_lock(&vm->pause_lock);
	pause = !vm->paused && !vm_ended(vm);
	tell = why && !vm->pause_told && !vm_ended(vm);
	if (pause)
		write_once(&vm->paused, true);
	vm->pause_told |= tell;
	for (unsigned int i = 0; pause && i < vm->ncpus; i++)
		vcpu_pause(vm->vcpus[i]);
	pthread_mutex_unlock(&vm->pause_lock);
	if (tell)
		log_error("%s; the guest is paused: mend that and resume it by %s%s%skill -USR2 %d",
			  why, name ? "lkvm resume " : "", name ? name : "",
			  name ? ", or " : "", getpid());
}

bool vm_resume(struct vm *vm)
{
	bool paused;

	pthread_mutex_lock(&vm->pause_lock);
	paused = vm->paused;
	write_once(&vm->paused, false);
	vm->pause_told = false;
	for (unsigned int i = 0; paused && i < vm->ncpus; i++)
		vcpu_resume(vm->vcpus[i]);
	pthread_cond_broadcast(&vm->resumed);
	pthread_mutex_unlock(&vm->pause_lock);
	return paused;
}

bool vm_paused(const struct vm *vm)
{
	return read_once(&vm->paused);
}

void vm_wait_resumed(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	while (vm->paused && !vm_ended(vm))
		pthread_cond_wait(&vm->resumed, &vm->pause_lock);
	pthread_mutex_unlock(&vm->pause_lock);
}

/* Those who wait see that it has ended. */
static void vm_wake_waiting(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	pthread_cond_broadcast(&vm->resumed);
	pthread_mutex_unlock(&vm->pause_lock);
}

void vm_watch(struct vm *vm, int fd, short events, void (*ready)(void *ctx),
	      void *ctx)
{
	assert(vm->nwatches < VM_WATCHES_MAX);
	vm->watch[vm->nwatches++] = (struct vm_watch){
		.fd = fd,
		.events = events,
		.ready = ready,
		.ctx = ctx,
	};
}

void vm_watch_events(struct vm *vm, int fd, short events)
{
	for (unsigned int i = 0; i < vm->nwatches; i++)
		if (vm->watch[i].fd == fd)
			vm->watch[i].events = events;
}

/* Wait for, and serve, one round of events. */
static void vm_poll(struct vm *vm)
{
	struct pollfd fds[VM_WATCHES_MAX + 1];
	unsigned int n = vm->nwatches;

	fds[n] = (struct pollfd){ .fd = vm->end_fd, .events = POLLIN };
	for (unsigned int i = 0; i < n; i++) {
		const struct vm_watch *w = &vm->watch[i];

		fds[i] = (struct pollfd){
			.fd = w->events ? w->fd : -1,
			.events = w->events,
		};
	}
	if (poll(fds, n + 1, -1) < 0)
		return;
	for (unsigned int i = 0; i < n; i++)
		if (fds[i].revents)
			vm->watch[i].ready(vm->watch[i].ctx);
}

/*
 * All at once, and again until all are gone: one may wait for another that is
 * in a write(2) to a console which nobody reads, and which has no
 * immediate_exit but the signal.
 */
static void vm_stop_cpus(struct vm *vm)
{
	const struct timespec pause = { .tv_nsec = STOP_RETRY_NS };
	unsigned int running;

	for (;;) {
		running = 0;
		for (unsigned int i = 0; i < vm->ncpus; i++)
			vcpu_ask_stop(vm->vcpus[i]);
		for (unsigned int i = 0; i < vm->ncpus; i++)
			running += !vcpu_stopped(vm->vcpus[i]);
		if (!running)
			return;
		nanosleep(&pause, NULL);
	}
}

enum vm_end vm_run(struct vm *vm, int *detail)
{
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		int err = vcpu_start(vm->vcpus[i]);

		if (err)
			vm_end(vm, VM_HOST_ERROR, -err);
	}
	while (!vm_ended(vm))
		vm_poll(vm);
	vm_wake_waiting(vm);
	vm_stop_cpus(vm);
	*detail = (int)(vm->end >> 32);
	return vm_ended(vm);
}
