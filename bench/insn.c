// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU TCG plugin: which instructions the emulated host executes between two
 * marks, apart by who executes them.
 *
 *	-plugin insn.so,out=PATH
 *
 * A mark is the no-op of mark.h, executed by anybody in the machine.  Each one
 * makes PATH anew, with a line "WHO ADDRESS INSTRUCTIONS" for each block of code
 * that ran since the mark before; WHO is host_user, host_kernel, guest_user or
 * guest_kernel.  Bit 63 of an address tells kernel from user; VMRUN and the address
 * behind it, where #VMEXIT continues, tell guest from host.
 *
 * Callbacks run on the emulator's vCPU threads, each on counters of its own; a
 * mark reads those of the others while they run.
 *
 * Debian's QEMU has plugins but ships no header: what is needed of API version
 * 1 (QEMU 4.2 to 8.2) is declared here.
 */
#include "mark.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VCPUS_MAX 64
#define BLOCKS_MAX (8u << 20)	/* a guest's boot has some 100,000 */
#define RETURNS_MAX 8		/* KVM has two VMRUNs */

struct qemu_plugin_tb;
struct qemu_plugin_insn;

void qemu_plugin_register_vcpu_tb_trans_cb(
	uint64_t id, void (*cb)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_init_cb(
	uint64_t id, void (*cb)(uint64_t id, unsigned int vcpu));
void qemu_plugin_register_vcpu_tb_exec_cb(
	struct qemu_plugin_tb *tb, void (*cb)(unsigned int vcpu, void *data),
	int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(
	struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int vcpu, void *data), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

/*
 * Blocks of code in the order of their translation, which several vCPUs may do
 * at a time: the lock guards what it changes.  Memory that is not used costs
 * nothing.
 */
static pthread_mutex_t translation = PTHREAD_MUTEX_INITIALIZER;
static struct block {
	uint64_t address;
	uint64_t insns;
	uint64_t before[2];	/* runs until the last mark: host, guest */
} blocks[BLOCKS_MAX];
static uint32_t nblocks;

static struct vcpu {
	uint64_t (*runs)[2];	/* of each block: host, guest */
	bool guest;
} __attribute__((aligned(128))) vcpus[VCPUS_MAX];

static const char *out;
/* Where #VMEXIT continues. */
static uint64_t returns[RETURNS_MAX];
static unsigned int nreturns;

static void ran(unsigned int vcpu, void *data)
{
	struct vcpu *v = &vcpus[vcpu];

	v->runs[(uintptr_t)data][v->guest]++;
}

/* A block that ends with VMRUN. */
static void enter(unsigned int vcpu, void *data)
{
	ran(vcpu, data);
	vcpus[vcpu].guest = true;
}

/* The block behind VMRUN. */
static void leave(unsigned int vcpu, void *data)
{
	vcpus[vcpu].guest = false;
	ran(vcpu, data);
}

/* Runs of a block since the last mark. */
static uint64_t grown(uint32_t block, bool guest)
{
	uint64_t sum = 0, before = blocks[block].before[guest];

	for (unsigned int i = 0; i < VCPUS_MAX; i++)
		if (vcpus[i].runs)
			sum += vcpus[i].runs[block][guest];
	blocks[block].before[guest] = sum;
	return sum - before;
}

static void mark(unsigned int vcpu, void *data)
{
	FILE *file = fopen(out, "w");
	uint32_t n;

	(void)vcpu;
	(void)data;
	if (!file)
		return;
	pthread_mutex_lock(&translation);
	n = nblocks;
	pthread_mutex_unlock(&translation);
	if (n == BLOCKS_MAX)
		fprintf(stderr, "insn.so: more than %u blocks of code, the rest is not counted\n", n);
	for (uint32_t i = 0; i < 2 * n; i++) {
		const struct block *b = &blocks[i / 2];
		uint64_t runs = grown(i / 2, i % 2);

		if (runs)
			fprintf(file, "%s_%s %016llx %llu\n",
				i % 2 ? "guest" : "host",
				b->address >> 63 ? "kernel" : "user",
				(unsigned long long)b->address,
				(unsigned long long)(runs * b->insns));
	}
	fclose(file);
}

static bool is(const struct qemu_plugin_insn *insn, const char *code,
	       size_t size)
{
	return qemu_plugin_insn_size(insn) == size &&
	       !memcmp(qemu_plugin_insn_data(insn), code, size);
}

static bool is_return(uint64_t address)
{
	for (unsigned int i = 0; i < nreturns; i++)
		if (returns[i] == address)
			return true;
	return false;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb), next = address;
	size_t n = qemu_plugin_tb_n_insns(tb);
	void (*cb)(unsigned int, void *) = ran;

	(void)id;
	pthread_mutex_lock(&translation);
	if (is_return(address))
		cb = leave;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		next += qemu_plugin_insn_size(insn);
		if (is(insn, MARK_CODE, sizeof(MARK_CODE) - 1))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, 0,
							       NULL);
		if (!is(insn, "\x0f\x01\xd8", 3))	/* VMRUN ends a block */
			continue;
		cb = enter;
		if (!is_return(next) && nreturns < RETURNS_MAX)
			returns[nreturns++] = next;
	}
	if (nblocks < BLOCKS_MAX) {
		blocks[nblocks].address = address;
		blocks[nblocks].insns = n;
		qemu_plugin_register_vcpu_tb_exec_cb(
			tb, cb, 0, (void *)(uintptr_t)nblocks++);
	}
	pthread_mutex_unlock(&translation);
}

static void vcpu_new(uint64_t id, unsigned int vcpu)
{
	(void)id;
	if (vcpu < VCPUS_MAX)
		vcpus[vcpu].runs = calloc(BLOCKS_MAX, sizeof(*vcpus->runs));
	if (vcpu >= VCPUS_MAX || !vcpus[vcpu].runs) {
		fprintf(stderr, "insn.so: no counters for CPU %u\n", vcpu);
		exit(1);
	}
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "insn.so: give out=PATH\n");
		return -1;
	}
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_init_cb(id, vcpu_new);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
