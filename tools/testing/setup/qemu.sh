#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/qemu/qemu-system-x86_64: the distribution's QEMU 10.0 with qemu-patches/
# and the fixes in tools/testing/qemu applied. Source and objects stay in the
# cache; a changed patch only rebuilds what it touches. With the argument 'source',
# nothing is built.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

# The device under test and its peers, on a PC; no more, to build fast.
configure_args=(
	--python=/usr/bin/python3 --target-list=x86_64-softmmu
	--without-default-features --enable-kvm --enable-tcg
	--enable-linux-aio --enable-linux-io-uring --enable-tools
	--enable-vhost-user --enable-vhost-user-blk-server
	--enable-trace-backends=log --enable-fdt=system --enable-pixman
	--enable-plugins
	--disable-docs --disable-werror --disable-install-blobs
)

pin=$CACHE/qemu-source
work=$CACHE/qemu
out=$BUILD/qemu
shopt -s nullglob
patches=("$TOP"/qemu-patches/*.patch "$TESTING"/qemu/*.patch)

g()
{
	git -c user.name=bench -c user.email=bench@localhost \
		-c gc.auto=0 -c core.autocrlf=false -C "$@"
}

unpack()
{
	local tmp=$1

	(cd "$tmp" && apt-get "${APT[@]}" source --download-only "qemu=$version")
	dpkg-source --no-check -x "$tmp"/qemu_*.dsc "$tmp/src"
	g "$tmp/src" init -q -b base
	g "$tmp/src" add -A -f
	g "$tmp/src" commit -q -m "QEMU $version as the distribution builds it"
	rm "$tmp"/qemu_*
}

# Patches are applied in a second work tree; checking the result out in the
# first one then touches only the files that differ from what was built last.
apply()
{
	if [ ! -e "$src/../patched" ]; then
		g "$src" worktree add -q --detach ../patched base
	fi
	g "$src/../patched" am --abort 2>/dev/null || true
	g "$src/../patched" checkout -q --detach base
	if [ ${#patches[@]} != 0 ]; then
		g "$src/../patched" am --keep-non-patch "${patches[@]}"
	fi
	g "$src" checkout -q --detach "$(g "$src/../patched" rev-parse HEAD)"
}

# Firmware that boots a kernel given on the command line
firmware()
{
	local dir=$1

	mkdir -p "$dir"
	ln -sf "$src/pc-bios/optionrom/Makefile" "$dir/Makefile"
	printf '%s\n' "TOPSRC_DIR=$src" CC=gcc LD=ld OBJCOPY=objcopy \
		PYTHON=/usr/bin/python3 >"$dir/config.mak"
	make -C "$dir"
	apt_download "$dir/deb" seabios
	dpkg -x "$dir"/deb/seabios_*.deb "$dir"
	cp "$dir"/usr/share/seabios/bios-256k.bin "$dir"
	rm -r "${dir:?}/usr" "$dir/deb"
}

build()
{
	mkdir -p "$obj"
	if [ ! -e "$obj/build.ninja" ]; then
		(cd "$obj" && "$src/configure" "${configure_args[@]}")
	fi
	ninja -C "$obj" -j "$(nproc)" qemu-system-x86_64 qemu-img \
		storage-daemon/qemu-storage-daemon \
		tests/qtest/vhost-kernel-nvme-test tests/qtest/ide-test
}

# QEMU looks for its data in a qemu-bundle beside the program.
collect()
{
	local data=$out/qemu-bundle/usr/local/share/qemu

	rm -rf "$out"
	mkdir -p "$data"
	cp "$fw"/*.bin "$data"
	cp "$obj/qemu-system-x86_64" "$obj/qemu-img" \
		"$obj/storage-daemon/qemu-storage-daemon" \
		"$obj/tests/qtest/vhost-kernel-nvme-test" \
		"$obj/tests/qtest/ide-test" "$out"
	cp "$src/include/qemu/qemu-plugin.h" "$out"
	echo "$stamp" >"$out/stamp"
}

lock qemu
if [ ! -e "$pin" ]; then
	apt_ready
	apt-cache "${APT[@]}" showsrc --only-source qemu |
		sed -n 's/^Version: \(1:10\.0\..*\)/\1/p' | sort -V |
		tail -n 1 >"$pin.new"
	[ -s "$pin.new" ] || die "the distribution has no QEMU 10.0 source"
	mv "$pin.new" "$pin"
fi
version=$(cat "$pin")
src=$work/$version/src
# Git would take a colon in the path for a host name.
src=${src/:/-}
obj=$(dirname "$src")/build-$(key <<<"$CODENAME ${configure_args[*]}")
fw=$(dirname "$src")/firmware-$CODENAME

stamp=$(key "$0" "${patches[@]}" <<<"$obj")
if [ "${1:-}" != source ] && [ -x "$out/qemu-system-x86_64" ] &&
	[ "$(cat "$out/stamp")" = "$stamp" ]; then
	exit 0
fi

if [ ! -e "$src" ]; then
	apt_ready
	mkdir -p "$work"
	tmp=$(mktemp -d "$work/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	step "fetching the source of QEMU $version" "$BUILD/log/qemu-source.log" \
		unpack "$tmp"
	mv "$tmp" "$(dirname "$src")"
fi
step "applying ${#patches[@]} patches to QEMU" "$BUILD/log/qemu-patches.log" apply
[ "${1:-}" != source ] || exit 0
if [ ! -e "$fw/bios-256k.bin" ]; then
	apt_ready
	step "building QEMU's boot firmware" "$BUILD/log/firmware.log" \
		firmware "$fw"
fi
step "building QEMU (several minutes the first time)" \
	"$BUILD/log/qemu-build.log" build

# Compiler warnings in the files of the series are errors; touched, the file
# is compiled again by the next run.
if grep -E '/hw/nvme/[a-z-]+\.[ch]:.*warning:' "$BUILD/log/qemu-build.log"; then
	touch "$src"/hw/nvme/*.c
	die "compiler warnings in hw/nvme"
fi
collect
