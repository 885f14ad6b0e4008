/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine: /dev/kvm, memory, buses, interrupts, vCPUs, and the main
 * loop that watches over them.  Built and undone in order by builtin-run.c.
 */
#ifndef LKVM_KVM_VM_H
#define LKVM_KVM_VM_H

#include "endian.h"
#include "kvm/bus.h"
#include "kvm/event.h"
#include "kvm/memory.h"
#include "kvm/numa.h"
#include <pthread.h>

struct console;
struct pci_host;
struct vcpu;
struct vm_arch;

/* How a guest's life ended; builtin-run.c turns it into an exit status. */
enum vm_end {
	VM_RUNNING = 0,
	VM_POWEROFF,
	VM_RESET,
	VM_EXITED,	/* the command in it did; detail: its status */
	VM_KILLED,	/* it was, by a signal; detail: which */
	VM_NOT_RUN,	/* it could not be run; detail: errno, or 0 */
	VM_PANIC,	/* the guest kernel said so */
	VM_DIED,	/* triple fault, KVM internal error */
	VM_TIMEOUT,
	VM_SIGNAL,	/* lkvm was told to end; detail: signal number */
	VM_HOST_ERROR,	/* detail: errno */
};

#define VM_WATCHES_MAX 64

struct vm {
	int kvm_fd;
	int fd;
	unsigned int ncpus;
	bool dedicated;		/* the guest may know: vCPUs have cores of their own */
	struct vcpu **vcpus;
	struct guest_memory mem;
	struct guest_numa numa;	/* of mem and of vCPUs; before vm_cpus_create() */
	struct bus mmio;
	struct bus pio;
	struct irq_routes irqs;
	struct pci_host *pci;
	struct console *console;
	struct vm_arch *arch;

	int end_fd;		/* wakes the main loop */
	u64 end;		/* enum vm_end | detail << 32, set once */
	pthread_mutex_t pause_lock;
	pthread_cond_t resumed;	/* or ended */
	bool paused;		/* vCPUs stay out of the guest */
	bool pause_told;	/* and why has been said */
	const char *control_name;	/* for lkvm resume; NULL: it has no socket */
	unsigned int nwatches;
	struct vm_watch {
		int fd;
		short events;	/* poll(2); 0: not now */
		void (*ready)(void *ctx);
		void *ctx;
	} watch[VM_WATCHES_MAX];
};

/*
 * Create the VM with memory and interrupt controller, no vCPUs yet.  The
 * caller has zeroed @vm.  0 or -errno; vm_exit() undoes it.
 */
int vm_init(struct vm *vm, unsigned int ncpus, u64 mem_size, bool hugepages);
void vm_exit(struct vm *vm);

int vm_cpus_create(struct vm *vm);
void vm_cpus_destroy(struct vm *vm);

/*
 * Start the vCPU threads, serve the watches until the guest's life ends, stop
 * and join the vCPU threads.  Signals are the caller's business.  Returns how
 * it ended; *@detail as enum vm_end says.
 */
enum vm_end vm_run(struct vm *vm, int *detail);

/* End the guest's life.  Any thread; the first reason stays. */
void vm_end(struct vm *vm, enum vm_end end, int detail);
enum vm_end vm_ended(const struct vm *vm);

/*
 * Any thread: have all vCPUs leave the guest and sleep until vm_resume(), and say
 * why, unless @why is NULL: one line until then.  I/O threads, timeouts and signals
 * go on.  A vCPU that serves an exit does that first: do not wait for it.
 */
void vm_pause(struct vm *vm, const char *why);
/* Any thread.  Returns whether the guest was paused. */
bool vm_resume(struct vm *vm);
bool vm_paused(const struct vm *vm);
/* For vCPUs: until the guest is resumed or has ended. */
void vm_wait_resumed(struct vm *vm);

/*
 * Call @ready(@ctx) on the main thread whenever poll(2) finds @events on @fd.
 * Before vm_run(), or from a watch.
 */
void vm_watch(struct vm *vm, int fd, short events, void (*ready)(void *ctx),
	      void *ctx);
/* Change what is waited for, 0: nothing.  Main thread only. */
void vm_watch_events(struct vm *vm, int fd, short events);

#endif
