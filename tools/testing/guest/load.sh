#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# load.sh start DISK NAME: verified writes and reads, round after round
# load.sh stop NAME: ends them; fails if one did, or if there was no round
# load.sh any DISK: load that may fail at any time
# load.sh end: ends that
# load.sh hung DISK: four Reads of a disk that does not answer; returns when it has them

set -eu
dir=/run/load

# Gone when it has died or has been reaped
ends()
{
	local i

	for ((i = 0; i < 600; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "the load does not end"
	return 1
}

case $1 in
start)
	mkdir -p $dir
	rm -f "$dir/$3".*
	(
		trap '' HUP
		while [ ! -e "$dir/$3.stop" ]; do
			/bench/guest/verify.sh "$2" 8k 32 1 || exit
			echo >>"$dir/$3.rounds"
		done >"$dir/$3.log" 2>&1
		echo 0 >"$dir/$3.status"
	) </dev/null >/dev/null 2>&1 &
	echo $! >"$dir/$3.pid"
	;;
stop)
	touch "$dir/$2.stop"
	ends "$(cat "$dir/$2.pid")"
	tail -n 20 "$dir/$2.log"
	echo "$(wc -l <"$dir/$2.rounds") rounds"
	[ "$(cat "$dir/$2.status")" = 0 ]
	;;
any)
	mkdir -p $dir
	fio --name=load --filename="$2" --rw=randrw --bsrange=4k-64k \
		--iodepth=32 --ioengine=io_uring --direct=1 --thread \
		--time_based --runtime=600 </dev/null >/dev/null 2>&1 &
	echo $! >$dir/pid
	;;
hung)
	for i in 1 2 3 4; do
		dd if="$2" of=/dev/null bs=64k skip=$i iflag=direct \
			</dev/null >/dev/null 2>&1 &
	done
	for ((i = 0; i < 600; i++)); do
		read -r reads _ <"/sys/block/${2##*/}/inflight"
		if [ "$reads" -ge 4 ]; then
			# Until it is the host's
			sleep 0.5
			exit
		fi
		sleep 0.1
	done
	echo "no Reads in flight"
	exit 1
	;;
end)
	kill "$(cat $dir/pid)" 2>/dev/null || true
	ends "$(cat $dir/pid)"
	;;
esac
