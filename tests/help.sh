#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What lkvm says of itself: each command's help is there by every way to it and fits
# a terminal; what is misspelt gets status 125 and one line with the remedy.
set -u
cd "$(dirname "$0")/.."

lkvm=$(realpath "${LKVM:-build/x86/lkvm}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
complain() { echo "help: $*"; bad=1; }

# run STATUS ARG...: runs lkvm; what it says is in $dir/out and $dir/err
run() {
	local want=$1 status=0
	shift
	"$lkvm" "$@" < /dev/null > "$dir/out" 2> "$dir/err" || status=$?
	[ "$status" -eq "$want" ] || complain "lkvm $*: status $status, not $want"
}

# helps FIRST-LINE ARG...: help on stdout, nothing on stderr
helps() {
	local first=$1
	shift
	run 0 "$@"
	[[ $(head -n 1 "$dir/out") == "$first"* ]] || complain "lkvm $*: does not begin with: $first"
	[ ! -s "$dir/err" ] || complain "lkvm $*: says on stderr: $(cat "$dir/err")"
	! grep -nE '.{81}' "$dir/out" || complain "lkvm $*: is wider than 80 columns there"
}

# refuses REGEX ARG...: status 125, nothing on stdout, one line on stderr
refuses() {
	local regex=$1
	shift
	run 125 "$@"
	[ ! -s "$dir/out" ] || complain "lkvm $*: says something on stdout"
	[ "$(wc -l < "$dir/err")" -eq 1 ] || complain "lkvm $*: not one line on stderr"
	grep -qE -- "$regex" "$dir/err" || complain "lkvm $*: not /$regex/ but: $(cat "$dir/err")"
}

for way in help --help -h; do
	helps "usage: lkvm COMMAND" "$way"
done
commands=$(sed -n 's/^  \([a-z-]*\)  .*/\1/p' "$dir/out")
[ -n "$commands" ] || complain "lkvm help: lists no commands"
for command in $commands; do
	helps "usage: lkvm $command" "$command" --help
	mv "$dir/out" "$dir/one"
	for way in "help $command" "--help $command" "$command -h"; do
		# shellcheck disable=SC2086 # words
		helps "usage: lkvm $command" $way
		cmp -s "$dir/one" "$dir/out" || complain "lkvm $way: not as lkvm $command --help"
	done
	refuses "$command: unknown option --colour; see lkvm $command --help" "$command" --colour
	# A script, which knows no nearest option.
	[ "$command" = mkinitrd ] || refuses "$command: unknown option --hlep \(did you mean --help\?\)" "$command" --hlep
done
refuses "unknown option -9; see lkvm stop --help" stop -9 web
refuses "unknown option -9 in -f9; see lkvm stop --help" stop -f9 web
refuses "unexpected argument \(empty\)" list ""
refuses "trace \(empty\): no file; give one" trace ""
refuses "--queue \(empty\): not a number" trace x --queue=
refuses "--from \(empty\): not a time" trace x --from=
refuses "--svg \(empty\): give FILE" topology --svg ""
refuses "--timeout \(empty\): not a number from 1" stop web --timeout=
refuses "--interval \(empty\): not a number from 1" stat web -i ""
refuses "mem 8GG: not a size from 16M to 16T" run --numa node=0,mem=8GG
refuses "--affinity \(empty\): give auto" run --affinity ""
refuses "--numa \(empty\): begin with node=N" run --numa ""
for way in version --version -V; do
	helps "lkvm " "$way"
done

run 125
[ ! -s "$dir/out" ] && grep -q '^usage: ' "$dir/err" || complain "lkvm alone: no usage on stderr"
refuses "rnu: no such command \(did you mean run\?\); see lkvm help" rnu
refuses "chekc-host: no such command \(did you mean check-host\?\)" chekc-host
refuses "creat: no such command \(did you mean create\?\)" help creat
refuses "colour: no such command; see lkvm help" colour
refuses "\(empty\): no such command; see lkvm help" ""
refuses "--verison: .*\(did you mean --version\?\)" --verison
refuses "-k: options stand behind a command, as in lkvm run -k" -k vmlinuz
for command in version check-host "help run"; do
	# shellcheck disable=SC2086 # words
	refuses "unexpected argument more; see lkvm ${command% *} --help" $command more
done

# Examples are understood: in a directory with their disk, the kernel is all that is missed.
examples=0
truncate -s 1M "$dir/disk.img"
while read -r line; do
	read -r -a words <<< "${line% &}"
	(cd "$dir" && "$lkvm" "${words[@]:1}" < /dev/null > out 2> err)
	grep -qE -- '--kernel vmlinuz: No such file|/dev/kvm' "$dir/err" || complain "example $line: $(cat "$dir/err")"
	examples=$((examples + 1))
done < <(sed 's/\\-/-/g' README.md docs/*.1 | grep -oE '^ *lkvm run .*vmlinuz.*')
[ "$examples" -ge 3 ] || complain "examples: only $examples are found"

if [ -w /dev/full ]; then
	for command in run mkinitrd; do
		"$lkvm" $command --help > /dev/full 2> "$dir/err"
		[ $? -eq 125 ] && grep -q 'No space left' "$dir/err" || complain "$command: help to a full disk passes for success"
	done
fi
exit $bad
