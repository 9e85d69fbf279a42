# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by the bench's scripts on the build machine: paths, the cache, and
# progress with elapsed time.

set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TESTING=$TOP/tools/testing
BUILD=$TOP/build

if [ "$(id -u)" = 0 ]; then
	default_cache=/var/cache
else
	default_cache=$HOME/.cache
fi
# What is downloaded or takes long to build lives outside the tree, so that
# `make clean` and a fresh clone do not cost it again.
CACHE=${VHOST_NVME_CACHE:-${XDG_CACHE_HOME:-$default_cache}/vhost-nvme}

# Debian's codename, for everything that depends on the release.
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# Set once by the Makefile: elapsed times count from the start of `make`.
: "${BENCH_START:=$(date +%s)}"
export BENCH_START

mkdir -p "$CACHE" "$BUILD"

say()
{
	local t=$(($(date +%s) - BENCH_START))

	printf '[%3d:%02d] %s\n' $((t / 60)) $((t % 60)) "$*"
}

die()
{
	say "error: $*" >&2
	exit 1
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# step TEXT LOG COMMAND...: a step whose output is only of interest if it fails
step()
{
	local text=$1 log=$2

	shift 2
	say "$text"
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		die "$text failed; the whole log is $log"
	fi
}

# A content key: of files, and of the text on standard input
key()
{
	cat -- "$@" - | sha256sum | cut -c 1-12
}

# Held until the calling script ends: two runs must not build the same thing.
lock()
{
	exec 9>"$CACHE/$1.lock"
	if ! flock -n 9; then
		say "waiting for another run that holds $CACHE/$1.lock"
		flock 9
	fi
}
