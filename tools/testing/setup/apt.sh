# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after lib.sh: packages of the distribution, by a private package list
# that adds backports and sources. The mirror is the one that the machine's own
# configuration names; that configuration is not changed.

# QEMU 10.0 is Debian 13's, on Debian 12 too.
QEMU_SUITE=trixie

APT_DIR=$CACHE/apt-$CODENAME
APT=(-o Dir::Etc::SourceList="$APT_DIR/sources.list"
	-o Dir::Etc::SourceParts=-
	-o Dir::State::Lists="$APT_DIR/lists"
	-o Dir::Cache="$APT_DIR/cache"
	-o APT::Sandbox::User=
	-o Acquire::Languages=none
	-o Acquire::Retries=3
	-o APT::Get::Assume-Yes=true)

# Lines "URI suite" of the machine's own sources for this release. (Without
# release info, because a fresh machine has no package lists yet.)
own_suites()
{
	apt-get indextargets --no-release-info 'Created-By: Packages' \
		--format '$(REPO_URI) $(RELEASE) $(COMPONENT)' |
		awk -v c="$CODENAME" '$3 == "main" {
			sub(/^(old)*stable/, c, $2)
			if ($2 == c || index($2, c "-") == 1)
				print $1, $2
		}' | sort -u
}

apt_update()
{
	local signed="" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local mirror suites

	case $CODENAME in
	bookworm | trixie) ;;
	*) die "the bench knows Debian 12 (bookworm) and 13 (trixie), not '$CODENAME'" ;;
	esac

	suites=$(own_suites)
	mirror=$(awk -v c="$CODENAME" '$2 == c { print $1; exit }' <<<"$suites")
	[ -n "$mirror" ] ||
		die "no source for '$CODENAME main' in this machine's apt configuration"
	if [ -e "$keyring" ]; then
		signed="[signed-by=$keyring] "
	fi

	mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/cache/archives/partial"
	{
		echo "$suites"
		echo "$mirror $CODENAME-backports"
	} | sort -u | sed "s|.*|deb $signed& main|" >"$APT_DIR/sources.list"
	printf "deb-src $signed$mirror %s main\n" "$CODENAME" "$QEMU_SUITE" |
		sort -u >>"$APT_DIR/sources.list"

	step "updating the private package lists" "$APT_DIR/update.log" \
		apt-get "${APT[@]}" update
}

# Package lists, not older than a day when something is to be chosen from them,
# and from the sources that this file names
apt_ready()
{
	if [ -z "$(find "$APT_DIR/sources.list" -mtime -1 \
		-newer "${BASH_SOURCE[0]}" 2>/dev/null)" ]; then
		apt_update
	fi
}

# apt_download DIR PACKAGE...: the .deb files, not installed
apt_download()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${APT[@]}" download "$@")
}
