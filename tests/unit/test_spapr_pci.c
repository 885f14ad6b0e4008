// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI host bridge as pseries firmware shows it: configuration space, MSIs,
 * and what the device tree is told.
 */
/* helpers: fake_console.c fake_event.c fake_spapr.c spapr_rig.c guest_ring.c ../../powerpc/hvcons.c ../../powerpc/epow.c ../../powerpc/pci.c ../../powerpc/rtas.c */
#include "arch.h"
#include "fake_event.h"
#include "fake_spapr.h"
#include "guest_ring.h"
#include "kvm/msix.h"
#include "spapr_rig.h"
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#define HI ((u32)(SPAPR_PHB_BUID >> 32))
#define LO ((u32)SPAPR_PHB_BUID)
#define DISK (1u << 11)		/* config_addr of slot 1 */
#define PLAIN (2u << 11)
#define NOBODY (3u << 11)

static struct spapr_rig rig;

static void setup(void)
{
	rig_init(&rig);
}

static void teardown(void)
{
	rig_exit(&rig);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
}

/* Both ways to read must agree. */
static int read_config(u32 addr, u32 size, u32 *value)
{
	u32 other;
	int status = RIG_CALL(&rig, "ibm,read-pci-config", 1, value, addr, HI,
			      LO, size);

	ck_assert_int_eq(RIG_CALL(&rig, "read-pci-config", 1, &other, addr,
				  size),
			 status);
	ck_assert_uint_eq(other, *value);
	return status;
}

static u32 cfg(u32 addr, u32 size)
{
	u32 value;

	ck_assert_int_eq(read_config(addr, size, &value), RTAS_SUCCESS);
	return value;
}

static int write_config(u32 addr, u32 size, u32 value)
{
	return RIG_CALL(&rig, "ibm,write-pci-config", 0, NULL, addr, HI, LO,
			size, value);
}

/* --- configuration space ------------------------------------------------- */

START_TEST(test_read)
{
	ck_assert_uint_eq(cfg(DISK, 4), 0x10421af4);
	ck_assert_uint_eq(cfg(DISK, 2), 0x1af4);
	ck_assert_uint_eq(cfg(DISK + 2, 2), 0x1042);
	ck_assert_uint_eq(cfg(DISK, 1), 0xf4);
	ck_assert_uint_eq(cfg(DISK + 1, 1), 0x1a);
	ck_assert_uint_eq(cfg(DISK + 2, 1), 0x42);
	ck_assert_uint_eq(cfg(DISK + 3, 1), 0x10);
	ck_assert_uint_eq(cfg(DISK + PCI_CLASS_REVISION, 4), 0x01800001);
	ck_assert_uint_eq(cfg(DISK + PCI_CAPABILITY_LIST, 1), 0x40);
	ck_assert_uint_eq(cfg(PLAIN, 4), 0x56781234);
	/* The bridge is a function as well. */
	ck_assert_uint_eq(cfg(PCI_CLASS_REVISION + 2, 2), 0x0600);
}
END_TEST

START_TEST(test_write)
{
	ck_assert_int_eq(write_config(DISK + PCI_COMMAND, 2, 6), RTAS_SUCCESS);
	ck_assert_uint_eq(cfg(DISK + PCI_COMMAND, 2), 6);
	ck_assert_uint_eq(rig.disk.fn.config[PCI_COMMAND], 6);
	/* One byte: the low one of the argument, and none beside it. */
	ck_assert_int_eq(write_config(DISK + PCI_INTERRUPT_LINE, 1, 0xaabbcc55),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(cfg(DISK + PCI_INTERRUPT_LINE, 1), 0x55);
	ck_assert_uint_eq(cfg(DISK + PCI_INTERRUPT_PIN, 1), 1);
	ck_assert_int_eq(write_config(DISK + PCI_BASE_ADDRESS_0, 4, ~0u),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(cfg(DISK + PCI_BASE_ADDRESS_0, 4), 0xffffc004);
	ck_assert_int_eq(RIG_CALL(&rig, "write-pci-config", 0, NULL,
				  DISK + PCI_BASE_ADDRESS_0 + 2, 2, 0x1234),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(cfg(DISK + PCI_BASE_ADDRESS_0, 4), 0x1234c004);
	/* What is read-only stays. */
	ck_assert_int_eq(write_config(DISK, 4, 0), RTAS_SUCCESS);
	ck_assert_uint_eq(cfg(DISK, 4), 0x10421af4);
}
END_TEST

/* 7.3.4.1, 7.3.4.2: success, and all ones or no effect. */
START_TEST(test_nothing_there)
{
	static const u32 addrs[] = {
		NOBODY, 31u << 11, DISK | 1 << 8, DISK | 7 << 8,
		DISK | 1 << 16, DISK | 0xff << 16, DISK | 0x10000000,
		DISK | 0xf0000000, DISK | 0xf00000fc,
	};

	for (unsigned int i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		ck_assert_uint_eq(cfg(addrs[i], 4), 0xffffffff);
		ck_assert_uint_eq(cfg(addrs[i], 2), 0xffff);
		ck_assert_uint_eq(cfg(addrs[i], 1), 0xff);
		ck_assert_int_eq(write_config(addrs[i], 4, 0), RTAS_SUCCESS);
	}
	ck_assert_uint_eq(cfg(DISK + 0xfc, 4), 0);
}
END_TEST

START_TEST(test_bad_access)
{
	static const u32 sizes[] = { 0, 3, 5, 6, 7, 8, 16, 256, 0x10000,
				     0x80000000, 0xfffffffc, ~0u };
	static const struct {
		u32 reg, size;
	} unaligned[] = { { 1, 2 }, { 3, 2 }, { 255, 2 }, { 1, 4 }, { 2, 4 },
			  { 3, 4 }, { 254, 4 }, { 255, 4 } };
	u32 value;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(read_config(DISK, sizes[i], &value),
				 RTAS_PARAMETER);
		ck_assert_uint_eq(value, 0);
		ck_assert_int_eq(write_config(DISK, sizes[i], 0),
				 RTAS_PARAMETER);
	}
	for (unsigned int i = 0; i < 8; i++) {
		u32 addr = DISK + unaligned[i].reg;

		ck_assert_int_eq(read_config(addr, unaligned[i].size, &value),
				 RTAS_PARAMETER);
		ck_assert_int_eq(write_config(addr, unaligned[i].size, 0),
				 RTAS_PARAMETER);
	}
}
END_TEST

static const u32 bad_buids[][2] = { { 0, 0 }, { HI, 0 }, { 0, LO },
				    { LO, HI }, { HI, LO + 1 }, { ~0u, ~0u } };
#define BAD_BUIDS ((int)(sizeof(bad_buids) / sizeof(bad_buids[0])))

START_TEST(test_bad_buid)
{
	u32 hi = bad_buids[_i][0], lo = bad_buids[_i][1], rets[3];

	ck_assert_int_eq(RIG_CALL(&rig, "ibm,read-pci-config", 1, rets, DISK,
				  hi, lo, 4),
			 RTAS_PARAMETER);
	ck_assert_uint_eq(rets[0], 0);
	ck_assert_int_eq(RIG_CALL(&rig, "ibm,write-pci-config", 0, NULL,
				  DISK + PCI_COMMAND, hi, lo, 2, 6),
			 RTAS_PARAMETER);
	ck_assert_uint_eq(cfg(DISK + PCI_COMMAND, 2), 0);
	ck_assert_int_eq(RIG_CALL(&rig, "ibm,change-msi", 3, rets, DISK, hi, lo,
				  4, 2, 1),
			 RTAS_PARAMETER);
	ck_assert_int_eq(RIG_CALL(&rig, "ibm,query-interrupt-source-number", 2,
				  rets, DISK, hi, lo, 0),
			 RTAS_PARAMETER);
	ck_assert_uint_eq(fake_spapr.nsources, 0);
}
END_TEST

/* --- MSI ----------------------------------------------------------------- */

/* With @nret results: two, or three. */
static int change_msi(u32 addr, u32 function, u32 n, unsigned int nret,
		      u32 *rets)
{
	return RIG_CALL(&rig, "ibm,change-msi", nret, rets, addr, HI, LO,
			function, n, 1);
}

static int query(u32 addr, u32 vector, u32 *rets)
{
	return RIG_CALL(&rig, "ibm,query-interrupt-source-number", 2, rets,
			addr, HI, LO, vector);
}

START_TEST(test_msix)
{
	u32 rets[3];

	for (u32 n = 1; n <= RIG_VECTORS; n++) {
		fake_spapr.nsources = 0;
		ck_assert_int_eq(change_msi(DISK, 4, n, 3, rets), RTAS_SUCCESS);
		ck_assert_uint_eq(rets[0], n);
		ck_assert_uint_eq(rets[2], 2);	/* MSI-X */
		ck_assert_uint_eq(fake_spapr.nsources, n);
		for (u32 i = 0; i < n; i++)
			ck_assert_uint_eq(fake_spapr.source[i],
					  SPAPR_IRQ_MSI_BASE + i);
	}
	for (u32 i = 0; i < RIG_VECTORS; i++) {
		ck_assert_int_eq(query(DISK, i, rets), RTAS_SUCCESS);
		ck_assert_uint_eq(rets[0], SPAPR_IRQ_MSI_BASE + i);
		ck_assert_uint_eq(rets[1], 1);	/* edge */
	}
}
END_TEST

/* Linux rounds up to a power of two, then asks again for what there is. */
START_TEST(test_msix_too_many)
{
	static const u32 many[] = { RIG_VECTORS + 1, 8, 2048, 2049, 0x10000,
				    0x10000000, 0x10000001, 0x80000000, ~0u };
	u32 rets[3];

	for (unsigned int i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		fake_spapr.nsources = 0;
		ck_assert_int_eq(change_msi(DISK, 4, many[i], 3, rets),
				 RTAS_SUCCESS);
		ck_assert_uint_eq(rets[0], RIG_VECTORS);
		ck_assert_uint_eq(fake_spapr.nsources, RIG_VECTORS);
	}
}
END_TEST

/* Function 1 may be MSI-X if the caller can be told; 3 and 5 never are. */
START_TEST(test_msi_functions)
{
	static const u32 bad[] = { 7, 8, 0x80000001, ~0u };
	u32 rets[3];

	ck_assert_int_eq(change_msi(DISK, 4, 2, 2, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 2);
	ck_assert_int_eq(change_msi(DISK, 1, 2, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 2);
	ck_assert_uint_eq(rets[2], 2);
	fake_spapr.nsources = 0;
	ck_assert_int_eq(change_msi(DISK, 1, 2, 2, rets), RTAS_PARAMETER);
	ck_assert_int_eq(change_msi(DISK, 3, 1, 3, rets), RTAS_PARAMETER);
	ck_assert_int_eq(change_msi(DISK, 5, 1, 3, rets), RTAS_PARAMETER);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(change_msi(DISK, bad[i], 1, 3, rets),
				 RTAS_PARAMETER);
		ck_assert_int_eq(change_msi(DISK, bad[i], 0, 3, rets),
				 RTAS_PARAMETER);
	}
	ck_assert_uint_eq(rets[0], 0);
	ck_assert_uint_eq(fake_spapr.nsources, 0);
}
END_TEST

/* Function 6: as 4, with message addresses below 4 GiB. */
START_TEST(test_msix_32)
{
	u32 rets[3], high = ~0u;

	ck_assert_int_eq(change_msi(DISK, 6, 3, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 3);
	ck_assert_uint_eq(rets[2], 2);
	ck_assert_uint_eq(fake_spapr.nsources, 3);
	for (u32 i = 0; i < RIG_VECTORS; i++) {
		msix_bar_read(rig.disk.msix, i * PCI_MSIX_ENTRY_SIZE +
			      PCI_MSIX_ENTRY_UPPER_ADDR, &high, sizeof(high));
		ck_assert_uint_eq(high, 0);
	}
}
END_TEST

/* Function 0 changes nothing, whatever number it is given. */
START_TEST(test_msi_query)
{
	u32 rets[3];

	ck_assert_int_eq(change_msi(DISK, 0, 0, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 0);
	ck_assert_uint_eq(rets[2], 0);
	ck_assert_int_eq(change_msi(DISK, 4, 2, 3, rets), RTAS_SUCCESS);
	for (u32 n = 0; n < 4; n++) {
		ck_assert_int_eq(change_msi(DISK, 0, n, 3, rets), RTAS_SUCCESS);
		ck_assert_uint_eq(rets[0], 2);
		ck_assert_uint_eq(rets[2], 2);
		ck_assert_int_eq(change_msi(DISK, 0, n, 2, rets), RTAS_SUCCESS);
		ck_assert_uint_eq(rets[0], 2);
	}
	ck_assert_uint_eq(fake_spapr.nsources, 2);
	/* What fails leaves as many as there were. */
	ck_assert_int_eq(change_msi(DISK, 3, 1, 3, rets), RTAS_PARAMETER);
	ck_assert_int_eq(change_msi(DISK, 0, 0, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 2);
	ck_assert_int_eq(change_msi(PLAIN, 0, 0, 3, rets), RTAS_PARAMETER);
}
END_TEST

START_TEST(test_msi_off)
{
	/* Function 2 is a reset, and takes no number. */
	static const u32 functions[] = { 1, 2, 3, 4, 5, 6 };
	u32 cap = rig.disk.fn.config[0x40 + PCI_CAP_LIST_NEXT];
	u32 flags = DISK + cap + PCI_MSIX_FLAGS, rets[3];

	ck_assert_uint_eq(cfg(DISK + cap, 1), PCI_CAP_ID_MSIX);
	ck_assert_int_eq(change_msi(DISK, 4, 2, 3, rets), RTAS_SUCCESS);
	ck_assert_int_eq(write_config(flags, 2, 0xc000), RTAS_SUCCESS);
	ck_assert(msix_enabled(rig.disk.msix));
	ck_assert_int_eq(change_msi(DISK, functions[_i],
				    functions[_i] == 2 ? 7 : 0, 2, rets),
			 RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 0);
	ck_assert_int_eq(change_msi(DISK, 0, 0, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 0);
	ck_assert(!msix_enabled(rig.disk.msix));
	ck_assert_uint_eq(cfg(flags, 2), 0x4000 | (RIG_VECTORS - 1));
	/* And back. */
	ck_assert_int_eq(change_msi(DISK, 4, 2, 3, rets), RTAS_SUCCESS);
	ck_assert_uint_eq(rets[0], 2);
}
END_TEST

START_TEST(test_msi_nowhere)
{
	static const u32 addrs[] = {
		0,	/* the bridge */
		PLAIN, NOBODY, 31u << 11, DISK | 1 << 8, DISK | 7 << 8,
		DISK | 1 << 16, DISK | 0xff << 16, 0x00ffff00, ~0u,
	};
	u32 rets[3];

	for (unsigned int i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		ck_assert_int_eq(change_msi(addrs[i], 4, 1, 3, rets),
				 RTAS_PARAMETER);
		ck_assert_int_eq(change_msi(addrs[i], 1, 0, 2, rets),
				 RTAS_PARAMETER);
		ck_assert_int_eq(query(addrs[i], 0, rets), RTAS_PARAMETER);
	}
	ck_assert_uint_eq(fake_spapr.nsources, 0);
}
END_TEST

START_TEST(test_query_out_of_range)
{
	static const u32 vectors[] = { RIG_VECTORS, RIG_VECTORS + 1, 2048,
				       0x10000000, 0x80000000, ~0u };
	u32 rets[2];

	for (unsigned int i = 0; i < 6; i++) {
		ck_assert_int_eq(query(DISK, vectors[i], rets), 1);
		ck_assert_uint_eq(rets[0], 0);
	}
}
END_TEST

/* The guest wrote the table: no source that is not a vector's. */
START_TEST(test_table_overwritten)
{
	static const u32 junk[] = { 0, 1, 15, SPAPR_IRQ_CONSOLE,
				    SPAPR_IRQ_INTX_BASE, SPAPR_IRQ_MSI_BASE - 1,
				    SPAPR_IRQ_MSI_BASE + RIG_VECTORS,
				    0x80000000, ~0u };
	u32 rets[3];

	for (unsigned int i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		__le32 data = cpu_to_le32(junk[i]);

		fake_spapr.nsources = 0;
		msix_bar_write(rig.disk.msix, 2 * PCI_MSIX_ENTRY_SIZE +
			       PCI_MSIX_ENTRY_DATA, &data, sizeof(data));
		ck_assert_int_eq(change_msi(DISK, 4, 5, 3, rets),
				 RTAS_HARDWARE);
		ck_assert_uint_eq(fake_spapr.nsources, 2);
		ck_assert_int_eq(query(DISK, 2, rets), RTAS_HARDWARE);
		ck_assert_int_eq(query(DISK, 1, rets), RTAS_SUCCESS);
	}
}
END_TEST

START_TEST(test_controller_refuses)
{
	u32 rets[3];

	fake_spapr.refuse_msi = -EIO;
	ck_assert_int_eq(change_msi(DISK, 4, 2, 3, rets), RTAS_HARDWARE);
	ck_assert_uint_eq(rets[0], 0);
}
END_TEST

/* --- device tree --------------------------------------------------------- */

START_TEST(test_describe)
{
	struct spapr_pci_function f[PCI_SLOTS];

	/* What a guest did does not count. */
	write_config(DISK + PCI_COMMAND, 2, 6);
	ck_assert_uint_eq(spapr_pci_describe(rig.vm.pci, f, PCI_SLOTS), 2);
	ck_assert_uint_eq(f[0].slot, 1);
	ck_assert_uint_eq(f[0].vendor, 0x1af4);
	ck_assert_uint_eq(f[0].device, 0x1042);
	ck_assert_uint_eq(f[0].subvendor, 0x1af5);
	ck_assert_uint_eq(f[0].subdevice, 0x0040);
	ck_assert_uint_eq(f[0].revision, 1);
	ck_assert_uint_eq(f[0].class_code, 0x018000);
	ck_assert_uint_eq(f[0].intx, arch_pci_intx_gsi(1));
	ck_assert_uint_eq(f[0].msix, RIG_VECTORS);
	ck_assert_uint_eq(f[0].nbars, 2);
	ck_assert_uint_eq(f[0].bar[0].bar, 0);
	ck_assert_uint_eq(f[0].bar[0].size, 0x4000);
	ck_assert_uint_eq(f[0].bar[0].addr, arch_pci_window.base);
	ck_assert_uint_eq(f[0].bar[1].bar, RIG_MSIX_BAR);
	ck_assert_uint_eq(f[0].bar[1].size, 4096);
	ck_assert_uint_eq(f[0].bar[1].addr, arch_pci_window.base + 0x4000);

	ck_assert_uint_eq(f[1].slot, 2);
	ck_assert_uint_eq(f[1].vendor, 0x1234);
	ck_assert_uint_eq(f[1].revision, 0);
	ck_assert_uint_eq(f[1].class_code, 0xff0012);
	ck_assert_uint_eq(f[1].intx, 0);
	ck_assert_uint_eq(f[1].msix, 0);
	ck_assert_uint_eq(f[1].nbars, 0);
}
END_TEST

START_TEST(test_describe_no_more_than)
{
	struct spapr_pci_function f[2] = { { .slot = 77 }, { .slot = 77 } };

	ck_assert_uint_eq(spapr_pci_describe(rig.vm.pci, f, 0), 0);
	ck_assert_uint_eq(f[0].slot, 77);
	ck_assert_uint_eq(spapr_pci_describe(rig.vm.pci, f, 1), 1);
	ck_assert_uint_eq(f[0].slot, 1);
	ck_assert_uint_eq(f[1].slot, 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spapr pci");
	TCase *tc = tcase_create("bridge");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_read);
	tcase_add_test(tc, test_write);
	tcase_add_test(tc, test_nothing_there);
	tcase_add_test(tc, test_bad_access);
	tcase_add_loop_test(tc, test_bad_buid, 0, BAD_BUIDS);
	tcase_add_test(tc, test_msix);
	tcase_add_test(tc, test_msix_too_many);
	tcase_add_test(tc, test_msi_functions);
	tcase_add_test(tc, test_msix_32);
	tcase_add_test(tc, test_msi_query);
	tcase_add_loop_test(tc, test_msi_off, 0, 6);
	tcase_add_test(tc, test_msi_nowhere);
	tcase_add_test(tc, test_query_out_of_range);
	tcase_add_test(tc, test_table_overwritten);
	tcase_add_test(tc, test_controller_refuses);
	tcase_add_test(tc, test_describe);
	tcase_add_test(tc, test_describe_no_more_than);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
