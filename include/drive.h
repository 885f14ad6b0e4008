/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A --disk of the command line: what the user asked for, and what became of
 * it: the open disk, its I/O threads, the virtio-blk device, its transport.
 */
#ifndef LKVM_DRIVE_H
#define LKVM_DRIVE_H

#include "cpulist.h"
#include "endian.h"
#include "kvm/poll_trial.h"
#include "options.h"

struct disk;
struct iothread;
struct trace;
struct virtio_blk;
struct virtio_mmio;
struct virtio_pci;
struct vm;

/* poll=, as of a struct option_spec. */
#define DRIVE_POLL_CHOICES "off|adaptive|always|MAX_US"
#define DRIVE_POLL_US_MAX 100000

struct drive {
	/* The user's. */
	char *text;		/* what strings point into */
	const char *path;
	const char *serial;
	unsigned int queues;	/* 0: as many as vCPUs */
	unsigned int queue_size;
	bool packed;
	unsigned int iothreads;	/* 0: as many as queues */
	struct cpu_list cpus;	/* of the host, one for each I/O thread; or none */
	bool readonly;
	bool lock;
	bool merge;
	unsigned int batch;	/* 0: no limit */
	struct option_choice format;
	bool discard;
	struct option_choice block_size;
	struct option_choice aio;
	struct option_choice cache;
	struct option_choice poll;
	struct option_choice irq_delay;
	struct option_choice transport;
	unsigned int iops, iops_burst;	/* 0: no limit, the default burst */
	u64 bps, bps_burst;
	struct option_choice rerror, werror;

	u64 adaptive_ns;	/* what poll=adaptive may take; drives_measure() */
	unsigned int all_iothreads;	/* of all drives; drives_measure() */
	struct trace *trace;	/* of --trace, or NULL */
	char name[8];		/* vda... as Linux will call it */
	struct disk *disk;
	struct iothread **threads;
	struct poll_trial trial;	/* of their polling */
	struct virtio_blk *blk;
	struct virtio_pci *pci;		/* one of these two */
	struct virtio_mmio *mmio;
};

/* Keys of --disk, for --help. */
void drive_help(void);
/* Fill @d from "PATH[,KEY=VALUE...]"; @index gives its name.  0 or -errno. */
int drive_parse(struct drive *d, const char *text, unsigned int index);
void drive_forget(struct drive *d);

/* How many queues and I/O threads, in a guest of @ncpus.  0 or -errno. */
int drive_count(struct drive *d, unsigned int ncpus);
/*
 * Once for all drives of a guest of @ncpus, drive_count() done: how many I/O threads
 * there are, and how long poll=adaptive may poll on this host.  Before drive_attach(),
 * and before this thread is kept to fewer CPUs.
 */
void drives_measure(struct drive *drives, unsigned int n, unsigned int ncpus);
/* Open and plug it in; its threads do not run yet.  0 or -errno. */
int drive_attach(struct drive *d, struct vm *vm);
/* The vCPUs have stopped.  drive_stop() first. */
void drive_detach(struct drive *d);
int drive_start(struct drive *d);
/* Try again what failed and paused the guest. */
void drive_retry(struct drive *d);
/*
 * While the guest runs, on the main thread, if its threads answer within @ns
 * together: else the others would wait with them for the host.
 */
bool drive_answers(const struct drive *d, u64 ns);
/* poll=@text from now on.  0 or -EINVAL, without a message. */
int drive_set_poll(struct drive *d, const char *text);
/* The limits are what ->iops and so on say by now. */
void drive_throttle(struct drive *d);
/*
 * The disk, the host's file and what the guest is told: @size bytes, a multiple of
 * its blocks.  0 or -errno, without a message; -EBUSY: the guest uses what is behind.
 */
int drive_resize(struct drive *d, u64 size);
/* The vCPUs have stopped: complete what is in flight, end the threads. */
void drive_stop(struct drive *d);

/* One line on how it is served, for --verbose. */
void drive_describe(const struct drive *d);

#endif
