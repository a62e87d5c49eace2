# SPDX-License-Identifier: MIT
# Shared by tools/run and tools/test: what has to be installed, and how it is built. Sourced, from any folder.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${KUDOS_BUILD:-$ROOT/build}
export PATH # from an empty environment bash has one for itself alone, and gcc does not find its parts

# Debian packages that the programs need to be built …
RUN_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config libzmq3-dev libczmq-dev libmsgpack-dev liblmdb-dev
	libsodium-dev libedit-dev libxxhash-dev libjansson-dev libmicrohttpd-dev libnats-dev libzstd-dev)
# … and those that the tests need besides.
TEST_PACKAGES=(libcriterion-dev clang clang-format clang-tidy cppcheck python3 python3-zmq python3-msgpack shellcheck
	libsqlite3-dev iproute2 curl systemd debootstrap git openssl
	python3-yaml python3-jsonschema python3-zstandard)
# … those of the suite cluster a browser besides, which is large …
BROWSER_PACKAGES=(chromium chromium-driver)
# … those with real processes programs whose packages would start daemons when installed: unpacked in the build folder …
UNPACKED_PACKAGES=(nginx prometheus nats-server)
# … and the packages.
PACKAGE_PACKAGES=(build-essential debhelper lintian)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	say "$*"
	exit 1
}

# Installs those of the packages that are missing; asks nothing, and does nothing when none is.
need_packages() {
	local package missing=() as_root=() patience=() by_hand
	for package in "$@"; do
		[[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			missing+=("$package")
	done
	[[ ${#missing[@]} == 0 ]] && return
	by_hand="as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	if [[ $(id -u) != 0 ]]; then
		as_root=(sudo)
		command -v sudo >/dev/null || die "packages are missing, and there is no sudo to install them with; $by_hand"
		sudo true </dev/null || die "packages are missing, and sudo does not let you install them; $by_hand"
	fi
	say "installing ${missing[*]} (a minute or two)"
	# A source that is out of reach does not matter when the others have what is needed.
	apt_get update -o APT::Update::Error-Mode=any || patience=(-o Acquire::Retries=0)
	apt_get install ${patience[@]+"${patience[@]}"} -y --no-install-recommends "${missing[@]}" && return
	[[ ${#patience[@]} == 0 ]] || die "the packages could not be fetched: is this machine online? Then run this again, or $by_hand"
	die "the packages could not be installed, as said above; when that is mended, run this again, or $by_hand"
}

# Puts the packages' programs on the PATH without installing them.
unpack_packages() {
	local package into=$BUILD/unpacked
	for package in "$@"; do
		[[ -e $into/.$package ]] && continue
		say "unpacking $package"
		unpack "$package" "$into" || die "$package could not be fetched: is this machine online? Then run this again"
	done
	PATH=$PATH:$into/usr/bin:$into/usr/sbin
}

unpack() ( # PACKAGE FOLDER
	local download=(apt-get -qq -o APT::Sandbox::User=root download "$1")
	mkdir -p "$2" && cd "$2" || return
	"${download[@]}" >&2 || { apt_get update && "${download[@]}" >&2; } || return
	dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb && touch ".$1"
)

# Waits for whoever is installing something, such as a new machine's own first upgrade. Of what it says, leaves out
# the lines for each package, which are hundreds.
apt_get() {
	${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
		-o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1 |
		grep --line-buffered -vE '^(Selecting previously|\(Reading database|Preparing to|Unpacking |Setting up |Processing triggers|debconf: delaying)' >&2
	return "${PIPESTATUS[0]}"
}

# Sets $BUILD up, when that has to be done, with the further arguments. Where tools/run did so there are no tests yet.
set_up() { # TARGET [ARGUMENT...]
	local target=$1
	shift
	[[ -f $BUILD/build.ninja ]] || meson setup "$BUILD" "$ROOT" "$@" || return
	[[ $target == programs ]] || grep -q '^build tests/' "$BUILD/build.ninja" || meson configure "$BUILD" -Dtests=enabled
}

# Builds TARGET in $BUILD: "programs", "all", "objects" (all that is compiled, not linked), or by the names of suites what
# their tests need.
build() { # TARGET [ARGUMENT...]: arguments go to meson setup
	say "building in $BUILD"
	quietly build_loudly "$@"
}

# What has become of meson.build and the options comes first: the targets are asked for by what meson noted then.
build_loudly() { set_up "$@" && ninja --quiet -C "$BUILD" build.ninja && targets "$1" | xargs -r -d '\n' ninja --quiet -C "$BUILD"; }

targets() { # TARGET
	case $1 in
	programs | all) echo "$1" && return ;;
	objects) ninja -C "$BUILD" -t targets rule c_COMPILER && return ;;
	esac
	meson introspect --tests --targets "$BUILD" | python3 -c '
import json, os, sys
build, suites = sys.argv[1], {"kudos:" + name for name in sys.argv[2].split()}
found = json.load(sys.stdin)
files = {target["id"]: target["filename"] for target in found["targets"]}
needed = {name for test in found["tests"] if not suites.isdisjoint(test["suite"]) for id in test["depends"] for name in files[id]}
for name in needed:
    print(os.path.relpath(name, build))' "$BUILD" "$1"
}

# Runs a command that writes to $BUILD: shows the end of what it says, and ends all, if it fails.
quietly() { # COMMAND...
	local log
	mkdir -p "$BUILD" 2>/dev/null
	[[ -w $BUILD ]] || die "$BUILD cannot be written to; name another folder for the build with KUDOS_BUILD=DIR"
	log=$(mktemp) || die "there is no room for temporary files; name another folder for them with TMPDIR=DIR"
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	tail -n 40 "$log" >&2
	if grep -q 'No space left' "$log" || is_full "$BUILD" || is_full "$log"; then
		rm -f "$log"
		die "no space is left in $BUILD or ${TMPDIR:-/tmp}; free some, or name other folders with KUDOS_BUILD=DIR and TMPDIR=DIR"
	fi
	rm -f "$log"
	die "the build failed"
}

# Whether less than 8 MiB are left where FILE is.
is_full() { (($(df --output=avail -k "$1" | tail -n 1) < 8192)); }
