#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# mkinitrd.sh OUT --init FILE [OPTION...] - make an initrd, with mktree.sh's options
#
# OUT is compressed if its name ends in .gz.  A plain one is larger and boots
# faster where the guest's instructions are emulated.
set -eu

case ${1--} in -*) sed -n '4,7s/^# \{0,1\}//p' "$0" >&2; exit 1 ;; esac
out=$1; shift

mkdir -p "$(dirname "$out")"
out=$(realpath "$out")
tree=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tree"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$tree"

"$(dirname "$0")/mktree.sh" "$tree" "$@"
[ -x "$tree/init" ] || { echo "mkinitrd.sh: --init FILE is missing" >&2; exit 1; }

pack() { (cd "$tree" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0); }
case $out in
*.gz) pack | gzip -1 > "$out" ;;
*)    pack > "$out" ;;
esac
