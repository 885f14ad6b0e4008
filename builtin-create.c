// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm create: a raw disk image.
 *
 * The file is new, and whole or not there: whatever stops the work removes it.
 * Signals are held back and looked for between two chunks, so that one that
 * ends lkvm finds no half-made image behind it.
 */
#include "commands.h"
#include "log.h"
#include "options.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512u
#define RESERVE_CHUNK (1ull << 30)
#define WRITE_CHUNK (4ull << 20)
#define WRITE_BEHIND (8 * WRITE_CHUNK)	/* not yet on the disk, at most */
#define BAR_WIDTH 30
#define BAR_PERIOD_NS 100000000ull

/* In the order of --prealloc. */
enum { PREALLOC_OFF, PREALLOC_FALLOC, PREALLOC_FULL };

struct create {
	const char *path;
	u64 size;
	struct option_choice prealloc;
	bool help;
	int fd;
	u64 room;		/* bytes free before the work began, if known */
	sigset_t ending;	/* signals that end lkvm */
	int signal;		/* the one that came */
	u64 began;		/* ns, for the bar, as is */
	u64 shown;		/* when it was drawn; 0: never */
};

/* --- progress ------------------------------------------------------------ */

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static void create_draw(struct create *c, u64 done, u64 now)
{
	static const char full[] = "##############################";
	double seconds = (double)(now - c->began) / 1e9;
	double rate = (double)done / seconds;
	u64 left = (u64)((double)(c->size - done) / rate);
	unsigned int percent = (unsigned int)((double)done * 100 / (double)c->size);

	_Static_assert(sizeof(full) == BAR_WIDTH + 1, "one # for each column");
	fprintf(stderr, "\r[%-*.*s] %3u%% %6.0f MiB/s %3llu:%02llu left ",
		BAR_WIDTH, (int)(percent * BAR_WIDTH / 100), full, percent,
		rate / (1 << 20), (unsigned long long)left / 60,
		(unsigned long long)left % 60);
	c->shown = now;
}

/* Ten times a second, if anybody looks. */
static void create_progress(struct create *c, u64 done)
{
	u64 now = now_ns();

	if (now - (c->shown ? c->shown : c->began) >= BAR_PERIOD_NS &&
	    isatty(STDERR_FILENO))
		create_draw(c, done, now);
}

static void create_progress_end(struct create *c, bool whole)
{
	if (!c->shown)
		return;
	if (whole)
		create_draw(c, c->size, now_ns());
	fputc('\n', stderr);
}

/* --- the work ------------------------------------------------------------ */

static void create_hold_signals(struct create *c)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction inherited;

	sigemptyset(&c->ending);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaction(ending[i], NULL, &inherited);
		if (inherited.sa_handler != SIG_IGN)	/* nohup(1) */
			sigaddset(&c->ending, ending[i]);
	}
	sigprocmask(SIG_BLOCK, &c->ending, NULL);
	signal(SIGXFSZ, SIG_IGN);	/* ulimit -f: an error, not the end */
}

static int create_interrupted(struct create *c)
{
	const struct timespec none = { 0 };

	c->signal = sigtimedwait(&c->ending, NULL, &none);
	return c->signal > 0 ? -EINTR : 0;
}

static int create_reserve(struct create *c)
{
	for (u64 at = 0, len; at < c->size; at += len) {
		len = c->size - at < RESERVE_CHUNK ? c->size - at :
						     RESERVE_CHUNK;
		if (fallocate(c->fd, 0, (off_t)at, (off_t)len))
			return -errno;
		if (create_interrupted(c))
			return -EINTR;
	}
	return 0;
}

/* What was written goes to the disk now: the bar tells the disk's speed. */
static int create_write_behind(const struct create *c, u64 at)
{
	if (sync_file_range(c->fd, (off_t)at, WRITE_CHUNK,
			    SYNC_FILE_RANGE_WRITE))
		return -errno;
	if (at >= WRITE_BEHIND &&
	    sync_file_range(c->fd, (off_t)(at - WRITE_BEHIND), WRITE_CHUNK,
			    SYNC_FILE_RANGE_WAIT_BEFORE |
				    SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER))
		return -errno;
	return 0;
}

static int create_write_chunk(struct create *c, const char *zeroes, u64 at,
			      u64 len)
{
	while (len) {
		ssize_t n = pwrite(c->fd, zeroes, len, (off_t)at);

		if (n < 0)
			return -errno;
		at += (u64)n;
		len -= (u64)n;
	}
	return 0;
}

static int create_write(struct create *c)
{
	char *zeroes = calloc(1, WRITE_CHUNK);
	int err = zeroes ? 0 : -ENOMEM;
	u64 at, len;

	c->began = now_ns();
	for (at = 0; !err && at < c->size; at += len) {
		len = c->size - at < WRITE_CHUNK ? c->size - at : WRITE_CHUNK;
		err = create_write_chunk(c, zeroes, at, len);
		if (!err)
			err = create_write_behind(c, at);
		if (!err)
			err = create_interrupted(c);
		if (!err)
			create_progress(c, at + len);
	}
	free(zeroes);
	return err;
}

/* Before an hour of writing; root may have what is reserved for it. */
static int create_check_room(struct create *c)
{
	struct statvfs fs;

	if (fstatvfs(c->fd, &fs) || !fs.f_blocks)	/* it does not tell */
		return 0;
	c->room = (u64)fs.f_bfree * fs.f_frsize;
	if (c->prealloc.index != PREALLOC_OFF && c->room < c->size)
		return -ENOSPC;
	c->room = (u64)fs.f_bavail * fs.f_frsize;
	return 0;
}

static int create_fill(struct create *c)
{
	int err = create_check_room(c);

	if (err)
		return err;
	switch (c->prealloc.index) {
	case PREALLOC_OFF:
		err = ftruncate(c->fd, (off_t)c->size) ? -errno : 0;
		break;
	case PREALLOC_FALLOC:
		err = create_reserve(c);
		break;
	case PREALLOC_FULL:
		err = create_write(c);
		break;
	}
	if (!err && fsync(c->fd))
		err = -errno;
	if (!err)
		err = create_interrupted(c);
	create_progress_end(c, !err);
	return err;
}

/* --- what can go wrong --------------------------------------------------- */

static void create_exists(const struct create *c)
{
	struct stat st;

	if (stat(c->path, &st))
		st.st_mode = S_IFREG;	/* a link that leads nowhere */
	if (S_ISDIR(st.st_mode))
		log_error("create %s: it is a directory; give the name of a new file in it",
			  c->path);
	else if (S_ISBLK(st.st_mode))
		log_error("create %s: it is a block device, which --disk takes as it is; give the name of a new file",
			  c->path);
	else
		log_error("create %s: it exists; %sgive the name of a new file",
			  c->path,
			  S_ISREG(st.st_mode) ? "remove it first, or " : "");
}

static void create_no_room(const struct create *c)
{
	if (c->room < c->size)
		log_error("create %s: no space: %llu MiB are missing; free them, or leave out --prealloc for a file that takes space as it is written",
			  c->path,
			  (unsigned long long)(c->size - c->room + (1 << 20) - 1) >> 20);
	else
		log_error("create %s: no space, or none left of your quota; free some, or leave out --prealloc for a file that takes space as it is written",
			  c->path);
}

static void create_failed(const struct create *c, int err)
{
	switch (err) {
	case -EINTR:	/* whoever sent the signal knows */
		break;
	case -EEXIST:
		create_exists(c);
		break;
	case -ENOENT:
	case -ENOTDIR:
		log_error("create %s: %s; make its directory first, or check the path",
			  c->path, strerror(-err));
		break;
	case -ENOSPC:
	case -EDQUOT:
		create_no_room(c);
		break;
	case -EFBIG:
		log_error("create %s: %llu bytes are more than a file may have here; see `ulimit -f`, or use another file system, as XFS",
			  c->path, (unsigned long long)c->size);
		break;
	case -EOPNOTSUPP:
		log_error("create %s: this file system cannot reserve space; use --prealloc=full or off",
			  c->path);
		break;
	default:
		log_error("create %s: %s; give the name of a new file where you may write",
			  c->path, strerror(-err));
	}
}

static int create_image(struct create *c)
{
	int err;

	create_hold_signals(c);
	c->fd = open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (c->fd < 0) {
		err = -errno;
	} else {
		err = create_fill(c);
		close(c->fd);
		if (err)
			unlink(c->path);
	}
	if (err)
		create_failed(c, err);
	return err;
}

/* As if the signal had not been held back: a shell's loop ends, too. */
static int create_end_by_signal(const struct create *c)
{
	signal(c->signal, SIG_DFL);
	raise(c->signal);
	sigprocmask(SIG_UNBLOCK, &c->ending, NULL);
	return EXIT_SIGNAL_BASE + c->signal;
}

/* --- the command line ---------------------------------------------------- */

static int create_set_size(struct create *c, const char *text)
{
	const char *why = NULL;

	if (!parse_size(text, &c->size) || c->size > ~0ull >> 1)
		why = "not a size";
	else if (!c->size || c->size % SECTOR)
		why = "not a multiple of 512 bytes";
	if (!why)
		return 0;
	log_error("create: size %s: %s; write it like 512M or 8G",
		  log_word(text), why);
	return -EINVAL;
}

static int create_check(const struct create *c)
{
	if (!c->path || !*c->path) {
		log_error("create: no path; give a file and its size, as in lkvm create disk.img 8G");
		return -EINVAL;
	}
	if (!strncmp(c->path, "null:", 5)) {
		log_error("create %s: such a disk needs no file; give it to lkvm run --disk as it is",
			  c->path);
		return -EINVAL;
	}
	if (!c->size) {
		log_error("create %s: no size; give it behind the path, like 512M or 8G",
			  c->path);
		return -EINVAL;
	}
	return 0;
}

/* Options stand before, between or behind the path and the size. */
static int create_parse(struct create *c, int argc, char **argv)
{
	const struct option_spec specs[] = {
		{ 0, "prealloc", OPTION_CHOICE, &c->prealloc, 0, 0,
		  "off|falloc|full",
		  "take the space now: by fallocate, or by writing zeroes (off)",
		  NULL },
		{ 'h', "help", OPTION_FLAG, &c->help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	int err = 0;

	for (int at = 0; !err;) {
		int next = options_parse(specs, "create", argc - at, argv + at);

		if (next < 0)
			return next;
		at += next;
		if (at == argc)
			break;
		if (!c->path) {
			c->path = argv[at];
		} else if (!c->size) {
			err = create_set_size(c, argv[at]);
		} else {
			err = options_unexpected("create", argv[at]);
		}
	}
	if (!err && c->help) {
		printf("usage: lkvm create PATH SIZE [OPTIONS]\n\n");
		options_help(specs);
		printf("\nMakes a raw disk image, the one format that --disk takes: a new file of SIZE,\n"
		       "like 512M or 8G, that reads as zeroes. It takes no space until it is written,\n"
		       "unless told otherwise by --prealloc.\n\n"
		       "Exit status: 0 made, 125 not made, 128+N ended by signal N.\n");
		return 0;
	}
	return err ? err : create_check(c);
}

int builtin_create(int argc, char **argv)
{
	struct create c = { .prealloc.index = PREALLOC_OFF, .room = ~0ull };

	if (create_parse(&c, argc, argv))
		return EXIT_CANNOT_RUN;
	if (c.help)
		return 0;
	if (!create_image(&c))
		return 0;
	return c.signal > 0 ? create_end_by_signal(&c) : EXIT_CANNOT_RUN;
}
