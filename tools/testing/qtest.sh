#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The series' test for QEMU's test suite: the device on a host without the module,
# which this machine is (else it skips that). Prints KTAP.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

"$TESTING/setup/qemu.sh" >&2

qtest()
{
	QTEST_QEMU_BINARY=$BUILD/qemu/qemu-system-x86_64 \
		QTEST_QEMU_IMG=$BUILD/qemu/qemu-img \
		timeout 300 "$BUILD/qemu/vhost-kernel-nvme-test" --tap
}

ktap_begin
t "qtest" qtest || true
ktap_end || exit 1
