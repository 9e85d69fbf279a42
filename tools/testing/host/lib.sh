# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by scripts of the host VM: progress, in step with the build machine's

# The clock of the host VM is the build machine's.
say()
{
	local t=$(($(date +%s) - $(cat /bench/start)))

	printf '[%3d:%02d] %s\n' $((t / 60)) $((t % 60)) "$*"
}
