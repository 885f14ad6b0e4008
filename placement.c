// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of CPUs: for each thread the best of all that are left, by one order.
 */
#include "placement.h"
#include "log.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What a core is for already, by its first CPU. */
struct cores {
	struct cpu_mask io;	/* an I/O thread of this guest */
	struct cpu_mask vcpu;
	struct cpu_mask guest;	/* another guest */
	struct cpu_mask used;	/* CPUs of this guest */
};

/* --- pins ---------------------------------------------------------------- */

/* "--cpus 2,pin=0,1" or "--disk (vda) iothread-cpus=0": what a message begins with. */
static void pin_option(const struct placement *p, int disk,
		       const struct cpu_list *pins, char *option, size_t size)
{
	FILE *out = fmemopen(option, size, "w");

	*option = 0;
	if (!out)
		return;
	if (disk < 0)
		fprintf(out, "--cpus %u,pin=", p->request->ncpus);
	else
		fprintf(out, "--disk (%s) iothread-cpus=",
			p->request->disk[disk].name);
	cpu_list_print(pins, out);
	fclose(out);
}

/* May a thread be put on @cpu?  Says why not. */
static int pin_check_cpu(const struct placement *p, const char *option,
			 unsigned int cpu)
{
	const struct topology *t = p->topology;
	char have[256];

	if (!cpu_mask_has(&t->present, cpu)) {
		cpu_mask_text(&t->online, have, sizeof(have));
		log_error("%s: this host has no CPU %u; give some of %s",
			  option, cpu, have);
		return -EINVAL;
	}
	if (!cpu_mask_has(&t->online, cpu)) {
		cpu_mask_text(&t->online, have, sizeof(have));
		log_error("%s: CPU %u is offline; bring it online, or give some of %s",
			  option, cpu, have);
		return -EINVAL;
	}
	if (!cpu_mask_has(&t->allowed, cpu) &&
	    !cpu_mask_has(&t->isolated, cpu)) {
		cpu_mask_text(&t->allowed, have, sizeof(have));
		log_error("%s: CPU %u is outside of the cpuset or affinity that lkvm was given; widen it, or give some of %s",
			  option, cpu, have);
		return -EINVAL;
	}
	return 0;
}

/* Is @cpu another thread's already? */
static int pin_check_alone(const struct placement *p, const char *option,
			   unsigned int cpu)
{
	char name[32];

	for (unsigned int i = 0; i < p->nthreads; i++) {
		if (p->thread[i].cpu != (int)cpu)
			continue;
		placement_name(p, i, name);
		log_error("%s: CPU %u is that of %s already; give each thread one of its own",
			  option, cpu, name);
		return -EINVAL;
	}
	return 0;
}

/* @n threads from @first on are one group: the vCPUs, or those of a disk. */
static int pin_group(struct placement *p, unsigned int first, unsigned int n,
		     const struct cpu_list *pins)
{
	char option[64 + 5 * CPU_LIST_MAX];	/* four digits and a comma */
	int err = 0;

	if (!pins || !pins->n)
		return 0;
	pin_option(p, p->thread[first].disk, pins, option, sizeof(option));
	if (pins->n != n) {
		log_error("%s: names %u CPUs for %u %s; name one for each",
			  option, pins->n, n,
			  p->thread[first].disk < 0 ? "vCPUs" : "I/O threads");
		return -EINVAL;
	}
	for (unsigned int i = 0; i < n && !err; i++) {
		err = pin_check_cpu(p, option, pins->cpu[i]);
		if (!err)
			err = pin_check_alone(p, option, pins->cpu[i]);
		p->thread[first + i].cpu = (int)pins->cpu[i];
		p->thread[first + i].why = PLACED_BY_USER;
	}
	return err;
}

static int placement_pin(struct placement *p)
{
	const struct placement_request *r = p->request;
	unsigned int first = 0;
	int err = 0;

	for (unsigned int d = 0; d < r->ndisks && !err; d++) {
		err = pin_group(p, first, r->disk[d].nthreads,
				r->disk[d].pins);
		first += r->disk[d].nthreads;
	}
	return err ? err : pin_group(p, first, r->ncpus, r->pins);
}

/* --- nodes --------------------------------------------------------------- */

/* Whole cores on node @node that nobody has. */
static unsigned int node_free_cores(const struct placement *p, int node)
{
	const struct topology *t = p->topology;
	struct cpu_mask seen = { 0 }, taken = { 0 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < t->ncpus; i++)
		if (cpu_mask_has(&p->request->taken, t->cpu[i].id))
			cpu_mask_add(&taken, t->cpu[i].core);
	for (unsigned int i = 0; i < t->ncpus; i++) {
		const struct topology_cpu *c = &t->cpu[i];

		if (c->node != node || !cpu_mask_has(&t->allowed, c->id) ||
		    cpu_mask_has(&taken, c->core) ||
		    cpu_mask_has(&seen, c->core))
			continue;
		cpu_mask_add(&seen, c->core);
		n++;
	}
	return n;
}

static bool node_has_cpus(const struct topology *t, int node)
{
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (t->cpu[i].node == node &&
		    cpu_mask_has(&t->allowed, t->cpu[i].id))
			return true;
	return false;
}

static bool node_has_memory(const struct topology *t, int node)
{
	return t->node[node].memory && t->node[node].allowed;
}

/*
 * The node nearest to @node where lkvm may run; of several, one that has memory for
 * it.  -1: there is none.
 */
static int node_nearest(const struct topology *t, int node)
{
	unsigned int cost, least = ~0u;
	int best = -1;

	for (int i = 0; i < (int)t->nnodes; i++) {
		if (!node_has_cpus(t, i))
			continue;
		cost = 2 * topology_distance(t, node, i) +
		       !node_has_memory(t, i);
		if (cost >= least)
			continue;
		best = i;
		least = cost;
	}
	return best;
}

/* Is @node a better home than @than?  Memory first, then free cores, then free memory. */
static bool node_better(const struct placement *p, int node, int than)
{
	const struct topology *t = p->topology;
	unsigned int n, most;

	if (than < 0)
		return true;
	if (node_has_memory(t, node) != node_has_memory(t, than))
		return node_has_memory(t, node);
	n = node_free_cores(p, node);
	most = node_free_cores(p, than);
	return n > most ||
	       (n == most && t->node[node].free > t->node[than].free);
}

/* That of the first disk whose device has one, or the nearest to it. */
static int home_of_device(struct placement *p)
{
	const struct placement_request *r = p->request;
	int home = -1;

	for (unsigned int d = 0; d < r->ndisks && home < 0; d++) {
		if (!r->disk[d].device || r->disk[d].device->node < 0)
			continue;
		home = node_nearest(p->topology, r->disk[d].device->node);
		if (home >= 0)
			p->device_disk = (int)d;
	}
	return home;
}

/* Where most of the vCPUs, or of the I/O threads, are pinned. */
static int home_of_pins(const struct placement *p, bool vcpus)
{
	unsigned int n[TOPOLOGY_NODES_MAX] = { 0 }, most = 0;
	int home = -1;

	for (unsigned int i = 0; i < p->nthreads; i++) {
		const struct placement_thread *thread = &p->thread[i];
		int node;

		if (thread->cpu < 0 || (thread->disk < 0) != vcpus)
			continue;
		node = topology_cpu(p->topology, (unsigned int)thread->cpu)
			       ->node;
		if (node < 0 || ++n[node] <= most)
			continue;
		most = n[node];
		home = node;
	}
	return home;
}

/* The one that has the memory of all guest nodes. */
static int home_of_guest_nodes(const struct placement *p)
{
	const struct placement_request *r = p->request;

	for (unsigned int i = 1; i < r->nguest_nodes; i++)
		if (r->guest_node[i] != r->guest_node[0])
			return -1;
	return r->nguest_nodes ? r->guest_node[0] : -1;
}

/* The best of those where lkvm may run. */
static int home_roomy(const struct placement *p)
{
	int home = -1;

	for (int i = 0; i < (int)p->topology->nnodes; i++)
		if (node_has_cpus(p->topology, i) && node_better(p, i, home))
			home = i;
	return home;
}

static int home_of(struct placement *p, enum placement_home why)
{
	switch (why) {
	case HOME_OF_DEVICE:
		return home_of_device(p);
	case HOME_OF_VCPUS:
		return home_of_pins(p, true);
	case HOME_OF_IO:
		return home_of_pins(p, false);
	case HOME_OF_GUEST_NODES:
		return home_of_guest_nodes(p);
	case HOME_ROOMY:
		break;
	}
	return home_roomy(p);
}

/* What the user says, by a disk, pins or --numa, goes before where there is room. */
static void placement_find_home(struct placement *p)
{
	enum placement_home why = HOME_OF_DEVICE;

	while ((p->home = home_of(p, why)) < 0 && why < HOME_ROOMY)
		why++;
	p->why_home = why;
}

/* Has the user said it for all guest nodes? */
static bool memory_is_bound(const struct placement_request *r)
{
	for (unsigned int i = 0; i < r->nguest_nodes; i++)
		if (r->guest_node[i] < 0)
			return false;
	return r->nguest_nodes;
}

/* Home, or the nearest node that has memory for lkvm: for what is not bound. */
static void placement_find_memory(struct placement *p)
{
	const struct topology *t = p->topology;

	if (memory_is_bound(p->request))
		return;
	for (int i = 0; i < (int)t->nnodes; i++)
		if (node_has_memory(t, i) &&
		    (p->memory < 0 ||
		     topology_distance(t, p->home, i) <
			     topology_distance(t, p->home, p->memory)))
			p->memory = i;
}

static int thread_wanted(const struct placement *p,
			 const struct placement_thread *thread)
{
	const struct placement_request *r = p->request;
	const struct topology_device *device;

	if (thread->disk < 0)
		return r->vcpu_node && r->vcpu_node[thread->index] >= 0 ?
			       r->vcpu_node[thread->index] :
			       p->home;
	device = r->disk[thread->disk].device;
	return device && device->node >= 0 ? device->node : p->home;
}

/* --- the choice ---------------------------------------------------------- */

static void cores_add(struct cores *cores, const struct placement *p,
		      const struct placement_thread *thread)
{
	const struct topology_cpu *c =
		topology_cpu(p->topology, (unsigned int)thread->cpu);

	cpu_mask_add(&cores->used, c->id);
	cpu_mask_add(thread->disk < 0 ? &cores->vcpu : &cores->io, c->core);
}

static void cores_begin(struct cores *cores, const struct placement *p)
{
	const struct topology *t = p->topology;

	memset(cores, 0, sizeof(*cores));
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (cpu_mask_has(&p->request->taken, t->cpu[i].id))
			cpu_mask_add(&cores->guest, t->cpu[i].core);
	for (unsigned int i = 0; i < p->nthreads; i++)
		if (p->thread[i].cpu >= 0)
			cores_add(cores, p, &p->thread[i]);
}

static enum placement_why cpu_why(const struct placement *p,
				  const struct cores *cores,
				  const struct placement_thread *thread,
				  const struct topology_cpu *c)
{
	if (cpu_mask_has(&p->request->taken, c->id))
		return PLACED_ON_GUEST;
	if (cpu_mask_has(&cores->guest, c->core))
		return PLACED_BESIDE_GUEST;
	if (cpu_mask_has(&cores->io, c->core))
		return PLACED_BESIDE_IO;
	if (cpu_mask_has(&cores->vcpu, c->core))
		return PLACED_BESIDE_VCPU;
	return c->node == thread->wanted ? PLACED_NEAR : PLACED_AWAY;
}

/*
 * The best CPU of all: by what shares its core, then the nearest, of several that nearest to
 * home, then in order.
 */
static void thread_place(const struct placement *p, const struct cores *cores,
			 struct placement_thread *thread)
{
	const struct topology *t = p->topology;
	unsigned int nearest = UINT_MAX;

	for (unsigned int i = 0; i < t->ncpus; i++) {
		const struct topology_cpu *c = &t->cpu[i];
		unsigned int distance;
		enum placement_why why;

		if (!cpu_mask_has(&t->allowed, c->id) ||
		    cpu_mask_has(&cores->used, c->id))
			continue;
		why = cpu_why(p, cores, thread, c);
		distance = topology_distance(t, thread->wanted, c->node) *
				   (TOPOLOGY_FAR + 1) +
			   topology_distance(t, p->home, c->node);
		if (thread->cpu >= 0 &&
		    (why > thread->why ||
		     (why == thread->why && distance >= nearest)))
			continue;
		thread->cpu = (int)c->id;
		thread->why = why;
		nearest = distance;
	}
}

static int placement_place(struct placement *p)
{
	const struct topology *t = p->topology;
	struct cores cores;

	placement_find_home(p);
	placement_find_memory(p);
	cores_begin(&cores, p);
	for (unsigned int i = 0; i < p->nthreads; i++) {
		struct placement_thread *thread = &p->thread[i];

		thread->wanted = thread_wanted(p, thread);
		if (thread->cpu >= 0)
			continue;
		thread_place(p, &cores, thread);
		if (thread->cpu < 0) {
			log_error("--affinity auto: %u I/O threads and %u vCPUs are more than the %u CPUs that lkvm may use; give fewer (--cpus, iothreads=), or lkvm run without --affinity auto",
				  p->nthreads - p->request->ncpus,
				  p->request->ncpus,
				  cpu_mask_count(&t->allowed));
			return -EINVAL;
		}
		cores_add(&cores, p, thread);
	}
	return 0;
}

/* ------------------------------------------------------------------------- */

static int placement_add_threads(struct placement *p)
{
	const struct placement_request *r = p->request;
	unsigned int n = r->ncpus;

	for (unsigned int d = 0; d < r->ndisks; d++)
		n += r->disk[d].nthreads;
	p->thread = calloc(n, sizeof(*p->thread));
	if (!p->thread)
		return log_no_memory();
	for (int d = 0; d <= (int)r->ndisks; d++) {
		bool vcpus = d == (int)r->ndisks;

		n = vcpus ? r->ncpus : r->disk[d].nthreads;
		for (unsigned int i = 0; i < n; i++)
			p->thread[p->nthreads++] = (struct placement_thread){
				.disk = vcpus ? -1 : d,
				.index = i,
				.cpu = -1,
				.wanted = -1,
			};
	}
	return 0;
}

int placement_plan(struct placement *p, const struct topology *t,
		   const struct placement_request *r)
{
	int err;

	*p = (struct placement){
		.topology = t,
		.request = r,
		.home = -1,
		.device_disk = -1,
		.memory = -1,
	};
	err = placement_add_threads(p);
	if (!err)
		err = placement_pin(p);
	if (!err && r->automatic)
		err = placement_place(p);
	if (err)
		placement_free(p);
	return err;
}

void placement_free(struct placement *p)
{
	free(p->thread);
	p->thread = NULL;
	p->nthreads = 0;
}

void placement_cpus(const struct placement *p, struct cpu_mask *cpus)
{
	memset(cpus, 0, sizeof(*cpus));
	for (unsigned int i = 0; i < p->nthreads; i++)
		if (p->thread[i].cpu >= 0)
			cpu_mask_add(cpus, (unsigned int)p->thread[i].cpu);
}

/* Take @cpus out of @rest, as long as that leaves @least. */
static void keep_off(struct cpu_mask *rest, const struct cpu_mask *cpus,
		     unsigned int least)
{
	struct cpu_mask left;

	CPU_AND_S(sizeof(left.set), left.set, rest->set, cpus->set);
	CPU_XOR_S(sizeof(left.set), left.set, left.set, rest->set);
	if (cpu_mask_count(&left) >= least)
		*rest = left;
}

bool placement_rest(const struct placement *p, struct cpu_mask *rest)
{
	unsigned int unplaced = 0;
	struct cpu_mask own;

	*rest = p->topology->allowed;
	placement_cpus(p, &own);
	if (!cpu_mask_count(&own))
		return false;
	for (unsigned int i = 0; i < p->nthreads; i++)
		unplaced += p->thread[i].cpu < 0;
	keep_off(rest, &own, 1);
	keep_off(rest, &p->request->taken, unplaced ? unplaced : 1);
	return true;
}
