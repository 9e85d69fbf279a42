# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after guest.sh and lib.sh: takes figures of the devices in a running guest and
# of the host VM itself. Every sample is a file of fio's JSON and one of
# counters, /out/samples/DEVICE.BS.QD.ROUND.{json,counters}.

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

# VM exits, trapped MMIO accesses, and context switches of the host VM so far
counters()
{
	echo "$(cat /sys/kernel/debug/kvm/exits)" \
		"$(awk '$1 == "Hits:" { n += $2 } END { print n + 0 }' \
			/sys/kernel/tracing/events/kvm/kvm_{,fast_}mmio/hist)" \
		"$(awk '$1 == "ctxt" { print $2 }' /proc/stat)"
}

# fio_command DISK BS QD SECONDS
fio_command()
{
	echo "fio --name=$2 --filename=$1 --rw=randread --bs=$2 --iodepth=$3" \
		"--ioengine=io_uring --direct=1 --thread --norandommap" \
		"--randrepeat=1 --time_based --runtime=$4 --disk_util=0" \
		"--lat_percentiles=1 --eta=never --output-format=json --output=/tmp/fio.json"
}

# sample DEVICE BS QD ROUND SECONDS
sample()
{
	local name=$1 out=$samples/$1.$2.$3.$4 i before irqs

	if [ "$name" = host ]; then
		before=$(counters)
		eval "$(fio_command "$host_disk" "$2" "$3" "$5")" || return
		echo "$before $(counters) 0" >"$out.counters"
		mv /tmp/fio.json "$out.json"
		return
	fi
	for i in "${!devices[@]}"; do
		[ "${devices[i]}" != "$name" ] || break
	done
	before=$(counters)
	irqs=$(guest_run 60 "before=\$(device_irqs)
		$(fio_command "\$(disk s$i)" "$2" "$3" "$5") || exit
		echo \$((\$(device_irqs) - before))") || return
	echo "$before $(counters) $irqs" >"$out.counters"
	guest_run 10 "cat /tmp/fio.json" >"$out.json"
}

# measure ROUNDS SECONDS "BS..." "QD...": all devices in turn, round by round
measure()
{
	local round bs qd name

	trace_mmio
	for round in $(seq "$1"); do
		for bs in $3; do
			for qd in $4; do
				for name in "${devices[@]}" host; do
					sample "$name" "$bs" "$qd" "$round" "$2" ||
						return
				done
			done
		done
		say "round $round of $1 measured"
	done
}
