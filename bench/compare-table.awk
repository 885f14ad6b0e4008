# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v rivals="NAME..." -v reference=NAME -v calls=FILE -f compare-table.awk RESULTS
#
# FILE has the numbers of system calls, as "#define __NR_NAME NUMBER".
# The tables of bench/compare: one for each number of outer CPUs and job, of the
# medians over the rounds; a rival's counts per request come from the same window
# inside the run as the number of requests.  What was not measured is "-".

function note(what, value) { values[what] = values[what] " " value }

# The median of what was noted; of an even number the mean of the middle two.
function median(what,    v, n, i, j, t) {
	n = split(values[what], v, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return n ? (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2 : ""
}
function show(format, value, width) { return value == "" ? sprintf("%" width "s", "-") : sprintf(format, value) }

# The largest eight of the counters whose names begin with @prefix.
function largest(key, prefix, scale,    all, n, i, j, best, text, used, short) {
	n = split(seen[key, prefix], all, " ")
	for (j = 0; j < 8; j++) {
		best = ""
		for (i = 1; i <= n; i++)
			if (!(all[i] in used) && (best == "" || median(key SUBSEP all[i]) + 0 > median(key SUBSEP best) + 0)) best = all[i]
		if (best == "") break
		used[best] = 1
		short = substr(best, length(prefix) + 1)
		text = text sprintf("  %s %d", prefix == "sys." ? name[short] : short, scale * median(key SUBSEP best) + 0.5)
	}
	return text
}

BEGIN {
	while ((getline line < calls) > 0)
		if (split(line, word, " ") == 3 && sub(/^__NR_/, "", word[2])) name[word[3]] = word[2]
}
/^#/ || $1 == "noisy" { next }
$1 == "stall" { stalls[$3, $4, $5, $6, $7]++; next }
{
	group = $2 SUBSEP $3 SUBSEP $4 SUBSEP $5
	if (!(group in known)) { known[group] = 1; groups[++ngroups] = group }
	key = group SUBSEP $6
	rounds[key, $1]++
	split("", n)
	for (i = 8; i <= NF; i++) { split($i, pair, "="); n[pair[1]] = pair[2] }
	if (n["requests"] + 0 == 0) next
	if ($1 == "insn") {
		note(key SUBSEP "insn", (n["host_user"] + n["host_kernel"] + n["guest_kernel"] + n["guest_user"]) / n["requests"])
		for (k in n) if (k ~ /^(host|guest)_(user|kernel)$/) note(key SUBSEP k, n[k] / n["requests"])
	} else if ($1 == "calls") {
		note(key SUBSEP "calls", n["calls"] / n["requests"])
		note(key SUBSEP "submits", (("sys.209" in n ? n["sys.209"] : 0) + ("sys.426" in n ? n["sys.426"] : 0)) / n["requests"])
	} else {
		note(key SUBSEP "iops", n["iops"]); note(key SUBSEP "lat", n["lat"]); note(key SUBSEP "p99", n["p99"])
		# A median would hide the round that spoils it.
		if ("others" in n && n["others"] + 0 >= others[key] + 0) others[key] = n["others"]
		if ($6 != "bare") {
			note(key SUBSEP "exits", n["kvm.exits"] / n["requests"])
			note(key SUBSEP "switches", n["switches"] / n["requests"])
			note(key SUBSEP "irqs", n["irqs"] / n["io"])
		}
	}
	for (k in n) {
		if (!match(k, /^(kvm|sys|host_kernel|guest_kernel)\./)) continue
		prefix = substr(k, 1, RLENGTH)
		if (prefix == "kvm." && ($1 != "speed" || k !~ /_exits$|insn_emulation|pf_taken/)) continue
		if (values[key, k] == "") seen[key, prefix] = seen[key, prefix] " " k
		note(key SUBSEP k, n[k] / n["requests"])
	}
}
END {
	nrivals = split(rivals, rival, " ")
	for (g = 1; g <= ngroups; g++) {
		split(groups[g], job, SUBSEP)
		printf "\n%s CPUs, %s, %s jobs x depth %s\n", job[1], job[2], job[3], job[4]
		printf "%-12s %8s %9s %8s %8s | %8s %7s | %8s %7s %8s %6s | %8s %6s %6s %6s\n", "", "", reference, "mean", "p99", "k insns", "exits",
			"per 1000", "system", "context", "inter-", "requests", "", "", "others"
		printf "%-12s %8s %9s %8s %8s | %8s %7s | %8s %7s %8s %6s | %8s %6s %6s %6s\n", "", "IOPS", "beside it", "us", "us", "/request", "/request",
			"submits", "calls", "switches", "rupts", "/submit", "rounds", "stalls", "%"
		own = median(groups[g] SUBSEP reference SUBSEP "iops")
		for (r = 1; r <= nrivals; r++) {
			key = groups[g] SUBSEP rival[r]
			iops = median(key SUBSEP "iops")
			submits = median(key SUBSEP "submits"); insn = median(key SUBSEP "insn"); callsper = median(key SUBSEP "calls")
			switches = median(key SUBSEP "switches"); irqs = median(key SUBSEP "irqs")
			printf "%-12s %s %s %s %s | %s %s | %s %s %s %s | %s %6d %6d %s\n", rival[r], show("%8d", iops, 8),
				show("%9.2f", iops + 0 && own != "" ? own / iops : "", 9),
				show("%8.1f", median(key SUBSEP "lat"), 8), show("%8d", median(key SUBSEP "p99"), 8),
				show("%8.1f", insn == "" ? "" : insn / 1000, 8), show("%7.3f", median(key SUBSEP "exits"), 7),
				show("%8.0f", submits == "" ? "" : submits * 1000, 8), show("%7.0f", callsper == "" ? "" : callsper * 1000, 7),
				show("%8.0f", switches == "" ? "" : switches * 1000, 8), show("%6.0f", irqs == "" ? "" : irqs * 1000, 6),
				show("%8.1f", submits + 0 ? 1 / submits : "", 8), rounds[key, "speed"], stalls[key],
				show("%6d", others[key], 6)
		}
		print "instructions per request: guest user, guest kernel, host kernel, host user (the VMM; bare: fio); the kernels by layer, as far as names tell"
		for (r = 1; r <= nrivals; r++) {
			key = groups[g] SUBSEP rival[r]
			if (median(key SUBSEP "insn") != "") printf "  %-12s %6d %6d %6d %6d; guest:%s; host:%s\n", rival[r], median(key SUBSEP "guest_user"),
				median(key SUBSEP "guest_kernel"), median(key SUBSEP "host_kernel"), median(key SUBSEP "host_user"),
				largest(key, "guest_kernel.", 1), largest(key, "host_kernel.", 1)
		}
		print "per 1000 requests, the largest: VM exits by cause; system calls"
		for (r = 1; r <= nrivals; r++) {
			key = groups[g] SUBSEP rival[r]
			if (rival[r] != "bare" && ((key, "speed") in rounds)) printf "  %-12s%s;%s\n", rival[r], largest(key, "kvm.", 1000), largest(key, "sys.", 1000)
		}
	}
}
