// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual terminal (LoPAPR 17.5), between the hcalls that move its bytes and
 * the host's console.
 *
 * Sending takes no time: a byte is with the host before the guest's hcall ends.
 * Input waits in a ring for the guest to fetch it.  Guest calls come from any
 * vCPU thread, console input from the main thread.
 */
#include "kvm/console.h"
#include "kvm/event.h"
#include "log.h"
#include "powerpc/spapr.h"
#include <pthread.h>
#include <stdlib.h>

#define HVCONS_SIZE 256
#define HVCONS_CHUNK 16		/* what one hcall carries */

/*
 * This terminal has no break.  Linux takes Ctrl-O for one: the next key is a
 * SysRq command (drivers/tty/hvc/hvc_console.c).
 */
#define HVCONS_BREAK 0x0f

struct hvcons {
	struct console *console;
	int irq_fd;		/* -1: the guest polls */
	pthread_mutex_t order;	/* of what is sent; may be held for long */
	pthread_mutex_t lock;	/* all below */
	u8 ring[HVCONS_SIZE];
	size_t first;
	size_t count;
	bool stalled;		/* the host waits for room */
};

static size_t hvcons_room(void *ctx)
{
	struct hvcons *hv = ctx;
	size_t room;

	pthread_mutex_lock(&hv->lock);
	room = HVCONS_SIZE - hv->count;
	if (!room)
		hv->stalled = true;
	pthread_mutex_unlock(&hv->lock);
	return room;
}

/* What finds no room is lost, as on a line without flow control. */
static void hvcons_input(void *ctx, const u8 *data, size_t len)
{
	struct hvcons *hv = ctx;

	pthread_mutex_lock(&hv->lock);
	for (; len && hv->count < HVCONS_SIZE; len--)
		hv->ring[(hv->first + hv->count++) % HVCONS_SIZE] = *data++;
	pthread_mutex_unlock(&hv->lock);
	if (hv->irq_fd >= 0)
		event_signal(hv->irq_fd);
}

static void hvcons_break(void *ctx)
{
	static const u8 key = HVCONS_BREAK;

	hvcons_input(ctx, &key, 1);
}

static const struct console_ops hvcons_console_ops = {
	.room = hvcons_room,
	.input = hvcons_input,
	.send_break = hvcons_break,
};

void hvcons_put(struct hvcons *hv, const u8 *data, size_t len)
{
	pthread_mutex_lock(&hv->order);
	console_write(hv->console, data, len);
	pthread_mutex_unlock(&hv->order);
}

/* Half of the ring free: not a wake-up of the main thread for each byte. */
static bool hvcons_end_stall(struct hvcons *hv)
{
	if (!hv->stalled || hv->count > HVCONS_SIZE / 2)
		return false;
	hv->stalled = false;
	return true;
}

size_t hvcons_get(struct hvcons *hv, u8 data[HVCONS_CHUNK])
{
	size_t n = 0;
	bool grown;

	pthread_mutex_lock(&hv->lock);
	for (; n < HVCONS_CHUNK && hv->count; hv->count--) {
		data[n++] = hv->ring[hv->first];
		hv->first = (hv->first + 1) % HVCONS_SIZE;
	}
	grown = hvcons_end_stall(hv);
	pthread_mutex_unlock(&hv->lock);
	if (grown)
		console_kick(hv->console);
	return n;
}

int hvcons_new(struct hvcons **hp, struct console *con, int irq_fd)
{
	struct hvcons *hv = calloc(1, sizeof(*hv));

	if (!hv)
		return log_no_memory();
	hv->console = con;
	hv->irq_fd = irq_fd;
	pthread_mutex_init(&hv->order, NULL);
	pthread_mutex_init(&hv->lock, NULL);
	console_connect(con, &hvcons_console_ops, hv);
	*hp = hv;
	return 0;
}

void hvcons_free(struct hvcons *hv)
{
	if (!hv)
		return;
	pthread_mutex_destroy(&hv->lock);
	pthread_mutex_destroy(&hv->order);
	free(hv);
}
