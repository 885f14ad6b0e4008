#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# build.sh DIR - compile the ring-3 guest to DIR/ring3.elf
#
# Its code is 64-bit with 32-bit pointers (x32), so that it shares lib.c and
# virtio.c with the 32-bit guest.
set -eu
cd "$(dirname "$0")/../../.."

dir=$1
flags=(-mx32 -O2 -std=gnu11 -ffreestanding -nostdlib -fno-pic -fno-pie -fno-stack-protector
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none
	-fno-tree-loop-distribute-patterns -mno-red-zone -mno-sse -mno-mmx -mno-80387
	-Wall -Wextra -Werror)
objects=()

mkdir -p "$dir"
for file in tests/payload/ring3/*.[cS] tests/payload/lib.c tests/payload/virtio.c; do
	objects+=("$dir/ring3-$(basename "${file%.*}").o")
	gcc "${flags[@]}" -c -o "${objects[-1]}" "$file"
done
ld -m elf32_x86_64 --oformat elf32-x86-64 -z noexecstack --no-warn-rwx-segments \
	-T tests/payload/payload.lds -o "$dir/ring3-x32.elf" "${objects[@]}"
objcopy -O elf64-x86-64 "$dir/ring3-x32.elf" "$dir/ring3.elf"
