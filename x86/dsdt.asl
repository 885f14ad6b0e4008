// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an x86 guest cannot find out by itself: how to power off, where the PCI
 * host bridge is and how its interrupt pins are wired, the first serial port,
 * the device that reports a kernel panic, and virtio devices that are not on PCI.
 *
 * Compiled by iasl when lkvm is built; acpi.c copies the result into guest
 * memory.  The numbers are those of x86.h.
 */
DefinitionBlock ("", "DSDT", 2, "LKVM", "LKVMDSDT", 0x00000001)
{
	// \_S5: the SLP_TYP of soft-off (ACPI 6.4, 7.4.2); X86_S5_SLP_TYP
	Name (_S5, Package () { 5, 5, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange,
					0, 0x0000, 0x0CF7, 0, 0x0CF8)
				WordIO (ResourceProducer, MinFixed, MaxFixed,
					PosDecode, EntireRange,
					0, 0x0D00, 0xFFFF, 0, 0xF300)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, 0xC0000000, 0xDFFFFFFF,
					0, 0x20000000)
			})
			// Every function uses INTA; each slot's is wired to an
			// I/O APIC pin (ACPI 6.4, 6.2.13): slot modulo 8 +
			// X86_PCI_INTX_GSI_BASE
			Name (_PRT, Package ()
			{
				Package () { 0x0000FFFF, 0, 0, 16 },
				Package () { 0x0001FFFF, 0, 0, 17 },
				Package () { 0x0002FFFF, 0, 0, 18 },
				Package () { 0x0003FFFF, 0, 0, 19 },
				Package () { 0x0004FFFF, 0, 0, 20 },
				Package () { 0x0005FFFF, 0, 0, 21 },
				Package () { 0x0006FFFF, 0, 0, 22 },
				Package () { 0x0007FFFF, 0, 0, 23 },
				Package () { 0x0008FFFF, 0, 0, 16 },
				Package () { 0x0009FFFF, 0, 0, 17 },
				Package () { 0x000AFFFF, 0, 0, 18 },
				Package () { 0x000BFFFF, 0, 0, 19 },
				Package () { 0x000CFFFF, 0, 0, 20 },
				Package () { 0x000DFFFF, 0, 0, 21 },
				Package () { 0x000EFFFF, 0, 0, 22 },
				Package () { 0x000FFFFF, 0, 0, 23 },
				Package () { 0x0010FFFF, 0, 0, 16 },
				Package () { 0x0011FFFF, 0, 0, 17 },
				Package () { 0x0012FFFF, 0, 0, 18 },
				Package () { 0x0013FFFF, 0, 0, 19 },
				Package () { 0x0014FFFF, 0, 0, 20 },
				Package () { 0x0015FFFF, 0, 0, 21 },
				Package () { 0x0016FFFF, 0, 0, 22 },
				Package () { 0x0017FFFF, 0, 0, 23 },
				Package () { 0x0018FFFF, 0, 0, 16 },
				Package () { 0x0019FFFF, 0, 0, 17 },
				Package () { 0x001AFFFF, 0, 0, 18 },
				Package () { 0x001BFFFF, 0, 0, 19 },
				Package () { 0x001CFFFF, 0, 0, 20 },
				Package () { 0x001DFFFF, 0, 0, 21 },
				Package () { 0x001EFFFF, 0, 0, 22 },
				Package () { 0x001FFFFF, 0, 0, 23 }
			})
		}

		// The ECAM must be some device's resource before an OS trusts
		// the MCFG table (PCI Firmware 3.2, 4.1.2); X86_ECAM_ADDR
		Device (ECAM)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
			})
		}

		// X86_COM1_PORT, X86_COM1_IRQ
		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03F8, 0x03F8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		// pvpanic, X86_PVPANIC_PORT
		Device (PVPN)
		{
			Name (_HID, "QEMU0001")
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0505, 0x0505, 1, 1)
			})
		}

		// virtio-mmio, X86_MMIO_SLOTS_ADDR and arch_mmio_slot(); which
		// of them there are acpi.c says at X86_ACPI_SLOTS_ADDR.  (Their
		// registers do not say it: Linux would map them as cached, and
		// its driver could not map them again.)
		OperationRegion (VIOR, SystemMemory, 0x000FFFFC, 4)
		Field (VIOR, DWordAcc, NoLock, Preserve) { VIOM, 32 }
		Method (VSTA, 1)
		{
			If (And (VIOM, ShiftLeft (1, Arg0))) { Return (0x0F) }
			Return (0)
		}

		Device (VIO0)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 0)
			Method (_STA) { Return (VSTA (0)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1000000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 5 }
			})
		}

		Device (VIO1)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 1)
			Method (_STA) { Return (VSTA (1)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1001000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 6 }
			})
		}

		Device (VIO2)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 2)
			Method (_STA) { Return (VSTA (2)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1002000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 7 }
			})
		}

		Device (VIO3)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 3)
			Method (_STA) { Return (VSTA (3)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1003000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 10 }
			})
		}

		Device (VIO4)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 4)
			Method (_STA) { Return (VSTA (4)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1004000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 11 }
			})
		}

		Device (VIO5)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 5)
			Method (_STA) { Return (VSTA (5)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1005000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 12 }
			})
		}

		Device (VIO6)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 6)
			Method (_STA) { Return (VSTA (6)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1006000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 14 }
			})
		}

		Device (VIO7)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 7)
			Method (_STA) { Return (VSTA (7)) }
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE1007000, 0x0200)
				Interrupt (ResourceConsumer, Edge, ActiveHigh,
					Exclusive) { 15 }
			})
		}
	}
}
