// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm/event.h without KVM: see fake_event.h.
 */
#include "fake_event.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fake_kvm fake_kvm = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.next_gsi = FAKE_GSI_BASE,
};

void fake_kvm_reset(void)
{
	fake_kvm = (struct fake_kvm){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.next_gsi = FAKE_GSI_BASE,
	};
}

/* --- eventfds ------------------------------------------------------------ */

int event_new(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Lock held. */
static struct fake_irqfd *fake_find_irqfd(int fd)
{
	for (unsigned int i = 0; i < fake_kvm.nirqfds; i++)
		if (fake_kvm.irqfd[i].fd == fd)
			return &fake_kvm.irqfd[i];
	return NULL;
}

/* Lock held.  An edge counts each time, a level until it is ended. */
static void fake_deliver(const struct fake_irqfd *irqfd)
{
	struct fake_gsi *gsi = &fake_kvm.gsi[irqfd->gsi];

	if (irqfd->resamplefd < 0 || !gsi->level)
		gsi->delivered++;
	gsi->level = irqfd->resamplefd >= 0;
	if (fake_kvm.on_delivery)
		fake_kvm.on_delivery(irqfd->gsi);
	if (!gsi->routed)
		return;
	if (fake_kvm.nsent < FAKE_SENT_MAX)
		fake_kvm.sent[fake_kvm.nsent] =
			(struct fake_message){ gsi->addr, gsi->data };
	fake_kvm.nsent++;
}

static void fake_signal(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void event_signal(int fd)
{
	struct fake_irqfd *irqfd;

	pthread_mutex_lock(&fake_kvm.lock);
	irqfd = fake_find_irqfd(fd);
	if (irqfd)
		fake_deliver(irqfd);
	else
		fake_signal(fd);
	pthread_mutex_unlock(&fake_kvm.lock);
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
		return;
}

/* --- kicks --------------------------------------------------------------- */

static struct fake_kick *fake_find_kick(int fd, u64 gpa)
{
	for (unsigned int i = 0; i < fake_kvm.nkicks; i++)
		if (fake_kvm.kick[i].gpa == gpa &&
		    (fd < 0 || fake_kvm.kick[i].fd == fd))
			return &fake_kvm.kick[i];
	return NULL;
}

static u64 fake_kick_address(struct kick_address at)
{
	u64 value = at.matched ? FAKE_VALUE(at.value) : 0;

	return (at.port ? FAKE_PORT | at.addr : at.addr) | value;
}

int kick_attach(struct vm *vm, int fd, struct kick_address at)
{
	u64 gpa = fake_kick_address(at);

	(void)vm;
	if (fake_kvm.refuse_kick)
		return fake_kvm.refuse_kick;
	if (fake_find_kick(-1, gpa))
		return -EEXIST;
	if (fake_kvm.nkicks == FAKE_KICKS_MAX)
		return -ENOSPC;
	fake_kvm.kick[fake_kvm.nkicks++] = (struct fake_kick){ fd, gpa };
	fake_kvm.attaches++;
	return 0;
}

void kick_detach(struct vm *vm, int fd, struct kick_address at)
{
	struct fake_kick *k = fake_find_kick(fd, fake_kick_address(at));

	(void)vm;
	if (k)
		*k = fake_kvm.kick[--fake_kvm.nkicks];
	else
		fake_kvm.bad_detaches++;
}

bool fake_kick(u64 gpa)
{
	struct fake_kick *k = fake_find_kick(-1, gpa);

	if (k)
		fake_signal(k->fd);
	return k;
}

bool fake_kick_at(int fd, u64 gpa)
{
	return fake_find_kick(fd, gpa);
}

/* --- interrupts ---------------------------------------------------------- */

int irq_routes_init(struct vm *vm)
{
	(void)vm;
	return 0;
}

void irq_routes_exit(struct vm *vm)
{
	(void)vm;
}

int irq_msi_alloc(struct vm *vm)
{
	u32 max = fake_kvm.max_gsi ? fake_kvm.max_gsi : FAKE_GSIS_MAX;

	(void)vm;
	return fake_kvm.next_gsi < max ? (int)fake_kvm.next_gsi++ : -ENOSPC;
}

int irq_msi_route(struct vm *vm, u32 gsi, u64 addr, u32 data)
{
	struct fake_gsi *g = &fake_kvm.gsi[gsi];

	(void)vm;
	fake_kvm.routes++;
	if (fake_kvm.refuse_route)
		return fake_kvm.refuse_route;
	g->routed = true;
	g->addr = addr;
	g->data = data;
	return 0;
}

int irqfd_attach(struct vm *vm, int fd, u32 gsi, int resamplefd)
{
	struct fake_irqfd *irqfd;

	(void)vm;
	if (fake_kvm.refuse_irqfd)
		return fake_kvm.refuse_irqfd;
	pthread_mutex_lock(&fake_kvm.lock);
	if (fake_find_irqfd(fd) || fake_kvm.nirqfds == FAKE_IRQFDS_MAX) {
		pthread_mutex_unlock(&fake_kvm.lock);
		return -EBUSY;
	}
	irqfd = &fake_kvm.irqfd[fake_kvm.nirqfds++];
	*irqfd = (struct fake_irqfd){ fd, resamplefd, gsi };
	if (event_pending(fd))
		fake_deliver(irqfd);
	event_clear(fd);
	pthread_mutex_unlock(&fake_kvm.lock);
	return 0;
}

void irqfd_detach(struct vm *vm, int fd, u32 gsi)
{
	struct fake_irqfd *irqfd;

	(void)vm;
	pthread_mutex_lock(&fake_kvm.lock);
	irqfd = fake_find_irqfd(fd);
	if (irqfd && irqfd->gsi == gsi) {
		if (irqfd->resamplefd >= 0)	/* as KVM does: it falls */
			fake_kvm.gsi[gsi].level = false;
		*irqfd = fake_kvm.irqfd[--fake_kvm.nirqfds];
	} else {
		fake_kvm.bad_detaches++;
	}
	pthread_mutex_unlock(&fake_kvm.lock);
}

int fake_gsi_of(int fd)
{
	struct fake_irqfd *irqfd = fake_find_irqfd(fd);

	return irqfd ? (int)irqfd->gsi : -1;
}

unsigned int fake_sent(u64 addr, u32 data)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < fake_kvm.nsent && i < FAKE_SENT_MAX; i++)
		if (fake_kvm.sent[i].addr == addr &&
		    fake_kvm.sent[i].data == data)
			n++;
	return n;
}

void fake_eoi(u32 gsi)
{
	fake_kvm.gsi[gsi].level = false;
	for (unsigned int i = 0; i < fake_kvm.nirqfds; i++) {
		const struct fake_irqfd *irqfd = &fake_kvm.irqfd[i];

		if (irqfd->gsi == gsi && irqfd->resamplefd >= 0)
			fake_signal(irqfd->resamplefd);
	}
}
