# SPDX-License-Identifier: MIT
# Shared by tools/run and tools/test: what has to be installed, and how it is built. Sourced, from any folder.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${KUDOS_BUILD:-$ROOT/build}

# Debian packages that the programs need to be built …
RUN_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config libzmq3-dev libmsgpack-dev liblmdb-dev
	libedit-dev libxxhash-dev libjansson-dev)
# … and those that the tests need besides.
TEST_PACKAGES=(libcriterion-dev clang clang-format clang-tidy cppcheck python3 python3-zmq python3-msgpack shellcheck)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	say "$*"
	exit 1
}

# Installs those of the packages that are missing; asks nothing, and does nothing when none is.
need_packages() {
	local package missing=() as_root=()
	for package in "$@"; do
		[[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			missing+=("$package")
	done
	[[ ${#missing[@]} == 0 ]] && return
	[[ $(id -u) == 0 ]] || as_root=(sudo)
	[[ $(id -u) == 0 ]] || command -v sudo >/dev/null ||
		die "missing packages, and no sudo to install them with; as root: apt-get install ${missing[*]}"
	say "installing ${missing[*]}"
	apt_get update || die "apt-get update failed"
	apt_get install -y --no-install-recommends "${missing[@]}" || die "could not install ${missing[*]}"
}

apt_get() {
	${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >&2
}

# Builds into $BUILD, quietly unless it fails. Arguments go to meson setup, when that has to run.
# shellcheck disable=SC2120 # not every script has some
build() {
	local log
	log=$(mktemp)
	say "building in $BUILD"
	if { [[ -f $BUILD/build.ninja ]] || meson setup "$BUILD" "$ROOT" "$@"; } >"$log" 2>&1 &&
		ninja --quiet -C "$BUILD" >>"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	tail -n 40 "$log" >&2
	rm -f "$log"
	die "the build failed"
}
