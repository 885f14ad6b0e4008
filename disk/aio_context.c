// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the contexts of all engines have in common, see aio_context.h: one
 * context for each engine on a thread, shared by all queues that the thread
 * owns, of whatever disks.  Set-up and tear-down run on the thread that builds
 * the machine, the rest on the I/O thread.
 */
#include "disk/aio_context.h"
#include "log.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- for engines --------------------------------------------------------- */

void aio_unpend(struct aio_context *ctx, unsigned int n)
{
	ctx->npending -= n;
	if (ctx->npending)
		memmove(ctx->pending, ctx->pending + n,
			ctx->npending * sizeof(struct iocb *));
}

void aio_complete_deferred(struct aio_context *ctx)
{
	for (unsigned int n = ctx->ndeferred; n; n--) {
		struct iocb *iocb = ctx->deferred[--ctx->ndeferred];
		struct aio_call *call = iocb->data;

		call->complete(call, (long)iocb->u.c.offset);
	}
}

unsigned long long aio_sysctl(const char *path)
{
	unsigned long long value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* --- set-up and tear-down ------------------------------------------------ */

int aio_context_start(struct iothread_client *c)
{
	struct aio_context *ctx = (struct aio_context *)c;
	int err;

	ctx->pending = calloc(ctx->depth, sizeof(struct iocb *));
	ctx->deferred = calloc(ctx->depth, sizeof(struct iocb *));
	if (!ctx->pending || !ctx->deferred) {
		log_error("--disk %s: no memory for %u requests; use fewer or smaller queues",
			  ctx->path, ctx->depth);
		return -ENOMEM;
	}
	err = ctx->engine->start(ctx);
	ctx->started = !err;
	return err;
}

/* An engine that the kernel refuses becomes native. */
static size_t aio_context_size(const struct aio_engine *engine)
{
	return engine->size > aio_native.size ? engine->size : aio_native.size;
}

static int aio_context_new(struct iothread *thread,
			   const struct aio_engine *engine, const char *path,
			   struct aio_context **ctxp)
{
	struct aio_context *ctx;
	int err;

	ctx = aligned_alloc(AIO_LINE, aio_context_size(engine));
	if (!ctx) {
		log_error("--disk %s: out of memory", path);
		return -ENOMEM;
	}
	memset(ctx, 0, aio_context_size(engine));
	ctx->path = path;
	ctx->batch = UINT_MAX;
	ctx->engine = engine;
	ctx->client.ops = &engine->thread;
	ctx->client.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ctx->client.fd < 0) {
		err = -errno;
		log_error("--disk %s: no event descriptor: %s; raise `ulimit -n`",
			  path, strerror(-err));
		goto free_ctx;
	}
	err = iothread_add(thread, &ctx->client);
	if (err)
		goto close_fd;
	*ctxp = ctx;
	return 0;
close_fd:
	close(ctx->client.fd);
free_ctx:
	free(ctx);
	return err;
}

int aio_context_get(struct iothread *thread, const struct aio_engine *engine,
		    const char *path, unsigned int depth,
		    struct aio_context **ctxp)
{
	struct aio_context *ctx =
		(struct aio_context *)iothread_find(thread, &engine->thread);
	int err;

	if (!ctx) {
		err = aio_context_new(thread, engine, path, &ctx);
		if (err)
			return err;
	}
	ctx->users++;
	ctx->depth += depth;
	*ctxp = ctx;
	return 0;
}

void aio_context_put(struct aio_context *ctx)
{
	if (--ctx->users)
		return;
	assert(!ctx->inflight && !ctx->npending && !ctx->ndeferred);
	if (ctx->started)
		ctx->engine->stop(ctx);
	close(ctx->client.fd);
	free(ctx->deferred);
	free(ctx->pending);
	free(ctx);
}

void aio_context_add_file(struct aio_context *ctx, int fd)
{
	if (fd < 0 || ctx->nfiles == AIO_FILES)
		return;
	for (unsigned int i = 0; i < ctx->nfiles; i++)
		if (ctx->files[i] == fd)
			return;
	ctx->files[ctx->nfiles++] = fd;
}

void aio_call_init(struct aio_context *ctx, struct aio_call *call,
		   void (*complete)(struct aio_call *call, long res))
{
	call->iocb.data = call;
	call->complete = complete;
	io_set_eventfd(&call->iocb, ctx->client.fd);
}
