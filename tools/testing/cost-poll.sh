#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What bounds a guest that polls: how many instructions its CPU, the worker's and,
# for comparison, the host's execute for a random read of 4 KiB, and how many in a
# second. build/cost-poll/report.txt

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

out=$BUILD/cost-poll
run=$BUILD/run/cost-poll

rm -rf "$out"
mkdir -p "$out"
read -ra glib < <(pkg-config --cflags glib-2.0)
step "building the plugin" "$out/build.log" gcc -std=gnu11 -O2 -Wall -Wextra -Werror \
	-Wno-unused-parameter -D_GNU_SOURCE -shared -fPIC "${glib[@]}" \
	-I"$BUILD/qemu" -o "$out/rate.so" "$TESTING/cost/rate.c"
mkfifo "$out/control"
exec 7<>"$out/control"

say "counting in the host VM"
status=0
HOST_APPEND=nokaslr \
	HOST_PLUGIN="$out/rate.so,out=$out/counts,control=$out/control" \
	"$TESTING/vm/host-vm.sh" cost-poll 900 "bash /bench/host/cost-poll 8" 2>&1 |
	while IFS= read -r line; do
		line=${line%$'\r'}
		case $line in
		window*) printf x >&7 && echo "$line" >>"$out/windows" ;;
		iops*) echo "$line" >>"$out/windows" ;;
		*) echo "$line" ;;
		esac
	done || status=$?
"$TESTING/klog.sh" "$run"/out/dmesg "$run"/out/*.log || status=1
if [ "$status" != 0 ]; then
	say "cost-poll: FAILED; the logs are in $run"
	exit 1
fi
/usr/bin/python3 "$TESTING/cost/rate.py" "$out/counts" "$out/windows" \
	"$run/out/kallsyms" >"$out/report.txt"
sed '/^$/q' "$out/report.txt"
say "cost-poll: OK: report.txt is in $out"
