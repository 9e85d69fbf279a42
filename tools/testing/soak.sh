#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# host/soak for HOURS hours (2; 0.1 is possible), in an order that SEED decides.
# Leaves samples.csv, a plot and the verdict in build/soak.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

run=$BUILD/run/soak
out=$BUILD/soak
seconds=$(awk -v hours="${HOURS:-2}" 'BEGIN { print int(hours * 3600) }')
[ "$seconds" -ge 1 ] || die "HOURS=${HOURS:-2} is no time"
seed=${SEED:-$(od -An -N 2 -t u2 /dev/urandom | tr -d ' ')}

rm -rf "$out"
mkdir -p "$out"
say "soaking for $seconds s, SEED=$seed"
"$TESTING/vm/host-vm.sh" soak $((seconds + 1800)) \
	"bash /bench/host/soak $seconds $seed" 2>&1 | tee "$out/soak.ktap" || true
{
	ktap_begin
	t "the kernel logs are silent" "$TESTING/klog.sh" "$run/console.log" \
		"$run"/out/dmesg "$run"/out/*.log || true
	ktap_end || true
} | tee "$out/log.ktap"
cp "$run/out/samples.csv" "$out" ||
	echo "not ok 1 no samples" >"$out/growth.ktap"
if [ -e "$out/samples.csv" ]; then
	/usr/bin/python3 "$TESTING/soak.py" "$out/samples.csv" "$out" |
		tee "$out/growth.ktap" || true
	(cd "$out" && gnuplot plots.gp)
fi
status=0
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap || status=1
sed -n 's/^# \(happened: .*\)$/\1/p' "$out/soak.ktap"
say "soak: samples, plot and results are in $out; SEED=$seed"
exit $status
