// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control sockets: names and whose they are, the server against clients of all
 * kinds, and the client's side.  The guest is a table of watches, no more.
 */
/* helpers: disk_rig.c */
#include "barrier.h"
#include "clock.h"
#include "control.h"
#include "control_client.h"
#include "control_socket.h"
#include "disk_rig.h"
#include "kvm/vm.h"
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG (4u << 20)		/* more than any socket's buffers */
#define DEEP 4000

static char runtime[64], dir[PATH_MAX];
static struct vm vm;
static struct control *control;
static pthread_t server;
static unsigned int end;
static struct rig_capture capture;

/* --- a guest -------------------------------------------------------------- */

static void serve_echo(struct control_call *call)
{
	call->result = json_incref(call->request);
}

static void serve_refuse(struct control_call *call)
{
	control_refuse(call, "not \xff today: %s", "closed");
}

static void serve_big(struct control_call *call)
{
	char *text = malloc(BIG + 1);

	memset(text, 'x', BIG);
	text[BIG] = 0;
	call->result = json_pack("{s:s}", "text", text);
	free(text);
}

static const struct control_request requests[] = {
	{ "echo", serve_echo },
	{ "refuse", serve_refuse },
	{ "big", serve_big },
	{ NULL, NULL },
};

static void make_runtime(void)
{
	snprintf(runtime, sizeof(runtime), "/tmp/ctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(runtime));
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	snprintf(dir, sizeof(dir), "%s/lkvm", runtime);
	vm = (struct vm){ 0 };
}

/* What is left in it is an error. */
static void remove_runtime(void)
{
	rmdir(dir);
	ck_assert_int_eq(rmdir(runtime), 0);
}

static void *serve(void *arg)
{
	(void)arg;
	while (!read_once(&end)) {
		struct pollfd p = { .fd = vm.watch[0].fd, .events = POLLIN };

		if (poll(&p, 1, 10) > 0)
			vm.watch[0].ready(vm.watch[0].ctx);
	}
	return NULL;
}

static void setup(void)
{
	make_runtime();
	ck_assert_int_eq(control_new(&control, &vm, "web", requests, NULL), 0);
	end = 0;
	pthread_create(&server, NULL, serve, NULL);
}

static void stop_server(void)
{
	write_once(&end, 1);
	pthread_join(server, NULL);
	control_free(control);
	control = NULL;
}

static void teardown(void)
{
	stop_server();
	remove_runtime();
}

/* --- a client by hand ----------------------------------------------------- */

static int dial(void)
{
	int fd = control_connect_in(dir, "web");

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void say_bytes(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (n < 0 && errno == EPIPE)
			return;
		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			ck_assert_int_eq(poll(&p, 1, 20000), 1);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

static void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

/* One byte or the end; -1 after @ms without. */
static int hear_byte(int fd, char *c, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return -1;
	n = recv(fd, c, 1, 0);
	return n < 0 ? 0 : (int)n;
}

/* The next line. */
static json_t *hear(int fd)
{
	char line[1024];
	json_t *json;
	size_t n = 0;

	do {
		ck_assert_uint_lt(n, sizeof(line));
		ck_assert_int_eq(hear_byte(fd, &line[n], 20000), 1);
	} while (line[n++] != '\n');
	json = json_loadb(line, n, 0, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "version")), 1);
	return json;
}

static void expect_error(int fd, const char *part)
{
	json_t *reply = hear(fd);
	const char *error = json_string_value(json_object_get(reply, "error"));

	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, part), "%s, not %s", error, part);
	ck_assert_ptr_null(json_object_get(reply, "result"));
	json_decref(reply);
}

static void expect_echo(int fd, int n)
{
	json_t *reply = hear(fd);
	json_t *result = json_object_get(reply, "result");

	ck_assert_int_eq(json_integer_value(json_object_get(result, "n")), n);
	json_decref(reply);
}

static void ask_echo(int fd, int n)
{
	char line[64];

	snprintf(line, sizeof(line), "{\"version\":1,\"request\":\"echo\",\"n\":%d}\n", n);
	say(fd, line);
}

static void expect_alive(void)
{
	int fd = dial();

	ask_echo(fd, 42);
	expect_echo(fd, 42);
	close(fd);
}

/* --- the server ----------------------------------------------------------- */

START_TEST(test_requests)
{
	static const struct {
		const char *line, *error;
	} wrong[] = {
		{ "\n", "not JSON" },
		{ "hello\n", "not JSON" },
		{ "{\"version\":1,\"request\":\"echo\"\n", "not JSON" },
		{ "{\"version\":1,\"version\":1}\n", "not JSON" },
		{ "\xff\xfe{}\n", "not JSON" },
		{ "[1]\n", "is an object" },
		{ "{}\n", "\"version\": 1" },
		{ "{\"version\":\"1\"}\n", "\"version\": 1" },
		{ "{\"version\":2,\"request\":\"echo\"}\n", "\"version\": 1" },
		{ "{\"version\":1}\n", "\"request\" is missing" },
		{ "{\"version\":1,\"request\":7}\n", "\"request\" is missing" },
		{ "{\"version\":1,\"request\":\"halt\"}\n", "unknown request halt; there are: echo refuse big" },
		{ "{\"version\":1,\"request\":\"refuse\"}\n", "not ? today: closed" },
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		say(fd, wrong[i].line);
		expect_error(fd, wrong[i].error);
	}
	say_bytes(fd, "{\0}\n", 4);
	expect_error(fd, "not JSON");
	ask_echo(fd, 7);
	expect_echo(fd, 7);
	close(fd);
}
END_TEST

/* Cut anywhere, and many at once: each has its answer, in order. */
START_TEST(test_lines)
{
	const char *line = "{\"version\":1,\"request\":\"echo\",\"n\":3}\n";
	char many[100 * 64] = "";
	int fd = dial();

	for (const char *c = line; *c; c++) {
		say_bytes(fd, c, 1);
		if (c[1] && c - line == 20)
			usleep(20000);
	}
	expect_echo(fd, 3);
	for (int i = 0; i < 100; i++)
		snprintf(many + strlen(many), 64,
			 "{\"version\":1,\"request\":\"echo\",\"n\":%d}\n", i);
	say(fd, many);
	shutdown(fd, SHUT_WR);	/* as socat does: all are answered */
	for (int i = 0; i < 100; i++)
		expect_echo(fd, i);
	ck_assert_int_eq(hear_byte(fd, many, 20000), 0);
	close(fd);
}
END_TEST

/* Its end is the connection's. */
START_TEST(test_last_line)
{
	int fd = dial();
	char c;

	say(fd, "{\"version\":1,\"request\":\"echo\",\"n\":3}\n"
		"{\"version\":1,\"request\":\"echo\",\"n\":4}");
	shutdown(fd, SHUT_WR);
	expect_echo(fd, 3);
	expect_echo(fd, 4);
	ck_assert_int_eq(hear_byte(fd, &c, 20000), 0);
	close(fd);
}
END_TEST

/* A line that never ends, and nesting as deep as a line can be. */
START_TEST(test_long_lines)
{
	char deep[DEEP + 1], c;
	int fd = dial();

	memset(deep, '[', DEEP);
	deep[DEEP] = '\n';
	say_bytes(fd, deep, sizeof(deep));
	expect_error(fd, "not JSON");
	for (int i = 0; i < 3; i++)
		say_bytes(fd, deep, DEEP);
	expect_error(fd, "too long");
	ck_assert_int_eq(hear_byte(fd, &c, 20000), 0);
	close(fd);
	expect_alive();
}
END_TEST

/* Half a line is forgotten with who said it. */
START_TEST(test_vanishing_clients)
{
	for (int i = 0; i < 50; i++) {
		int fd = dial();

		if (i % 3 == 1)
			say(fd, "{\"version\":1,");
		else if (i % 3 == 2)
			say(fd, "{\"version\":1,\"request\":\"big\"}\n");
		close(fd);
	}
	expect_alive();
}
END_TEST

/* Those who are there stay, however silent; one more is told why it is not served. */
START_TEST(test_many_clients)
{
	int fds[CONTROL_CLIENTS_MAX], fd;
	char c;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial();
		ask_echo(fds[i], i);
		expect_echo(fds[i], i);
	}
	for (int i = 0; i < 10; i++) {
		fd = dial();
		ask_echo(fd, 1);
		expect_error(fd, "too many clients");
		ck_assert_int_eq(hear_byte(fd, &c, 20000), 0);
		close(fd);
	}
	rig_capture_start(&capture);
	ck_assert_int_eq(control_request("web", "echo", NULL, NULL), -EREMOTEIO);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "web: it has too many clients", "try again");
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		ask_echo(fds[i], i);
		expect_echo(fds[i], i);
		close(fds[i]);
	}
	expect_alive();
}
END_TEST

/* A reply that nobody reads keeps nobody else waiting, nor what comes behind it. */
START_TEST(test_slow_reader)
{
	int slow = dial();
	size_t got = 0;
	char c = 0;

	for (int i = 0; i < 20; i++)
		say(slow, "{\"version\":1,\"request\":\"big\"}\n");
	for (int i = 0; i < 20; i++)
		expect_alive();
	while (c != '\n') {
		char part[65536];
		ssize_t n = recv(slow, part, sizeof(part), 0);
		struct pollfd p = { .fd = slow, .events = POLLIN };

		if (n < 0) {
			ck_assert_int_eq(poll(&p, 1, 20000), 1);
			continue;
		}
		ck_assert_int_gt(n, 0);
		got += (size_t)n;
		c = memchr(part, '\n', (size_t)n) ? '\n' : 0;
	}
	ck_assert_uint_ge(got, BIG);
	close(slow);
	expect_alive();
}
END_TEST

/* --- names ---------------------------------------------------------------- */

START_TEST(test_names)
{
	static const char *const good[] = { "a", "lkvm-123", "A.b_c-9" };
	static const char *const bad[] = { "", ".", "..", "-a", "a/b", "a b", "_x",
					   "a\n", "\xc3\xa4" };
	char name[CONTROL_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(control_check_name("", good[i]), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_capture_start(&capture);
		ck_assert_int_eq(control_check_name("", bad[i]), -EINVAL);
		rig_capture_end(&capture);
		rig_expect_line(&capture, "not a name", "letters");
	}
	memset(name, 'a', sizeof(name));
	name[CONTROL_NAME_MAX] = 0;
	ck_assert_int_eq(control_check_name("", name), 0);
	name[CONTROL_NAME_MAX] = 'a';
	name[CONTROL_NAME_MAX + 1] = 0;
	rig_capture_start(&capture);
	ck_assert_int_eq(control_check_name("", name), -EINVAL);
	rig_capture_end(&capture);
	remove_runtime();
}
END_TEST

/* The user's alone, and gone with its guest. */
START_TEST(test_modes)
{
	struct control_socket s;
	struct stat st;

	ck_assert_int_eq(control_claim(&s, "web"), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(s.addr.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	control_release(&s);
	ck_assert_int_eq(stat(s.addr.sun_path, &st), -1);
	control_release(&s);
	remove_runtime();
}
END_TEST

START_TEST(test_one_of_a_name)
{
	struct control_socket s, t;

	ck_assert_int_eq(control_claim(&s, "web"), 0);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_claim(&t, "web"), -EADDRINUSE);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "--name web", "is running", "lkvm stop web");
	control_release(&t);	/* which it has not */
	ck_assert_int_eq(control_claim(&t, "web2"), 0);
	control_release(&t);
	control_release(&s);
	ck_assert_int_eq(control_claim(&s, "web"), 0);
	control_release(&s);
	remove_runtime();
}
END_TEST

/* A guest that is killed leaves its socket. */
static void leave_socket(const char *name)
{
	struct control_socket s;
	pid_t pid = fork();

	if (!pid) {
		if (!control_claim(&s, name))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

/* This user may have others, in other directories. */
static void count_guest(void *ctx, struct control_peer *peer)
{
	ck_assert_str_ne(peer->name, "web");
	ck_assert_str_ne(peer->name, "other");
	if (strcmp(peer->name, "alive") != 0)
		return;
	ck_assert_int_eq(peer->pid, getpid());
	++*(int *)ctx;
}

START_TEST(test_stale)
{
	struct control_socket s;
	struct stat st;
	int guests = 0;

	leave_socket("other");
	leave_socket("web");
	ck_assert_int_eq(control_connect_in(dir, "web"), -ECONNREFUSED);
	ck_assert_int_eq(control_connect_in(dir, "other"), -ENOENT);	/* by web */
	ck_assert_int_eq(control_claim(&s, "web"), 0);	/* taken over */
	control_release(&s);
	leave_socket("other");
	ck_assert_int_eq(control_claim(&s, "alive"), 0);
	control_for_each(count_guest, &guests);	/* and cleaned */
	ck_assert_int_eq(guests, 1);
	control_clean(dir);	/* not while it lives */
	ck_assert_int_eq(stat(s.addr.sun_path, &st), 0);
	control_release(&s);
	remove_runtime();
}
END_TEST

/* No descriptor is left to ask it: that does not make it dead. */
START_TEST(test_not_known)
{
	struct control_socket s;
	struct rlimit all, none;
	struct stat st;

	ck_assert_int_eq(control_claim(&s, "web"), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	none.rlim_cur = (rlim_t)s.fd + 3;	/* lock, directory */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	control_clean(dir);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
	ck_assert_int_eq(stat(s.addr.sun_path, &st), 0);
	control_release(&s);
	remove_runtime();
}
END_TEST

/* Ten at once claim a name that a dead one has left: one gets it. */
START_TEST(test_claim_race)
{
	for (int round = 0; round < 10; round++) {
		int go[2], over[2], won = 0, status;
		char c;

		leave_socket("web");
		ck_assert_int_eq(pipe(go), 0);
		ck_assert_int_eq(pipe(over), 0);
		for (int i = 0; i < 10; i++) {
			struct control_socket s;

			if (fork())
				continue;
			close(go[1]);
			close(over[1]);
			if (read(go[0], &c, 1) < 0 || !freopen("/dev/null", "w", stderr))
				_exit(2);
			if (control_claim(&s, "web"))
				_exit(1);
			if (read(over[0], &c, 1) < 0)	/* the others find it alive */
				_exit(2);
			control_release(&s);
			_exit(0);
		}
		close(go[0]);
		close(go[1]);
		for (int i = 0; i < 10; i++) {
			if (i == 9)
				close(over[1]);
			wait(&status);
			ck_assert_int_lt(WEXITSTATUS(status), 2);
			won += !WEXITSTATUS(status);
		}
		close(over[0]);
		ck_assert_int_eq(won, 1);
	}
	remove_runtime();
}
END_TEST

/* A directory that others can write is not used. */
START_TEST(test_foreign_directory)
{
	struct control_socket s;

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chmod(dir, 0770), 0);
	ck_assert_int_eq(control_claim(&s, "ctl-test"), 0);
	ck_assert(strncmp(s.addr.sun_path, dir, strlen(dir)) != 0);
	control_release(&s);
	remove_runtime();
}
END_TEST

/* By sudo root reaches the guests of the user behind it, too, and leaves them alone. */
START_TEST(test_sudo)
{
	char uid[16], foreign[64], path[128];
	struct control_peer peer;
	struct control_socket s;

	if (geteuid())
		return;
	snprintf(uid, sizeof(uid), "%d", 2000000000 - getpid());
	snprintf(foreign, sizeof(foreign), "/tmp/lkvm-%s", uid);
	snprintf(path, sizeof(path), "%s/ctl-sudo.sock", foreign);
	ck_assert_int_eq(control_claim(&s, "ctl-sudo"), 0);
	ck_assert_int_eq(mkdir(foreign, 0700), 0);
	ck_assert_int_eq(rename(s.addr.sun_path, path), 0);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_connect(&peer, "ctl-sudo"), -ENOENT);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "ctl-sudo: no such guest");
	setenv("SUDO_UID", uid, 1);
	rig_capture_start(&capture);	/* as long as it is root's own */
	ck_assert_int_eq(control_connect(&peer, "ctl-sudo"), -ENOENT);
	rig_capture_end(&capture);
	ck_assert_int_eq(chown(foreign, (uid_t)strtoul(uid, NULL, 10), 0), 0);
	ck_assert_int_eq(control_connect(&peer, "ctl-sudo"), 0);
	control_disconnect(&peer);
	close(s.fd);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_connect(&peer, "ctl-sudo"), -ENOENT);
	rig_capture_end(&capture);
	unsetenv("SUDO_UID");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(foreign), 0);
	remove_runtime();
}
END_TEST

/* --- the client's side ---------------------------------------------------- */

START_TEST(test_ask)
{
	struct control_peer peer;
	json_t *result;

	ck_assert_int_eq(control_connect(&peer, "web"), 0);
	ck_assert_int_eq(peer.pid, getpid());
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(control_ask(&peer, "echo", json_pack("{s:i}", "n", i), &result), 0);
		ck_assert_int_eq(json_integer_value(json_object_get(result, "n")), i);
		json_decref(result);
	}
	ck_assert_int_eq(control_ask(&peer, "big", NULL, &result), 0);
	ck_assert_uint_eq(json_string_length(json_object_get(result, "text")), BIG);
	json_decref(result);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_ask(&peer, "refuse", NULL, &result), -EREMOTEIO);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "web: not ? today");
	ck_assert(!control_wait_end(&peer, 50));
	stop_server();
	ck_assert(control_wait_end(&peer, 20000));
	rig_capture_start(&capture);
	ck_assert_int_eq(control_ask(&peer, "echo", NULL, &result), -EPIPE);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "web: the guest has ended");
	control_disconnect(&peer);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_request("web", "echo", json_object(), NULL), -ENOENT);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "web: no such guest");
	remove_runtime();
}
END_TEST

/* A connection that ends is not the guest's end. */
START_TEST(test_connection_ends)
{
	struct control_peer peer;
	json_t *result;

	ck_assert_int_eq(control_connect(&peer, "web"), 0);
	shutdown(peer.fd, SHUT_RDWR);
	ck_assert(!control_wait_end(&peer, 300));
	shutdown(peer.fd, SHUT_RDWR);
	ck_assert_int_eq(control_ask(&peer, "echo", json_pack("{s:i}", "n", 3), &result), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(result, "n")), 3);
	json_decref(result);
	control_disconnect(&peer);
	teardown();
}
END_TEST

/* The known names; a guest that does not answer is told soon, too. */
START_TEST(test_unknown_and_silent)
{
	struct control_socket s;
	struct control_peer peer;
	json_t *result;

	ck_assert_int_eq(control_claim(&s, "silent"), 0);
	rig_capture_start(&capture);
	ck_assert_int_eq(control_request("wob", "echo", NULL, NULL), -ENOENT);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "wob: no such guest; there are:", " silent");
	ck_assert_int_eq(control_connect(&peer, "silent"), 0);
	ck_assert_int_eq(control_probe(&peer, "echo", &result), -ETIMEDOUT);
	ck_assert_ptr_null(result);
	control_disconnect(&peer);
	control_release(&s);
	remove_runtime();
}
END_TEST

static bool help, flag;
static const struct option_spec specs[] = {
	{ 'f', "flag", OPTION_FLAG, &flag, 0, 0, NULL, "a flag", NULL },
	{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text", NULL },
	{ .name = NULL },
};
static const struct control_command command = {
	.name = "try", .usage = "NAME [DISK]", .specs = specs, .help = &help,
	.min = 1, .max = 2,
};

#define parse(...) parse_words((const char *const[]){ "try", ##__VA_ARGS__, NULL })
static char *argv[8];

static int parse_words(const char *const *words)
{
	int argc = 0;

	flag = help = false;
	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	argv[argc] = NULL;
	return control_parse(&command, argc, argv);
}

START_TEST(test_command_lines)
{
	ck_assert_int_eq(parse("web"), 1);
	ck_assert_str_eq(argv[1], "web");
	ck_assert_int_eq(parse("web", "--flag", "vda"), 2);
	ck_assert(flag);
	ck_assert_str_eq(argv[2], "vda");
	ck_assert_int_eq(parse("-f", "web", "vda"), 2);
	ck_assert(flag);
	ck_assert_int_eq(parse("web", "vda", "-f"), 2);
	ck_assert(flag);
	rig_capture_start(&capture);
	ck_assert_int_eq(parse(), -EINVAL);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "try: too few", "NAME [DISK]", "--help");
	rig_capture_start(&capture);
	ck_assert_int_eq(parse("a", "b", "c"), -EINVAL);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "try: unexpected argument c", "--help");
	rig_capture_start(&capture);
	ck_assert_int_eq(parse("a", "--wrong"), -EINVAL);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "try: unknown option --wrong", "--help");
	remove_runtime();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("server");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_requests);
	tcase_add_test(tc, test_lines);
	tcase_add_test(tc, test_last_line);
	tcase_add_test(tc, test_long_lines);
	tcase_add_test(tc, test_vanishing_clients);
	tcase_add_test(tc, test_many_clients);
	tcase_add_test(tc, test_slow_reader);
	suite_add_tcase(suite, tc);
	tc = tcase_create("names");
	tcase_add_checked_fixture(tc, make_runtime, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_modes);
	tcase_add_test(tc, test_one_of_a_name);
	tcase_add_test(tc, test_stale);
	tcase_add_test(tc, test_not_known);
	tcase_add_test(tc, test_claim_race);
	tcase_add_test(tc, test_foreign_directory);
	tcase_add_test(tc, test_sudo);
	tcase_add_test(tc, test_unknown_and_silent);
	tcase_add_test(tc, test_command_lines);
	suite_add_tcase(suite, tc);
	tc = tcase_create("client");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_ask);
	tcase_add_test(tc, test_connection_ends);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
