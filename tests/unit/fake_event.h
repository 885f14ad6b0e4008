/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm/event.h without KVM: fake_event.c defines all of it, so that a test that
 * links it never reaches the library's own.  Eventfds are real; what KVM would
 * do with them is done here: a signal on a connected irqfd becomes a delivery
 * of its GSI, and a guest's write to a kick address a signal.
 */
#ifndef LKVM_TESTS_FAKE_EVENT_H
#define LKVM_TESTS_FAKE_EVENT_H

#include "kvm/event.h"

#define FAKE_KICKS_MAX 1024
#define FAKE_PORT (1ULL << 63)
#define FAKE_VALUE(v) (((v) + 1ULL) << 48)	/* a kick of one value */
#define FAKE_IRQFDS_MAX 4096
#define FAKE_GSIS_MAX 4096
#define FAKE_SENT_MAX 4096
#define FAKE_GSI_BASE 24	/* the first of irq_msi_alloc() */

struct fake_kvm {
	pthread_mutex_t lock;

	unsigned int nkicks;
	struct fake_kick {
		int fd;
		u64 gpa;	/* or FAKE_PORT | port; and FAKE_VALUE() */
	} kick[FAKE_KICKS_MAX];
	unsigned int attaches;		/* kick_attach() that succeeded */
	unsigned int bad_detaches;	/* of what was not attached */

	unsigned int nirqfds;
	struct fake_irqfd {
		int fd;
		int resamplefd;
		u32 gsi;
	} irqfd[FAKE_IRQFDS_MAX];

	u32 next_gsi;
	struct fake_gsi {
		bool routed;
		u64 addr;
		u32 data;
		unsigned int delivered;
		bool level;		/* asserted, not ended */
	} gsi[FAKE_GSIS_MAX];
	void (*on_delivery)(u32 gsi);	/* lock held */
	unsigned int routes;		/* calls of irq_msi_route() */
	unsigned int nsent;		/* messages, the first of them here: */
	struct fake_message {
		u64 addr;
		u32 data;
	} sent[FAKE_SENT_MAX];

	/* What KVM refuses, as negative errnos. */
	int refuse_kick;
	int refuse_irqfd;
	int refuse_route;
	u32 max_gsi;			/* 0: FAKE_GSIS_MAX */
};

extern struct fake_kvm fake_kvm;

void fake_kvm_reset(void);

/* A guest's write to @gpa: whether an ioeventfd took it. */
bool fake_kick(u64 gpa);
/* Whether @fd is attached at @gpa. */
bool fake_kick_at(int fd, u64 gpa);
/* The GSI that @fd is connected to, or -1. */
int fake_gsi_of(int fd);
/* How often the message @addr, @data was sent so far. */
unsigned int fake_sent(u64 addr, u32 data);
/* The guest ends the level interrupt @gsi. */
void fake_eoi(u32 gsi);

#endif
