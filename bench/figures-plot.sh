#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# figures-plot.sh DIR - plots DIR/*.svg of DIR/figures.csv, ring.csv and model.csv
#
# A point is a median, its bar reaches from one quartile to the other; each plot says of how many
# runs.
set -eu

dir=$1
csv=$dir/figures.csv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v gnuplot > /dev/null || { echo "${0##*/}: no gnuplot to draw the plots: run scripts/setup.sh bench" >&2; exit 1; }

# series FIGURE [RW]: what is measured of it, in the order of the table
series() { awk -F , -v figure="$1" -v rw="${2-}" '$1 == figure && (rw == "" || $4 == rw) && !seen[$2]++ { print $2 }' "$csv"; }

# runs FIGURE: "medians of N runs"; less than five are told aloud.  All figures if it is empty.
runs() {
	awk -F , -v figure="$1" 'NR > 1 && (figure == "" || $1 == figure) && (least == "" || $13 < least) { least = $13 }
		END { print (least < 5 ? "ONLY " least + 0 " runs" : "medians and quartiles of " least " runs") }' "$csv"
}

# data FIGURE SERIES RW COLUMN: "JOBS MEDIAN Q1 Q3 LABEL" lines in a file, whose name it prints; every
# RW if it is empty
data() {
	awk -F , -v figure="$1" -v series="$2" -v rw="$3" -v c="$4" '
		$1 == figure && $2 == series && (rw == "" || $4 == rw) { print $5, $c, $(c + 1), $(c + 2), "\"" $4 ", " $5 " jobs\"" }' "$csv" > "$work/$1.$2.$3.$4"
	echo "$work/$1.$2.$3.$4"
}

# panel FIGURE RW COLUMN SCALE YLABEL: for gnuplot, a plot over the jobs
panel() {
	local name line=0 plots=()
	for name in $(series "$1" "$2"); do
		line=$((line + 1))
		plots+=("'$(data "$1" "$name" "$2" "$3")' using 1:(\$2/$4):(\$3/$4):(\$4/$4) with yerrorlines lt $line pt 7 ps 0.5 title '${name//_/ }'")
	done
	[ $line -gt 0 ] || return 0
	echo "set title '$2, depth 32'; set ylabel '$5'"
	(IFS=,; echo "plot ${plots[*]}")
}

# figure NUMBER TITLE RW...: IOPS and latency over the jobs, a row for each RW
figure() {
	local number=$1 title=$2 rw
	shift 2
	{
		echo "set terminal svg noenhanced size 960,$((30 + 350 * $#)) font 'sans,11' background 'white'; set output '$dir/figure-$number.svg'"
		echo "set multiplot layout $#,2 title \"$title; $(runs "$number")\"; set yrange [0:*]; set xrange [0.5:*<1000]; set offsets 0,0.5,0,0"
		echo "set grid lc rgb '#dddddd'; set key below; set xlabel 'jobs'; set xtics 1"
		[ "$(awk -F , 'NR > 1 && $5 + 0 > m { m = $5 } END { print (m > 8) }' "$csv")" = 0 ] || echo "set xtics auto"
		for rw; do
			panel "$number" "$rw" 16 1000 "thousand IOPS"
			panel "$number" "$rw" 19 1 "mean latency, us"
		done
	} | gnuplot
}

# bars FILE FIGURE COLUMN YLABEL TITLE: a group for each rw and number of jobs, a bar for each series
bars() {
	local name line=0 plots=()
	for name in $(series "$2"); do
		line=$((line + 1))
		plots+=("'$(data "$2" "$name" '' "$3")' using 2:3:4:xtic(5) lt $line title '${name//_/ }'")
	done
	[ $line -gt 0 ] || return 0
	gnuplot <<- END
		set terminal svg noenhanced size 960,360 font 'sans,11' background 'white'; set output '$dir/$1.svg'; set title "$5; $(runs "$2")"
		set style data histograms; set style histogram errorbars gap 1 lw 1; set style fill solid 0.6 border lc rgb '#333333'; set yrange [0:*]; set ylabel '$4'
		set key outside; set grid y lc rgb '#dddddd'
		plot $(IFS=,; echo "${plots[*]}")
	END
}

if ! grep -q '^[4-8],' "$csv"; then
	echo "${0##*/}: nothing is measured in $dir" >&2
	exit 1
fi
# Of how many runs the instructions are, if any are counted.
counted() { awk -F , 'NR > 1 && (least == "" || $5 < least) { least = $5 } END { if (least != "") print "; " (least < 5 ? "ONLY " least " runs" : "of " least " runs") }' "$dir/costs.csv"; }

# For gnuplot, the prediction for silicon, if there is one.
beyond() {
	grep -q '^scale,' "$dir/model.csv" || return 0
	cat <<- END
		set logscale xy 2; set format y '%.0f'; set xlabel 'cores'; set ylabel 'thousand IOPS'; set title 'predicted for silicon$(counted)'
		plot for [shape in "one_queue one_thread thread_per_queue"] "< grep '^scale,".shape.",' $dir/model.csv" using 3:(\$6 / 1000) with linespoints pt 7 ps 0.5 title shape
	END
}

figure 4 "Figure 4: virtual queues, one I/O thread" randread
figure 5 "Figure 5: I/O threads, all queues" randread
figure 6 "Figure 6: notification and affinity" randread
figure 7 "Figure 7: null_blk" randread randwrite
figure 8 "Figure 8: a device with a file" randread randwrite
bars figure-6-depth-1 6d1 19 "mean latency, us" "Notification and affinity: one job, depth 1"
bars talk-batch batch 16 "IOPS" "With batches (q1) and one by one (one): one queue, two jobs, depth 64"
bars talk-queues queues 16 "IOPS" "One and two queues on one I/O thread, depth 64"

gnuplot << END
set terminal svg noenhanced size 960,360 font 'sans,11' background 'white'; set datafile separator ','
set output '$dir/ring.svg'; set multiplot layout 1,2 title "Cost of a request without a VM, by the number of queues on one I/O thread; $(awk -F , 'NR > 1 && (least == "" || $4 < least) { least = $4 } END { print (least < 5 ? "ONLY " least " runs" : "medians and quartiles of " least " runs") }' "$dir/ring.csv")"
set yrange [0:*]; set grid lc rgb '#dddddd'; set xlabel 'queues'; set logscale x 2; set ylabel 'ns of the I/O thread'; set key off
set title 'null: (lkvm alone)'
plot "< grep '^null,[0-9]*,1,' $dir/ring.csv" using 2:5:6:7 with yerrorlines pt 7 ps 0.5 title 'null:'
set title 'a file on tmpfs (and the kernel)'
plot "< grep '^tmpfs,[0-9]*,1,' $dir/ring.csv" using 2:5:6:7 with yerrorlines pt 7 ps 0.5 title 'tmpfs'
unset multiplot
set output '$dir/model-check.svg'; set multiplot layout 1,2 title "The model beside what was measured, and beyond it; $(runs '' | sed 's, and quartiles,,')"
unset logscale; set key below; set logscale xy; set yrange [*:*]; set xlabel 'measured IOPS'; set ylabel 'predicted IOPS'; set title 'all points of figures 4 to 8'
plot "< grep '^check,' $dir/model.csv" using 7:6 pt 7 ps 0.4 title 'points', x lc rgb 'black' title 'exact', 2 * x lc rgb '#aaaaaa' dt 2 title 'twice, half', x / 2 lc rgb '#aaaaaa' dt 2 notitle
$(beyond)
END
