#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether each row of docs/virtio-conformance.md and docs/peers.md names a test, and
# each test that it names exists and runs; or else a reason.
#
#	tests/conformance.sh [PAGE...]
set -u
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- docs/virtio-conformance.md docs/peers.md
bad=0
complain() { echo "$page: $*"; bad=1; }

# exists TEST: as the page's head says it is named
exists() {
	local file=tests/unit/${1%%:*} name=${1#*:}

	case $1 in
	*.c:test_*)
		grep -qsxF "START_TEST($name)" "$file" && grep -qE "add_\w+\(\w+, $name\b" "$file" ;;
	payload:*)
		grep -qF "{ \"$name\", " tests/payload/*.c && grep -qE "(guest|start|named|[0-9]) \"?$name\b" tests/payload/guests.sh tests/payload/control.sh ;;
	system:test_*)
		grep -q "^$name() {" tests/system/tests.sh ;;
	fuzz)
		[ -x tests/fuzz/run.sh ] ;;
	*)
		false ;;
	esac
}

# check_page PAGE: its rows of three or four columns, of which the third counts
check_page() {
	local before section shown peer behind names test rows=0

	page=$1
	while IFS='|' read -r before section _ shown peer behind; do
		case $section in ' '[0-9]*) ;; *) continue ;; esac
		rows=$((rows + 1))
		[ -z "$before" ] && [ -z "$behind" ] || complain "$section: not three or four columns"
		names=$(grep -o '`[^`]*`' <<< "$shown" | tr -d '`')
		for test in $names; do
			exists "$test" || complain "$section: no test $test"
		done
		[ -n "$names" ] || grep -qE '^ does not apply: .+' <<< "$shown" ||
			complain "$section: neither a test nor a reason"
		! grep -q "none yet" <<< "$shown" || complain "$section: a test is missing"
	done < "$page"
	[ "$rows" -gt 0 ] || complain "no rows"
}

for file; do
	check_page "$file"
done
exit $bad
