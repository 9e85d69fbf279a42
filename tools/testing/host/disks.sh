# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by scripts of the host VM: disks to put under a guest

# null_blk N ATTRIBUTE=VALUE...: /dev/nullbN, made anew
null_blk()
{
	local dir=/sys/kernel/config/nullb/nullb$1 attribute

	mountpoint -q /sys/kernel/config ||
		mount -t configfs configfs /sys/kernel/config
	if [ -d "$dir" ]; then
		echo 0 >"$dir/power"
		rmdir "$dir"
	fi
	mkdir "$dir"
	shift
	for attribute; do
		echo "${attribute#*=}" >"$dir/${attribute%%=*}" || return
	done
	echo 1 >"$dir/power"
}

# idle DISK: it completes nothing for two seconds
idle()
{
	local before

	before=$(cat "/sys/block/$1/stat")
	sleep 2
	[ "$(cat "/sys/block/$1/stat")" = "$before" ]
}

# dmsetup. There is no udev here.
dm()
{
	DM_DISABLE_UDEV=1 dmsetup "$@"
}

# nvme_tcp DISK [CONNECT-ARGUMENT...]: sets $made, which is that disk through NVMe over
# TCP, by way of this VM's own network. It has a path while nvme_tcp_path exists.
nvme_tcp_port=/sys/kernel/config/nvmet/ports/1
nvme_tcp_path=$nvme_tcp_port/subsystems/disk
nvme_tcp()
{
	local subsystem=/sys/kernel/config/nvmet/subsystems/disk disk=$1

	shift
	# Unless they are built in
	modprobe -aq nvmet nvmet-tcp nvme-tcp
	if [ ! -d /sys/kernel/config/nvmet ] || [ ! -e /dev/nvme-fabrics ]; then
		echo "this kernel has no NVMe over TCP"
		return 1
	fi
	ip link set lo up &&
		mkdir "$subsystem" "$subsystem/namespaces/1" "$nvme_tcp_port" &&
		echo 1 >"$subsystem/attr_allow_any_host" &&
		echo -n "$disk" >"$subsystem/namespaces/1/device_path" &&
		echo 1 >"$subsystem/namespaces/1/enable" &&
		echo tcp >"$nvme_tcp_port/addr_trtype" &&
		echo ipv4 >"$nvme_tcp_port/addr_adrfam" &&
		echo 127.0.0.1 >"$nvme_tcp_port/addr_traddr" &&
		echo 4420 >"$nvme_tcp_port/addr_trsvcid" &&
		ln -s "$subsystem" "$nvme_tcp_path" &&
		nvme connect -t tcp -a 127.0.0.1 -s 4420 -n disk -i 2 "$@" || return
	for _ in $(seq 100); do
		made=$(find /dev -name 'nvme*n1')
		[ -z "$made" ] || return 0
		sleep 0.1
	done
	return 1
}

# scsi_debug [ARGUMENT...]: sets $made, scsi_debug with those parameters
scsi_debug()
{
	local model

	modprobe -rq scsi_debug
	modprobe scsi_debug "$@" || return
	for _ in $(seq 100); do
		if model=$(grep -l scsi_debug /sys/block/sd*/device/model); then
			model=${model#/sys/block/}
			made=/dev/${model%%/*}
			[ ! -b "$made" ] || return 0
		fi
		sleep 0.1
	done 2>/dev/null
	return 1
}
