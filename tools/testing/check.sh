#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All tests, and lint. Every part writes KTAP to build/check/; the last line is
# the sum. FULL=1: what takes long, too. PARTS and JOBS: see parts.sh.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=parts.sh
. "$TESTING/parts.sh"

out=$BUILD/check
rm -rf "$out"
mkdir -p "$out"

cuts=1
if [ -n "${FULL:-}" ]; then
	restarts=50 kills=100 resets=20 plugs=100 namespaces=256 cuts=20
	commands=30000
fi

guest_parts
# With the same seed every time: what chance finds is for make fuzz-long.
in_vm selftests 3600 "selftests in the host VM, without a guest" \
	"VNG_TIMEOUT_MS=30000 VNG_SEED=1 bash /bench/selftests/run.sh"
in_vm faults $((1200 + 60 * cuts)) "disks that fail, lose power or their way" \
	"bash /bench/host/test-faults $cuts"
in_vm disks 1200 "every kind of disk, under the module and under a guest" \
	"bash /bench/host/test-disks"
in_vm admin 1200 "what the admin queue tells and sets" \
	"bash /bench/host/test-admin"
in_vm fio 900 "the fio engine in the host VM, without a guest" \
	"bash /bench/host/test-fio"
part fuzz-user "commands by chance for the module's parsing, in user space" \
	"$TESTING/fuzz-user.sh" check
part lint "lint" "$TESTING/lint.sh"
part qtest "QEMU's own tests of the series" "$TESTING/qtest.sh"

parts_end
