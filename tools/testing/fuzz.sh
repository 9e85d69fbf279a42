#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The fuzzers in a host VM: some minutes, or with LONG=1 for HOURS hours (1), or
# COUNT commands and a hundredth as many sequences of ioctls. The last lines tell
# how many there really were.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

run=$BUILD/run/fuzz
out=$BUILD/fuzz
vars="${VNG_SEED:+VNG_SEED=$VNG_SEED} FUZZ_COUNT=10000 FUZZ_SEQUENCES=600"
limit=900
if [ -n "${LONG:-}" ] && [ -n "${COUNT:-}" ]; then
	# The slowest machine does more than 50 commands a second. Four tests
	# share them.
	limit=$((COUNT / 50 + 3600))
	vars+=" FUZZ_COUNT=$(((COUNT + 3) / 4)) FUZZ_SEQUENCES=$((COUNT / 100 + 1))"
	vars+=" VNG_SCALE=$((limit / 300))"
elif [ -n "${LONG:-}" ]; then
	# The fuzzer of ioctls is the fifth test.
	seconds=$((${HOURS:-1} * 3600 / 5))
	limit=$((seconds * 6 + 900))
	vars+=" FUZZ_SECONDS=$seconds VNG_SCALE=$((limit / 300))"
fi

rm -rf "$out"
mkdir -p "$out"
say "fuzzing in the host VM"
"$TESTING/vm/host-vm.sh" fuzz "$limit" \
	"cd /bench/selftests && $vars ./run.sh fuzz fuzz_ioctl" 2>&1 |
	tee "$out/fuzz.ktap" || true
{
	ktap_begin
	t "the kernel log is silent" "$TESTING/klog.sh" "$run/console.log" \
		"$run/out/dmesg" || true
	ktap_end || true
} | tee "$out/log.ktap"
status=0
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap || status=1
sed -n 's/^.*# \(fuzz[a-z_]*: .*\)$/\1/p' "$out/fuzz.ktap"
exit $status
