// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run-time services (LoPAPR chapter 7): the table of them, the few instructions
 * that the guest takes for firmware, and those services that fit here.
 *
 * The guest serializes its calls, but need not: all of them may come from all
 * vCPUs at once.  The argument block is read once, and results are written
 * back when the service is done.
 */
#include "kvm/vm.h"
#include "powerpc/spapr.h"
#include <string.h>
#include <time.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define RTAS_CELLS_MAX 16	/* Linux, struct rtas_args */

/* 7.2.7: what is before the inputs and outputs; cells of 32 bits, big endian. */
struct rtas_block {
	__be32 token;
	__be32 nargs;
	__be32 nret;
};

/* 7.3.2.2; UTC, as Linux expects it */
static int rtas_get_time_of_day(struct rtas_call *call)
{
	struct timespec now;
	struct tm tm;

	if (clock_gettime(CLOCK_REALTIME, &now) || !gmtime_r(&now.tv_sec, &tm))
		return RTAS_HARDWARE;
	call->rets[0] = (u32)tm.tm_year + 1900;
	call->rets[1] = (u32)tm.tm_mon + 1;
	call->rets[2] = (u32)tm.tm_mday;
	call->rets[3] = (u32)tm.tm_hour;
	call->rets[4] = (u32)tm.tm_min;
	call->rets[5] = (u32)tm.tm_sec;
	call->rets[6] = (u32)now.tv_nsec;
	return RTAS_SUCCESS;
}

/* 7.3.3.1; the only event there is, epow.c's, is an interrupt */
static int rtas_event_scan(struct rtas_call *call)
{
	(void)call;
	return RTAS_NO_EVENT;
}

/* 7.3.6.3; its arguments say what may switch power on again: nothing does */
static int rtas_power_off(struct rtas_call *call)
{
	vm_end(call->vm, VM_POWEROFF, 0);
	return RTAS_SUCCESS;
}

/* 7.3.7.1 */
static int rtas_system_reboot(struct rtas_call *call)
{
	vm_end(call->vm, VM_RESET, 0);
	return RTAS_SUCCESS;
}

/* 7.3.9.1: Linux calls it when it panics */
static int rtas_os_term(struct rtas_call *call)
{
	vm_end(call->vm, VM_PANIC, 0);
	return RTAS_SUCCESS;
}

/* 7.3.8.1 */
static int rtas_stop_self(struct rtas_call *call)
{
	spapr_cpu_stop_self(call->vm, call->cpu);
	return RTAS_SUCCESS;
}

/* 7.3.8.2: CPU, address, what it finds in r3 */
static int rtas_start_cpu(struct rtas_call *call)
{
	const u32 *args = call->args;

	return spapr_cpu_start(call->vm, args[0], args[1], args[2]);
}

/* 7.3.8.3 */
static int rtas_query_cpu_stopped_state(struct rtas_call *call)
{
	int state = spapr_cpu_state(call->vm, call->args[0]);

	if (state < 0)
		return RTAS_PARAMETER;
	call->rets[0] = (u32)state;
	return RTAS_SUCCESS;
}

/* KVM looks for its own by name, and never passes them up. */
const struct rtas_service rtas_services[] = {
	{ "get-time-of-day", rtas_get_time_of_day, 0, 7 },
	{ "event-scan", rtas_event_scan, 4, 0 },
	{ "check-exception", spapr_check_exception, 6, 0 },
	{ "get-sensor-state", spapr_get_sensor_state, 2, 1 },
	{ "power-off", rtas_power_off, 2, 0 },
	{ "system-reboot", rtas_system_reboot, 0, 0 },
	{ "ibm,os-term", rtas_os_term, 1, 0 },
	{ "stop-self", rtas_stop_self, 0, 0 },
	{ "start-cpu", rtas_start_cpu, 3, 0 },
	{ "query-cpu-stopped-state", rtas_query_cpu_stopped_state, 1, 1 },
	{ "read-pci-config", spapr_read_pci_config, 2, 1 },
	{ "write-pci-config", spapr_write_pci_config, 3, 0 },
	{ "ibm,read-pci-config", spapr_ibm_read_pci_config, 4, 1 },
	{ "ibm,write-pci-config", spapr_ibm_write_pci_config, 5, 0 },
	{ "ibm,change-msi", spapr_change_msi, 6, 2 },
	{ "ibm,query-interrupt-source-number", spapr_query_msi_source, 4, 2 },
	{ "ibm,set-xive", NULL, 3, 0 },
	{ "ibm,get-xive", NULL, 1, 2 },
	{ "ibm,int-on", NULL, 1, 0 },
	{ "ibm,int-off", NULL, 1, 0 },
};
const unsigned int rtas_nservices = ARRAY_SIZE(rtas_services);

/* The arguments are in r3; to KVM they go in r4, behind the hcall's number. */
const u8 rtas_blob[RTAS_BLOB_SIZE] = {
	0x7c, 0x64, 0x1b, 0x78,		/* mr   r4, r3 */
	0x3c, 0x60, 0x00, 0x00,		/* lis  r3, 0 */
	0x60, 0x63, 0xf0, 0x00,		/* ori  r3, r3, H_RTAS */
	0x44, 0x00, 0x00, 0x22,		/* sc   1 */
	0x4e, 0x80, 0x00, 0x20,		/* blr */
};

/* The service of @token, if the call's counts are right for it; else NULL. */
static const struct rtas_service *rtas_find(u32 token,
					    const struct rtas_call *call)
{
	const struct rtas_service *service;

	if (token - RTAS_TOKEN_BASE >= rtas_nservices)
		return NULL;
	service = &rtas_services[token - RTAS_TOKEN_BASE];
	if (!service->fn || call->nargs != service->nargs ||
	    call->nret < service->nret_min)
		return NULL;
	return service;
}

static int rtas_serve(u32 token, struct rtas_call *call)
{
	const struct rtas_service *service = rtas_find(token, call);

	return service ? service->fn(call) : RTAS_PARAMETER;
}

/* @cells: @nargs inputs, then @nret outputs, the first of which is the status. */
static void rtas_run(struct vm *vm, unsigned int cpu, u32 token, u8 *cells,
		     unsigned int nargs, unsigned int nret)
{
	__be32 raw[RTAS_CELLS_MAX];
	u32 args[RTAS_CELLS_MAX], rets[RTAS_CELLS_MAX] = { 0 };
	struct rtas_call call = {
		.vm = vm,
		.cpu = cpu,
		.nargs = nargs,
		.args = args,
		.nret = nret - 1,
		.rets = rets + 1,
	};

	memcpy(raw, cells, nargs * sizeof(raw[0]));
	for (unsigned int i = 0; i < nargs; i++)
		args[i] = be32_to_cpu(raw[i]);
	rets[0] = (u32)rtas_serve(token, &call);
	for (unsigned int i = 0; i < nret; i++)
		raw[i] = cpu_to_be32(rets[i]);
	memcpy(cells + nargs * sizeof(raw[0]), raw, nret * sizeof(raw[0]));
}

/* Without a block, or without a cell for the status, only r3 can tell. */
u64 rtas_hcall(struct vm *vm, unsigned int cpu, u64 gpa)
{
	const void *p = guest_ptr(&vm->mem, gpa, sizeof(struct rtas_block));
	struct rtas_block block;
	u32 nargs, nret;
	u8 *whole;

	if (!p)
		return H_PARAMETER;
	memcpy(&block, p, sizeof(block));
	nargs = be32_to_cpu(block.nargs);
	nret = be32_to_cpu(block.nret);
	if (!nret || nret > RTAS_CELLS_MAX || nargs > RTAS_CELLS_MAX - nret)
		return H_PARAMETER;
	whole = guest_ptr(&vm->mem, gpa,
			  sizeof(block) + (nargs + nret) * sizeof(__be32));
	if (!whole)
		return H_PARAMETER;
	rtas_run(vm, cpu, be32_to_cpu(block.token), whole + sizeof(block),
		 nargs, nret);
	return H_SUCCESS;
}
