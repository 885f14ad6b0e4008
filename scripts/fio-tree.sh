#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fio-tree.sh DIR [ROOT] - a tree with fio and just the libraries that a guest needs
#
# fio is this machine's, or POWER's in ROOT, which cross.sh unpacked.
#
# Debian's fio is linked with Ceph, Gluster, RDMA and others: 60 libraries and
# 80 MB, which would take a guest several seconds to load.  None of them is
# called for a plain block device, so one generated stub takes the place of all
# of them.  It defines the functions that fio asks for, in the symbol versions
# that fio asks for; calling one aborts.
set -eu

die() { echo "fio-tree.sh: $*" >&2; exit 1; }

case $# in
1) fio=$(command -v fio) || die "fio is missing: install fio"
   root='' triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 prefix='' ;;
2) fio=$2/usr/bin/fio
   root=$2 triplet=powerpc64le-linux-gnu loader=ld64.so.2 prefix=$triplet- ;;
*) die "usage: fio-tree.sh DIR [ROOT]" ;;
esac
keep='libaio|libc|libm|libz|libnuma|ld-.*|ld64'	# .so.N: the real ones
libdir=/usr/lib/$triplet

rm -rf "$1"
mkdir -p "$1/usr/bin" "$1$libdir" "$1/usr/lib64"
cp "$fio" "$1/usr/bin/fio"
needed=$(readelf -dW "$fio" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
# Either directory has some, or both are the same.
kept=$(for lib in $(grep -E "^($keep)\.so" <<< "$needed") $loader; do
	for path in "$root/lib/$triplet/$lib" "$root$libdir/$lib"; do
		[ ! -e "$path" ] || echo "$path"
	done
done)
for lib in $kept; do cp -L "$lib" "$1$libdir/"; done
mv "$1$libdir/$loader" "$1/usr/lib64/"
needed=$(grep -vE "^($keep)\.so" <<< "$needed")

stub=$1$libdir/libfio-stub.so

# Every symbol that fio leaves undefined and no kept library defines, with its
# version: "NAME VERSION" lines, VERSION "-" where there is none.
symbols() { "${prefix}nm" -D --with-symbol-versions "$1" "$2" | awk '{ print $NF }'; }
defined=$(for lib in $kept; do symbols --defined-only "$lib"; done | sed 's/@.*//' | sort -u)
wanted=$("${prefix}nm" -D --undefined-only --with-symbol-versions "$fio" | awk '$1 == "U" { print $2 }' |
	sed 's/@@*/ /; / /!s/$/ -/' | sort -u)
wanted=$(join -v 1 <(echo "$wanted") <(echo "$defined"))

{
	echo 'void abort(void);'
	echo "$wanted" | awk '{ print "void " $1 "(void) { abort(); }" }'
} > "$stub.c"
echo "$wanted" | awk '
	$2 != "-" { list[$2] = list[$2] $1 "; " }
	END { for (v in list) print v " { global: " list[v] "};" }' > "$stub.map"
"${prefix}gcc" -w -fno-builtin -shared -fPIC -o "$stub" "$stub.c" -Wl,--version-script="$stub.map"
rm "$stub.c" "$stub.map"
# One file under all the names: the loader maps it once.
for lib in $needed; do ln "$stub" "$1$libdir/$lib"; done
rm "$stub"
