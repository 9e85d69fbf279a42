#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debug-kernel.sh KERNEL: a kernel for the host VM from the distribution's own
# source, with the bench kernel's configuration but for what debug/host.config
# and debug/KERNEL.config change. It is built in the cache, where an interrupted
# build goes on; build/debug-KERNEL leads there.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

kernel=$1
fragments=("$TESTING/debug/host.config" "$TESTING/debug/$kernel.config")
[ -e "${fragments[1]}" ] || die "there is no debug/$kernel.config"

"$TESTING/setup/tools.sh" flex bison libelf-dev

unpack()
{
	local tmp=$1

	apt_download "$tmp/deb" "linux-source-6.12=$version"
	dpkg-deb --fsys-tarfile "$tmp"/deb/*.deb |
		tar -xO --wildcards '*/linux-source-*.tar.xz' | xz -dcT0 |
		tar -x -C "$tmp" --strip-components=1
	rm -r "$tmp/deb"
}

# The source that was chosen once is kept until somebody removes the pin.
pin=$CACHE/debug-source-$CODENAME
lock debug-source
if [ ! -e "$pin" ] || [ ! -e "$(cat "$pin")/Makefile" ]; then
	apt_ready
	version=$(apt-cache "${APT[@]}" show --no-all-versions linux-source-6.12 |
		sed -n 's/^Version: //p')
	[ -n "$version" ] || die "the distribution has no linux-source-6.12"
	source=$CACHE/debug-source-$version
	if [ ! -e "$source" ]; then
		tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
		chmod 755 "$tmp"
		trap 'rm -rf "$tmp"' EXIT
		step "fetching the kernel's source $version (1.5 GB)" \
			"$BUILD/log/debug-source.log" unpack "$tmp"
		mv "$tmp" "$source"
	fi
	echo "$source" >"$pin"
fi
source=$(cat "$pin")
config=$(echo "$(cat "$CACHE/kernel-$CODENAME")"/boot/config-*)

# Options of the fragments that the kernel's Kconfig did not accept
refused()
{
	sed -nE '/^CONFIG_/p; s/^# (CONFIG_\w+) is not set$/\1/p' \
		"${fragments[@]}" | while read -r want; do
		case $want in
		*=*) grep -qxF "$want" "$dir/.config" || echo "$want" ;;
		*) ! grep -q "^$want=" "$dir/.config" || echo "$want=n" ;;
		esac
	done
}

configure()
{
	mkdir -p "$dir"
	# Without its modules: what is wanted of them is in the fragments.
	sed 's/^\(CONFIG_.*\)=m$/# \1 is not set/' "$config" |
		cat - "${fragments[@]}" >"$dir/.config"
	"${make[@]}" olddefconfig
	if [ -n "$(refused)" ]; then
		echo "not as the fragments want it:"
		refused
		return 1
	fi
}

# What the build of a module needs is kept, some hundred megabytes of objects not.
finish()
{
	cp "$dir/arch/x86/boot/bzImage" "$dir/vmlinuz"
	find "$dir" -name '*.[oa]' -not -path "$dir/scripts/*" \
		-not -path "$dir/tools/*" -delete
	rm -f "$dir"/.tmp_vmlinux* "$dir"/vmlinux*
	touch "$dir/done"
}

dir=$CACHE/debug-kernel-$kernel-$({
	gcc -dumpfullversion
	echo "$source"
} | key "$config" "${fragments[@]}")
lock "debug-$kernel"
make=(make -C "$source" O="$dir")
log=$BUILD/log/debug-$kernel.log
if [ "$kernel" = kcsan ]; then
	make+=(KCSAN_SANITIZE=n)
fi

if [ ! -e "$dir/configured" ]; then
	step "configuring the $kernel kernel" "$log" configure
	touch "$dir/configured"
fi
if [ ! -e "$dir/done" ]; then
	say "building the $kernel kernel in $dir"
	# In a process group of its own, so that no compiler survives this script.
	set -m
	"${make[@]}" -j "$(nproc)" bzImage modules >"$log" 2>&1 </dev/null &
	build=$!
	set +m
	trap 'kill -- -$build 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
	while sleep 30 && kill -0 $build 2>/dev/null; do
		say "the $kernel kernel: $(find "$dir" -name '*.o' | wc -l) objects"
	done
	trap - EXIT INT TERM
	if ! wait $build; then
		tail -n 40 "$log" >&2
		die "the $kernel kernel does not build; the whole log is $log"
	fi
	finish
	say "the $kernel kernel is built"
fi
ln -sfn "$dir" "$BUILD/debug-$kernel"
