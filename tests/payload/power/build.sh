#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh FILE - the payload guest for POWER, as an ELF file
set -eu
cd "$(dirname "$0")"

powerpc64le-linux-gnu-gcc -mbig -mabi=elfv2 -mcpu=power8 -msoft-float -mno-altivec -mno-vsx \
	-O2 -std=gnu11 -ffreestanding -fno-stack-protector -fno-strict-aliasing -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -Wall -Wextra -Werror \
	-nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack,--no-warn-rwx-segments,-T,payload.lds -o "$1" ./*.[cS]
