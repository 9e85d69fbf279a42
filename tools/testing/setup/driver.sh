#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/driver: programs that drive a controller in the guest by themselves

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

step "building the guest's test driver" "$BUILD/log/driver.log" \
	make -C "$TESTING/driver" OUTPUT="$BUILD/driver"
