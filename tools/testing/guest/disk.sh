# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced in the guest

# disk SERIAL [NSID]: the block device of that serial number. (The last number
# in the name of an NVMe disk is not its NSID.) No program is started for each: there
# may be hundreds.
disk()
{
	local f dir serial nsid

	for f in /sys/block/nvme*/device/serial /sys/block/vd*/serial; do
		dir=${f%/serial}
		dir=${dir%/device}
		serial='' nsid=1
		{ read -r serial <"$f" && read -r nsid <"$dir/nsid"; } 2>/dev/null || true
		if [ "$serial" = "$1" ] && [ "${nsid:-1}" = "${2:-1}" ]; then
			echo "/dev/${dir##*/}"
			return
		fi
	done
	return 1
}

# controller SERIAL [CNTLID]: its character device
controller()
{
	local f

	for f in /sys/class/nvme/nvme*/serial; do
		if [ "$(tr -d ' ' <"$f" 2>/dev/null)" = "$1" ]; then
			f=${f%/serial}
			if [ "$(cat "$f/cntlid")" = "${2:-$(cat "$f/cntlid")}" ]; then
				echo "/dev/${f##*/}"
				return
			fi
		fi
	done
	return 1
}

# take_function SERIAL [CNTLID]: takes that controller's PCI function from its driver, for a
# program in /bench/driver
take_function()
{
	local ctrl function

	ctrl=$(controller "$@") &&
		function=$(readlink -f "/sys/class/nvme/${ctrl##*/}/device") &&
		function=${function##*/} &&
		echo "$function" >/sys/bus/pci/drivers/nvme/unbind &&
		echo 8 >/proc/sys/vm/nr_hugepages &&
		echo "$function"
}

# Interrupts of all disks so far
device_irqs()
{
	awk '/nvme|-req/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }
		END { print n + 0 }' /proc/interrupts
}
