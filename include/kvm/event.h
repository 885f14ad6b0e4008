/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events between guest and host threads, all of them eventfds: kicks (guest to
 * I/O thread, KVM_IOEVENTFD) and interrupts (I/O thread to guest, KVM_IRQFD,
 * with MSI routes through KVM_SET_GSI_ROUTING where the architecture has it).
 *
 * event_signal() may be called on any thread; the rest is the control path.
 */
#ifndef LKVM_KVM_EVENT_H
#define LKVM_KVM_EVENT_H

#include "endian.h"
#include <pthread.h>

struct vm;
struct kvm_irq_routing;

/* A new non-blocking eventfd, or a negative errno. */
int event_new(void);
/* Add one.  The only system call of an interrupt. */
void event_signal(int fd);
/* Whether it was signalled since it was last cleared; clears nothing. */
bool event_pending(int fd);
void event_clear(int fd);

/* A guest physical address, or an I/O port; all of it, or one value there. */
struct kick_address {
	u64 addr;
	bool port;
	bool matched;
	u32 value;	/* if matched */
};
/*
 * From now on a write to @at signals @fd in the kernel, without an exit to user
 * space: any write of any width (length 0: KVM's fast MMIO bus), or if matched
 * those that write the 32-bit value.
 * 0, or -errno without a message: a guest can put two devices at one address.
 */
int kick_attach(struct vm *vm, int fd, struct kick_address at);
void kick_detach(struct vm *vm, int fd, struct kick_address at);

/* The table behind KVM_SET_GSI_ROUTING.  Guarded by its own lock. */
struct irq_routes {
	pthread_mutex_t lock;
	struct kvm_irq_routing *table;
	u32 next_gsi;
};

int irq_routes_init(struct vm *vm);
void irq_routes_exit(struct vm *vm);

/* A GSI for one MSI vector; never given back.  -ENOSPC when there is none. */
int irq_msi_alloc(struct vm *vm);
/* Send @gsi as the message @data to @addr from now on.  0 or -errno. */
int irq_msi_route(struct vm *vm, u32 gsi, u64 addr, u32 data);

/*
 * Connect @fd to @gsi.  If @fd is already signalled the interrupt is delivered
 * at once.  With @resamplefd >= 0 the line is level triggered: it is lowered
 * when the guest ends the interrupt, and @resamplefd is signalled then.
 */
int irqfd_attach(struct vm *vm, int fd, u32 gsi, int resamplefd);
void irqfd_detach(struct vm *vm, int fd, u32 gsi);

#endif
