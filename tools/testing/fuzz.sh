#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The fuzzers in a host VM, then that of a guest in there: some minutes, or with LONG=1
# for HOURS hours (1; 0.2 is possible), or COUNT commands and a hundredth as many
# sequences of ioctls, and of commands in the guest. The last lines tell how many there
# really were.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

out=$BUILD/fuzz
vars="${VNG_SEED:+VNG_SEED=$VNG_SEED} FUZZ_COUNT=10000 FUZZ_SEQUENCES=600"
limit=900
# Commands and seconds of the guest's
seed=${VNG_SEED:-$(od -An -N 4 -t u4 /dev/urandom | tr -d ' ')}
guest=5000 guest_seconds=0 guest_limit=1500
if [ -n "${LONG:-}" ] && [ -n "${COUNT:-}" ]; then
	# The slowest machine does more than 50 commands a second. Four tests
	# share them.
	limit=$((COUNT / 50 + 3600))
	vars+=" FUZZ_COUNT=$(((COUNT + 3) / 4)) FUZZ_SEQUENCES=$((COUNT / 100 + 1))"
	vars+=" VNG_SCALE=$((limit / 300))"
	# It does more than 10 in a second.
	guest=$((COUNT / 100 + 1)) guest_limit=$((COUNT / 500 + 1200))
elif [ -n "${LONG:-}" ]; then
	# The fuzzer of ioctls is the fifth test, that of the guest the sixth.
	seconds=$(awk -v hours="${HOURS:-1}" 'BEGIN { print int(hours * 600) }')
	[ "$seconds" -ge 1 ] || die "HOURS=${HOURS:-1} is no time"
	limit=$((seconds * 6 + 900))
	vars+=" FUZZ_SECONDS=$seconds VNG_SCALE=$((limit / 300))"
	guest=0 guest_seconds=$seconds guest_limit=$((seconds * 4 / 3 + 1800))
fi

rm -rf "$out"
mkdir -p "$out"
say "fuzzing in the host VM"
"$TESTING/vm/host-vm.sh" fuzz "$limit" \
	"cd /bench/selftests && $vars ./run.sh fuzz fuzz_ioctl" 2>&1 |
	tee "$out/fuzz.ktap" || true
say "fuzzing in a guest, seed $seed"
"$TESTING/vm/host-vm.sh" fuzz-guest "$guest_limit" \
	"bash /bench/host/test-fuzz $seed $guest $guest_seconds" 2>&1 |
	tee "$out/fuzz-guest.ktap" || true
{
	ktap_begin
	for name in fuzz fuzz-guest; do
		run=$BUILD/run/$name
		t "$name: the kernel logs are silent" "$TESTING/klog.sh" \
			"$run/console.log" "$run"/out/dmesg "$run"/out/*.log || true
	done
	ktap_end || true
} | tee "$out/log.ktap"
status=0
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap || status=1
sed -n 's/^.*# \(fuzz[a-z_]*: .*\)$/\1/p' "$out/fuzz.ktap" "$out/fuzz-guest.ktap"
exit $status
