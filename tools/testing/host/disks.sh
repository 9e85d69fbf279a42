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

# dmsetup. There is no udev here.
dm()
{
	DM_DISABLE_UDEV=1 dmsetup "$@"
}
