# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced: test results in the kernel's KTAP format

ktap_n=0
ktap_failed=0

ktap_begin()
{
	echo "KTAP version 1"
}

ktap_result()
{
	ktap_n=$((ktap_n + 1))
	case $1 in
	0) echo "ok $ktap_n $2" ;;
	4) echo "ok $ktap_n $2 # SKIP ${3:-}" ;;
	*)
		echo "not ok $ktap_n $2"
		ktap_failed=$((ktap_failed + 1))
		;;
	esac
}

# t DESCRIPTION COMMAND...: passes if COMMAND does; its output is shown if not
t()
{
	local text=$1 status=0 log

	shift
	# Not in a subshell: COMMAND may start a guest.
	log=$(mktemp)
	"$@" >"$log" 2>&1 || status=$?
	if [ $status != 0 ]; then
		[ $status != 4 ] || status=1
		tail -n 40 "$log" | sed 's/^/# /'
	fi
	rm -f "$log"
	ktap_result $status "$text"
	return $status
}

# The plan comes last, so that a run that ends early is noticed.
ktap_end()
{
	echo "1..$ktap_n"
	[ $ktap_failed = 0 ]
}
