#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The bench kernel, which runs in the host VM and in the guest: the newest 6.12
# cloud kernel of the distribution, unpacked into the cache and not installed.
# Leaves its directory's name in $CACHE/kernel-$CODENAME; in there are
# boot/, lib/modules/ and usr/src/linux-headers-*.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

pin=$CACHE/kernel-$CODENAME

fetch()
{
	local tmp=$1 common

	# Headers for one flavour come in three packages.
	common=${release%-cloud-amd64}
	apt_download "$tmp" "linux-image-$release" "linux-headers-$release" \
		"linux-headers-$common-common" "linux-kbuild-$common"
	for deb in "$tmp"/*.deb; do
		dpkg -x "$deb" "$tmp"
		rm "$deb"
	done
	# Debian 13 merged /lib into /usr in the packages as well.
	if [ ! -e "$tmp/lib/modules" ]; then
		ln -s usr/lib "$tmp/lib"
	fi
	sed -i "s|/usr/src/|$dir/usr/src/|" \
		"$tmp/usr/src/linux-headers-$release/Makefile"
	depmod -b "$tmp" "$release"
}

lock kernel
if [ -e "$pin" ] && [ -e "$(cat "$pin")/boot" ]; then
	exit 0
fi

apt_ready
release=$(apt-cache "${APT[@]}" pkgnames linux-headers-6.12 |
	sed -nE 's/^linux-headers-(6\.12\.[0-9]+\+deb[0-9]+(\+[0-9]+)?-cloud-amd64)$/\1/p' |
	sort -V | tail -n 1)
[ -n "$release" ] || die "the distribution has no 6.12 cloud kernel"
dir=$CACHE/linux-$release

if [ ! -e "$dir" ]; then
	tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$tmp"
	trap 'rm -rf "$tmp"' EXIT
	step "fetching the bench kernel $release" "$BUILD/log/kernel.log" \
		fetch "$tmp"
	mv "$tmp" "$dir"
fi
echo "$dir" >"$pin"
