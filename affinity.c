// SPDX-License-Identifier: GPL-2.0-only
/*
 * From --affinity and pins to threads on CPUs and memory on a node.
 */
#include "affinity.h"
#include "claims.h"
#include "drive.h"
#include "kvm/iothread.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"
#include "log.h"
#include "options.h"
#include "steer.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the command line ---------------------------------------------------- */

int affinity_parse(void *ctx, const char *text)
{
	struct affinity *a = ctx;
	const struct option_spec keys[] = {
		{ .name = "irq", .kind = OPTION_FLAG, .value = &a->irq,
		  .arg = "on|off" },
		{ .name = NULL },
	};
	const char *mode;
	char *copy;
	int err;

	a->irq = false;
	err = options_parse_keys(keys, "--affinity", text, &copy, &mode);
	if (err)
		return err;
	a->automatic = !strcmp(mode, "auto");
	if (!a->automatic && (strcmp(mode, "off") || a->irq)) {
		log_error("--affinity %s: give auto, auto,irq or off",
			  log_word(text));
		err = -EINVAL;
	}
	free(copy);
	return err;
}

int affinity_parse_pins(void *ctx, const char *text)
{
	struct affinity *a = ctx;
	int err = cpu_list_parse(&a->pins, text);

	if (err)
		log_error("--cpus: pin %s: %s", text, cpu_list_remedy(err));
	return err;
}

static bool affinity_wanted(const struct affinity *a,
			    const struct drive *drives, unsigned int ndrives)
{
	bool wanted = a->automatic || a->pins.n;

	for (unsigned int i = 0; i < ndrives; i++)
		wanted |= drives[i].cpus.n != 0;
	for (unsigned int i = 0; i < a->numa.n; i++)
		wanted |= a->numa.node[i].bound;
	return wanted;
}

/* --- the plan ------------------------------------------------------------ */

static int affinity_find_devices(struct affinity *a,
				 const struct drive *drives,
				 unsigned int ndrives)
{
	a->device = calloc(ndrives + 1, sizeof(*a->device));
	a->disk = calloc(ndrives + 1, sizeof(*a->disk));
	if (!a->device || !a->disk)
		return log_no_memory();
	for (unsigned int i = 0; i < ndrives; i++) {
		bool known = !topology_find_device(a->topology, drives[i].path,
						   &a->device[i]);

		a->disk[i] = (struct placement_disk){
			.name = drives[i].name,
			.nthreads = drives[i].iothreads,
			.pins = &drives[i].cpus,
			.device = known ? &a->device[i] : NULL,
		};
	}
	return 0;
}

/* The node that host= binds each guest node's memory to; numa_resolve() found it. */
static void affinity_find_nodes(struct affinity *a)
{
	for (unsigned int i = 0; i < a->numa.n; i++)
		a->guest_node[i] =
			a->numa.node[i].bound ?
				topology_node(a->topology,
					      a->numa.node[i].host) :
				-1;
}

/* Without the common file there is another one, or none. */
static void affinity_open_claims(struct affinity *a)
{
	int why;

	a->claims = claims_find(CLAIMS_DIR, &why);
	if (!why || !a->automatic)
		return;
	log_warn("--affinity auto: " CLAIMS_DIR "/" CLAIMS_FILE ": %s; %s: have root make that file%s",
		 strerror(-why),
		 a->claims >= 0 ?
			 "guests of other users are not seen, and may have the same CPUs" :
			 "what CPUs other guests have is not known",
		 a->claims >= 0 ?
			 "" :
			 ", or set XDG_RUNTIME_DIR to a directory of yours");
}

static void affinity_claim(const struct affinity *a)
{
	struct cpu_mask cpus;
	int err;

	placement_cpus(&a->plan, &cpus);
	err = claims_add(a->claims, &cpus);
	if (err)
		log_warn("CPUs of this guest cannot be claimed: %s; another guest may take the same: tell it others by pin= and iothread-cpus=",
			 strerror(-err));
}

/* Look, choose and claim, with nobody else in between. */
static int affinity_choose(struct affinity *a)
{
	int err;

	if (a->claims >= 0) {
		claims_begin(a->claims);
		claims_of_others(a->claims, &a->topology->online,
				 &a->request.taken);
	}
	err = placement_plan(&a->plan, a->topology, &a->request);
	if (!err && a->claims >= 0 && !a->look)
		affinity_claim(a);
	if (a->claims >= 0)
		claims_end(a->claims);
	return err;
}

int affinity_plan(struct affinity *a, const char *root, unsigned int ncpus,
		  const struct drive *drives, unsigned int ndrives,
		  struct guest_numa *numa)
{
	int err;

	a->claims = -ENOENT;
	if (!affinity_wanted(a, drives, ndrives))
		return 0;
	err = topology_read(&a->topology, root);
	if (!err)
		err = numa_resolve(&a->numa, a->topology, ncpus, numa,
				   a->vcpu_node);
	if (!err)
		err = affinity_find_devices(a, drives, ndrives);
	if (err)
		return err;
	affinity_find_nodes(a);
	if (!*root)
		affinity_open_claims(a);
	a->request = (struct placement_request){
		.automatic = a->automatic,
		.ncpus = ncpus,
		.pins = &a->pins,
		.vcpu_node = a->vcpu_node,
		.nguest_nodes = a->numa.n,
		.guest_node = a->guest_node,
		.ndisks = ndrives,
		.disk = a->disk,
	};
	return affinity_choose(a);
}

void affinity_free(struct affinity *a)
{
	steer_restore(a->steer);
	a->steer = NULL;
	placement_free(&a->plan);
	if (a->topology && a->claims >= 0)
		close(a->claims);
	topology_free(a->topology);
	free(a->device);
	free(a->disk);
	a->topology = NULL;
	a->device = NULL;
	a->disk = NULL;
}

/* --- carried out --------------------------------------------------------- */

static void affinity_place(const struct affinity *a, struct vm *vm,
			   const struct drive *drives)
{
	for (unsigned int i = 0; i < a->plan.nthreads; i++) {
		const struct placement_thread *t = &a->plan.thread[i];

		if (t->disk < 0)
			vm->vcpus[t->index]->cpu = t->cpu;
		else
			iothread_set_cpu(drives[t->disk].threads[t->index],
					 t->cpu);
	}
}

/*
 * Main thread, workers of disks and whatever comes: by default attributes, since a
 * thread would else inherit the one CPU of the thread that starts it.
 */
static void affinity_keep_off(const struct affinity *a)
{
	struct cpu_mask rest;
	pthread_attr_t attr;
	int err;

	if (!placement_rest(&a->plan, &rest))
		return;
	err = pthread_getattr_default_np(&attr);
	if (err)
		goto fail;
	err = pthread_attr_setaffinity_np(&attr, sizeof(rest.set), rest.set);
	if (!err)
		err = pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	if (!err && !sched_setaffinity(0, sizeof(rest.set), rest.set))
		return;
	err = err ? err : errno;
fail:
	log_warn("affinity: other threads than vCPUs and I/O threads stay on all CPUs: %s; allow lkvm sched_setaffinity(2), or start it again if its cpuset has changed",
		 strerror(err));
}

static void bind_memory(const struct vm *vm, const char *option, u64 offset,
			u64 size, unsigned int node, bool strict)
{
	int err = guest_memory_bind(&vm->mem, offset, size, node, strict);

	if (err)
		log_warn("%s: guest memory cannot be put on node %u: %s; it will be where it is touched first%s",
			 option, node, strerror(-err),
			 err == -EPERM ?
				 " (a container wants --cap-add SYS_NICE)" :
				 "");
}

/* A huge page that its node has not got would end lkvm by SIGBUS. */
static void affinity_bind_memory(const struct affinity *a, const struct vm *vm)
{
	const struct topology *t = a->topology;

	if (a->plan.memory >= 0 && t->nnodes > 1)
		bind_memory(vm, "--affinity auto", 0, vm->mem.size,
			    t->node[a->plan.memory].id, false);
	for (unsigned int i = 0; i < a->numa.n; i++)
		if (a->numa.node[i].bound)
			bind_memory(vm, "--numa",
				    guest_node_offset(&vm->numa, i),
				    vm->numa.size[i], a->numa.node[i].host,
				    !vm->mem.hugepages);
}

/* Else irq would do nothing, and nobody would know. */
static bool affinity_can_steer(const struct affinity *a)
{
	for (unsigned int d = 0; d < a->request.ndisks; d++)
		if (a->disk[d].device)
			return true;
	log_warn("--affinity auto,irq: there are no interrupts to steer: %s; give a disk on a block device, or leave out irq",
		 a->request.ndisks ?
			 "no device of this host is known under any disk" :
			 "there is no disk");
	return false;
}

static void affinity_steer(struct affinity *a)
{
	const struct placement_thread *thread = a->plan.thread;

	if (!affinity_can_steer(a))
		return;
	a->steer = steer_new(a->topology->root, a->claims);
	for (unsigned int d = 0; a->steer && d < a->request.ndisks; d++) {
		const struct placement_disk *disk = &a->disk[d];
		struct cpu_list cpus = { 0 };

		for (unsigned int i = 0; i < disk->nthreads; i++)
			cpus.cpu[cpus.n++] = (unsigned int)thread++->cpu;
		if (disk->device)
			steer_irqs(a->steer, disk->device, &cpus);
	}
}

void affinity_apply(struct affinity *a, struct vm *vm,
		    const struct drive *drives)
{
	if (!a->topology)
		return;
	affinity_place(a, vm, drives);
	affinity_keep_off(a);
	affinity_bind_memory(a, vm);
	if (a->irq)
		affinity_steer(a);
}

static void tell(const struct affinity *a, unsigned int i, bool all)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	if (all)
		placement_summary(&a->plan, out);
	else
		placement_explain(&a->plan, i, out);
	if (!fclose(out))
		log_info("affinity: %s", text);
	free(text);
}

void affinity_describe(const struct affinity *a, bool verbose)
{
	if (!a->topology)
		return;
	if (a->automatic)
		tell(a, 0, true);
	for (unsigned int i = 0; verbose && i < a->plan.nthreads; i++)
		tell(a, i, false);
}
