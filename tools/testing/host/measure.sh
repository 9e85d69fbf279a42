# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after guest.sh and lib.sh: takes figures of the devices in a running
# guest, of the host VM itself and of the fio engine without a guest. Every
# sample is a file of fio's JSON and one of counters,
# /out/samples/SECTION.DEVICE.RW.BS.QD.ROUND.{json,counters}.

# shellcheck source=devices.sh
. ./devices.sh

samples=/out/samples
mkdir -p "$samples"

# Counts the guests' trapped MMIO accesses, doorbells among them, also those
# that end in an ioeventfd. (Exits for other reasons, timers above all, depend
# on how fast the bench is.)
trace_mmio()
{
	local event

	mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs tracefs /sys/kernel/tracing
	for event in kvm_mmio kvm_fast_mmio; do
		echo hist:keys=common_pid >"/sys/kernel/tracing/events/kvm/$event/trigger"
	done
}

# counters DISK: VM exits, trapped MMIO accesses, context switches of the host VM,
# and sectors of the disk so far, in the array $now; no process is started for it.
counters()
{
	local event word

	now=(0 0 0 0)
	read -r "now[0]" </sys/kernel/debug/kvm/exits
	for event in kvm_mmio kvm_fast_mmio; do
		while read -ra word; do
			[ "${word[0]:-}" != Hits: ] || now[1]=$((now[1] + word[1]))
		done <"/sys/kernel/tracing/events/kvm/$event/hist"
	done
	while read -ra word; do
		[ "${word[0]}" != ctxt ] || now[2]=${word[1]}
	done </proc/stat
	read -ra word <"/sys/block/${1##*/}/stat"
	now[3]=$((word[2] + word[6]))
}

# pause MILLISECONDS
pause()
{
	local seconds

	printf -v seconds "%d.%03d" $(($1 / 1000)) $(($1 % 1000))
	sleep "$seconds"
}

# count DISK SECONDS: the counters of a part of a run that takes SECONDS. It begins
# when the disk has got I/O, and ends while the disk still gets some: what fio
# does before and after does not count, however busy the machine is.
count()
{
	local step deadline=$((SECONDS + 30))
	local -a now previous first last

	step=$(awk -v s="$2" 'BEGIN { print int(s * 100) }')
	counters "$1"
	previous=("${now[@]}")
	until [ "${now[3]}" != "${previous[3]}" ]; do
		[ $SECONDS -lt $deadline ] || return
		pause 50
		counters "$1"
	done
	pause "$step"
	counters "$1"
	first=("${now[@]}")
	last=("${now[@]}")
	previous=("${now[@]}")
	for _ in {1..7}; do
		pause "$step"
		counters "$1"
		[ "${now[3]}" != "${previous[3]}" ] || break
		# More I/O came after it, so it was taken in time.
		last=("${previous[@]}")
		previous=("${now[@]}")
	done
	[ "${last[3]}" = "${first[3]}" ] ||
		echo "exits=$((last[0] - first[0])) mmio=$((last[1] - first[1]))" \
			"switches=$((last[2] - first[2]))" \
			"bytes=$(((last[3] - first[3]) * 512))"
}

# Once for a guest, before it is measured: finds the disks' names, and reads fio
# from the guest's own disk, whose interrupts would count later.
prepare_guest()
{
	local i

	guest_disks=()
	for i in "${!devices[@]}"; do
		guest_disks[i]=$(guest_run 10 "disk $(device_serial "${devices[i]}" "$i")") ||
			return
	done
	guest_run 60 "fio --version" >/dev/null
}

# fio_command DISK RW BS QD SECONDS OPTION...
fio_command()
{
	echo "fio --name=$3 --filename=$1 --rw=$2 --bs=$3 --iodepth=$4" \
		"--direct=1 --thread --norandommap" \
		"--randrepeat=1 --time_based --disk_util=0" \
		"--runtime=$(awk -v s="$5" 'BEGIN { print s * 1000 }')ms" \
		"--lat_percentiles=1 --eta=never --output-format=json" \
		"--output=/tmp/fio.json ${*:6}"
}

# local_options NAME: what fio does in the host VM
local_options()
{
	local engine="--ioengine=external:/bench/fio/vhost-nvme.so"

	engine+=" --counters=/tmp/engine"
	case $1 in
	host) echo "--ioengine=io_uring" ;;
	io_uring) echo "--ioengine=io_uring --fixedbufs --registerfiles" ;;
	io_uring+sqpoll)
		echo "--ioengine=io_uring --fixedbufs --registerfiles --sqthread_poll=1"
		;;
	engine) echo "$engine --poll_us=$poll_us" ;;
	engine+pin) echo "$engine --poll_us=$poll_us --pin=1" ;;
	engine+poll) echo "$engine --poll_us=$poll_us --hipri" ;;
	engine+poll+pin) echo "$engine --poll_us=$poll_us --hipri --pin=1" ;;
	*) return 1 ;;
	esac
}

# sample SECTION NAME RW BS QD ROUND SECONDS
sample()
{
	local section=$1 name=$2 rw=$3 bs=$4 qd=$5 seconds=$7
	local out=$samples/$1.$2.$3.$4.$5.$6 options

	if options=$(local_options "$name"); then
		rm -f /tmp/engine
		count "$host_disk" "$seconds" >"$out.counters" &
		eval "$(fio_command "$host_disk" "$rw" "$bs" "$qd" "$seconds" \
			"$options")" || return
		wait $!
		[ ! -e /tmp/engine ] || cat /tmp/engine >>"$out.counters"
		mv /tmp/fio.json "$out.json"
		return
	fi
	options=--ioengine=io_uring
	[ "$section" != poll ] || options+=" --hipri"
	sample_guest
}

# The part of sample() for a device of the guest
sample_guest()
{
	local i answer

	for i in "${!devices[@]}"; do
		[ "${devices[i]}" != "$name" ] || break
	done
	guest_send "before=\$(device_irqs)
		$(fio_command "${guest_disks[i]}" "$rw" "$bs" "$qd" "$seconds" \
			"$options") || exit
		echo \$((\$(device_irqs) - before))
		tr -d '\n' </tmp/fio.json"
	count "/dev/nullb$i" "$seconds" >"$out.counters"
	answer=$(guest_answer 60) || {
		echo "$answer"
		return 1
	}
	echo "irqs=${answer%%$'\n'*}" >>"$out.counters"
	echo "${answer#*$'\n'}" >"$out.json"
}

# measure SECTION ROUND SECONDS "RW..." "BS..." "QD..." NAME...: all in turn
measure()
{
	local section=$1 round=$2 seconds=$3 rw bs qd name

	for rw in $4; do
		for bs in $5; do
			for qd in $6; do
				for name in "${@:7}"; do
					sample "$section" "$name" "$rw" "$bs" \
						"$qd" "$round" "$seconds" || return
				done
			done
		done
	done
}
