#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether the manual tells what lkvm does: each command of lkvm help has a page, which
# has the options and keys of its --help, and no others; mandoc and groff find nothing
# to warn of.
set -u
cd "$(dirname "$0")/.."

lkvm=${LKVM:-build/x86/lkvm}
docs=${DOCS:-docs}
bad=0
complain() { echo "man pages: $*"; bad=1; }

# said COMMAND: "-k, --kernel FILE" and "KEY=VALUES" lines of its help
said() {
	"$lkvm" "$1" --help | sed -nE 's/^ {2,6}((-., )?--[a-z-]+( [^ ]+)?|[a-z-]+=[^ ]+).*/\1/p' | sort
}

# written PAGE: the same of the page's tags
written() {
	awk '
	/^\.SH/ { keys = /KEYS$/; options = /OPTIONS/ || keys }
	tag && options {
		gsub(/\\f./, ""); gsub(/\\-/, "-")
		line = $0; text = ""
		sub(/^\.[BIR]+ /, "", line)
		while (match(line, /^ *("[^"]*"|[^" ]+)/)) {
			word = substr(line, 1, RLENGTH)
			line = substr(line, RLENGTH + 1)
			sub(/^ */, "", word); gsub(/"/, "", word)
			text = text word
		}
		if (keys)
			gsub(/[][]/, "", text)		# ro[=on|off]
		else if (match(text, /--[a-z-]+=/))	# --prealloc=off
			text = substr(text, 1, RSTART + RLENGTH - 2) " " substr(text, RSTART + RLENGTH)
		print text
	}
	{ tag = /^\.T[PQ]/ }' "$1" | sort
}

commands=$("$lkvm" help | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
[ -n "$commands" ] || complain "lkvm help lists no commands"
plain() { sed 's/\\-/-/g' "$docs/$1.1"; }
for command in $commands; do
	page=$docs/lkvm-$command.1
	if [ -e "$page" ]; then
		differ=$(diff <(said "$command") <(written "$page")) ||
			complain "$page is not as lkvm $command --help (<) has it:
$differ"
		plain "lkvm-$command" | grep -qE "^\.BR? \"?lkvm $command\>" || complain "$page does not show how to call it"
		plain lkvm | grep -qx "\.BR lkvm-$command (1)" || complain "$docs/lkvm.1 does not name lkvm-$command(1)"
	else
		complain "lkvm $command has no page $page"
	fi
done

for page in "$docs"/lkvm*.1; do
	name=$(basename "$page" .1)
	[ "$name" = lkvm ] || grep -qx "${name#lkvm-}" <<< "$commands" || complain "$page is of no command"
	for tool in "mandoc -T lint -W warning" "groff -t -man -ww -z"; do
		command -v "${tool%% *}" > /dev/null || continue
		hits=$($tool "$page" 2>&1)
		[ -z "$hits" ] || complain "$tool complains:
$hits"
	done
done
for tool in mandoc groff; do
	command -v $tool > /dev/null || echo "skip - man pages by $tool: it is not installed (scripts/setup.sh test)"
done
exit $bad
