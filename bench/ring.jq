# SPDX-License-Identifier: GPL-2.0-only
#
# All samples of bench/ring.sh -> one object; docs/measuring.md lists its fields.

def median: sort | if length == 0 then null
	elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def round2: if . == null then null else (. * 100 | round) / 100 end;
def round3: if . == null then null else (. * 1000 | round) / 1000 end;
def ratio($b): if . == null or $b == null or $b == 0 then null else . / $b end;

def constant: {case, disk, mode, engine, rings, queues, threads, depth, limited, poll, direct};
def measured: ["requests_per_s", "requests_per_s_thread", "ns", "driver_ns", "batch",
	"submits", "system_calls", "interrupts", "sleeps"];

map(select(.counted)) as $counted |
map(select(.mode == "lines")) as $lines |
(map(select(.counted != true and .mode != "lines")) | group_by(.case) | map(
	. as $samples |
	(.[0] | constant) +
	([measured[] as $f | {key: $f, value: ($samples | map(.[$f] | values) | median | round2)}] | from_entries) + {
		requests_per_s_min: ($samples | map(.requests_per_s) | min),
		requests_per_s_max: ($samples | map(.requests_per_s) | max),
		allocations: ($samples | map(.allocations) | add),
		locks: ($samples | map(.locks) | add),
		samples: length
	} |
	.case as $case |
	.instructions = ([$counted[] | select(.case == $case) | .instructions][0] | round2)
)) as $all |
($all | map(
	. as $c |
	(if .mode == "bare" or .disk == "null" then null else
		[$all[] | select(.mode == "bare" and .disk == $c.disk and
			.queues == $c.queues and .threads == $c.threads)][0] end) as $bare |
	.vs_bare = (.requests_per_s | ratio($bare.requests_per_s) | round3) |
	.vs_bare_cpu = (if .mode == "turns" then $bare.ns | ratio($c.ns) | round3 else null end)
)) as $cases |
def one($case): [$cases[] | select(.case == $case)][0];
def bar($name; $value; $sense; $limit): select($value != null) | {name: $name, value: $value, sense: $sense, limit: $limit,
	ok: (if $sense == "most" then $value <= $limit else $value >= $limit end)};
{
	version: 1,
	commit: $commit,
	quick: ($quick != ""),
	rounds: $rounds,
	load: ($load | tonumber),
	machine: {cpus: ($cpus | tonumber), model: $model, kernel: $kernel},
	counter: $counter,
	cases: $cases,
	lines: ($lines | map({case, written: .lines_written, shared: .lines_shared})),
	layout: $layout[0],
	bars: [
		bar("null, 1 queue: ns per request"; one("null/turns/q1t1").ns; "most"; 120),
		bar("null, 1 queue: instructions per request"; one("null/turns/q1t1").instructions; "most"; 500),
		bar("every request traced: instructions, times those without";
			one("null/turns/q1t1/trace").instructions | ratio(one("null/turns/q1t1").instructions) | round3; "most"; 1.1),
		bar("null, 16 queues on 16 threads: instructions, times those of 1";
			one("null/turns/q16t16").instructions | ratio(one("null/turns/q1t1").instructions) | round3; "most"; 1.05),
		($cases[] | select(.vs_bare != null) | . as $c | bar($c.case + ": throughput, times bare libaio"; $c.vs_bare; "least"; 0.95)),
		bar("allocations while measuring, all cases"; [$cases[] | select(.mode != "bare") | .allocations] | add; "most"; 0),
		bar("locks while measuring, all cases"; [$cases[] | select(.mode != "bare") | .locks] | add; "most"; 0),
		bar("cache lines written by two I/O threads"; [$lines[].lines_shared] | add; "most"; 0)
	]
}
