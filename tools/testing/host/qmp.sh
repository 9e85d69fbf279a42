# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after guest.sh: QEMU's monitor, and how long QEMU's threads run

# QEMU's arguments. As with the agent of the guest, no tool is needed to talk.
# shellcheck disable=SC2034,SC2054
qmp_args=(-chardev pipe,id=qmp,path=/run/qmp -mon chardev=qmp,mode=control)

# Before QEMU starts, also once more. It inherits the pipes, but not those of the one
# before it.
qmp_begin()
{
	if [ -n "${qmp_in:-}" ]; then
		exec {qmp_in}>&- {qmp_out}>&-
	fi
	rm -f /run/qmp.in /run/qmp.out
	mkfifo -m 666 /run/qmp.in /run/qmp.out
	exec {qmp_in}<>/run/qmp.in {qmp_out}<>/run/qmp.out
}

# qmp SECONDS COMMAND [ARGUMENTS]: prints the answer
qmp()
{
	local id=${EPOCHREALTIME/./} line part=
	# shellcheck disable=SC2154 # of guest.sh
	local end=$((id + $1 * guest_slow * 1000000))

	# Always both: QEMU may have been started anew.
	echo '{"execute": "qmp_capabilities"}' >&"$qmp_in"
	echo "{\"execute\": \"$2\", \"arguments\": {${3:-}}, \"id\": $id}" \
		>&"$qmp_in"
	while [ "${EPOCHREALTIME/./}" -lt $end ]; do
		if ! IFS= read -r -t 0.1 -u "$qmp_out" line; then
			# What has come of it so far. A newline that bash gets as the
			# time is up is lost, but not the CR before it.
			part+=$line
			[[ $part = *$'\r' ]] || continue
			line=
		fi
		line=$part$line part=
		# Not an event, or an answer that came too late
		if [[ $line = *"\"id\": $id"* ]]; then
			echo "$line"
			[[ $line != *'"error": {'* ]]
			return
		fi
	done
	echo "no answer to $2 within $(($1 * guest_slow)) s"
	return 1
}

# answers COUNT: the monitor does, each time soon. (Some resets may take a second
# of QEMU's.)
answers()
{
	local i

	for ((i = 0; i < $1; i++)); do
		qmp 3 query-status && qmp 3 query-block >/dev/null || return
		sleep 0.5
	done
}

# worker_ids DEVICE: the threads that serve it, as the device tells
worker_ids()
{
	local answer

	answer=$(qmp 60 qom-get "\"path\": \"/machine/peripheral/$1\", \"property\": \"vhost-worker-ids\"") &&
		grep -oE '\[.*\]' <<<"$answer" | grep -oE '[0-9]+'
}

vcpu_ids()
{
	local tid

	# A vCPU also has a thread-id among the threads of its core.
	qmp 10 query-cpus-fast | grep -oE '"thread-id": [0-9]+' |
		while read -r _ tid; do
			# shellcheck disable=SC2154
			[ ! -e "/proc/$guest_pid/task/$tid" ] || echo "$tid"
		done
}

# cpu_ms TID...: how long these threads of QEMU have run
cpu_ms()
{
	local tid

	for tid; do
		cat "/proc/$guest_pid/task/$tid/schedstat"
	done | awk '{ ns += $1 } END { print int(ns / 1000000) }'
}
