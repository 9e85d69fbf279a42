# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced in the guest

# disk SERIAL [NSID]: the block device of that serial number
disk()
{
	local f

	for f in /sys/block/nvme*n"${2:-1}"/device/serial /sys/block/vd*/serial; do
		if [ "$(tr -d ' ' <"$f" 2>/dev/null)" = "$1" ]; then
			f=${f#/sys/block/}
			echo "/dev/${f%%/*}"
			return
		fi
	done
	return 1
}

# controller SERIAL: its character device
controller()
{
	local f

	for f in /sys/class/nvme/nvme*/serial; do
		if [ "$(tr -d ' ' <"$f" 2>/dev/null)" = "$1" ]; then
			f=${f%/serial}
			echo "/dev/${f##*/}"
			return
		fi
	done
	return 1
}
