// SPDX-License-Identifier: GPL-2.0-only
/*
 * A POWER vCPU: its state before the first instruction, its hypervisor calls,
 * and how one vCPU starts and stops others.
 *
 * Only the boot vCPU runs at first.  A stopped one's thread sleeps in user space
 * until another thread has set its registers and wakes it; what it does is
 * always told by its state, which changes atomically.
 */
#include "arch.h"
#include "inspect.h"
#include "barrier.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/*
 * 64-bit, big endian, translation off: how Linux expects to be entered (its
 * arch/powerpc/kernel/head_64.S); a little-endian one switches by itself.
 */
#define MSR_SF (1ULL << 63)
#define MSR_ME (1ULL << 12)
#define MSR_ENTRY (MSR_SF | MSR_ME)
#define EPAPR_MAGIC 0x65504150

struct spapr_cpus {
	pthread_mutex_t lpcr_lock;	/* read, change, write: one at a time */
	struct spapr_cpu {
		u32 state;		/* enum spapr_cpu_state */
		sem_t start;		/* once for each start */
	} cpu[];
};

int spapr_cpus_new(struct vm *vm)
{
	struct spapr_cpus *cpus =
		calloc(1, sizeof(*cpus) + vm->ncpus * sizeof(cpus->cpu[0]));

	if (!cpus)
		return log_no_memory();
	pthread_mutex_init(&cpus->lpcr_lock, NULL);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		cpus->cpu[i].state = SPAPR_CPU_STOPPED;
		sem_init(&cpus->cpu[i].start, 0, 0);
	}
	vm->arch->cpus = cpus;
	return 0;
}

void spapr_cpus_free(struct vm *vm)
{
	struct spapr_cpus *cpus = vm->arch->cpus;

	if (!cpus)
		return;
	for (unsigned int i = 0; i < vm->ncpus; i++)
		sem_destroy(&cpus->cpu[i].start);
	pthread_mutex_destroy(&cpus->lpcr_lock);
	free(cpus);
}

static struct spapr_cpu *spapr_cpu(const struct vcpu *vcpu)
{
	return &vcpu->vm->arch->cpus->cpu[vcpu->id];
}

/* --- registers ----------------------------------------------------------- */

static int one_reg(struct vcpu *vcpu, unsigned long request, u64 id, u64 *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (u64)(uintptr_t)value };

	return ioctl(vcpu->fd, request, &reg) < 0 ? -errno : 0;
}

/*
 * All registers that it begins with: what is not named is zero.  r6 and r7 are
 * for a zImage (ePAPR 1.1, 5.4.1); a vmlinux, or a CPU started later, looks at neither.
 */
static int vcpu_set_entry(struct vcpu *vcpu, u64 pc, u64 r3, u64 area)
{
	struct kvm_regs regs = {
		.pc = pc,
		.msr = MSR_ENTRY,
		.gpr[3] = r3,
		.gpr[6] = EPAPR_MAGIC,
		.gpr[7] = area,
	};

	return ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

/*
 * A guest of this kind makes hypervisor calls.  Its processor is the host's:
 * KVM-HV has set that up, and lets no guest have another.
 */
int arch_vcpu_init(struct vcpu *vcpu)
{
	struct kvm_enable_cap papr = { .cap = KVM_CAP_PPC_PAPR };
	int err;

	if (ioctl(vcpu->fd, KVM_ENABLE_CAP, &papr) < 0) {
		err = -errno;
		log_error("--cpus %u: KVM cannot make vCPU %u a pseries one: %s; use KVM-HV (modprobe kvm_hv)",
			  vcpu->vm->ncpus, vcpu->id, strerror(-err));
		return err;
	}
	return xics_connect(vcpu);
}

static int vcpu_change_lpcr(struct vcpu *vcpu, u64 mask, u64 value)
{
	u64 lpcr;
	int err = one_reg(vcpu, KVM_GET_ONE_REG, KVM_REG_PPC_LPCR_64, &lpcr);

	if (err)
		return err;
	lpcr = (lpcr & ~mask) | (value & mask);
	return one_reg(vcpu, KVM_SET_ONE_REG, KVM_REG_PPC_LPCR_64, &lpcr);
}

/*
 * On the thread of a vCPU that makes a hypervisor call.  KVM serves an ioctl for
 * a vCPU when that has left the guest, which may be never: each one is called
 * out in turn.  It is the same for those who sleep, or do not run yet.
 */
int spapr_lpcr_set(struct vm *vm, u64 mask, u64 value)
{
	struct spapr_cpus *cpus = vm->arch->cpus;
	int err = 0;

	pthread_mutex_lock(&cpus->lpcr_lock);
	for (unsigned int i = 0; !err && i < vm->ncpus; i++) {
		vcpu_pause(vm->vcpus[i]);
		err = vcpu_change_lpcr(vm->vcpus[i], mask, value);
		vcpu_resume(vm->vcpus[i]);
	}
	pthread_mutex_unlock(&cpus->lpcr_lock);
	return err;
}

/* --- start and stop ------------------------------------------------------ */

int spapr_cpu_state(struct vm *vm, u32 id)
{
	if (id >= vm->ncpus)
		return -1;
	return (int)load_acquire(&vm->arch->cpus->cpu[id].state);
}

int spapr_cpu_boot(struct vm *vm, u64 pc, u64 fdt, u64 area)
{
	int err = vcpu_set_entry(vm->vcpus[0], pc, fdt, area);

	if (err) {
		log_error("KVM cannot set the boot vCPU's registers: %s; look into this host's dmesg",
			  strerror(-err));
		return err;
	}
	vm->arch->cpus->cpu[0].state = SPAPR_CPU_RUNNING;
	sem_post(&vm->arch->cpus->cpu[0].start);
	return 0;
}

/* Who takes it from stopped to running has its registers to himself. */
int spapr_cpu_start(struct vm *vm, u32 id, u64 pc, u64 r3)
{
	u32 stopped = SPAPR_CPU_STOPPED;
	struct spapr_cpu *cpu;

	if (id >= vm->ncpus)
		return RTAS_PARAMETER;
	cpu = &vm->arch->cpus->cpu[id];
	if (!__atomic_compare_exchange_n(&cpu->state, &stopped,
					 SPAPR_CPU_RUNNING, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return RTAS_HARDWARE;
	if (vcpu_set_entry(vm->vcpus[id], pc, r3, 0)) {
		store_release(&cpu->state, SPAPR_CPU_STOPPED);
		return RTAS_HARDWARE;
	}
	sem_post(&cpu->start);
	return RTAS_SUCCESS;
}

void spapr_cpu_stop_self(struct vm *vm, unsigned int cpu)
{
	store_release(&vm->arch->cpus->cpu[cpu].state, SPAPR_CPU_STOPPING);
}

/* Not for the state: that is "running" before the registers are set. */
void arch_vcpu_wait(struct vcpu *vcpu)
{
	while (!vm_ended(vcpu->vm) && sem_wait(&spapr_cpu(vcpu)->start))
		;	/* a signal: look again */
}

/*
 * KVM writes the results of a call into the registers when it is entered next,
 * which must not be after others have set them: enter it for that alone.
 */
static void vcpu_finish_hcall(struct vcpu *vcpu)
{
	vcpu_pause(vcpu);
	ioctl(vcpu->fd, KVM_RUN, 0);
	vcpu_resume(vcpu);
}

static void vcpu_stop(struct vcpu *vcpu)
{
	vcpu_finish_hcall(vcpu);
	store_release(&spapr_cpu(vcpu)->state, SPAPR_CPU_STOPPED);
	arch_vcpu_wait(vcpu);
}

/* Its time base runs on while it is paused: nothing to tell. */
void arch_vcpu_resumed(struct vcpu *vcpu)
{
	(void)vcpu;
}

/* --- exits --------------------------------------------------------------- */

bool arch_vcpu_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->exit_reason != KVM_EXIT_PAPR_HCALL)
		return false;
	run->papr_hcall.ret = hcall(vcpu->vm, vcpu->id, run->papr_hcall.nr,
				    run->papr_hcall.args);
	if (spapr_cpu_state(vcpu->vm, vcpu->id) == SPAPR_CPU_STOPPING)
		vcpu_stop(vcpu);
	return true;
}

int arch_vcpu_inspect(const struct vcpu *vcpu, const struct inspector *to)
{
	static const char *const names[32] = {
		"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9",
		"r10", "r11", "r12", "r13", "r14", "r15", "r16", "r17", "r18",
		"r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27",
		"r28", "r29", "r30", "r31",
	};
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return -errno;
	inspect(to, "pc", regs.pc);
	inspect(to, "msr", regs.msr);
	inspect(to, "lr", regs.lr);
	inspect(to, "ctr", regs.ctr);
	inspect(to, "cr", regs.cr);
	inspect(to, "xer", regs.xer);
	inspect(to, "srr0", regs.srr0);
	inspect(to, "srr1", regs.srr1);
	for (unsigned int i = 0; i < 32; i++)
		inspect(to, names[i], regs.gpr[i]);
	return 0;
}
