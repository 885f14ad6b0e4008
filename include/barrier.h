/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory ordering that lkvm uses, all of it C11 atomics: the same source
 * is right on every architecture.  Every use names the access it pairs with.
 */
#ifndef LKVM_BARRIER_H
#define LKVM_BARRIER_H

#ifdef __CHECKER__	/* sparse knows no atomics on __le types */
#define read_once(p) (*(p))
#define write_once(p, v) ((void)(*(p) = (v)))
#define load_acquire(p) read_once(p)
#define store_release(p, v) write_once(p, v)
#else
/* One untorn access that the compiler neither repeats nor drops. */
#define read_once(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define write_once(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

/* What was written before a store_release() is seen after the load_acquire(). */
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#endif

/* Counters have one writer; a reader may see any of their values, untorn. */
#define counter_add(counter, n) write_once((counter), *(counter) + (n))

/* Store, fence, load on both sides: at least one of the two sees the other. */
static inline void full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
