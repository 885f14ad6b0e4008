#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a compiler does not check: layers include downwards only (docs/design.md),
# files and functions stay small, headers compile alone, no architecture
# conditions, no die() or exit() where it does not belong.
set -u
cd "$(dirname "$0")/.."
bad=0
complain() { echo "$*"; bad=1; }

# layer DIR FORBIDDEN-REGEX WHY
layer() {
	local hits
	hits=$(grep -nE "^#include \"($2)" $1 /dev/null 2>/dev/null)
	[ -z "$hits" ] || complain "$3:
$hits"
}
layer "$(echo kvm/*.c include/kvm/*.h)" 'virtio/|disk/|x86/|powerpc/|drive|options' "kvm/ includes what is above it"
layer "$(echo disk/*.[ch] include/disk/*.h)" 'virtio/|x86/|powerpc/|drive|options|kvm/(vm|vcpu|pci|msix|bus|memory|console)' "disk/ knows neither guests nor rings"
layer "$(echo virtio/*.c include/virtio/*.h)" 'x86/|powerpc/|arch|drive|options' "virtio/ includes what is above it"
layer "$(echo virtio/virtqueue.c virtio/split.c virtio/packed.c virtio/device.c virtio/regs.c virtio/pci.c virtio/pci_regs.c virtio/mmio.c)" 'disk/' "only virtio/blk.c knows disks"
layer "$(echo x86/*.[ch] powerpc/*.[ch])" 'virtio/|disk/|drive|options' "an architecture includes kvm/ only"

sources=$(ls ./*.c kvm/*.c virtio/*.c disk/*.c x86/*.c powerpc/*.c guest/*.[ch] bench/*.c include/*.h include/*/*.h disk/*.h x86/*.h powerpc/*.h bench/*.h 2>/dev/null)

hits=$(wc -l $sources | awk '$2 != "total" && $1 > 550 { print "  " $2 ": " $1 " lines" }')
[ -z "$hits" ] || complain "files over 550 lines:
$hits"

hits=$(awk 'FNR == 1 { start = 0 }
	/^[a-zA-Z_].*\)?$/ && !/^[#}]/ { name = $0 }
	/^{/ { start = FNR }
	/^}/ { if (start && FNR - start > 64) print "  " FILENAME ":" start ": " FNR - start " lines"; start = 0 }' $sources)
[ -z "$hits" ] || complain "functions over 64 lines:
$hits"

hits=$(grep -nE '\b(exit|abort)\(' $sources | grep -vE '^(\./(main|builtin-)|bench/)|arch_|_exit\(' )
[ -z "$hits" ] || complain "ends the process outside main.c and builtin-*.c:
$hits"

hits=$(grep -nE '#if.*(__powerpc|__x86_64|__i386|CONFIG_(PPC|X86))' $sources | grep -vE '^(x86|powerpc)/')
[ -z "$hits" ] || complain "an architecture condition:
$hits"

hits=$(grep -nwE 'x86(_64)?|powerpc|ppc64|POWER[0-9]*|pseries|LoPAPR|XICS|bzImage|kvm_(intel|amd|hv)' $sources | grep -vE '^(x86|powerpc)/')
[ -z "$hits" ] || complain "an architecture's name outside its folder:
$hits"

hits=$(grep -nE 'TODO|FIXME|XXX' $sources)
[ -z "$hits" ] || complain "left open:
$hits"

for file in $sources $(ls tests/*.sh tests/*/*.sh scripts/*.sh tests/unit/*.[ch] 2>/dev/null); do
	head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || complain "$file: no SPDX line"
done

for header in include/*.h include/*/*.h disk/*.h virtio/*.h guest/*.h x86/*.h powerpc/*.h; do
	gcc -std=gnu11 -D_GNU_SOURCE -fsyntax-only -iquote include -iquote . -x c "$header" 2>/dev/null ||
		complain "$header does not compile alone"
done

hits=$(make --no-print-directory sparse 2>&1) || complain "sparse complains:
$hits"

hits=$(cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	-Iinclude -I. -Ibuild/x86 ./*.c kvm virtio disk x86 powerpc guest 2>&1)
[ -z "$hits" ] || complain "cppcheck complains:
$hits"

tests/conformance.sh || bad=1

exit $bad
