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
cpus=$(nproc)
mkdir -p "$samples"

events=/sys/kernel/tracing/events

# Counts the guests' trapped MMIO accesses, doorbells among them, also those
# that end in an ioeventfd; the reasons of all exits (timers above all depend on
# how fast the bench is); and how often a worker of vhost-nvme is woken.
trace_start()
{
	local event

	mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs tracefs /sys/kernel/tracing
	for event in kvm_mmio kvm_fast_mmio; do
		echo hist:keys=common_pid >"$events/kvm/$event/trigger"
	done
	echo hist:keys=isa,exit_reason >"$events/kvm/kvm_exit/trigger"
	echo 'hist:keys=comm if comm == "vhost-nvme"' \
		>"$events/sched/sched_wakeup/trigger"
}

# What counters() finds, in this order. Times are in us.
counter_names=(sectors exits mmio switches wakeups exit_halt exit_interrupt
	exit_window exit_msr exit_mmio exit_other worker_us qemu_us elapsed_us)

# The index in $now of an exit's reason: Intel's (isa 1) and AMD's numbers. What
# is an access to MMIO to one is a nested page fault to the other.
reason_index()
{
	case $1 in
	1/12 | 2/120) index=5 ;;
	1/1 | 2/96) index=6 ;;
	1/7 | 2/100) index=7 ;;
	1/3[12] | 2/124) index=8 ;;
	1/4[89] | 2/1024) index=9 ;;
	*) index=10 ;;
	esac
}

# counters DISK: what happened so far, in the array $now; no process is started
# for it.
counters()
{
	local event word index

	now=(0 0 0 0 0 0 0 0 0 0 0 0 0 0)
	read -ra word <"/sys/block/${1##*/}/stat"
	now[0]=$((word[2] + word[6]))
	read -r "now[1]" </sys/kernel/debug/kvm/exits
	for event in kvm_mmio kvm_fast_mmio; do
		while read -ra word; do
			[ "${word[0]:-}" != Hits: ] || now[2]=$((now[2] + word[1]))
		done <"$events/kvm/$event/hist"
	done
	while read -ra word; do
		[ "${word[0]}" != ctxt ] || now[3]=${word[1]}
	done </proc/stat
	while read -ra word; do
		[ "${word[0]:-}" != Hits: ] || now[4]=${word[1]}
	done <"$events/sched/sched_wakeup/hist"
	# { isa: 2, exit_reason: 120 } hitcount: 7
	while read -ra word; do
		[ "${word[1]:-}" = isa: ] || continue
		reason_index "${word[2]%,}/${word[4]}"
		now[index]=$((now[index] + word[7]))
	done <"$events/kvm/kvm_exit/hist"
	now[13]=${EPOCHREALTIME/[.,]/}
	[ "$section" != trickle ] || cpu_times
}

# The part of counters() for the threads of the guest's QEMU and of the storage
# daemon, those of its CPUs left out
cpu_times()
{
	local task comm ns

	# shellcheck disable=SC2154 # of guest.sh
	for task in "/proc/$guest_pid/task"/* "/proc/${storage_daemon:-0}/task"/*; do
		# It may be gone by now.
		{ read -r comm <"$task/comm"; } 2>/dev/null || continue
		{ read -r ns _ <"$task/schedstat"; } 2>/dev/null || continue
		case $comm in
		vhost-nvme) now[11]=$((now[11] + ns / 1000)) ;;
		"CPU "*) ;;
		*) now[12]=$((now[12] + ns / 1000)) ;;
		esac
	done
}

# Interrupts of the host VM's NVMe disk so far
disk_irqs()
{
	awk -v cpus="$cpus" '$NF ~ /^nvme.*q/ {
			for (i = 2; i < 2 + cpus; i++) n += $i
		}
		END { print n + 0 }' /proc/interrupts
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
	local i step deadline=$((SECONDS + 30))
	local -a now previous first last

	step=$(awk -v s="$2" 'BEGIN { print int(s * 100) }')
	counters "$1"
	previous=("${now[@]}")
	until [ "${now[0]}" != "${previous[0]}" ]; do
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
		[ "${now[0]}" != "${previous[0]}" ] || break
		# More I/O came after it, so it was taken in time.
		last=("${previous[@]}")
		previous=("${now[@]}")
	done
	[ "${last[0]}" != "${first[0]}" ] || return
	for i in "${!now[@]}"; do
		echo "${counter_names[i]}=$((last[i] - first[i]))"
	done
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
	io_uring+disk) echo "--ioengine=io_uring --fixedbufs --registerfiles --hipri" ;;
	io_uring+sqpoll)
		echo "--ioengine=io_uring --fixedbufs --registerfiles --sqthread_poll=1"
		;;
	io_uring+sqpoll+disk)
		echo "--ioengine=io_uring --fixedbufs --registerfiles --sqthread_poll=1 --hipri"
		;;
	engine) echo "$engine --poll_us=$poll_us" ;;
	engine+pin) echo "$engine --poll_us=$poll_us --pin=1" ;;
	engine+poll) echo "$engine --poll_us=$poll_us --hipri" ;;
	engine+poll+pin) echo "$engine --poll_us=$poll_us --hipri --pin=1" ;;
	engine+poll+disk) echo "$engine --poll_us=$poll_us --hipri --poll_disk=1" ;;
	engine+poll+pin+disk)
		echo "$engine --poll_us=$poll_us --hipri --pin=1 --poll_disk=1"
		;;
	engine+50us) echo "$engine --poll_us=50" ;;
	*) return 1 ;;
	esac
}

# sample SECTION NAME RW BS QD ROUND SECONDS
sample()
{
	local section=$1 name=$2 rw=$3 bs=$4 qd=$5 seconds=$7
	local out=$samples/$1.$2.$3.$4.$5.$6 options
	local rate=() irqs

	[ "$section" != trickle ] || rate=(--rate_iops=100)
	if options=$(local_options "$name"); then
		rm -f /tmp/engine
		irqs=$(disk_irqs)
		count "$host_disk" "$seconds" >"$out.counters" &
		eval "$(fio_command "$host_disk" "$rw" "$bs" "$qd" "$seconds" \
			"$options" "${rate[@]}")" || return
		irqs=$(($(disk_irqs) - irqs))
		wait $!
		[[ $host_disk != *nvme* ]] || echo "disk_irqs=$irqs" >>"$out.counters"
		[ ! -e /tmp/engine ] || cat /tmp/engine >>"$out.counters"
		mv /tmp/fio.json "$out.json"
		return
	fi
	options=--ioengine=io_uring
	if [ "$name" = guest ]; then
		sample_guest_alone
		return
	fi
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
			"$options" "${rate[@]}") || exit
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

# The part of sample() for the guest's own null_blk: all of the I/O is in the guest
sample_guest_alone()
{
	local answer

	guest_send "$(fio_command /dev/nullb0 "$rw" "$bs" "$qd" "$seconds" \
		"$options") && tr -d '\n' </tmp/fio.json"
	answer=$(guest_answer 60) || {
		echo "$answer"
		return 1
	}
	: >"$out.counters"
	echo "$answer" >"$out.json"
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
