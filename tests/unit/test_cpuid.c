// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: host leaves as KVM reports them go in, and what a guest derives its
 * topology from must come out, on Intel and on AMD, for 1 to 255 CPUs.
 */
#include "kvm/numa.h"
#include "x86/cpuid.h"
#include <check.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES_MAX 64

static const unsigned int cpu_counts[] = { 1, 2, 3, 4, 64, 65, 255 };
static const unsigned int cpu_bits[] = { 0, 1, 2, 2, 6, 7, 8 };

static struct kvm_cpuid2 *cpuid;

static void add(u32 function, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};
}

static void add_vendor(u32 max, const char *name)
{
	u32 r[3];

	memcpy(r, name, 12);
	add(0, 0, max, r[0], r[2], r[1]);
}

static void setup(void)
{
	cpuid = calloc(1, sizeof(*cpuid) +
			  LEAVES_MAX * sizeof(cpuid->entries[0]));
	ck_assert_ptr_nonnull(cpuid);
}

static void teardown(void)
{
	free(cpuid);
}

static void add_intel(void)
{
	add_vendor(0x1f, "GenuineIntel");
	add(1, 0, 0x606a6, 0x12100800, 0x01000001, 0x1f8bfbff);
	/* L1, L2, L3 of a host with 64 threads, and the end */
	add(4, 0, 0x7c004121, 0x02c0003f, 0x3f, 0);
	add(4, 1, 0x7c004143, 0x04c0003f, 0x3ff, 0);
	add(4, 2, 0x7c0fc163, 0x02c0003f, 0xffff, 0);
	add(4, 3, 0, 0, 0, 0);
	add(7, 0, 1, 2, 3, 4);
	add(0xa, 0, 0x07300404, 0, 0, 0x603);
	add(0xb, 0, 1, 2, 0x100, 0x12);
	add(0xb, 1, 6, 64, 0x201, 0x12);
	add(0x1f, 0, 1, 2, 0x100, 0x12);
	add(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	add(0x40000001, 0, 0x01007efb, 0, 0, 0);
	add(0x80000000, 0, 0x80000008, 0, 0, 0);
	add(0x80000001, 0, 0, 0, 0x121, 0x2c100800);
	add(0x80000008, 0, 0x3027, 0, 0, 0);
}

static void add_amd(void)
{
	add_vendor(0x10, "AuthenticAMD");
	add(1, 0, 0xa20f10, 0x12200800, 1, 0x078bfbff);
	add(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	add(0x40000001, 0, 0x01007efb, 0, 0, 0);
	add(0x80000000, 0, 0x8000001f, 0, 0, 0);
	add(0x80000001, 0, 0, 0, 0x00400101, 0x2c100800);
	add(0x80000008, 0, 0x3030, 0x1000, 0x701f, 0);
	add(0x8000001d, 0, 0x00004121, 0, 0, 0);
	add(0x8000001d, 2, 0x00004143, 0, 0, 0);
	add(0x8000001d, 3, 0x0003c163, 0, 0, 0);
	add(0x8000001d, 4, 0, 0, 0, 0);
}

static const struct kvm_cpuid_entry2 *leaf(u32 function, u32 index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (u32 i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function != function || e->index != index)
			continue;
		ck_assert_msg(!found, "leaf %#x.%u twice", function, index);
		found = e;
	}
	return found;
}

static void adapt(unsigned int id, unsigned int ncpus)
{
	const struct cpuid_vcpu vcpu = { .id = id, .ncpus = ncpus };
	u32 before = cpuid->nent;

	cpuid_adapt(cpuid, &vcpu);
	ck_assert_uint_le(cpuid->nent, before + CPUID_EXTRA_LEAVES);
}

START_TEST(test_leaf_1)
{
	unsigned int n = cpu_counts[_i];
	const struct kvm_cpuid_entry2 *e;

	add_intel();
	adapt(n - 1, n);
	e = leaf(1, 0);
	ck_assert_uint_eq(e->ebx >> 24, n - 1);
	ck_assert_uint_eq(e->ebx >> 16 & 0xff, n);
	ck_assert_uint_eq(e->ebx & 0xffff, 0x0800);
	ck_assert_uint_eq(e->edx >> 28 & 1, n > 1);
	ck_assert_uint_eq(e->ecx, 1u << 31 | 1u << 21 | 1);
}
END_TEST

/*
 * Neither a package nor its last-level cache reaches over nodes, which Linux would
 * complain of: they are the largest groups, powers of two, that are of one node each.
 */
START_TEST(test_packages_of_nodes)
{
	static const struct {
		struct guest_numa numa;
		unsigned int ncpus, sharers;
	} cases[] = {
		{ { .nnodes = 1 }, 6, 6 },
		{ { .nnodes = 2, .cpu_node = { 0, 0, 1, 1 } }, 4, 2 },
		{ { .nnodes = 2, .cpu_node = { 0, 1, 0, 1 } }, 4, 1 },
		{ { .nnodes = 2, .cpu_node = { 0, 0, 0, 1, 1, 1 } }, 6, 1 },
		{ { .nnodes = 2, .cpu_node = { 0, 0, 0, 0, 1, 1 } }, 6, 4 },
	};
	const struct cpuid_vcpu vcpu = {
		.ncpus = cases[_i].ncpus,
		.numa = &cases[_i].numa,
	};

	add_amd();
	cpuid_adapt(cpuid, &vcpu);
	ck_assert_uint_eq(leaf(0x8000001d, 3)->eax >> 14 & 0xfff,
			  cases[_i].sharers - 1);
	ck_assert_uint_eq(leaf(0x8000001d, 2)->eax >> 14 & 0xfff, 0);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx & 0xff,
			  cases[_i].sharers - 1);
	ck_assert_uint_eq(1u << (leaf(0x80000008, 0)->ecx >> 12),
			  cases[_i].sharers == 6 ? 8 : cases[_i].sharers);
}
END_TEST

/* An EPYC 7001, for which Linux reckons by itself: then rather none at all. */
START_TEST(test_first_zens)
{
	static const struct {
		struct guest_numa numa;
		u32 eax, edx;
	} cases[] = {
		{ { .nnodes = 1 }, 0x800f12, 0x08009140 },
		{ { .nnodes = 2, .cpu_node = { 0, 0, 1, 1 } }, 0x800f12, 0 },
		{ { .nnodes = 2, .cpu_node = { [8] = 1, 1, 1 } }, 0x800f12,
		  0x08009140 },
		{ { .nnodes = 2, .cpu_node = { 0, 0, 1, 1 } }, 0xa20f10,
		  0x08009140 },
	};
	const struct cpuid_vcpu vcpu = {
		.ncpus = 11,
		.numa = &cases[_i].numa,
	};

	add_vendor(0x10, "AuthenticAMD");
	add(1, 0, cases[_i].eax, 0, 0, 0);
	add(0x80000006, 0, 0, 0, 0, 0x08009140);
	cpuid_adapt(cpuid, &vcpu);
	ck_assert_uint_eq(leaf(0x80000006, 0)->edx, cases[_i].edx);
}
END_TEST

START_TEST(test_tsc_deadline)
{
	const struct cpuid_vcpu vcpu = { .ncpus = 1, .tsc_deadline = true };

	add_amd();
	cpuid_adapt(cpuid, &vcpu);
	ck_assert_uint_eq(leaf(1, 0)->ecx >> 24 & 1, 1);
}
END_TEST

START_TEST(test_topology)
{
	static const u32 leaves[] = { 0xb, 0x1f };
	unsigned int n = cpu_counts[_i];

	add_intel();
	adapt(n - 1, n);
	for (int i = 0; i < 2; i++) {
		const struct kvm_cpuid_entry2 *e = leaf(leaves[i], 0);

		ck_assert_uint_eq(e->eax, 0);
		ck_assert_uint_eq(e->ebx, 1);
		ck_assert_uint_eq(e->ecx, 0x100);
		ck_assert_uint_eq(e->edx, n - 1);
		ck_assert_uint_eq(e->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		e = leaf(leaves[i], 1);
		ck_assert_uint_eq(e->eax, cpu_bits[_i]);
		ck_assert_uint_eq(e->ebx, n);
		ck_assert_uint_eq(e->ecx, 0x201);
		ck_assert_uint_eq(e->edx, n - 1);
		e = leaf(leaves[i], 2);
		ck_assert_uint_eq(e->eax | e->ebx, 0);
		ck_assert_uint_eq(e->ecx, 2);
	}
}
END_TEST

START_TEST(test_topology_only_where_known)
{
	add_amd();
	adapt(0, 2);
	ck_assert_ptr_nonnull(leaf(0xb, 0));
	ck_assert_ptr_null(leaf(0x1f, 0));
}
END_TEST

START_TEST(test_intel_caches)
{
	unsigned int n = cpu_counts[_i];
	u32 cores = (n > 64 ? 64 : 1u << cpu_bits[_i]) - 1;

	add_intel();
	adapt(0, n);
	for (u32 i = 0; i < 3; i++) {
		const struct kvm_cpuid_entry2 *e = leaf(4, i);

		ck_assert_uint_eq(e->eax >> 26, cores);
		ck_assert_uint_eq(e->eax >> 14 & 0xfff,
				  i < 2 ? 0 : (1u << cpu_bits[_i]) - 1);
	}
	ck_assert_uint_eq(leaf(4, 0)->eax & 0x3fff, 0x0121);
	ck_assert_uint_eq(leaf(4, 2)->ebx, 0x02c0003f);
	ck_assert_uint_eq(leaf(4, 3)->eax, 0);
}
END_TEST

START_TEST(test_amd)
{
	unsigned int n = cpu_counts[_i];

	add_amd();
	adapt(n - 1, n);
	ck_assert_uint_eq(leaf(0x80000001, 0)->ecx >> 1 & 1, n > 1);
	ck_assert_uint_eq(leaf(0x80000001, 0)->ecx & ~2u, 0x00400101);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx & 0xff, n - 1);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx >> 12, cpu_bits[_i]);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ebx, 0x1000);
	ck_assert_uint_eq(leaf(0x8000001d, 0)->eax, 0x00000121);
	ck_assert_uint_eq(leaf(0x8000001d, 2)->eax, 0x00000143);
	ck_assert_uint_eq(leaf(0x8000001d, 3)->eax, 0x0163 | (n - 1) << 14);
	ck_assert_uint_eq(leaf(0x8000001d, 4)->eax, 0);
	ck_assert_uint_eq(leaf(0x8000001e, 0)->eax, n - 1);
	ck_assert_uint_eq(leaf(0x8000001e, 0)->ebx, n - 1);
	ck_assert_uint_eq(leaf(0x8000001e, 0)->ecx, 0);
}
END_TEST

/* AMD's leaves are not for Intel, and what is not topology is KVM's word. */
START_TEST(test_rest_is_kept)
{
	const struct kvm_cpuid_entry2 *e;

	add_intel();
	adapt(1, 4);
	ck_assert_uint_eq(leaf(0x80000001, 0)->ecx, 0x121);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx, 0);
	ck_assert_ptr_null(leaf(0x8000001e, 0));
	ck_assert_uint_eq(leaf(0xa, 0)->eax, 0x07300404);
	e = leaf(7, 0);
	ck_assert(e->eax == 1 && e->ebx == 2 && e->ecx == 3 && e->edx == 4);
	ck_assert_uint_eq(leaf(0x40000001, 0)->eax, 0x01007efb);
	ck_assert_uint_eq(leaf(0x40000000, 0)->eax, 0x40000001);
}
END_TEST

/* The hint is the user's to give; KVM's features stay. */
START_TEST(test_dedicated)
{
	struct cpuid_vcpu self = { .ncpus = 1, .dedicated = _i };

	add_intel();
	cpuid_adapt(cpuid, &self);
	ck_assert_uint_eq(leaf(0x40000001, 0)->edx, _i);
	ck_assert_uint_eq(leaf(0x40000001, 0)->eax, 0x01007efb);
}
END_TEST

START_TEST(test_poor_host)
{
	char name[12];
	const struct kvm_cpuid_entry2 *e;

	add_vendor(1, "GenuineIntel");
	adapt(0, 1);
	ck_assert_ptr_nonnull(leaf(1, 0));
	ck_assert_ptr_null(leaf(0xb, 0));
	e = leaf(0x40000000, 0);
	memcpy(name, &e->ebx, 12);
	ck_assert_mem_eq(name, "KVMKVMKVM\0\0\0", 12);
	ck_assert_uint_eq(leaf(0x40000001, 0)->eax, 0);
}
END_TEST

static Suite *cpuid_suite(void)
{
	const int n = sizeof(cpu_counts) / sizeof(cpu_counts[0]);
	Suite *suite = suite_create("cpuid");
	TCase *tc = tcase_create("leaves");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_leaf_1, 0, n);
	tcase_add_loop_test(tc, test_packages_of_nodes, 0, 5);
	tcase_add_loop_test(tc, test_first_zens, 0, 4);
	tcase_add_test(tc, test_tsc_deadline);
	tcase_add_loop_test(tc, test_topology, 0, n);
	tcase_add_test(tc, test_topology_only_where_known);
	tcase_add_loop_test(tc, test_intel_caches, 0, n);
	tcase_add_loop_test(tc, test_amd, 0, n);
	tcase_add_test(tc, test_rest_is_kept);
	tcase_add_loop_test(tc, test_dedicated, 0, 2);
	tcase_add_test(tc, test_poor_host);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(cpuid_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
