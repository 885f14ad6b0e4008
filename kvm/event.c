// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds and their two ends in KVM: ioeventfd (kicks) and irqfd (interrupts),
 * and the routing table that tells KVM what a GSI means.
 *
 * Where KVM has no routing (a GSI is then a source of its interrupt controller)
 * irq_msi_route() has nothing to do, and nobody above notices.
 */
#include "kvm/event.h"
#include "arch.h"
#include "kvm/caps.h"
#include "kvm/vm.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define IRQ_ROUTES_MAX 4096	/* KVM_MAX_IRQ_ROUTES */

int event_new(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void event_signal(int fd)
{
	u64 one = 1;

	/* Can only fail when 2^64 - 2 signals wait: the reader is awake. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

bool event_pending(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

void event_clear(int fd)
{
	u64 count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;	/* was clear */
}

static int kick_ioctl(struct vm *vm, int fd, struct kick_address at, u32 flags)
{
	struct kvm_ioeventfd kick = {
		.addr = at.addr,
		.len = at.matched ? sizeof(at.value) : 0,
		.datamatch = at.value,
		.fd = fd,
		.flags = flags | (at.port ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (at.matched ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &kick) < 0 ? -errno : 0;
}

int kick_attach(struct vm *vm, int fd, struct kick_address at)
{
	return kick_ioctl(vm, fd, at, 0);
}

void kick_detach(struct vm *vm, int fd, struct kick_address at)
{
	kick_ioctl(vm, fd, at, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

/* Lock held, or before vCPUs run. */
static int irq_routes_apply(struct vm *vm)
{
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->irqs.table) < 0) {
		int err = -errno;

		log_error("KVM_SET_GSI_ROUTING with %u routes: %s; %s, or give fewer disks or queues",
			  vm->irqs.table->nr, strerror(-err), kvm_remedy(err));
		return err;
	}
	return 0;
}

int irq_routes_init(struct vm *vm)
{
	struct irq_routes *irqs = &vm->irqs;
	int err;

	pthread_mutex_init(&irqs->lock, NULL);
	irqs->next_gsi = arch_msi_gsi_base;
	if (ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING) <= 0)
		return 0;
	irqs->table = calloc(1, sizeof(*irqs->table) +
				IRQ_ROUTES_MAX * sizeof(irqs->table->entries[0]));
	if (!irqs->table)
		return log_no_memory();
	irqs->table->nr = arch_irq_routes(irqs->table->entries, IRQ_ROUTES_MAX);
	err = irq_routes_apply(vm);
	if (err)
		irq_routes_exit(vm);
	return err;
}

void irq_routes_exit(struct vm *vm)
{
	free(vm->irqs.table);
	vm->irqs.table = NULL;
	pthread_mutex_destroy(&vm->irqs.lock);
}

int irq_msi_alloc(struct vm *vm)
{
	struct irq_routes *irqs = &vm->irqs;
	int gsi = -ENOSPC;

	pthread_mutex_lock(&irqs->lock);
	if (irqs->next_gsi < IRQ_ROUTES_MAX)
		gsi = (int)irqs->next_gsi++;
	pthread_mutex_unlock(&irqs->lock);
	return gsi;
}

static struct kvm_irq_routing_entry *irq_route_entry(struct irq_routes *irqs,
						     u32 gsi)
{
	struct kvm_irq_routing *table = irqs->table;

	for (u32 i = 0; i < table->nr; i++) {
		struct kvm_irq_routing_entry *e = &table->entries[i];

		if (e->gsi == gsi && e->type == KVM_IRQ_ROUTING_MSI)
			return e;
	}
	if (table->nr == IRQ_ROUTES_MAX)
		return NULL;
	return &table->entries[table->nr++];
}

int irq_msi_route(struct vm *vm, u32 gsi, u64 addr, u32 data)
{
	struct irq_routes *irqs = &vm->irqs;
	struct kvm_irq_routing_entry *e;
	int err = -ENOSPC;

	if (!irqs->table)
		return 0;
	pthread_mutex_lock(&irqs->lock);
	e = irq_route_entry(irqs, gsi);
	if (e) {
		*e = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi.address_lo = (u32)addr,
			.u.msi.address_hi = (u32)(addr >> 32),
			.u.msi.data = data,
		};
		err = irq_routes_apply(vm);
	}
	pthread_mutex_unlock(&irqs->lock);
	return err;
}

static int irqfd_ioctl(struct vm *vm, struct kvm_irqfd irqfd)
{
	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

int irqfd_attach(struct vm *vm, int fd, u32 gsi, int resamplefd)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi };
	int err;

	if (resamplefd >= 0) {
		irqfd.resamplefd = resamplefd;
		irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
	}
	err = irqfd_ioctl(vm, irqfd);
	if (err) {
		log_error("KVM_IRQFD for interrupt %u: %s; %s, or give fewer disks or queues",
			  gsi, strerror(-err), kvm_remedy(err));
		return err;
	}
	/*
	 * KVM has delivered what was pending, but leaves the counter as it was:
	 * clear it, lest the next event_pending() tells of it again.  A signal
	 * that comes now goes to KVM first, and is not lost.
	 */
	event_clear(fd);
	return 0;
}

void irqfd_detach(struct vm *vm, int fd, u32 gsi)
{
	irqfd_ioctl(vm, (struct kvm_irqfd){
				.fd = fd,
				.gsi = gsi,
				.flags = KVM_IRQFD_FLAG_DEASSIGN,
			});
}
