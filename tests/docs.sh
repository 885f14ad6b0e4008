#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What docs/tutorial.md and docs/hacking.md say works: their examples are run in
# the order of the page.  A fenced block's first line tells what it is:
#
#	sh run           a shell runs it, from the top of the source
#	sh guest         the same, where there is a /dev/kvm: for vmlinuz stands a small
#	                 guest that writes and reads all of its queues
#	diff NAME        applied to a copy of the source
#	sh changed NAME  run in that copy; sh guest NAME as well
#
# The commands of all other pages are run by tests/pages.sh, which is called at the end.
# COUNTS names a file for the counts: "passed failed skipped".
set -u
cd "$(dirname "$0")/.."
top=$PWD
payload=build/payload/payload.elf
passed=0 failed=0 skipped=0

dir=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-docs.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# split PAGE: its blocks as $dir/blocks/NN.WORDS
split() {
	rm -rf "$dir/blocks"
	mkdir "$dir/blocks"
	awk -v dir="$dir/blocks" '
		/^```/ && !file && NF > 1 { gsub(/ /, "."); file = sprintf("%s/%02d.%s", dir, ++n, substr($0, 4)); printf "" > file; next }
		/^```/ { file = ""; next }
		file { print > file }' "$1"
}

# A copy of the source and of what is built, so that a change takes few steps.
copy_tree() {
	rm -rf "$dir/$1"
	mkdir "$dir/$1" "$dir/$1/build"
	git ls-files -z | xargs -0 cp --parents -p -t "$dir/$1"
	cp -Rp build/x86 "$dir/$1/build/"
	[ -z "$guests" ] || cp "$dir/work/vmlinuz" "$dir/work/initrd.img" "$dir/$1/"
}

# The lkvm of the page, that tells the guest what to do.
make_shim() {
	mkdir -p "$dir/bin"
	cat > "$dir/bin/lkvm" <<-'SHIM'
		#!/bin/bash
		if [ "$1" = run ]; then
			shift
			shared=
			case $* in *iothreads=1*) shared=shared=1 ;; esac
			exec build/x86/lkvm run --params "case=mq $shared" "$@"
		fi
		exec build/x86/lkvm "$@"
	SHIM
	chmod +x "$dir/bin/lkvm"
}

# try WHERE BLOCK: a shell that stops at the first failure
try() {
	if (cd "$1" && MAKEFLAGS='' PATH=$dir/bin:$PATH bash -euo pipefail "$2") > "$dir/said" 2>&1 < /dev/null; then
		passed=$((passed + 1))
		echo "ok - $page: ${2##*/}"
	else
		failed=$((failed + 1))
		echo "not ok - $page: ${2##*/}"
		tail -n 10 "$dir/said" | sed 's/^/#   /'
	fi
}

block() {
	local kind=${1##*/} name
	kind=${kind#*.}
	name=${kind##*.}
	case $kind in
	sh.run) try "$dir/work" "$1" ;;
	diff.*)
		copy_tree "$name"
		sed -i '/^---/s/\t.*//' "$1"
		echo "patch -p1 -F0 < $1" > "$1.sh"
		try "$dir/$name" "$1.sh" ;;
	sh.changed.*) try "$dir/$name" "$1" ;;
	sh.guest*)
		if [ -z "$guests" ]; then
			skipped=$((skipped + 1))
			echo "skip - $page: ${1##*/}: no /dev/kvm of this machine's own"
			return
		fi
		if [ "$kind" = sh.guest ]; then name=work; fi
		try "$dir/$name" "$1" ;;
	*)
		failed=$((failed + 1))
		echo "not ok - $page: a block of no known kind: $kind" ;;
	esac
}

make --no-print-directory > /dev/null || exit 1
make_shim
guests=
if [ "$(uname -m)" = x86_64 ] && [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
	guests=1
	[ -e $payload ] || tests/payload/run.sh "only built" > /dev/null || exit 1
fi
for page in tutorial hacking; do
	rm -rf "$dir/work"
	mkdir "$dir/work"
	# It looks like the top of the source, but what is made stays here, and a user's own
	# disk.img is no part of it.
	for name in $(git ls-files | cut -d / -f 1 | sort -u) build; do ln -s "$top/$name" "$dir/work/"; done
	if [ -n "$guests" ]; then
		cp $payload "$dir/work/vmlinuz"
		truncate -s 4096 "$dir/work/initrd.img"
	fi
	split docs/$page.md
	for file in "$dir"/blocks/*; do
		block "$file"
	done
done
COUNTS=$dir/counts tests/pages.sh
if read -r -a counted < "$dir/counts"; then
	passed=$((passed + counted[0])) failed=$((failed + counted[1])) skipped=$((skipped + counted[2]))
else
	failed=$((failed + 1))
	echo "not ok - tests/pages.sh did not finish"
fi
[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
[ $failed -eq 0 ]
