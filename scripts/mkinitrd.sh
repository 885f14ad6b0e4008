#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# lkvm mkinitrd: an initrd with exactly the modules, programs, libraries and files
# that are asked for, by the tools that know them: modprobe, ldd, cpio.
#
# lkvm has this text in itself (guest/embed.S); here it serves scripts that have no
# lkvm yet.  The tree below is what guest/drivers.c, and /init scripts, rely on:
#
#	/modules.list   names the modules in load order, relative to /modules
#	/bin, /sbin...  links into /usr, as Debian has it: libraries are found by the
#	                paths that ldd prints
set -eu

usage() {
	cat <<'END'
usage: lkvm mkinitrd [-o FILE] [OPTION...]

Make an initrd for lkvm run. An option takes all words up to the next one.

  -o, --output FILE         where it goes (initrd.cpio); .gz: compressed
      --modules DIR [NAME...]
                            kernel modules, with what they depend on: those for
                            lkvm's disks, that which tells a panic, and each
                            NAME; DIR is /lib/modules/VERSION, or where a kernel
                            package is unpacked
      --program PATH...     programs, into /bin, with their shared libraries
      --busybox [PATH]      a static busybox, and a link for each program of it
      --file SRC:DST...     any other file, to a place of its own
      --tree DIR...         all that is in a directory, onto the root
      --init FILE           becomes /init; not needed for lkvm run -- COMMAND
      --directory DIR       leave a tree of files in a new DIR, and no archive
  -h, --help                this text
END
}
die() { echo "lkvm: mkinitrd: $*" >&2; exit 125; }
# Sets $found: the file in $PATH of that name; command -v knows this shell's own, too.
find_program() {
	rest=$PATH:
	while [ -n "$rest" ]; do
		found=${rest%%:*} rest=${rest#*:}
		found=${found:-.}/$1
		[ ! -f "$found" ] || [ ! -x "$found" ] || return 0
	done
	return 1
}
needs() { command -v "$1" > /dev/null || die "$1 is missing: install the package $2"; }

# --- what goes into the tree -----------------------------------------------

make_tree() {
	for dir in bin sbin lib lib64; do
		mkdir -p "$root/usr/$dir"
		ln -s "usr/$dir" "$root/$dir"
	done
	for dir in dev proc sys run tmp mnt root modules; do mkdir "$root/$dir"; done
	: > "$root/modules.list"
}

# Sets $place: the directory of PATH in the tree, without links, and a name in it.
# Links are followed as the guest does, whose / is $root; what leaves it is refused.
locate() {
	place='' rest=${1%/*}/ links=0
	case $1 in
	*/*) ;;
	*)   rest='' ;;
	esac
	while [ -n "$rest" ]; do
		part=${rest%%/*} rest=${rest#*/}
		if [ -z "$part" ] || [ "$part" = . ]; then
			continue
		elif [ "$part" = .. ]; then
			[ -n "$place" ] || die "$1: leaves the initrd; give a path below /"
			place=${place%/*}
		elif [ -L "$root$place/$part" ]; then
			links=$((links + 1))
			[ $links -le 40 ] || die "$1: its links go round in a circle"
			part=$(readlink "$root$place/$part") rest=$part/$rest
			[ "${part#/}" = "$part" ] || place=''
		else
			place=$place/$part
		fi
	done
	case ${1##*/} in
	''|.|..) die "$1: not the name of a file" ;;
	esac
	place=$root$place/${1##*/}
}

# put SRC DST: in place of a link that is there already
put() {
	locate "$2"
	[ -L "$place" ] || [ ! -d "$place" ] || die "$2: is a directory in the initrd; give the name of a file"
	why=$({ mkdir -p "${place%/*}" && cp -LT --preserve=mode --remove-destination "$1" "$place"; } 2>&1) ||
		die "cannot copy $1 to $2: ${why##*: }; is there space in ${TMPDIR:-/tmp}?"
}
has_file() {
	[ ! -d "$2" ] || die "$1 $2: is a directory; --tree adds all that is in one"
	[ -e "$2" ] || die "$1 $2: no such file; check the path"
	[ -f "$2" ] || [ -c "$2" ] || die "$1 $2: is neither a file nor a character device; give one"
	[ -r "$2" ] || die "$1 $2: Permission denied; make it readable for you, or copy it"
}

# Sets $base and $version of a kernel's modules, base/lib/modules/version.
find_kernel() {
	needs modprobe kmod
	if [ -d "$1/kernel" ]; then
		base=$(realpath "$1") version=${base##*/} base=${base%/lib/modules/*}
	elif [ -d "$1/lib/modules" ]; then
		base=$1 version=$(ls "$1/lib/modules")
	elif [ -d "$1/usr/lib/modules" ]; then
		base=$1/usr version=$(ls "$1/usr/lib/modules")
	else
		die "--modules $1: no modules there; give /lib/modules/VERSION, or the directory that a kernel package is unpacked in"
	fi
	case $version in
	*[[:space:]]*) die "--modules $1: it has several kernels; give one of them: $(echo "$base"/lib/modules/*)" ;;
	esac
	[ -d "$base/lib/modules/$version" ] ||
		die "--modules $1: is not called /lib/modules/VERSION, as modprobe wants it"
	[ -e "$base/lib/modules/$version/modules.dep" ] || depmod -b "$base" "$version" 2> /dev/null ||
		die "--modules $1: has no modules.dep; run depmod -b $base $version as its owner"
	add_module virtio_pci
	add_module virtio_blk
	! depends pvpanic_mmio > /dev/null 2>&1 || add_module pvpanic_mmio
}

# The files of a module, dependencies first, by modprobe; none if it is built in.
depends() { modprobe -d "$base" -S "$version" --show-depends "$1"; }

add_module() {
	depends "$1" > "$tmp/depends" 2> /dev/null ||
		die "--modules: kernel $version has no module $1; see find $base/lib/modules/$version -name '*.ko*'"
	sed -n 's/^insmod \(.*\.ko[.a-z]*\).*/\1/p' "$tmp/depends" > "$tmp/files"
	while read -r file; do
		name=${file##*/} name=${name%.ko*}.ko
		! grep -qxF "$name" "$root/modules.list" || continue
		case $file in
		*.xz)  needs xz xz-utils; xz -dc "$file" ;;
		*.zst) needs zstd zstd; zstd -qdc "$file" ;;
		*.gz)  gzip -dc "$file" ;;
		*)     cat "$file" ;;
		esac > "$tmp/module" ||
			die "--modules: cannot unpack $file; is it there and whole, and space in ${TMPDIR:-/tmp}?"
		put "$tmp/module" "modules/$name"
		echo "$name" >> "$root/modules.list"
	done < "$tmp/files"
}

# A script's interpreter must be there in the end, too.
note_interpreter() {
	[ "$(head -c 2 "$1" | tr -d '\000')" = '#!' ] || return 0
	{ echo "${1##*/}"; head -n 1 "$1" | cut -c 3-; } >> "$tmp/scripts"
}
check_interpreters() {
	while read -r script && read -r interpreter _; do
		locate "$interpreter"
		[ -e "$place" ] || [ -L "$place" ] ||
			die "--program $script: its interpreter $interpreter is not in the initrd; add --program $interpreter"
	done < "$tmp/scripts"
}

# ldd is silent on what is static, and on what cannot be run here.
check_foreign() {
	! ldd "$1" 2> /dev/null | grep -q / || return 0
	[ "$(head -c 4 "$1" | tr -d '\000\177')" = ELF ] || return 0
	! head -c 4096 "$1" | tr '\000' '\n' | grep -aq '/lib[^ ]*/ld[^/ ]*\.so' ||
		die "--program $1: its libraries are not known, as it cannot run on this machine; give a static one, or all of its files by --file"
}

add_program() {
	case $1 in
	*/*) program=$1 ;;
	*)   find_program "$1" || die "--program $1: not found in \$PATH; give its path"
	     program=$found ;;
	esac
	has_file --program "$program"
	[ -x "$program" ] || die "--program $1: cannot be executed; add it by --file, or chmod +x"
	put "$program" "bin/${program##*/}"
	note_interpreter "$program"
	missing=$(ldd "$program" 2> /dev/null | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | head -n 1)
	[ -z "$missing" ] || die "--program $1: its library $missing is not on this machine"
	check_foreign "$program"
	for library in $(ldd "$program" 2> /dev/null | grep -o '/[^ ]*'); do
		locate "$library"
		[ -e "$place" ] || put "$library" "$library"
	done
}

# A busybox of another architecture cannot say what it has: then this machine's does.
add_busybox() {
	has_file --busybox "$1"
	[ -x "$1" ] || die "--busybox $1: cannot be executed; give a static busybox"
	put "$1" bin/busybox
	{ "$1" --list-full 2> /dev/null || busybox --list-full; } > "$tmp/applets" ||
		die "--busybox $1: cannot be run here; install busybox-static, which tells what it has"
	while read -r applet; do
		locate "$applet"
		[ -e "$place" ] || [ -L "$place" ] || { mkdir -p "${place%/*}" && ln -s /bin/busybox "$place"; } ||
			die "--busybox $1: cannot link $applet"
	done < "$tmp/applets"
}

add_file() {
	case $1 in
	?*:/*) ;;
	*)    die "--file $1: give SOURCE:DESTINATION, the destination from / on" ;;
	esac
	has_file --file "${1%:/*}"
	put "${1%:/*}" "/${1##*:/}"
}

add_tree() {
	[ -d "$1" ] || die "--tree $1: no such directory; check the path"
	why=$(cp -a --remove-destination "$1/." "$root/" 2>&1) ||
		die "--tree $1: cannot copy all of it: ${why##*: }; is all of it readable, and space in ${TMPDIR:-/tmp}?"
	[ ! -L "$root/modules.list" ] || die "--tree $1: its modules.list is a link; leave it out"
}

# A slip of the hand shall not cost a disk: only an earlier archive is overwritten.
is_archive() { [ "$(gzip -dcf "$1" 2> /dev/null | head -c 6 | tr -d '\000')" = 070701 ]; }
check_output() {
	[ ! -d "$1" ] || die "--output $1: is a directory; give the name of a file in it"
	[ ! -b "$1" ] || die "--output $1: is a block device; give the name of a file"
	[ ! -f "$1" ] || [ ! -s "$1" ] || is_archive "$1" ||
		die "--output $1: there is a file of another kind; give a new name, or remove it"
}

# --- the command line ------------------------------------------------------

# An option that waits for its word, or for more of them.
option='' named='' output='' directory='' root='' waits='' content=''
take() {
	case $option in
	''|none) ;;
	*) [ -n "$1" ] || die "$named: its value is empty; give a name" ;;
	esac
	case $option in
	output)    check_output "$1"; output=$1 option=none ;;
	directory) directory=$1 option=none ;;
	init)      has_file --init "$1"; put "$1" init; chmod 755 "$root/init"; option=none ;;
	kernel)    find_kernel "$1"; option=module ;;
	module)    add_module "$1" ;;
	program)   add_program "$1" ;;
	file)      add_file "$1" ;;
	tree)      add_tree "$1" ;;
	busybox)   add_busybox "$1"; option=none ;;
	*)         die "unexpected argument ${1:-(empty)}; see lkvm mkinitrd --help" ;;
	esac
	waits=''
}
finish_option() {
	if [ "$option" = busybox ] && [ -n "$waits" ]; then
		find_program busybox || die "--busybox: none is installed; install busybox-static, or give its path"
		take "$found"
	fi
	[ -z "$waits" ] || die "a value is missing behind $waits; see lkvm mkinitrd --help"
}
next_option() {
	finish_option
	waits=$1 named=$1
	case $1 in
	-h|--help)   usage || exit 125; exit 0 ;;
	-o|--output) option=output named=--output ;;
	--directory) option=directory ;;
	--modules)   option=kernel content=yes ;;
	--program|--file|--tree|--init|--busybox) option=${1#--} content=yes ;;
	*)           die "unknown option $1; see lkvm mkinitrd --help" ;;
	esac
}

tmp=$(mktemp -d 2> /dev/null) || die "cannot make a directory in ${TMPDIR:-/tmp}; is it there, with space, and yours to write?"
# A tool that fails unforeseen has said why.
trap 'status=$?; rm -rf "$tmp"; [ $status -eq 0 ] || exit 125' EXIT
trap 'exit 125' INT TERM HUP
root=$tmp/root
mkdir "$root"
: > "$tmp/scripts"
make_tree
for arg; do
	case $arg in
	--help=*) die "$arg: --help takes no value" ;;
	--*=*) next_option "${arg%%=*}"; take "${arg#*=}" ;;
	-o?*)  next_option -o; take "${arg#-o}" ;;
	-?*)   next_option "$arg" ;;
	*)     take "$arg" ;;
	esac
done
finish_option
[ -n "$content" ] || die "nothing to put into it; see lkvm mkinitrd --help"
check_interpreters

# --- the archive -----------------------------------------------------------

if [ -n "$directory" ]; then
	[ -z "$output" ] || die "--directory $directory: makes no archive; leave out --output"
	[ ! -e "$directory" ] || rmdir "$directory" 2> /dev/null || die "--directory $directory: is there already; give a new one"
	mv "$root" "$directory" || die "--directory $directory: cannot be made"
	exit 0
fi
needs cpio cpio
[ -n "$output" ] || { output=initrd.cpio; check_output "$output"; }
pack() { (cd "$root" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0); }
{ pack > "$tmp/archive" && case $output in
*.gz) gzip -1 "$tmp/archive" && mv "$tmp/archive.gz" "$tmp/archive" ;;
esac; } || die "cpio or gzip failed: is there space in ${TMPDIR:-/tmp}?"
why=$(cp -- "$tmp/archive" "$output" 2>&1) || {
	# Half an archive is of no use.
	[ ! -f "$output" ] || [ ! -w "$output" ] || rm -f -- "$output"
	die "--output $output: cannot be written: ${why##*: }; give a file in a directory that is there and has space"
}
