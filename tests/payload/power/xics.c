// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the interrupt controller alone: what interrupts which vCPU, and when.
 */
#include "virtio.h"

#define SOURCE_NONE 4000

/* A request is there until it is taken back; its source is always 2. */
static void case_ipi(void)
{
	u32 x;

	CHECK_EQ(xirr(), ALL << 24);	/* none */
	CHECK_EQ(ipi(0, 5), H_SUCCESS);
	x = xirr();
	CHECK_EQ(x, ALL << 24 | IPI);
	CHECK_EQ(xirr(), 5 << 24);	/* it is being served */
	eoi(x);
	CHECK_EQ(xirr(), ALL << 24 | IPI);	/* and still wanted */
	CHECK_EQ(ipi(0, ALL), H_SUCCESS);
	eoi(x);
	CHECK(quiet());
	CHECK_EQ(ipi(2, 5), H_PARAMETER);	/* no such CPU */
	CHECK_EQ(ipi(~0ull, 5), H_PARAMETER);
}

/* The lower the number, the more urgent; what is not more urgent waits. */
static void case_priorities(void)
{
	u32 x, y;

	cppr(5);
	CHECK_EQ(ipi(0, 5), H_SUCCESS);
	CHECK_EQ(xirr(), 5 << 24);
	cppr(6);
	x = xirr();
	CHECK_EQ(x, 6 << 24 | IPI);
	CHECK_EQ(ipi(0, 5), H_SUCCESS);	/* as urgent as what is served */
	CHECK_EQ(xirr(), 5 << 24);
	CHECK_EQ(ipi(0, 4), H_SUCCESS);
	y = xirr();
	CHECK_EQ(y, 5 << 24 | IPI);
	CHECK_EQ(ipi(0, ALL), H_SUCCESS);
	eoi(y);
	CHECK_EQ(xirr(), 5 << 24);
	eoi(x);
	CHECK_EQ(xirr(), 6 << 24);
	cppr(0);
	CHECK_EQ(ipi(0, 1), H_SUCCESS);
	CHECK_EQ(xirr(), 0);
	cppr(ALL);
	CHECK_EQ(xirr(), ALL << 24 | IPI);
}

/* Out of its sleep, by its own vector; nobody else is disturbed. */
static void case_other_cpu(void)
{
	other_begin(NULL);
	for (u32 i = 1; i <= 100; i++) {
		CHECK_EQ(ipi(1, 5), H_SUCCESS);
		CHECK(WAIT(other.count == i));
		CHECK_EQ(other.source, IPI);
	}
	CHECK(quiet());
	CHECK_EQ(other.count, 100);
}

static void check_xive(u32 source, u32 server, u32 priority)
{
	u32 ret[2];

	CHECK_EQ(rtas("ibm,get-xive", ARGS(source), ret, 2), 0);
	CHECK_EQ(ret[0], server);
	CHECK_EQ(ret[1], priority);
}

static s32 source_switch(const char *service, u32 source)
{
	return rtas(service, ARGS(source), NULL, 0);
}

/* Have source @s fire, while nobody may hear of it. */
static void fire(void)
{
	queue_add(&disk.queue[0], 1);
	queue_kick(&disk.queue[0]);
	CHECK(queue_wait(&disk.queue[0]));
	CHECK(quiet());
}

/* A source that is off keeps what came; on again, it delivers that. */
static void case_sources(void)
{
	u32 s;

	disk_start(true);
	s = disk.source[1];
	check_xive(s, 0, ALL);		/* off is what it begins with */
	msix_mask(1, false);
	fire();
	CHECK_EQ(set_xive(s, 0, 5), 0);
	check_xive(s, 0, 5);
	CHECK_EQ(take(), s);
	CHECK(quiet());

	CHECK_EQ(source_switch("ibm,int-off", s), 0);
	check_xive(s, 0, ALL);
	fire();
	CHECK_EQ(source_switch("ibm,int-on", s), 0);
	check_xive(s, 0, 5);
	CHECK_EQ(take(), s);

	cppr(5);			/* held back by its priority alone */
	fire();
	cppr(6);
	CHECK_EQ(xirr(), 6 << 24 | s);
	eoi(6u << 24 | s);
	cppr(ALL);

	other_begin(NULL);			/* and sent elsewhere */
	CHECK_EQ(set_xive(s, 1, 5), 0);
	fire();
	CHECK(WAIT(other.count));
	CHECK_EQ(other.source, s);
	CHECK_EQ(other.count, 1);

	CHECK_EQ(set_xive(SOURCE_NONE, 0, 5), RTAS_PARAMETER);
	CHECK_EQ(set_xive(s, 2, 5), RTAS_PARAMETER);
	CHECK_EQ(source_switch("ibm,int-on", SOURCE_NONE), RTAS_PARAMETER);
	CHECK_EQ(source_switch("ibm,int-off", ~0u), RTAS_PARAMETER);
	check_xive(s, 1, 5);
}

const struct payload_case xics_cases[] = {
	{ "ipi", case_ipi },
	{ "priorities", case_priorities },
	{ "other_cpu", case_other_cpu },
	{ "sources", case_sources },
	{ NULL, NULL },
};
