#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# mkdisk.sh OUT SIZE [OPTION...] - make a raw ext4 image, with mkinitrd.sh's options
#
# OUT becomes a sparse file of SIZE (512M, 4G).  Its --init FILE is /sbin/init
# too, where a kernel or an initrd looks for it.
set -eu

case ${2--} in -*) sed -n '4,7s/^# \{0,1\}//p' "$0" >&2; exit 1 ;; esac
out=$1 size=$2; shift 2

mkdir -p "$(dirname "$out")"
out=$(realpath "$out")
tree=$out.$$
trap 'rm -rf "$tree"' EXIT
trap 'exit 1' INT TERM HUP

"$(dirname "$0")/mkinitrd.sh" --directory "$tree" "$@"
[ ! -e "$tree/init" ] || [ -e "$tree/sbin/init" ] || ln -s /init "$tree/sbin/init"

rm -f "$out"
truncate -s "$size" "$out"
# No lazy initialisation: the guest should find a quiet disk.
/sbin/mke2fs -q -F -t ext4 -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 -d "$tree" "$out"
