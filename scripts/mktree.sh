#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mktree.sh DIR [OPTION...] - make a small root file system around a static busybox
#
#	--init FILE                 becomes /init
#	--modules KERNELDIR NAME... modules of a kernel unpacked by kernel.sh, with
#	                            what they depend on; /modules.list names them in
#	                            load order, relative to /modules
#	--program PATH...           programs of this machine, into /bin, with their
#	                            shared libraries
#	--file SRC:DST...           any other file
#	--tree DIR...               a whole tree, copied onto the root
#
# mkinitrd.sh and mkdisk.sh make an initrd and a disk image of such a tree.  $BUSYBOX
# names another static busybox: that of another architecture.
set -eu

die() { echo "mktree.sh: $*" >&2; exit 1; }
usage() { sed -n '4,15s/^# \{0,1\}//p' "$0" >&2; exit 1; }

[ $# -ge 1 ] || usage
root=$1; shift
case $root in -*) usage ;; esac

busybox=${BUSYBOX-$(command -v busybox)} || die "busybox is missing: install busybox-static"
# A merged /usr as Debian has it: libraries are found by the paths ldd prints.
mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},dev,proc,sys,run,tmp,mnt,modules}
for d in bin sbin lib lib64; do ln -s usr/$d "$root/$d"; done
cp "$busybox" "$root/bin/busybox"
: > "$root/modules.list"

# Module names come with their full path from modprobe, dependencies first.
add_module() {
	local line
	modprobe -d "$kernel" -S "$(cat "$kernel/version")" --show-depends "$1" > "$root/tmp/depends" ||
		die "no module $1 in $kernel"
	while read -r line; do
		# shellcheck disable=SC2086 # two words
		set -- $line
		[ "$1" = insmod ] || continue		# or it is built in
		grep -qxF "${2##*/}" "$root/modules.list" && continue
		cp "$2" "$root/modules/"
		echo "${2##*/}" >> "$root/modules.list"
	done < "$root/tmp/depends"
	rm "$root/tmp/depends"
}

add_program() {
	local lib
	cp -L "$1" "$root/bin/"
	for lib in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$root$lib" ] || install -D "$lib" "$root$lib"
	done
}

# Each option takes all words up to the next one.
option='' kernel=''
for arg; do
	case $option:$arg in
	*:--modules) option=kernel; continue ;;
	*:--init|*:--program|*:--file|*:--tree) option=${arg#--}; continue ;;
	esac
	case $option in
	init)    install -m 755 "$arg" "$root/init" ;;
	kernel)  kernel=$arg option=module ;;
	module)  add_module "$arg" ;;
	program) add_program "$arg" ;;
	file)    install -D -m "$(stat -c %a "${arg%%:*}")" "${arg%%:*}" "$root/${arg#*:}" ;;
	tree)    cp -a "$arg/." "$root/" ;;
	*)       usage ;;
	esac
done
