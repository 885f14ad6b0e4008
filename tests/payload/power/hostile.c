// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of calls that are wrong: each gets its error, and harms nobody.
 */
#include "virtio.h"

#define CONFIG "ibm,read-pci-config"
#define CHANGE "ibm,change-msi"
#define QUERY "ibm,query-interrupt-source-number"

static s32 call(const char *name, const u32 *args, u32 nargs)
{
	u32 rets[2];

	return rtas(name, args, nargs, rets, 2);
}

/* At the end a disk still works. */
static void finish(void)
{
	disk_start(true);
	queue_add(&disk.queue[0], 1);
	queue_kick(&disk.queue[0]);
	CHECK(queue_wait(&disk.queue[0]));
}

static void case_hcalls(void)
{
	u64 args[4] = { TERMINAL + 1, ~0ull };

	CHECK_EQ(hcall(H_PUT_TERM_CHAR, TERMINAL, 17, 0, 0), H_PARAMETER);
	CHECK_EQ(hcall(H_PUT_TERM_CHAR, TERMINAL, 1ull << 63, 0, 0), H_PARAMETER);
	CHECK_EQ(hcall(H_PUT_TERM_CHAR, TERMINAL, ~0ull, 0, 0), H_PARAMETER);
	CHECK_EQ(hcall(H_PUT_TERM_CHAR, TERMINAL + 1, 1, 0, 0), H_PARAMETER);
	CHECK_EQ((s64)hcall4(H_GET_TERM_CHAR, args), H_PARAMETER);
	CHECK_EQ(args[0], 0);
	CHECK_EQ(hcall(0xfffc, 0, 0, 0, 0), H_FUNCTION);
	CHECK_EQ(hcall(~0ull & ~3ull, 0, 0, 0, 0), H_FUNCTION);
	finish();
}

static void case_config(void)
{
	u32 ones = 0;

	CHECK_EQ(call(CONFIG, ARGS(0, 0, 0, 4)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0, BUID, 0)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0, BUID, 3)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0, BUID, 8)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0, BUID, ~0u)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(2, BUID, 4)), RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0xff, BUID, 2)), RTAS_PARAMETER);
	CHECK_EQ(call("ibm,write-pci-config", ARGS(0xfd, BUID, 4, ~0u)),
		 RTAS_PARAMETER);
	CHECK_EQ(call(CONFIG, ARGS(0, BUID)), RTAS_PARAMETER);	/* too few */
	/* A function, a bus and registers that are not there. */
	CHECK_EQ(rtas(CONFIG, ARGS(31 << 11, BUID, 4), &ones, 1), 0);
	CHECK_EQ(ones, ~0u);
	CHECK_EQ(rtas(CONFIG, ARGS(0x00ff0000, BUID, 4), &ones, 1), 0);
	CHECK_EQ(ones, ~0u);
	CHECK_EQ(rtas(CONFIG, ARGS(0xf00008fc, BUID, 4), &ones, 1), 0);
	CHECK_EQ(ones, ~0u);
	CHECK_EQ(rtas("ibm,write-pci-config", ARGS(0xf00008fc, BUID, 4, 0), NULL, 0),
		 0);
	finish();
}

static void case_msi_services(void)
{
	u32 ret[2], addr;

	CHECK_EQ(call(CHANGE, ARGS(31 << 11, BUID, 4, 1, 1)), RTAS_PARAMETER);
	CHECK_EQ(call(CHANGE, ARGS(0, BUID, 4, 1, 1)), RTAS_PARAMETER);	/* bridge */
	CHECK_EQ(call(CHANGE, ARGS(1 << 16, BUID, 4, 1, 1)), RTAS_PARAMETER);
	CHECK_EQ(call(QUERY, ARGS(31 << 11, BUID, 0)), RTAS_PARAMETER);
	finish();
	addr = disk.slot << 11;
	CHECK_EQ(call(CHANGE, ARGS(addr, 0, 0, 4, 1, 1)), RTAS_PARAMETER);
	CHECK_EQ(call(CHANGE, ARGS(addr, BUID, 9, 1, 1)), RTAS_PARAMETER);
	CHECK_EQ(call(CHANGE, ARGS(addr | 1 << 8, BUID, 4, 1, 1)), RTAS_PARAMETER);
	CHECK_EQ(rtas(CHANGE, ARGS(addr, BUID, 4, ~0u, 1), ret, 2), 0);
	CHECK_EQ(ret[0], VECTORS);
	CHECK_EQ(call(QUERY, ARGS(addr, BUID, VECTORS)), 1);
	CHECK_EQ(call(QUERY, ARGS(addr, BUID, ~0u)), 1);
	/* A source that is not a message's: the console's. */
	write32(disk.msix_table + 8, 16);
	CHECK_EQ(call(QUERY, ARGS(addr, BUID, 0)), RTAS_HARDWARE);
	CHECK_EQ(call(CHANGE, ARGS(addr, BUID, 4, 1, 1)), RTAS_HARDWARE);
	write32(disk.msix_table + 8, ~0u);
	CHECK_EQ(call(QUERY, ARGS(addr, BUID, 0)), RTAS_HARDWARE);
	write32(disk.msix_table + 8, disk.source[0]);
	finish();
}

static void case_cpus(void)
{
	u32 state = 9;

	CHECK_EQ(call("start-cpu", ARGS(0, 0, 0)), RTAS_HARDWARE);	/* runs */
	CHECK_EQ(call("start-cpu", ARGS(2, 0, 0)), RTAS_PARAMETER);
	CHECK_EQ(call("start-cpu", ARGS(~0u, 0, 0)), RTAS_PARAMETER);
	CHECK_EQ(call("query-cpu-stopped-state", ARGS(2)), RTAS_PARAMETER);
	CHECK_EQ(call("query-cpu-stopped-state", ARGS(~0u)), RTAS_PARAMETER);
	CHECK_EQ(rtas("query-cpu-stopped-state", ARGS(1), &state, 1), 0);
	CHECK_EQ(state, 0);
	other_begin(NULL);
	CHECK_EQ(call("start-cpu", ARGS(1, 0, 0)), RTAS_HARDWARE);
	CHECK_EQ(ipi(1, 5), H_SUCCESS);
	CHECK(WAIT(other.count == 1));
	finish();
}

/*
 * KVM looks at each block before lkvm does, and calls one that it cannot read
 * the end of the guest; what it passes on has counts that fit.
 */
static void case_rtas(void)
{
	struct {
		u32 token, nargs, nret, cell[16];
	} block = { ~0u, 0, 1, { 0 } };

	CHECK_EQ(hcall(H_RTAS, (u64)&block, 0, 0, 0), H_SUCCESS);
	CHECK_EQ((s32)block.cell[0], RTAS_PARAMETER);
	block.nret = 0;
	CHECK_EQ(hcall(H_RTAS, (u64)&block, 0, 0, 0), H_PARAMETER);
	block.nargs = 15;
	block.nret = 2;
	CHECK_EQ(hcall(H_RTAS, (u64)&block, 0, 0, 0), H_PARAMETER);
	block.nret = ~0u;
	CHECK_EQ(hcall(H_RTAS, (u64)&block, 0, 0, 0), H_PARAMETER);
	/* The top bits are nothing to KVM. */
	block.nargs = 0;
	block.nret = 1;
	for (u32 bit = 60; bit < 64; bit++)
		CHECK_EQ(hcall(H_RTAS, (u64)&block | 1ull << bit, 0, 0, 0),
			 H_PARAMETER);
	finish();
}

static void case_rtas_nowhere(void)
{
	hcall(H_RTAS, 1ull << 40, 0, 0, 0);
}

static void case_rtas_counts(void)
{
	u32 block[19] = { 1, ~0u, ~0u };

	hcall(H_RTAS, (u64)block, 0, 0, 0);
}

static volatile bool enough;

/* MSI-X, INTx and the vector's source: on, off and elsewhere. */
static void hammer(void)
{
	u32 addr = disk.slot << 11, ret[2];

	for (u32 i = 0; !enough; i++) {
		pci_write(disk.slot, disk.msix + 2, i % 4 << 14, 2);
		pci_write(disk.slot, PCI_COMMAND,
			  COMMAND_ON | (i & 8 ? COMMAND_INTX_DISABLE : 0), 2);
		CHECK_EQ(rtas(CHANGE, ARGS(addr, BUID, 4, i % 5, 1), ret, 2), 0);
		CHECK_EQ(set_xive(disk.source[1], i % 2, 5), 0);
		CHECK_EQ(rtas("ibm,int-off", ARGS(disk.source[1]), NULL, 0), 0);
		CHECK_EQ(rtas("ibm,int-on", ARGS(disk.source[1]), NULL, 0), 0);
	}
}

/* Requests are served all the while, and interrupts come when it is over. */
static void case_meanwhile(void)
{
	disk_start(true);
	msix_mask(1, false);
	other_begin(hammer);
	for (u32 i = 0; i < 200; i++) {
		queue_add(&disk.queue[0], 16);
		queue_kick(&disk.queue[0]);
		CHECK_EQ(pci_read(disk.slot, 0, 2), 0x1af4);
		CHECK(queue_wait(&disk.queue[0]));
	}
	enough = true;
	CHECK(WAIT(other.idle));
	disk_start(true);
	CHECK_EQ(set_xive(disk.source[1], 0, 5), 0);
	msix_mask(1, false);
	while (!quiet())
		;		/* what was pending */
	queue_add(&disk.queue[0], 1);
	queue_kick(&disk.queue[0]);
	CHECK(WAIT(take() == disk.source[1]));
	CHECK(quiet());
}

const struct payload_case hostile_cases[] = {
	{ "hcalls", case_hcalls },
	{ "config", case_config },
	{ "msi_services", case_msi_services },
	{ "cpus", case_cpus },
	{ "rtas", case_rtas },
	{ "meanwhile", case_meanwhile },
	{ "rtas_nowhere", case_rtas_nowhere },
	{ "rtas_counts", case_rtas_counts },
	{ NULL, NULL },
};
