#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes that tell afterwards what has to be on a disk; see driver/durable.c
#
# durable.sh some DISK NAME: some hundreds, now
# durable.sh start DISK NAME: in the background, until it is stopped
# durable.sh stop NAME: fails if there was an I/O error
# durable.sh fails NAME: waits for an I/O error, and fails if there is none
# durable.sh state NAME: prints what has become of each block
# durable.sh check DISK NAME: everything that was acknowledged is there

set -eu
dir=/run/durable
mkdir -p $dir

# ended NAME STATUS
ended()
{
	local i

	for ((i = 0; i < 900; i++)); do
		if [ -e "$dir/$1.status" ]; then
			cat "$dir/$1.log"
			[ "$(cat "$dir/$1.status")" = "$2" ]
			return
		fi
		sleep 0.1
	done
	echo "the load does not end"
	return 1
}

case $1 in
some) /bench/driver/durable write "$2" 500 "$dir/$3" ;;
start)
	rm -f "$dir/$3.status"
	(
		status=0
		/bench/driver/durable write "$2" 1000000000 "$dir/$3" &
		echo $! >"$dir/$3.pid"
		wait $! || status=$?
		echo $status >"$dir/$3.status.new"
		mv "$dir/$3.status.new" "$dir/$3.status"
	) </dev/null >"$dir/$3.log" 2>&1 &
	;;
stop)
	kill "$(cat "$dir/$2.pid")" || true
	ended "$2" 0
	;;
fails) ended "$2" 2 ;;
state) cat "$dir/$2" ;;
check) /bench/driver/durable check "$2" "$dir/$3" ;;
esac
