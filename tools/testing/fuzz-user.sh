#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module's parsing of commands in user space (tools/testing/user): with clang and
# libFuzzer, for $DURATION seconds (120) or $RUNS inputs, in an order by $SEED; or with
# "check" as an argument, gcc and the same inputs every time. Prints KTAP.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

out=$BUILD/user
user=$TESTING/user

build()
{
	step "building the module's parsing in user space" "$BUILD/log/user.log" \
		make -C "$user" -j "$(nproc)" OUTPUT="$1" "${@:2}" >&2
}

# AddressSanitizer does not get along with every layout of the address space that the
# kernel may choose, and a container may not want it to be left alone.
fixed=()
if setarch -R true 2>/dev/null; then
	fixed=(setarch -R)
fi

if [ "${1:-}" = check ]; then
	build "$out/gcc"
	ktap_begin
	# Some seconds; on SIGABRT it tells which input it was.
	t "commands and memory tables by chance, in user space" \
		timeout -s ABRT 900 "${fixed[@]}" "$out/gcc/parse" 3000 1 || true
	ktap_end
	exit
fi

build "$out/clang" CC=clang LIBFUZZER=1
build "$out/gcc"
mkdir -p "$out/corpus"
rm -f "$out"/found-*
limit=(-max_total_time="${DURATION:-120}")
if [ -n "${RUNS:-}" ]; then
	limit=(-runs="$RUNS")
fi
# Memory that is left is noticed by the target itself, after every command.
fuzz()
{
	"${fixed[@]}" "$out/clang/parse" -max_len=1568 -detect_leaks=0 \
		-print_final_stats=1 -seed="${SEED:-0}" -artifact_prefix="$out/found-" \
		"${limit[@]}" "$out/corpus" >"$out/libfuzzer.log" 2>&1 && return
	tail -n 40 "$out/libfuzzer.log"
	return 1
}

say "libFuzzer, on the inputs of $out/corpus"
ktap_begin
t "commands and memory tables, led by coverage, in user space" fuzz || true
for found in "$out"/found-*; do
	[ -e "$found" ] || continue
	echo "# to repeat this: $out/gcc/parse $found"
done
# What was done, and how many places of the module were reached
sed -n '/^# parse: /p' "$out/libfuzzer.log"
sed -n 's/.* cov: \([0-9]*\) .*/# coverage: \1 edges/p' "$out/libfuzzer.log" | tail -n 1
ktap_end
