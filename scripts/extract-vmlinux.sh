#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# extract-vmlinux.sh BZIMAGE OUT - take the ELF vmlinux out of a bzImage
#
# The setup header (Documentation/arch/x86/boot.rst) says where the compressed
# kernel lies: payload_offset bytes into the protected-mode code, which follows
# the setup sectors.  Its magic number tells the compressor.
set -eu

die() { echo "extract-vmlinux.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || die "usage: extract-vmlinux.sh BZIMAGE OUT"
image=$1 out=$2

# number OFFSET SIZE: one little-endian number of the header
number() { od -An -v -j "$1" -N "$2" -t "u$2" --endian=little "$image" | tr -d ' '; }
# magic FILE: its first four bytes in hex
magic() { od -An -v -N 4 -t x1 "$1" | tr -d ' \n'; }

[ -r "$image" ] || die "cannot read $image"
[ "$(number 514 4)" = $((0x53726448)) ] || die "$image: no HdrS: not a bzImage"
[ "$(number 518 2)" -ge $((0x208)) ] || die "$image: boot protocol older than 2.08"

sectors=$(number 497 1)
[ "$sectors" -ne 0 ] || sectors=4
offset=$(((sectors + 1) * 512 + $(number 584 4)))
length=$(number 588 4)
# All but gzip's own format end in the unpacked size, four bytes that the kernel's
# build appends and that no decompressor knows.
trimmed=$((length - 4))

tmp=$out.$$
trap 'rm -f "$tmp" "$tmp.elf"' EXIT
trap 'exit 1' INT TERM HUP
tail -c +$((offset + 1)) "$image" | head -c "$length" > "$tmp"

unpack() { head -c "$trimmed" "$tmp" | "$@" > "$tmp.elf" || die "$image: $1 failed"; }
case $(magic "$tmp") in
1f8b*)    trimmed=$length; unpack gzip -dc ;;
fd377a58) unpack xz -dc ;;
28b52ffd) unpack zstd -dcq ;;
02214c18) unpack lz4 -dcq ;;
5d0000*)  unpack xz --format=lzma -dc ;;
425a68*)  unpack bzip2 -dc ;;
7f454c46) mv "$tmp" "$tmp.elf" ;;
*)        die "$image: unknown compression $(magic "$tmp")" ;;
esac
[ "$(magic "$tmp.elf")" = 7f454c46 ] || die "$image: what was unpacked is not ELF"
mv "$tmp.elf" "$out"
