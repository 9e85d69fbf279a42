# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by scripts of the host VM: starts the guest and runs commands in it.
# The guest's kernel log goes to $guest_log, one file for each start. Several guests
# at a time are several shells, each with a directory and a log of another name.

guest_dir=/run/guest
# Seconds until a guest has booted, at most; the script's to set
guest_patience=180
# This VM's hardware is emulated.
emulated()
{
	! lscpu | grep -q 'Hypervisor vendor:.*KVM'
}

# All such limits are this many times longer: kernels of check-debug take their time,
# and so do emulated CPUs for which the machine has no time.
guest_slow=1
if emulated || [[ $(uname -r) = *-vhost-nvme-debug ]]; then
	guest_slow=4
fi
guest_log=
guest_starts=0
guest_pid=
# What the guest was started with
guest_devices=()
# What QEMU is run by, to take privileges from it
as_user=()

# The block device of this VM with that serial number
disk()
{
	local f

	f=$(grep -lx "$1" /sys/block/vd*/serial) && f=${f%/serial} &&
		echo "/dev/${f##*/}"
}

# QEMU as it was built on the build machine, with its libraries
qemu()
{
	LD_LIBRARY_PATH=/bench/qemu/lib exec "${as_user[@]}" \
		/bench/qemu/qemu-system-x86_64 "$@"
}

# guest_args MODE: the arguments every guest gets
guest_args()
{
	# loglevel: with the kernel's first line, which guest_silent() looks for
	# shellcheck disable=SC2054 # the commas are QEMU's
	args=(-machine q35,sata=off,usb=off,vmport=off -accel kvm -cpu host
		-smp "${guest_cpus:-2}" -m "${guest_memory:-1G}"
		-name guest,debug-threads=on -nodefaults -no-user-config -display none
		-kernel /bench/vmlinuz -initrd /bench/initramfs.cpio
		-append "console=ttyS0 loglevel=6 panic=-1 mitigations=off cryptomgr.notests no_timer_check role=guest mode=$1 ${guest_append:-}"
		-drive "if=none,id=root,format=raw,readonly=on,file=$(disk root)"
		-device virtio-blk-pci,drive=root,serial=root
		-drive "if=none,id=payload,format=raw,readonly=on,file=$(disk payload)"
		-device virtio-blk-pci,drive=payload,serial=payload
		-serial "file:$guest_log"
		-device virtio-serial-pci -device virtconsole,chardev=agent)
}

# guest_boot QEMU-ARGUMENT...: starts the guest and returns when it takes
# commands
guest_boot()
{
	guest_launch "$@" && guest_ready
}

guest_launch()
{
	local args

	guest_devices=("$@")
	guest_starts=$((guest_starts + 1))
	guest_log=/out/${guest_dir##*/}-$guest_starts.log
	guest_args agent
	rm -rf "$guest_dir"
	mkdir -p "$guest_dir"
	mkfifo -m 666 "$guest_dir/agent.in" "$guest_dir/agent.out"
	exec 7<>"$guest_dir/agent.in" 8<>"$guest_dir/agent.out"
	(qemu "${args[@]}" -chardev "pipe,id=agent,path=$guest_dir/agent" "$@" \
		>"$guest_dir/qemu.log" 2>&1 </dev/null 7>&- 8>&-) &
	guest_pid=$!
}

# agent_line SECONDS: the next line of the guest's answer in $line
agent_line()
{
	local deadline=$((SECONDS + $1 * guest_slow)) part=

	while ! IFS= read -r -t 1 -u 8 line; do
		# A newline that bash gets as the time is up is lost. What nothing
		# has followed for a second is a line.
		[ -n "$line" ] || [ -z "$part" ] || break
		part+=$line
		if ! kill -0 "$guest_pid" 2>/dev/null; then
			echo "the guest is gone: $(cat "$guest_dir/qemu.log")"
			return 1
		elif [ $SECONDS -ge $deadline ]; then
			echo "no answer from the guest within $(($1 * guest_slow)) s"
			tail -n 20 "$guest_log"
			return 1
		fi
	done
	line=$part$line
}

# True if the guest's kernel has not come as far as its first line, which it
# prints before it knows of any device.
guest_silent()
{
	local deadline=$((SECONDS + $1 * guest_slow))

	until [ -s "$guest_log" ]; do
		kill -0 "$guest_pid" 2>/dev/null || return 1
		[ $SECONDS -lt $deadline ] || return 0
		sleep 0.2
	done
	return 1
}

guest_ready()
{
	# A nested guest rarely hangs at its very start where SVM is emulated.
	if guest_silent 20; then
		# Not where t() would hide it
		echo "# no line from the guest: starting it once more" \
			>/dev/hvc0
		guest_kill
		guest_launch "${guest_devices[@]}"
	fi
	while agent_line "$guest_patience"; do
		if [ "$line" = "agent: ready" ]; then
			return 0
		fi
	done
	echo "$line"
	return 1
}

# guest_run SECONDS COMMAND: output and exit status are COMMAND's
guest_run()
{
	guest_send "$2"
	guest_answer "$1"
}

# guest_answer SECONDS: what the command that was sent says
guest_answer()
{
	local line held

	# The agent starts its answer's last line with a newline.
	while agent_line "$1"; do
		case $line in
		"agent: status "*)
			[ -z "${held:-}" ] || echo "$held"
			return "${line##* }"
			;;
		esac
		[ -z "${held+set}" ] || echo "$held"
		held=$line
	done
	echo "$line"
	return 124
}

# fio_start DISK OPTION...: in the guest, until fio_stop; returns when it does I/O
fio_start()
{
	local disk=$1

	shift
	guest_run 90 "d=\$(disk $disk)
		commands() { awk '{ print \$1 + \$5 }' /sys/block/\${d##*/}/stat; }
		before=\$(commands)
		fio --name=load --filename=\$d --direct=1 --thread \
			--ioengine=io_uring --time_based --runtime=600 $* \
			</dev/null >/run/fio.log 2>&1 & echo \$! >/run/fio.pid
		for i in \$(seq 800); do
			[ \$(commands) -lt \$((before + 20)) ] || exit 0; sleep 0.1
		done
		cat /run/fio.log; exit 1"
}

fio_stop()
{
	guest_run 60 'kill $(cat /run/fio.pid); for i in $(seq 500); do
		kill -0 $(cat /run/fio.pid) 2>/dev/null || exit 0; sleep 0.1; done;
		cat /run/fio.log; exit 1'
}

# A command whose answer is waited for later, or that gets none because it ends
# or restarts the guest
guest_send()
{
	echo "${1@Q}" >&7
}

guest_stop()
{
	guest_end TERM
}

guest_kill()
{
	guest_end KILL
}

guest_end()
{
	if kill -0 "$guest_pid" 2>/dev/null; then
		kill "-$1" "$guest_pid"
	fi
	wait "$guest_pid" 2>/dev/null
	exec 7>&- 8>&-
}
