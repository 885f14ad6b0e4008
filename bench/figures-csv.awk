# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v costs=FILE -v missing=FILE -f figures-csv.awk DISKS POINTS RESULTS
#
# From what bench/figures measured to a CSV file, a row for each point: medians over the runs and
# quartiles (_q1, _q3; linear between runs); counts are per request, from a window inside each
# run.  costs gets instructions per request by part, of what was measured so; missing gets
# points without a run.  DISKS and POINTS are the tables of figures-plan.sh, RESULTS is what
# compare-host.sh wrote.

# The @p-th part of what was noted under @what, sorted: 0.5 is the median.
function quantile(what, p,    v, n, i, j, t, at) {
	n = split(noted[what], v, " ")
	if (!n) return ""
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	at = 1 + (n - 1) * p
	i = int(at)
	return v[i] + (i < n ? (at - i) * (v[i + 1] - v[i]) : 0)
}
function note(key, what, value) { noted[key, what] = noted[key, what] " " value }
function number(value, digits) { return value == "" ? "" : sprintf("%." digits "f", value) }
function key_of(keys, name, otherwise) { return match("," keys, "," name "=[^,]*") ? substr(keys, RSTART + length(name) + 1, RLENGTH - length(name) - 2) : otherwise }

FNR == 1 { file++ }
file == 1 {
	rival = $2 "/" $1
	disk[rival] = $3 "," key_of($4, "queues", "") "," key_of($4, "iothreads", "") "," key_of($4, "poll", "adaptive") "," \
		key_of($4, "batch", 0) "," ($2 ~ /placed/ ? "yes" : "no")
	next
}
file == 2 {
	if ($7 == "insn") next
	row = $1 "," $2 "," $3 "," $4 "," $5 "," $6
	if ($7 == "calls") counted[$3, $4, $5, $6] = 1
	if (!(row in known)) { known[row] = 1; rows[++nrows] = row; measured[row] = $3 SUBSEP $4 SUBSEP $5 SUBSEP $6 }
	next
}
/^#/ || $1 == "noisy" { next }
$1 == "stall" { stalls[$7, $4, $5, $6]++; next }
{
	key = $6 SUBSEP $3 SUBSEP $4 SUBSEP $5
	split("", n)
	for (i = 8; i <= NF; i++) { split($i, pair, "="); n[pair[1]] = pair[2] }
	if (n["requests"] + 0 == 0) next
	if ($1 == "calls") {
		counts[key]++
		submits = n["sys.209"] + n["sys.426"]
		if (submits) note(key, "per_submit", n["requests"] / submits)
		note(key, "calls", n["calls"] / n["requests"])
	} else if ($1 == "insn") {
		if (!(key in profiled)) { profiled[key] = 1; profiles[++nprofiles] = key }
		for (k in n) if (k ~ /^(host|guest)_(user|kernel)/) {
			if (noted[key, k] == "") parts[key] = parts[key] " " k
			note(key, k, n[k] / n["requests"])
		}
		note(key, "insn_exits", n["kvm.exits"] / n["requests"])
	} else {
		runs[key]++
		note(key, "iops", n["iops"]); note(key, "lat", n["lat"]); note(key, "p99", n["p99"])
		if (n["others"] + 0 >= others[key] + 0) others[key] = n["others"]
		if ($6 ~ /^bare/) next
		note(key, "exits", n["kvm.exits"] / n["requests"]); note(key, "switches", n["switches"] / n["requests"])
		note(key, "irqs", n["irqs"] / n["io"])
		note(key, "vcpu", n["vcpu_ns"] / n["requests"] / 1000); note(key, "io", n["io_ns"] / n["requests"] / 1000)
	}
}
END {
	print "figure,series,rival,rw,jobs,depth" > missing
	print "figure,series,rival,rw,jobs,depth,device,queues,threads,poll,batch,affinity,runs,stalls,others,iops,iops_q1,iops_q3," \
		"lat_us,lat_q1,lat_q3,p99_us,exits,irqs,switches,vcpu_us,io_us,per_submit,calls"
	for (r = 1; r <= nrows; r++) {
		split(rows[r], word, ",")
		key = measured[rows[r]]
		if (!runs[key]) { print rows[r] > missing; continue }
		if (key in counted && counts[key] < runs[key]) runs[key] = counts[key] + 0
		line = rows[r] "," (word[3] in disk ? disk[word[3]] : substr(word[3], 6) ",,,,,") "," runs[key] "," stalls[key] + 0 "," others[key]
		for (i = 2; i <= 4; i++) line = line "," number(quantile(key SUBSEP "iops", i == 2 ? 0.5 : i == 3 ? 0.25 : 0.75), 0)
		for (i = 2; i <= 4; i++) line = line "," number(quantile(key SUBSEP "lat", i == 2 ? 0.5 : i == 3 ? 0.25 : 0.75), 1)
		line = line "," number(quantile(key SUBSEP "p99", 0.5), 0)
		count = split("exits irqs switches vcpu io per_submit calls", name, " ")
		for (i = 1; i <= count; i++) line = line "," number(quantile(key SUBSEP name[i], 0.5), i < 4 ? 4 : 2)
		print line
	}
	print "rival,rw,jobs,depth,runs,part,instructions" > costs
	close(costs)
	for (p = 1; p <= nprofiles; p++) {
		key = profiles[p]
		split(key, word, SUBSEP)
		count = split(parts[key] " insn_exits", name, " ")
		for (i = 1; i <= count; i++)
			printf "%s,%s,%d,%d,%d,%s,%s\n", word[1], word[2], word[3], word[4], split(noted[key, name[i]], v, " "), name[i],
				number(quantile(key SUBSEP name[i], 0.5), name[i] == "insn_exits" ? 4 : 1) | "sort >> " costs
	}
}
