#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/selftests: the tests that play the guest without a VM

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

"$TESTING/setup/linux-source.sh"
step "building the selftests" "$BUILD/log/selftests.log" \
	make -C "$TESTING/selftests" -j "$(nproc)" OUTPUT="$BUILD/selftests" \
	KSELFTEST="$BUILD/linux-source/tools/testing/selftests"
