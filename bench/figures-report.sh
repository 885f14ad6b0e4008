#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# figures-report.sh DIR - what bench/figures measured in DIR as CSV files, plots and report.md
#
# Nothing is measured here, and each number comes from DIR: machine, disks, points, results, ring.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
dir=$1
for name in machine disks points results ring; do
	[ -s "$dir/$name" ] || { echo "${0##*/}: no $name in $dir: run bench/figures --out $dir" >&2; exit 1; }
done

awk -v costs="$dir/costs.csv" -v missing="$dir/missing.csv" -f "$top/bench/figures-csv.awk" "$dir/disks" "$dir/points" "$dir/results" > "$dir/figures.csv"
# Lines DISK QUEUES THREADS ROUND JSON
jq -Rrs '[split("\n")[] | select(. != "") | capture("^(?<disk>\\w+) (?<queues>\\d+) (?<threads>\\d+) \\d+ (?<json>.*)") | . + (.json | fromjson | {ns})]
	| def at($p): sort | . as $v | ((length - 1) * $p) as $x | ($x | floor) as $i
		| $v[$i] + ($x - $i) * (($v[$i + 1] // $v[$i]) - $v[$i]) | . * 100 | round / 100;
	"disk,queues,threads,runs,ns,ns_q1,ns_q3",
	(group_by([.disk, .threads, (.queues | tonumber)])[] | (map(.ns | values) | select(length > 0)) as $ns
		| [.[0].disk, .[0].queues, .[0].threads, ($ns | length), ($ns | at(0.5)), ($ns | at(0.25)), ($ns | at(0.75))] | join(","))' "$dir/ring" > "$dir/ring.csv"
awk -f "$top/bench/model" "$dir/machine" "$dir/ring.csv" "$dir/costs.csv" "$dir/figures.csv" > "$dir/model.csv"
"$top/bench/figures-plot.sh" "$dir"
awk -f "$top/bench/figures-report.awk" "$dir/machine" "$dir/ring.csv" "$dir/costs.csv" "$dir/model.csv" "$dir/missing.csv" "$dir/figures.csv" > "$dir/report.md"
echo "report: $dir/report.md"
