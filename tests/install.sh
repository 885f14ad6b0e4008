#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make install into an empty directory: everything is there and works from there;
# make uninstall leaves no file behind, and takes none that is not its own.
set -u
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
complain() { echo "install: $*"; bad=1; }

# run GOAL: make it, for /usr in $dir
run() {
	make --no-print-directory "$1" DESTDIR="$dir" PREFIX=/usr > "$dir.log" 2>&1 ||
		complain "make $1: $(tail -n 5 "$dir.log")"
	rm -f "$dir.log"
}

# there FILE MODE
there() {
	[ "$(stat -c %a "$dir/usr/$1" 2>&1)" = "$2" ] || complain "$1: not there with mode $2"
}

umask 022
mkdir -p "$dir/usr/bin" "$dir/usr/share/doc/other"
touch "$dir/usr/bin/other" "$dir/usr/share/doc/other/README"
before=$(find "$dir" ! -type d | sort)

run install
there bin/lkvm 755
there share/bash-completion/completions/lkvm 644
there lib/tmpfiles.d/lkvm.conf 644
for page in docs/*.1; do
	there "share/man/man1/${page##*/}" 644
done
# What a page links to, and the scripts that it names for a reader to run.
for page in README.md docs/*.md docs/*.svg; do
	file=share/doc/lkvm/${page##*/}
	there "$file" 644
	for link in $({ grep -oE '\]\([^)#]+' | cut -c 3- | grep -v ://; } < "$dir/usr/$file") \
			$(grep -oE 'scripts/[a-z-]+\.bt' "$dir/usr/$file"); do
		[ -e "$dir/usr/share/doc/lkvm/$link" ] || complain "$page: links to $link, which is not installed"
	done
done
installed=$dir/usr/bin/lkvm
[[ $(cd / && "$installed" version) == "lkvm "[0-9]* ]] || complain "the installed lkvm does not run"
"$installed" create "$dir/disk.img" 1M && rm "$dir/disk.img" || complain "the installed lkvm makes no image"
readelf -S "$installed" | grep -q '\.debug_info' || complain "make install has stripped lkvm"
bash -n "$dir/usr/share/bash-completion/completions/lkvm" || complain "the installed completion is no bash"
run install-strip
! readelf -S "$installed" | grep -qE '\.(debug_info|symtab)' || complain "make install-strip has not stripped lkvm"
"$installed" version > /dev/null || complain "the stripped lkvm does not run"

run uninstall
after=$(find "$dir" ! -type d | sort)
[ "$before" = "$after" ] || complain "what make uninstall leaves: $(diff <(echo "$before") <(echo "$after"))"
[ ! -e "$dir/usr/share/doc/lkvm" ] || complain "make uninstall leaves share/doc/lkvm"
exit $bad
