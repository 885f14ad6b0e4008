# SPDX-License-Identifier: GPL-2.0-only
#
# awk -f figures-report.awk MACHINE RING.CSV COSTS.CSV MODEL.CSV MISSING.CSV FIGURES.CSV
#
# The report of bench/figures, in Markdown: each figure beside what the paper (Zhang and others, ICPADS
# 2017) or the talk (Lei, KVM Forum 2014) has in its text; their plots are not read.
BEGIN { FS = "," }
FNR == 1 { file++ }
file == 1 { machine[substr($0, 1, index($0, "=") - 1)] = substr($0, index($0, "=") + 1); next }
FNR == 1 { split("", at); for (i = 1; i <= NF; i++) at[$i] = i; next }
file == 2 { if ($3 == 1 || $2 == $3) ring[++nring] = $0; next }
file == 3 { if (insn_runs == "" || $5 < insn_runs) insn_runs = $5; next }
file == 4 { model[++nmodel] = $0; next }
file == 5 { missing = missing (nmissing++ ? "; " : "") $1 " " $2 " " $4 " " $5 "x" $6; next }
{
	n = $at["runs"]
	if (least == "" || n < least) least = n
	stalls += $at["stalls"]
	if ($at["others"] + 0 > others) others = $at["others"]
	f = $1
	if (!((f, $2, $4) in known)) { known[f, $2, $4] = 1; series[f, $4] = series[f, $4] " " $2 }
	if (!((f, $4, $5) in known)) { known[f, $4, $5] = 1; loads[f, $4] = loads[f, $4] " " $5 }
	if (f ~ /^[4-8]$/ && $5 + 0 > most) most = $5
	for (k in at) v[f, $2, $4, $5, k] = $at[k]
}

function get(f, s, rw, jobs, what) { return (f, s, rw, jobs, what) in v ? v[f, s, rw, jobs, what] : "" }
function ratio(a, b) { return a + 0 && b + 0 ? sprintf("%.2f", a / b) : "-" }
function percent(a, b) { return a + 0 && b + 0 ? sprintf("%+.0f %%", 100 * (a / b - 1)) : "-" }
function spread(f, s, rw, jobs, what) {
	return get(f, s, rw, jobs, what) == "" ? "-" : sprintf("%d (%d-%d)", get(f, s, rw, jobs, what), get(f, s, rw, jobs, substr(what, 1, index(what "_", "_") - 1) "_q1"),
		get(f, s, rw, jobs, substr(what, 1, index(what "_", "_") - 1) "_q3"))
}
function pretty(s) { gsub(/_/, " ", s); return s }

# A table: a row for each series, a column for each number of jobs.
function table(f, rw, what, title,    n, m, i, j, s, l, line) {
	n = split(series[f, rw], s, " "); m = split(loads[f, rw], l, " ")
	line = "| " rw ", " title " |"
	for (j = 1; j <= m; j++) line = line " " l[j] (l[j] == 1 ? " job |" : " jobs |")
	print "\n" line
	line = "|---|"
	for (j = 1; j <= m; j++) line = line "---|"
	print line
	for (i = 1; i <= n; i++) {
		line = "| " pretty(s[i]) " |"
		for (j = 1; j <= m; j++) line = line " " spread(f, s[i], rw, l[j], what) " |"
		print line
	}
}
function figure(f, title, rw2) {
	print "\n## Figure " f ": " title "\n\n![figure " f "](figure-" f ".svg)"
	table(f, "randread", "iops", "IOPS"); table(f, "randread", "lat_us", "mean latency, us")
	if (rw2 != "") { table(f, rw2, "iops", "IOPS"); table(f, rw2, "lat_us", "mean latency, us") }
	print "\n| | the paper | here |\n|---|---|---|"
}
function beside(what, paper, here) { print "| " what " | " paper " | " here " |" }

# The mean, over the loads of figure 6, of the ratio of two series.
function mean_gain(a, b,    l, n, i, sum, c) {
	n = split(loads["6", "randread"], l, " ")
	for (i = 1; i <= n; i++)
		if (get("6", b, "randread", l[i], "iops") + 0) { sum += get("6", a, "randread", l[i], "iops") / get("6", b, "randread", l[i], "iops"); c++ }
	return c ? sprintf("%+.1f %%", 100 * (sum / c - 1)) : "-"
}
function heading() {
	print "# The papers' figures, measured\n"
	print "Made by `bench/figures" (machine["quick"] == "yes" ? " --quick" : "") "`, commit " machine["commit"] ", " machine["date"] "; CSV files and plots are beside this file."
	print "\n| | |\n|---|---|"
	print "| machine | " machine["model"] ", " machine["cores"] " cores, Linux " machine["kernel"] " |"
	if (machine["host"] == "emulated") print "| host of the guests | emulated (`scripts/emuhost.sh`), " machine["outer"] " CPUs on these " machine["cores"] " cores |"
	print "| guest | " machine["vcpus"] " vCPUs, Linux " machine["guest_kernel"] "; fio, libaio, direct, 4 KiB; " machine["seconds"] " s for each run; jobs are spread over the vCPUs, one on each if there are enough |"
	print "| devices | null_blk; figure 8: " machine["figure8"] " |"
	print "| affinity | " (machine["affinity"] == "auto" ? "by lkvm, `--affinity auto`" : "by taskset: vCPUs on one half of the CPUs, I/O threads on the other") " |"
	print "| runs | " (least < 5 ? "**ONLY " least " of each point at the least**" : "at least " least " of each point") ", interleaved, every second round backwards; medians, and quartiles in brackets; " stalls + 0 " runs stalled and were repeated |"
	if (nmissing) print "| not measured | **" nmissing " points, of which no run ended:** " missing " |"
	if (others != "") print "| other load | at most " others " % of this machine in the worst run" (others > 5 ? ": **IOPS and latencies are not to be relied on**, counts are" : "") " |"
	print "\nThe paper: Zhang and others, \"High Performance and Scalable Virtual Machine Storage I/O Stack for Multicore"
	print "Systems\", ICPADS 2017 (POWER8, 20 cores, a guest with 10 vCPUs, runs of 60 s). The talk: Ming Lei, \"Virtio-blk Multi-queue"
	print "Conversion and QEMU Optimization\", KVM Forum 2014. Set beside are the numbers of their texts; their plots are not read."
	print "A guest has a disk for each of its settings, all on the same device, and only one is under load at a time."
	if (machine["host"] != "emulated") return
	print "\n## What an emulated host can tell\n"
	print "All " machine["outer"] " CPUs of the host run on " machine["cores"] " real cores, and a VM exit or a wake-up costs about ten times too much beside"
	print "ordinary code. It can tell: the order of settings that differ in what they do for a request; how many exits,"
	print "interrupts, system calls and instructions that is (docs/compare.md); that nothing breaks with more queues. It cannot tell:"
	print "how fast anything is; how far bare metal is away (without exits it gains what exits cost too much); whether more queues or threads"
	print "scale, for " machine["cores"] " cores are busy with one job; what polling and dedicated cores bring, for there are none to spare:"
	print "a thread that spins takes its core from a vCPU. [scaling.md](../scaling.md) has a model for what it cannot tell."
}
function talk_batch(    n, i, rw, none, s) {
	print "\n## The talk: batches\n\n![batches](talk-batch.svg)\n"
	print "One queue, one I/O thread, two jobs at depth 64; `batch=1` is one request for each io_submit."
	print "\n| | the talk: without, with | gain | here: without, with | gain | requests for each io_submit: the talk | here | system calls for each request, without, with |\n|---|---|---|---|---|---|---|---|"
	none["randread"] = "111K, 171K | 54 %"; none["randwrite"] = "115K, 162K | 40 %"; none["read"] = "109K, 172K | 57 %"; none["write"] = "152K, 157K | 3 %"
	s["randread"] = 26.58; s["write"] = 3.52
	n = split("randread randwrite read write", rw, " ")
	for (i = 1; i <= n; i++) if (get("batch", "q1", rw[i], 2, "iops") != "")
		print "| " rw[i] " | " none[rw[i]] " | " spread("batch", "one", rw[i], 2, "iops") ", " spread("batch", "q1", rw[i], 2, "iops") " | " \
			percent(get("batch", "q1", rw[i], 2, "iops"), get("batch", "one", rw[i], 2, "iops")) " | " (rw[i] in s ? s[rw[i]] : "-") " | " \
			get("batch", "q1", rw[i], 2, "per_submit") " | " get("batch", "one", rw[i], 2, "calls") ", " get("batch", "q1", rw[i], 2, "calls") " |"
	print "\nSequential requests that are adjacent go along as one (`merge=on`), as in the talk's multi-write: then io_submit carries fewer, longer ones."
}
function talk_queues(    n, i, rw, one, two) {
	print "\n## The talk: one and two queues on one I/O thread\n\n![queues](talk-queues.svg)\n"
	print "| | the talk, one queue: 2, 4 jobs | two queues | here, one queue: 2, 4 jobs | two queues |\n|---|---|---|---|---|"
	one["randread"] = "171K, 118K (-30 %)"; one["randwrite"] = "162K, 114K (-29 %)"; one["read"] = "172K, 120K (-30 %)"; one["write"] = "157K, 158K (+0.6 %)"
	two["randread"] = "168K, 174K (+3 %)"; two["randwrite"] = "157K, 163K (+3 %)"; two["read"] = "162K, 174K (+7 %)"; two["write"] = "161K, 260K (+61 %)"
	n = split("randread randwrite read write", rw, " ")
	for (i = 1; i <= n; i++) if (get("queues", "q1", rw[i], 2, "iops") != "")
		print "| " rw[i] " | " one[rw[i]] " | " two[rw[i]] " | " pair("q1", rw[i]) " | " pair("two", rw[i]) " |"
}
function pair(s, rw) {
	return spread("queues", s, rw, 2, "iops") ", " spread("queues", s, rw, 4, "iops") " (" percent(get("queues", s, rw, 4, "iops"), get("queues", s, rw, 2, "iops")) ")"
}
function without_vm(    i, r) {
	print "\n## Without a VM: 1 to 16 queues\n\n![ring](ring.svg)\n"
	print "CPU time of an I/O thread for a request, in ns, on this machine itself (`bench/ring -m turns`, depth 32 for each queue)."
	print "\n| disk | queues | I/O threads | runs | ns (quartiles) |\n|---|---|---|---|---|"
	for (i = 1; i <= nring; i++) { split(ring[i], r, ","); printf "| %s | %d | %d | %s | %s (%s-%s) |\n", r[1], r[2], r[3], r[4] < 5 ? "ONLY " r[4] : r[4], r[5], r[6], r[7] }
}
function modelled(    i, m, n, within, worst, silicon, beyond, points) {
	print "\n## The model\n\n![model](model-check.svg)\n"
	for (i = 1; i <= nmodel; i++) {
		split(model[i], m, ",")
		silicon += m[1] == "cost" && m[2] == "silicon"
		beyond += m[1] == "scale"
		if (m[1] != "check") continue
		points++
		if (!counts(m[2], m[4])) continue
		n++
		within += m[8] > 0.667 && m[8] < 1.5
		if (worst == "" || dist(m[8]) > worst) { worst = dist(m[8]); at_worst = m[2] ", " m[4] " jobs: " m[8] }
	}
	print "Of " n " points of guests " within + 0 " are predicted within a factor of 1.5; the worst is " at_worst " ([model.csv](model.csv), [scaling.md](../scaling.md))."
	print "Not counted: the other " points - n " lines, which are such a point under another name, or bare metal, partly predicted from its own throughput."
	print "\n| figure, series, load | jobs | first bottleneck | predicted IOPS | measured | ratio |\n|---|---|---|---|---|---|"
	for (i = 1; i <= nmodel; i++) { split(model[i], m, ","); if (m[1] == "check") printf "| %s | %d | %s | %d | %d | %s |\n", pretty(m[2]), m[4], m[5], m[6], m[7], m[8] }
	print "\n| what a request costs | | us |\n|---|---|---|"
	for (i = 1; i <= nmodel; i++) { split(model[i], m, ","); if (m[1] == "cost") printf "| %s | %s | %s |\n", m[2], m[5], m[6] }
	print "\n" (silicon ? "\"silicon\": from instructions, " (insn_runs < 5 ? "**ONLY " insn_runs " runs**" : insn_runs " runs") "; the others" : "All are") " from CPU time here."
	if (machine["host"] == "emulated") print "Waits are latency less CPU time, at least 0: it is 0 where CPU times exceed the latency, as an emulated host counts them."
	if (!beyond) { print "No instructions were counted: nothing is predicted for silicon."; return }
	if (!silicon) print "The prediction below is made of those of \"null randread poll=adaptive\"."
	print "\n| predicted for silicon | cores | jobs | first bottleneck | IOPS |\n|---|---|---|---|---|"
	for (i = 1; i <= nmodel; i++) { split(model[i], m, ","); if (m[1] == "scale") printf "| %s | %d | %d | %s | %d |\n", pretty(m[2]), m[3], m[4], m[5], m[6] }
}
# Whether a point, "FIGURE SERIES RW", is a guest's, and the first of its name.
function counts(point, jobs,    p, rival) {
	split(point, p, " ")
	rival = get(p[1], p[2], p[3], jobs, "rival")
	return rival !~ /^bare/ && !seen[rival, p[3], jobs, get(p[1], p[2], p[3], jobs, "depth")]++
}
function dist(r) { return r > 1 ? r : r > 0 ? 1 / r : 1e9 }

END {
	q = machine["vcpus"]
	heading()
	figure("4", "virtual queues, one I/O thread")
	beside("more queues on one I/O thread", "an \"obvious growth\", never beyond the same fio on the host", q " queues, " most " jobs: " \
		percent(get("4", q "_queues", "randread", most, "iops"), get("4", "1_queues", "randread", most, "iops")) " of one queue's")
	figure("5", "I/O threads, " q " queues")
	beside("an I/O thread for each queue", "the peak; about 40 % below bare metal", q " threads, " most " jobs: " percent(get("5", q "_threads", "randread", most, "iops"), \
		get("5", "1_threads", "randread", most, "iops")) " of one thread's; " percent(get("5", q "_threads", "randread", most, "iops"), get("7", "bare_metal", "randread", most, "iops")) " of bare metal's")
	figure("6", "notification and affinity, " q " queues on " machine["spinners"] " I/O thread" (machine["spinners"] == 1 ? "" : "s"))
	beside("polling beside exits, mean over the loads", "up to +10.6 %; \"not obvious\" where cores are short", "always: " mean_gain("always", "exits") "; adaptive: " mean_gain("adaptive", "exits"))
	beside("affinity, mean over the loads", "+4.5 %", "exits: " mean_gain("exits+affinity", "exits") "; adaptive: " mean_gain("adaptive+affinity", "adaptive") "; always: " mean_gain("always+affinity", "always"))
	beside("latency of a lone request (figure-6-depth-1.svg), us", "from 40 to 13.5 by polling", "exits " spread("6d1", "exits", "randread", 1, "lat_us") ", adaptive " \
		spread("6d1", "adaptive", "randread", 1, "lat_us") ", always " spread("6d1", "always", "randread", 1, "lat_us"))
	figure("7", "null_blk", "randwrite")
	for (i = 1; i <= 2; i++) {
		rw = i == 1 ? "randread" : "randwrite"
		beside(rw ", beside bare metal", i == 1 ? "3 million IOPS bare, at most 32 % less in the guest (10 jobs)" : "similar", most " jobs: " percent(get("7", "lkvm", rw, most, "iops"), get("7", "bare_metal", rw, most, "iops")))
		beside(rw ", beside one queue on one I/O thread", i == 1 ? "40 times (10 jobs)" : "similar", most " jobs: " ratio(get("7", "lkvm", rw, most, "iops"), get("7", "one_queue", rw, most, "iops")) " times")
	}
	figure("8", machine["figure8"], "randwrite")
	beside("randread", "the SSD's limit, 750K, almost reached with 10 jobs", most " jobs: " percent(get("8", "lkvm", "randread", most, "iops"), get("8", "bare_metal", "randread", most, "iops")) " of bare metal's")
	beside("randwrite", "the SSD's limit: 130K", most " jobs: " percent(get("8", "lkvm", "randwrite", most, "iops"), get("8", "bare_metal", "randwrite", most, "iops")) " of bare metal's")
	talk_batch()
	talk_queues()
	without_vm()
	modelled()
}
