#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tests/figures.sh - the report of bench/figures and its model, from made-up results, and
# what starts guests, with a made-up one; no VM, ten seconds
#
# Run by tests/bench.sh, which counts its "ok", "not ok" and "skip" lines; ends with 1 if one is not ok.
set -u
cd "$(dirname "$0")/.."

dir=build/check/figures
failed=0
ok() { echo "ok - figures: $1"; }
bad() { echo "not ok - figures: $1"; failed=1; }
# is WHAT COMMAND...
is() { local what=$1; shift; if "$@" > /dev/null 2>&1; then ok "$what"; else bad "$what"; fi; }

# A host of two cores on which a request takes a vCPU 20 us and an I/O thread 10; the runs of a
# point are 1 % apart, and come in no order.
results() {
	echo "# made up"
	awk -v rounds="$1" '!seen[$3, $4, $5, $6, $7]++ {
		for (i = 0; i < rounds; i++) {
			f = 1 + ((i * 3) % 5 - 2) / 100
			iops = $6 == 1 ? 10000 : $3 ~ /^bare/ ? 200000 : $5 == 1 ? 40000 : 66000
			printf "%s 8 %s %s %s %s %d iops=%d lat=%.1f p99=99 io=1000 irqs=50 others=0 requests=1000 switches=60 vcpu_ns=20000000 io_ns=10000000 kvm.exits=150", \
				$7, $4, $5, $6, $3, i + 1, iops * f, $5 * $6 * 1e6 / (iops * f)
			if ($7 == "calls") printf " calls=110 sys.209=40"
			if ($7 == "insn") printf " guest_user=2900000 guest_kernel=8900000 guest_kernel.driver=750000 host_user=700000 host_kernel=7100000 host_kernel.kvm=1500000 host_kernel.block=4000000"
			print ""
		}
	}' $dir/points
}

rings() {
	local round shape
	for round in 1 2 3 4 5; do for shape in '1 1' '16 1' '2 2'; do
		echo "null $shape $round {\"ns\":4$round.5}"
		echo "tmpfs $shape $round {\"ns\":$((500 + round + 20 * ${shape#* }))}"
	done; done
}

# tables AFFINITY SPINNERS DIR: the plan's, of two vCPUs
tables() (
	# shellcheck disable=SC2034 # the plan reads them
	steps="1 2" loads="1 2" cpus=2 spinners=$2 affinity=$1 talk=randread most=''
	# shellcheck source=bench/figures-plan.sh
	. bench/figures-plan.sh
	mkdir -p "$3"
	settings > "$3/disks"
	points > "$3/points"
)

rm -rf $dir
tables taskset 1 $dir
for kind in taskset auto; do for n in 1 2; do
	tables $kind $n $dir/plan
	is "$kind, $n I/O threads in figure 6: each disk that polls has a guest of its own" \
		[ "$(awk '{ disks[$2]++ } !/poll=off/ { polls[$2]; n++ } END { for (g in polls) n -= disks[g]; print n }' $dir/plan/disks)" = 0 ]
	is "$kind, $n I/O threads in figure 6: each disk has points, and each point a disk" \
		[ "$(awk '{ print $2 "/" $1 }' $dir/plan/disks | sort)" = "$(awk '$3 !~ /^bare/ { print $3 }' $dir/plan/points | sort -u)" ]
done; done
is "as few guests as polling and batch=1 allow" [ "$(tables taskset 2 $dir/plan; awk '{ print $2 }' $dir/plan/disks | sort -u | wc -l)" = 8 ]
printf '%s\n' model=made-up cores=2 kernel=1 guest_kernel=1 commit=none date=never host=emulated outer=8 vcpus=2 spinners=1 seconds=1 affinity=taskset \
	figure8="a file" quick=no > $dir/machine
results 5 > $dir/results
rings > $dir/ring

if ! command -v gnuplot jq > /dev/null; then
	echo "skip - figures: no gnuplot or no jq: run scripts/setup.sh bench"
	exit 0
fi
is "the report is made" bench/figures-report.sh $dir
is "a median and its quartiles" grep -q '^4,1_queues,plain/q1,randread,1,32,null,1,1,off,0,no,5,0,0,40000,39600,40400,' $dir/figures.csv
is "requests for each io_submit" grep -q '^batch,one,.*,25.00,0.11$' $dir/figures.csv
is "a row for each point" [ "$(cut -d ' ' -f 1-6 $dir/points | grep -v ^insn | sort -u | wc -l)" = "$(tail -n +2 $dir/figures.csv | wc -l)" ]
for name in figure-4 figure-5 figure-6 figure-6-depth-1 figure-7 figure-8 talk-batch talk-queues ring model-check; do
	is "$name.svg has lines" grep -q '<path' $dir/$name.svg
done
is "no plot tells where it was made" eval "! grep -l $dir $dir/*.svg"
is "nothing that awk or gnuplot made of an empty cell" eval "! grep -E 'nan|inf,|\(-\)|%!' $dir/report.md $dir/*.csv"
is "five runs are not told as fewer" eval "! grep -qE 'ONLY|not measured' $dir/report.md $dir/*.svg"
# 2 cores, 30 us a request: 66667; one job alternates between two threads.
is "the model: cores" grep -q '^check,4 1_queues randread,2,2,cores,66667,66000,1.01$' $dir/model.csv
is "the model: one job's loop" grep -q '^check,4 1_queues randread,2,1,[a-zA-Z ]*,[34][0-9]*,40000,' $dir/model.csv
is "the model: what ends a thread for all queues" grep -q '^scale,one_thread,128,64,I/O threads,' $dir/model.csv
is "the model: 128 queues, with a vCPU and an I/O thread each" grep -q '^scale,thread_per_queue,256,128,round trip,' $dir/model.csv
is "the model: two threads on one file" grep -q ',the file shared\|one open file: more for each request,0.020' $dir/model.csv
is "the model: points of guests are counted, each once" grep -q "^Of $(awk '$3 !~ /^bare/ && $6 >= 32 && $7 == "speed" && $3 !~ /one$/ && !seen[$3, $4, $5, $6]++' $dir/points | wc -l) points of guests" $dir/report.md
is "the model: why waits are 0" grep -q '^Waits are latency less CPU time' $dir/report.md
is "the model: what is from instructions" grep -q '"silicon": from instructions, 5 runs' $dir/report.md
results 5 | grep -v '^insn' > $dir/results
bench/figures-report.sh $dir > /dev/null 2>&1
is "no prediction for silicon without its costs" eval "grep -q '^No instructions' $dir/report.md && ! grep -qE 'ONLY|silicon.: from|^. predicted for' $dir/report.md"
sed -i s/host=emulated/host=real/ $dir/machine
bench/figures-report.sh $dir > /dev/null 2>&1
is "a real host's is from CPU time" eval "grep -q '^The prediction below' $dir/report.md && grep -q '^| thread per queue | 256 ' $dir/report.md && ! grep -qE 'ONLY|silicon.: from' $dir/report.md"
sed -i s/host=real/host=emulated/ $dir/machine
results 4 > $dir/results
bench/figures-report.sh $dir > /dev/null 2>&1
is "four runs are told, in the report and in the plots" [ "$(grep -l 'ONLY 4' $dir/report.md $dir/figure-*.svg $dir/talk-*.svg $dir/model-check.svg | wc -l)" = 10 ]
results 5 | grep -v '^insn .* 5 iops' > $dir/results
bench/figures-report.sh $dir > /dev/null 2>&1
is "too few counts of instructions are told, too" grep -q 'predicted for silicon; ONLY 4 runs' $dir/model-check.svg
rm $dir/ring
rings | grep -v '^.* 5 {' > $dir/ring
bench/figures-report.sh $dir > /dev/null 2>&1
is "too few rings, too" grep -q 'ONLY 4 runs' $dir/ring.svg
rings > $dir/ring
results 5 | grep -v ' bare/null ' > $dir/results
bench/figures-report.sh $dir > /dev/null 2>&1
is "what has no run is told" grep -q '^| not measured | .*7 bare_metal randread 2x32' $dir/report.md
results 5 | grep -v '^calls .* 5 iops' > $dir/results
bench/figures-report.sh $dir > /dev/null 2>&1
is "too few counts are told, too" grep -q 'ONLY 4 of each point' $dir/report.md
mkdir -p $dir/bin
for tool in bash dirname awk mktemp rm; do ln -sf "$(command -v $tool)" $dir/bin; done
is "without gnuplot the remedy is told" eval "PATH=$dir/bin bench/figures-plot.sh $dir 2>&1 | grep -q 'scripts/setup.sh bench'"

# A host of four cores whose CPUs K and K+4 are siblings.
sys=$dir/sys/devices/system/cpu
for n in 0 1 2 3 4 5 6 7; do mkdir -p $sys/cpu$n/topology; echo "$((n % 4)),$((n % 4 + 4))" > $sys/cpu$n/topology/thread_siblings_list; done
# sizes HOST AFFINITY [VCPUS]: the vCPUs and the affinity that bench/figures chooses there
# shellcheck disable=SC2034,SC2317 # they are for choose_sizes()
sizes() (
	host=$1 affinity=$2 outer=8 cpus=${3-} seconds='' quick='' SYSFS=$dir/sys
	nproc() { echo 8; }
	can_profile() { false; }
	die() { echo "$*"; exit 1; }
	eval "$(sed -n '/^cores()/p; /^steps_to()/,/^}/p; /^choose_sizes()/,/^}/p' bench/figures)"
	choose_sizes
	echo "$cpus $affinity"
)
is "a real host: half of its cores, and lkvm's affinity" [ "$(sizes real '')" = "2 auto" ]
is "a real host: the affinity that was asked for" [ "$(sizes real taskset)" = "2 taskset" ]
is "a real host: more threads than CPUs are placed by taskset" [ "$(sizes real '' 5)" = "5 taskset" ]
is "they are told, if lkvm's affinity was asked for" eval "sizes real auto 5 | grep -q '^--affinity auto: 5 vCPUs'"
is "an emulated host: half of its CPUs, and taskset" [ "$(sizes emulated '')" = "4 taskset" ]

# The host's part, with a VMM that is a script: it serves lines on its standard input, dies of "dies", and
# does what its command line says if it says what.
host=$dir/host
mkdir -p $host/stubs
printf '#!/bin/sh\n' > $host/stubs/mountpoint
printf '#!/bin/sh\necho requests=100\n' > $host/sample
cat > $host/vmm << 'END'
#!/bin/bash
echo "starts" >> "$LOG"
done_one() { sleep 0.5; echo "BENCH iops=$1 lat=1 io=1 irqs=1 end=1"; }
echo "BENCH ready"
case $* in *rw=*) read -r line && echo "not alone" >> "$LOG"; done_one 7; exit ;; esac
while read -r serial rest; do
	echo "$serial $rest" >> "$LOG"
	[ "$serial" != dies ] || exit 1
	done_one 8
done
END
chmod +x $host/stubs/mountpoint $host/sample $host/vmm
printf '%s\n' disk=/dev/made-up file= hwqueues=1 cpus=1 queues=1 seconds=1 quiet=100 kernel=k initrd=i extra= > $host/settings
printf 'guest\tVMM=%s\t"$VMM" "$params"\n' $host/vmm > $host/rivals
printf '%s\n' "1 4 speed 1 randread 1 32 guest 1" "2 4 speed 1 randread 1 32 guest/a 1" "3 4 speed 1 write 2 64 guest/b 1" \
	"4 4 speed 1 randread 1 32 guest/dies 1" > $host/plan
: > $host/results
LOG=$host/log PATH=$PWD/$host/stubs:$PATH bench/compare-host.sh $host > $host/out 2>&1
is "a guest of its own for a rival without a serial number" grep -q '^speed 1 randread 1 32 guest 1 iops=7 ' $host/results
is "its standard input is no other guest's" eval "! grep -q alone $host/log"
is "a guest is kept for the next disk" [ "$(head -n 4 $host/log | tr '\n' ,)" = "starts,starts,a randread 1 32 1,b write 2 64 1," ]
is "one that dies is tried three times" [ "$(grep -c '^stall ' $host/results)" = 3 ]

# fio of bare metal has the jobs' CPUs, and no file of jobs.
printf '#!/bin/sh\necho "$@" > %s/fio\n' "$host" > $host/stubs/fio
chmod +x $host/stubs/fio
PATH=$PWD/$host/stubs:$PATH busybox sh bench/compare-guest.sh fio /dev/made-up randread 2 32 1 /null > /dev/null
is "bare metal's jobs have CPUs" grep -q -- ' --cpus_allowed=0[,0-9]*$' $host/fio
# spread TOP JOBS: the CPUs of the jobs, where sysfs is in TOP
spread() { SYSFS=$1 PATH=$PWD/$host/stubs:$PATH busybox sh bench/compare-guest.sh fio /dev/made-up randread "$2" 32 1 /null > /dev/null; sed 's/.*cpus_allowed=//' $host/fio; }
is "four jobs are on four cores" [ "$(spread $dir/sys 4)" = 0,1,2,3 ]
is "two are far apart" [ "$(spread $dir/sys 2)" = 0,2 ]
is "five: siblings last" [ "$(spread $dir/sys 5)" = 0,1,2,3,4 ]
for n in 0 1 2 3 4 5 6 7; do echo "$((n / 2 * 2))-$((n / 2 * 2 + 1))" > $sys/cpu$n/topology/thread_siblings_list; done
is "siblings that are neighbours" [ "$(spread $dir/sys 4),$(spread $dir/sys 6)" = 0,2,4,6,0,2,4,6,1,3 ]
for n in 0 1 2 3 4 5 6 7; do echo $n > $sys/cpu$n/topology/thread_siblings_list; done
is "no siblings" [ "$(spread $dir/sys 3),$(spread $dir/sys 9)" = 0,2,5,0,1,2,3,4,5,6,7 ]
exit $failed
