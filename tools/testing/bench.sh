#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All measurements, in one boot of the host VM. Leaves report.txt, report.csv,
# plots and the samples in build/bench. QUICK=1 takes fewer and shorter ones; PARTS,
# the names of sections, only those.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run=$BUILD/run/bench
out=$BUILD/bench
rounds=5 fewer=3 seconds=2 writes=randwrite timeout=5400
if [ -n "${QUICK:-}" ]; then
	rounds=1 fewer=1 seconds=1 writes='' timeout=1200
fi

table()
{
	/usr/bin/python3 "$TESTING/table.py" "$@" "$out/samples"
}

# What the figures were taken with
about()
{
	local cpu

	cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	echo "vhost-nvme $(git -C "$TOP" describe --always --dirty 2>/dev/null ||
		true), $(date -u +%F)"
	echo "build machine: $cpu, $(nproc) CPUs; host VM and guest: Linux" \
		"$(basename "$(cat "$CACHE/kernel-$CODENAME")" | sed 's/^linux-//')"
	echo "runs of $seconds s each; Documentation/bench.rst describes the" \
		"sections"
	echo
}

say "booting the host VM"
status=0
HOST_NVME=yes HOST_APPEND=nvme.poll_queues=2 "$TESTING/vm/host-vm.sh" bench $timeout \
	"PARTS='${PARTS:-}' bash /bench/host/bench $rounds $fewer $seconds $writes" ||
	status=$?
"$TESTING/klog.sh" "$run"/out/dmesg "$run"/out/*.log || status=1
if [ "$status" != 0 ]; then
	say "bench: FAILED; the logs are in $run"
	exit 1
fi
rm -rf "$out"
mkdir -p "$out"
cp -r "$run/out/samples" "$out"
{
	about
	table --spread
} | tee "$out/report.txt"
table --csv >"$out/report.csv"
table --plots "$out"
(cd "$out" && gnuplot plots.gp)
echo
say "bench: OK: report.txt, report.csv and plots are in $out"
