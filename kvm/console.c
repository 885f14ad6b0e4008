// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's side of the console.
 *
 * Input is read on the main thread, only as fast as the guest's UART takes it;
 * its end is not an error.  Output is written by the vCPU thread that sends
 * it.  A terminal is raw while the guest runs, but keeps its output processing,
 * so that lkvm's own messages look right; it is given back by console_free(),
 * and by a signal handler if lkvm itself dies.
 */
#include "kvm/console.h"
#include "barrier.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include "log.h"
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE_KEY 0x01	/* Ctrl-A, as in QEMU and kvmtool */
#define INPUT_CHUNK 64
#define FEED_CHUNK 512	/* bytes in a line that is fed */
#define TAIL_SIZE 1024

/* What Linux prints first when it panics: kernel/panic.c */
static const char panic_banner[] = "Kernel panic - not syncing";

struct console {
	struct vm *vm;
	int in_fd;		/* -1: none */
	int out_fd;		/* -1: none */
	int kick_fd;		/* room for input may have grown */
	bool raw;
	bool escaped;		/* the last key was Ctrl-A */
	bool own_fds;		/* pty or file: ours to close */
	bool created;		/* the file, by us, and the guest has not begun */
	const char *path;	/* of a file */
	int pty_fd;		/* other end, kept open: no hang-up without users */
	unsigned int matched;	/* bytes of the banner seen in a row */
	bool panicked;
	bool lost;		/* output; the user knows */
	struct feed {
		bool on;
		bool wanted;	/* by the guest; any thread */
		size_t len, at;	/* of line, and how much of it is with the guest */
		u8 line[2 * FEED_CHUNK + 1];
	} feed;
	u64 printed;		/* bytes; the last are in tail[] */
	u8 tail[TAIL_SIZE];
	const struct console_ops *ops;
	void *ctx;
};

/*
 * The terminal as it was.  The only mutable state outside a VM: a process has
 * one terminal, and a signal handler takes no argument.
 */
static struct termios terminal_saved;
static volatile sig_atomic_t terminal_is_raw;

static void terminal_restore(void)
{
	if (!terminal_is_raw)
		return;
	terminal_is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_saved);
}

static void terminal_restore_and_die(int sig)
{
	terminal_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

static int terminal_make_raw(void)
{
	static const int fatal[] = {
		SIGABRT, SIGSEGV,  SIGBUS,    SIGFPE,  SIGILL,  SIGSYS,
		SIGTRAP, SIGALRM,  SIGVTALRM, SIGPROF, SIGXCPU, SIGUSR1,
		SIGUSR2,
	};
	struct sigaction action = { .sa_handler = terminal_restore_and_die };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal_saved) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	raw = terminal_saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	terminal_is_raw = 1;
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0 ? -errno : 0;
}

/* As much of the line as the guest has room for; true: that is all. */
static bool console_push_line(struct console *con)
{
	struct feed *feed = &con->feed;

	while (feed->at < feed->len) {
		size_t room = con->ops->room(con->ctx);

		if (!room)
			return false;
		if (room > feed->len - feed->at)
			room = feed->len - feed->at;
		con->ops->input(con->ctx, feed->line + feed->at, room);
		feed->at += room;
	}
	return true;
}

/* The next line; no data is the end. */
static void console_feed_line(struct console *con, const u8 *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	struct feed *feed = &con->feed;

	write_once(&feed->wanted, false);
	feed->len = feed->at = 0;
	for (size_t i = 0; i < len; i++) {
		feed->line[feed->len++] = (u8)digits[data[i] >> 4];
		feed->line[feed->len++] = (u8)digits[data[i] & 15];
	}
	feed->line[feed->len++] = '\n';
	console_push_line(con);
}

/* Whether input should be read now. */
static bool console_has_room(struct console *con)
{
	if (!con->feed.on)
		return con->ops && con->ops->room(con->ctx) > 0;
	if (!console_push_line(con) || !read_once(&con->feed.wanted))
		return false;
	if (con->in_fd < 0)
		console_feed_line(con, NULL, 0);
	return con->in_fd >= 0;
}

static void console_poll_input(struct console *con)
{
	bool room = console_has_room(con);

	if (con->in_fd >= 0)
		vm_watch_events(con->vm, con->in_fd, room ? POLLIN : 0);
}

static void console_end_input(struct console *con)
{
	vm_watch_events(con->vm, con->in_fd, 0);
	con->in_fd = -1;
}

/* A key after Ctrl-A.  Returns how many bytes of it go to the guest. */
static size_t console_escape(struct console *con, u8 key)
{
	switch (key) {
	case 'x':
	case 'X':
		log_info("ended by Ctrl-A X");
		vm_end(con->vm, VM_SIGNAL, SIGINT);
		return 0;
	case 'b':
	case 'B':
		con->ops->send_break(con->ctx);
		return 0;
	case 'h':
	case 'H':
	case '?':
		log_info("Ctrl-A X: end lkvm; Ctrl-A B: send a break; Ctrl-A Ctrl-A: send Ctrl-A");
		return 0;
	default:
		return 1;
	}
}

/* Take the escapes of a terminal out of @data; returns what is left. */
static size_t console_filter(struct console *con, u8 *data, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		if (con->escaped) {
			con->escaped = false;
			if (console_escape(con, data[i]))
				data[out++] = data[i];
		} else if (data[i] == ESCAPE_KEY) {
			con->escaped = true;
		} else {
			data[out++] = data[i];
		}
	}
	return out;
}

/* How many bytes can be read now, if any. */
static size_t console_room(struct console *con, size_t max)
{
	size_t room = 0;

	if (con->feed.on)
		return read_once(&con->feed.wanted) ? max : 0;
	if (con->ops)
		room = con->ops->room(con->ctx);
	return room < INPUT_CHUNK ? room : INPUT_CHUNK;
}

static void console_readable(void *arg)
{
	struct console *con = arg;
	u8 data[FEED_CHUNK];
	size_t room = console_room(con, sizeof(data));
	ssize_t n;

	if (room && con->in_fd >= 0) {
		n = read(con->in_fd, data, room);
		if (n > 0) {
			size_t len = (size_t)n;

			if (con->raw)
				len = console_filter(con, data, len);
			if (con->feed.on)
				console_feed_line(con, data, len);
			else if (len)
				con->ops->input(con->ctx, data, len);
		} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
			console_end_input(con);
		}
	}
	console_poll_input(con);
}

static void console_kicked(void *arg)
{
	struct console *con = arg;

	event_clear(con->kick_fd);
	console_poll_input(con);
}

static int console_open_stdio(struct console *con)
{
	int err;

	con->in_fd = STDIN_FILENO;
	con->out_fd = STDOUT_FILENO;
	if (!isatty(STDIN_FILENO))
		return 0;
	if (tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		con->in_fd = -1;	/* in the background: hands off */
		return 0;
	}
	err = terminal_make_raw();
	if (err)
		log_error("--console stdio: cannot set the terminal: %s",
			  strerror(-err));
	con->raw = true;
	return err;
}

static int console_open_pty(struct console *con)
{
	struct termios raw;
	char name[64];
	int fd, err;

	fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		goto fail;
	con->own_fds = true;
	con->in_fd = fd;
	con->out_fd = fd;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, name, sizeof(name)) != 0 || tcgetattr(fd, &raw) < 0)
		goto fail;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	con->pty_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (con->pty_fd < 0)
		goto fail;
	log_info("console is on %s", name);
	return 0;
fail:
	err = -errno;
	log_error("--console pty: %s", strerror(-err));
	return err;
}

static int console_open_file(struct console *con, const char *path)
{
	con->own_fds = true;
	con->path = path;
	con->out_fd = output_open(path, O_WRONLY, &con->created);
	if (con->out_fd < 0) {
		int err = con->out_fd;

		log_error("--console file:%s: %s; give a file that can be written",
			  path, strerror(-err));
		return err;
	}
	return 0;
}

static int console_open(struct console *con, const char *spec)
{
	if (!strcmp(spec, "none"))
		return 0;
	if (!strcmp(spec, "stdio"))
		return console_open_stdio(con);
	if (!strcmp(spec, "pty"))
		return console_open_pty(con);
	if (!strncmp(spec, "file:", 5) && spec[5])
		return console_open_file(con, spec + 5);
	log_error("--console %s: not a console; give stdio, pty, file:PATH or none",
		  spec);
	return -EINVAL;
}

int console_new(struct console **cp, struct vm *vm, const char *spec)
{
	struct console *con = calloc(1, sizeof(*con));
	int err;

	if (!con)
		return log_no_memory();
	con->vm = vm;
	con->in_fd = -1;
	con->out_fd = -1;
	con->pty_fd = -1;
	con->kick_fd = event_new();
	if (con->kick_fd < 0) {
		err = con->kick_fd;
		log_error("cannot create an eventfd: %s; raise the limit of open files (ulimit -n)",
			  strerror(-err));
	} else {
		err = console_open(con, spec);
	}
	if (err) {
		console_free(con);
		return err;
	}
	vm_watch(vm, con->kick_fd, POLLIN, console_kicked, con);
	if (con->in_fd >= 0)
		vm_watch(vm, con->in_fd, 0, console_readable, con);
	*cp = con;
	return 0;
}

void console_free(struct console *con)
{
	terminal_restore();
	if (con->created)
		output_remove(con->out_fd, con->path);
	if (con->own_fds && con->out_fd >= 0)
		close(con->out_fd);
	if (con->pty_fd >= 0)
		close(con->pty_fd);
	if (con->kick_fd >= 0)
		close(con->kick_fd);
	free(con);
}

void console_connect(struct console *con, const struct console_ops *ops,
		     void *ctx)
{
	con->ops = ops;
	con->ctx = ctx;
	console_poll_input(con);
}

bool console_feed(struct console *con)
{
	con->feed.on = !con->raw && con->pty_fd < 0;
	return con->feed.on;
}

void console_want_input(struct console *con)
{
	write_once(&con->feed.wanted, true);
	console_kick(con);
}

void console_begin(struct console *con)
{
	con->created = false;
	/* Only a file has something to cut, and only a guest that runs may. */
	if (con->out_fd >= 0 && con->own_fds && con->pty_fd < 0 &&
	    ftruncate(con->out_fd, 0) < 0 && errno != EINVAL)
		log_warn("--console file: cannot be emptied: %s",
			 strerror(errno));
}

/* The banner begins with its only 'K': after a mismatch start over there. */
static void console_look_for_panic(struct console *con, const u8 *data,
				   size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != (u8)panic_banner[con->matched])
			con->matched = 0;
		if (data[i] == (u8)panic_banner[con->matched])
			con->matched++;
		if (con->matched == sizeof(panic_banner) - 1) {
			con->matched = 0;
			write_once(&con->panicked, true);
		}
	}
}

static void console_keep_tail(struct console *con, const u8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		con->tail[con->printed++ % TAIL_SIZE] = data[i];
}

static void console_wait_writable(const struct console *con)
{
	struct pollfd p = { .fd = con->out_fd, .events = POLLOUT };

	poll(&p, 1, -1);	/* the vCPU's stop signal ends it */
}

/* Who reads has gone, or was never there; all else the user wants to know. */
static void console_lose(struct console *con, int err)
{
	if (con->lost || !err || err == EPIPE || err == EAGAIN)
		return;
	con->lost = true;
	log_warn("the guest's console: %s: what it prints is lost; give --console file:PATH with space for it",
		 strerror(err));
}

void console_write(struct console *con, const u8 *data, size_t len)
{
	console_look_for_panic(con, data, len);
	console_keep_tail(con, data, len);
	while (len && con->out_fd >= 0) {
		ssize_t n = write(con->out_fd, data, len);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN && !con->own_fds) {
			console_wait_writable(con);	/* a shared O_NONBLOCK */
		} else if (n == 0 || errno != EINTR) {
			console_lose(con, n ? errno : 0);
			return;	/* the guest goes on */
		}
		if (n < 0 && vm_ended(con->vm))
			return;
	}
}

void console_kick(struct console *con)
{
	event_signal(con->kick_fd);
}

bool console_saw_panic(const struct console *con)
{
	return read_once(&con->panicked);
}

void console_last_output(const struct console *con, char *text, size_t size)
{
	u64 len = con->printed < TAIL_SIZE ? con->printed : TAIL_SIZE;

	if (len > size - 1)
		len = size - 1;
	for (u64 i = 0; i < len; i++)
		text[i] = (char)con->tail[(con->printed - len + i) % TAIL_SIZE];
	text[len] = 0;
}
