// SPDX-License-Identifier: GPL-2.0-only
/*
 * The power button: an environmental and power warning (EPOW, LoPAPR 10.2.2)
 * that asks for a normal shutdown.
 *
 * It is an interrupt, at which the guest fetches a log of the event by
 * check-exception, once.  The main thread presses, any vCPU fetches.  Sections are
 * LoPAPR 1.1's.
 */
#include "barrier.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include "powerpc/spapr.h"
#include <errno.h>
#include <string.h>
#include <time.h>

#define EPOW_RESET 0			/* action codes, 10.2.2 */
#define EPOW_SYSTEM_SHUTDOWN 3
#define EVENT_CLASS_EPOW 0x40000000u	/* of an event mask, 10.2 */

/* As the guest sees it: 10.3.2, each field big endian. */
struct epow_log {
	/* 10.3.2.1.9, fixed part */
	u8 version;
	u8 severity;	/* severity:3, disposition:2, extended log present:1 */
	u8 parties;
	u8 type;
	__be32 extended_length;
	/* 10.3.2.2.1 */
	u8 flags;	/* valid:0, new:5, big endian:6 */
	u8 reserved1;
	u8 format;	/* PowerPC's:0, format:4-7 */
	u8 reserved2[9];
	char company[4];
	/* 10.3.2.2.3, Main-A */
	char main_a[2];
	__be16 main_a_length;
	u8 main_a_version[4];
	u8 date[4];	/* BCD, YYYYMMDD */
	u8 time[4];	/* BCD, HHMMSS and hundredths */
	u8 platform1[8];
	char creator;
	u8 reserved3[2];
	u8 sections;
	u8 platform2[12];
	__be32 id;
	u8 platform3[4];
	/* 10.3.2.2.4, Main-B */
	char main_b[2];
	__be16 main_b_length;
	u8 main_b_version[4];
	u8 subsystem;
	u8 platform4;
	u8 main_b_severity;
	u8 event;
	u8 platform5[12];
	/* 10.3.2.2.8, EPOW */
	char epow[2];
	__be16 epow_length;
	u8 epow_version[4];
	u8 action;
	u8 modifier;
	u8 extended_modifier;
	u8 reserved4;
	u8 reason[8];
};
_Static_assert(sizeof(struct epow_log) == 8 + 16 + 48 + 24 + 20, "packed");

#define EPOW_FIXED_PART 8
#define LOG_EXTENDED 0x04	/* of severity */

static u8 bcd(int n)
{
	return (u8)(n / 10 % 10 << 4 | n % 10);
}

static struct epow_log epow_log(void)
{
	struct epow_log log = {
		.version = 6,
		.severity = 1 << 5 | 2 << 3,	/* an event, not recovered */
		.type = 64,			/* EPOW */
		.extended_length = cpu_to_be32(sizeof(log) - EPOW_FIXED_PART),
		.flags = 0x86,
		.format = 0x80 | 14,
		.company = "IBM",
		.main_a = { 'P', 'H' },
		.main_a_length = cpu_to_be16(48),
		.main_a_version = { 1 },
		.creator = 'H',			/* hypervisor */
		.sections = 3,
		.id = cpu_to_be32(1),
		.main_b = { 'U', 'H' },
		.main_b_length = cpu_to_be16(24),
		.main_b_version = { 1 },
		.subsystem = 0x60,		/* power */
		.event = 0xd0,			/* normal shutdown */
		.epow = { 'E', 'P' },
		.epow_length = cpu_to_be16(20),
		.epow_version = { 2 },
		.action = EPOW_SYSTEM_SHUTDOWN,
		.modifier = 1,			/* normal, without delay */
		.extended_modifier = 1,		/* of this partition */
	};
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm)) {
		int year = tm.tm_year + 1900;

		memcpy(log.date, (u8[]){ bcd(year / 100), bcd(year),
					 bcd(tm.tm_mon + 1), bcd(tm.tm_mday) },
		       sizeof(log.date));
		memcpy(log.time, (u8[]){ bcd(tm.tm_hour), bcd(tm.tm_min),
					 bcd(tm.tm_sec), 0 },
		       sizeof(log.time));
	}
	return log;
}

int spapr_power_button(struct vm *vm)
{
	if (!xics_enabled(vm, SPAPR_IRQ_EPOW))
		return -ENOTCONN;
	write_once(&vm->arch->epow, EPOW_PENDING);
	event_signal(vm->arch->epow_irq_fd);
	return 0;
}

/*
 * 7.3.3.2: vector and source of an interrupt, classes of events, whether there is little
 * time, buffer and its length.  With little time the fixed part does.
 */
int spapr_check_exception(struct rtas_call *call)
{
	u32 mask = call->args[2], critical = call->args[3];
	u32 buffer = call->args[4], room = call->args[5];
	struct epow_log log = epow_log();
	u32 size = critical ? sizeof(__be32) : sizeof(log);
	u32 pending = EPOW_PENDING;
	void *p;

	if (!critical)
		log.severity |= LOG_EXTENDED;
	if (size > room)
		size = room;
	p = guest_ptr(&call->vm->mem, buffer, size);
	if (!p || size < sizeof(__be32))	/* it would be lost */
		return RTAS_PARAMETER;
	if (!(mask & EVENT_CLASS_EPOW) ||
	    !__atomic_compare_exchange_n(&call->vm->arch->epow, &pending,
					 EPOW_TOLD, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return RTAS_NO_EVENT;
	memcpy(p, &log, size);
	return RTAS_SUCCESS;
}

/* 7.3.5.5: sensor, its index -> state.  Who has this event has this sensor (10.2.2). */
int spapr_get_sensor_state(struct rtas_call *call)
{
	if (call->args[0] != SPAPR_EPOW_SENSOR || call->args[1])
		return RTAS_PARAMETER;
	call->rets[0] = read_once(&call->vm->arch->epow) == EPOW_NONE ?
				EPOW_RESET :
				EPOW_SYSTEM_SHUTDOWN;
	return RTAS_SUCCESS;
}
