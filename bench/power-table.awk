# SPDX-License-Identifier: GPL-2.0-only
#
# power-table.awk - the table of bench/power.sh: medians of each rival's rounds
#
# Input: lines "NUMBER RIVAL KEY" in the order of the numbers; -v rivals="NAME...":
# the table's order.

{ value[$2, $3, ++count[$2, $3]] = $1 }

function median(rival, key) { return value[rival, key, int((count[rival, key] + 1) / 2)] }

# A count for 1000 requests, "-" where it is not counted.
function per_1000(rival, key) {
	return count[rival, key] ? sprintf("%.0f", 1000 * median(rival, key) / median(rival, "io")) : "-"
}

END {
	n = split(rivals, name, " ")
	form = "%-14s %8s %15s %7s %9s %9s %9s %9s %9s\n"
	printf form, "", "IOPS", "least-most", "ratio", "mean us", "p99 us", "irqs/1000", "kicks", "polled"
	for (i = 1; i <= n; i++) {
		r = name[i]
		c = count[r, "iops"]
		if (c)
			printf form, r, median(r, "iops"), value[r, "iops", 1] "-" value[r, "iops", c],
				sprintf("%.2f", median(r, "iops") / median(name[1], "iops")), median(r, "lat"),
				median(r, "p99"), per_1000(r, "irqs"), per_1000(r, "kicks"), per_1000(r, "polls_found")
		else
			printf "%-14s no result\n", r
	}
}
