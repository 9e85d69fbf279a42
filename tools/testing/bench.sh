#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo's figures with more rounds and block sizes: build/bench/report.txt
# and report.csv. QUICK=1 takes fewer.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run=$BUILD/run/bench
out=$BUILD/bench
rounds=5 seconds=2 sizes="4k 64k" timeout=3600
if [ -n "${QUICK:-}" ]; then
	rounds=2 seconds=1 sizes="4k" timeout=900
fi

say "booting the host VM"
status=0
"$TESTING/vm/host-vm.sh" bench $timeout \
	"bash /bench/host/demo $rounds $seconds '$sizes' '1 16 64'" || status=$?
"$TESTING/klog.sh" "$run"/out/dmesg "$run"/out/*.log || status=1
if [ "$status" != 0 ]; then
	say "bench: FAILED; the logs are in $run"
	exit 1
fi
mkdir -p "$out"
cp "$run/output.log" "$out/report.txt"
/usr/bin/python3 "$TESTING/table.py" "$run/out/samples" |
	tee -a "$out/report.txt"
/usr/bin/python3 "$TESTING/table.py" --csv "$run/out/samples" >"$out/report.csv"
say "bench: OK: report.txt and report.csv are in $out"
