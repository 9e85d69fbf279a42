#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/fio/vhost-nvme.so: the I/O engine of tools/fio, for the fio in the root
# image. fio shares its internal structures with an engine, so the headers have
# to be of the same version; they are those of the distribution's source package.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

fetch()
{
	local tmp=$1

	apt_ready
	(cd "$tmp" && apt-get "${APT[@]}" source --download-only "fio=$version")
	dpkg-source --no-check -x "$tmp"/fio_*.dsc "$tmp/src"
	rm "$tmp"/fio_*
	# What the libraries of this machine decide does not change the
	# structures that an engine sees.
	(cd "$tmp/src" && ./configure --disable-native)
}

lock fio
image=$(readlink -f "$BUILD/images/root.img")
version=$(debugfs -R "cat /var/lib/dpkg/status" "$image" 2>/dev/null |
	awk '/^Package:/ { fio = $2 == "fio" }
		fio && /^Version:/ { print $2 }')
[ -n "$version" ] || die "$image has no fio"
dir=$CACHE/fio-$(key "$0" <<<"$CODENAME $version")
if [ ! -e "$dir" ]; then
	tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	step "fetching the headers of fio $version" "$BUILD/log/fio-source.log" \
		fetch "$tmp"
	mv "$tmp" "$dir"
fi
step "building the fio engine" "$BUILD/log/fio.log" \
	make -C "$TOP/tools/fio" FIO="$dir/src" OUTPUT="$BUILD/fio"
