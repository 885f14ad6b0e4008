// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which cache lines do two I/O threads both write?  Each I/O thread in turn
 * serves requests while the others sleep; each line of lkvm's heap that has
 * changed meanwhile, it has written.  No line may be two threads'.  A store of
 * what was there already goes unseen: several rounds add up.
 */
#include "bench/ring_lane.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS_MAX 4096
#define DIRTY_MAX (1u << 20)
#define ROUNDS 8
#define SETTLE_US 20000		/* for a thread to fall asleep after its last request */

/* lkvm's heap as it was last looked at. */
struct heap {
	unsigned int n;
	void *start[BLOCKS_MAX];
	size_t size[BLOCKS_MAX];
	u8 *copy[BLOCKS_MAX];
};

struct dirty {
	uintptr_t line;
	unsigned int thread;
};

static struct heap heap;
static struct dirty dirty[DIRTY_MAX];
static unsigned int ndirty;

static void heap_copy(void)
{
	heap.n = ring_blocks(heap.start, heap.size, BLOCKS_MAX);
	for (unsigned int i = 0; i < heap.n; i++) {
		heap.copy[i] = malloc(heap.size[i]);
		if (!heap.copy[i])
			ring_die("no memory for a copy of the heap");
		memcpy(heap.copy[i], heap.start[i], heap.size[i]);
	}
}

/* Note the line of byte @at, once for each block and look. */
static void note(const u8 *at, unsigned int thread)
{
	uintptr_t line = (uintptr_t)at / RING_LINE;

	if (ndirty && dirty[ndirty - 1].line == line &&
	    dirty[ndirty - 1].thread == thread)
		return;
	if (ndirty == DIRTY_MAX)
		ring_die("too many written lines");
	dirty[ndirty++] = (struct dirty){ line, thread };
}

static void heap_compare(unsigned int thread)
{
	for (unsigned int i = 0; i < heap.n; i++) {
		u8 *now = heap.start[i];

		for (size_t k = 0; k < heap.size[i]; k++)
			if (now[k] != heap.copy[i][k])
				note(&now[k], thread);
		memcpy(heap.copy[i], now, heap.size[i]);
	}
}

static int dirty_order(const void *pa, const void *pb)
{
	const struct dirty *a = pa, *b = pb;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->thread > b->thread) - (a->thread < b->thread);
}

static void count_lines(struct ring_result *result)
{
	qsort(dirty, ndirty, sizeof(*dirty), dirty_order);
	for (unsigned int i = 0, next; i < ndirty; i = next) {
		bool shared = false;

		for (next = i + 1; next < ndirty &&
		     dirty[next].line == dirty[i].line; next++)
			shared |= dirty[next].thread != dirty[i].thread;
		result->lines_written++;
		result->lines_shared += shared;
	}
}

void ring_lines_run(struct ring_lane *lanes, unsigned int n,
		    struct ring_result *result)
{
	usleep(SETTLE_US);
	heap_copy();
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = 0; i < n; i++) {
			ring_lane_start(&lanes[i]);
			ring_lane_wait(&lanes[i]);
			usleep(SETTLE_US);
			heap_compare(i);
		}
	count_lines(result);
}
