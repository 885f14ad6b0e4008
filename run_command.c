// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm run ... -- COMMAND: what the guest gets so that it runs the command, and the
 * kernel's command line, with and without one.
 */
#include "arch.h"
#include "guest_archive.h"
#include "guest_files.h"
#include "kvm/console.h"
#include "kvm/exit_device.h"
#include "log.h"
#include "options.h"
#include "run.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* guest/embed.S */
extern const char guest_init[];
extern const u64 guest_init_size;

/* "/dev/DISK[,ro]" */
int run_set_root(void *ctx, const char *text)
{
	struct run *run = ctx;
	const struct option_spec keys[] = {
		{ .name = "ro", .kind = OPTION_FLAG,
		  .value = &run->root_readonly, .arg = "on|off" },
		{ .name = NULL },
	};
	int err;

	free(run->root_text);
	err = options_parse_keys(keys, "--root", text, &run->root_text, &run->root);
	if (!err && strncmp(run->root, "/dev/", 5)) {
		log_error("--root %s: not a device of the guest; the first --disk is /dev/vda, the second /dev/vdb",
			  log_word(run->root));
		err = -EINVAL;
	}
	return err;
}

int run_check_command(const struct run *run)
{
	const char *why = NULL;

	if (!run->root)
		return 0;
	if (!run->command)
		why = "is for a command to run: give one behind --, or root= by --params";
	else if (!run->ndrives)
		why = "needs a disk: give --disk PATH";
	if (!why)
		return 0;
	log_error("--root %s: %s", run->root, why);
	return -EINVAL;
}

/*
 * How much of @params is the kernel's: up to a lone "--".  What is behind that goes
 * to init, as Linux has it.
 */
static size_t kernel_params(const char *params)
{
	static const char space[] = " \t\n";
	bool quoted = false, word = true;	/* a word begins */
	size_t at;

	for (at = 0; params[at]; at++) {
		if (word && !quoted && !strncmp(params + at, "--", 2) &&
		    strchr(space, params[at + 2]))	/* or the end */
			break;
		quoted ^= params[at] == '"';
		word = strchr(space, params[at]);
	}
	return at;
}

/* Whether @params has the word @name, or with '=' at its end one that begins so. */
static bool has_param(const char *params, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = params; (at = strstr(at, name)); at += len)
		if ((at == params || at[-1] == ' ') &&
		    (name[len - 1] == '=' || !at[len] || at[len] == ' '))
			return true;
	return false;
}

/* The console is for what the command prints, unless the user wants it all. */
static bool wants_messages(const struct run *run, const char *params)
{
	return run->verbose || has_param(params, "loglevel=") ||
	       has_param(params, "quiet") ||
	       has_param(params, "ignore_loglevel") || has_param(params, "debug");
}

/* With a space between them, unless there is one.  Or NULL. */
static char *join_words(const char *const *words, unsigned int n)
{
	size_t size = 1, len = 0;
	char *text;

	for (unsigned int i = 0; i < n; i++)
		size += strlen(words[i]) + 1;
	text = calloc(size, 1);
	for (unsigned int i = 0; text && i < n; i++) {
		if (len && *words[i] && text[len - 1] != ' ')
			text[len++] = ' ';
		len = (size_t)(stpcpy(text + len, words[i]) - text);
	}
	return text;
}

/*
 * The user's command line, a console if it names none, and what a command needs;
 * then what the user has for init.
 */
int run_make_cmdline(struct run *run)
{
	const char *params = run->params ? run->params : "";
	size_t size = kernel_params(params);
	char *kernel = strndup(params, size);
	const char *words[6] = { kernel };
	unsigned int n = 1;

	if (!kernel)
		return log_no_memory();
	if (!has_param(kernel, "console="))
		words[n++] = arch_console_param;
	if (run->command && !wants_messages(run, kernel))
		words[n++] = "loglevel=1";	/* a panic is told all the same */
	if (run->command && !has_param(kernel, "panic="))
		words[n++] = "panic=-1";
	if (run->command)
		words[n++] = "rdinit=/" GUEST_INIT;
	words[n++] = params + size;
	run->cmdline = join_words(words, n);
	free(kernel);
	return run->cmdline ? 0 : log_no_memory();
}

int run_prepare_command(struct run *run)
{
	struct guest_spec spec = {
		.init = guest_init,
		.init_size = guest_init_size,
		.argv = run->command,
		.root = run->root,
		.root_readonly = run->root_readonly,
	};
	struct winsize window;

	if (!run->command)
		return 0;
	spec.fed = console_feed(run->vm.console);
	if (isatty(STDOUT_FILENO))
		spec.term = getenv("TERM");
	if (spec.term && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &window)) {
		spec.rows = window.ws_row;
		spec.columns = window.ws_col;
	}
	return guest_archive_build(&spec, &run->archive, &run->archive_size);
}

int run_attach_exit_device(struct run *run)
{
	return run->command ? exit_device_new(&run->exit_device, &run->vm) : 0;
}
