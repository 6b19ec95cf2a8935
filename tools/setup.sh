#!/bin/sh
# Makes .venv and puts into it what a lock names. Called by the Makefile, from the root of the checkout.
#
#   tools/setup.sh venv UV_VERSION   .venv with a fitting Python, pip and uv
#   tools/setup.sh install NAME      the packages of requirements/NAME.lock
#   tools/setup.sh project           Carrel itself, editable
#   tools/setup.sh system            programs that the tests start
#   tools/setup.sh lock [OPTION]     both locks, made again from pyproject.toml
set -eu

OLDEST="3.11"

say() { printf '%s\n' "$*" >&2; }

stop() {
    say "error: $1"
    say "hint: $2"
    exit 1
}

runs_carrel() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

version_of() { "$1" -c 'import sys; sys.stdout.write("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

as_root() { if [ "$(id -u)" = 0 ]; then echo "$*"; else echo "sudo $*"; fi; }

# Sets $python to the first candidate that is new enough and complete, or ends with what is missing.
find_python() {
    found="" incomplete=""
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.13 python3.12 python3.11 python3; fi
    for python in "$@"; do
        command -v "$python" >/dev/null 2>&1 || continue
        # A version manager's shim can exist without a Python behind it: then there is no version.
        found="${found:-$(version_of "$python" || true)}"
        runs_carrel "$python" || continue
        if makes_venvs "$python"; then return; fi
        incomplete="${incomplete:-$python}"
    done
    if [ -n "$incomplete" ]; then
        version=$(version_of "$incomplete")
        stop "Python $version ($incomplete) cannot make virtual environments, because its module ensurepip is missing." \
            "Install it (on Debian or Ubuntu: $(as_root apt-get install "python${version%.*}-venv")), then run make again."
    fi
    if [ -n "$found" ]; then
        stop "Carrel needs Python $OLDEST or newer, and ${PYTHON:-the newest one found} is $found." \
            "Install a newer one, or name one that is installed: make run PYTHON=/path/to/python$OLDEST."
    fi
    stop "Carrel needs Python $OLDEST or newer, and ${PYTHON:-none} was found${PYTHON:+ not to be a Python}." \
        "Install it (on Debian or Ubuntu: $(as_root apt-get install python3 python3-venv)), then run make again."
}

venv() {
    # A .venv that works is kept, also when it was copied or moved: only what is in it is put right later.
    if ! { runs_carrel .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; }; then
        find_python
        say "Making .venv with Python $(version_of "$python")."
        "$python" -m venv --clear .venv
    fi
    if [ "$(uv --version 2>/dev/null | cut -d ' ' -f 2)" != "$1" ]; then
        say "Fetching uv $1, which fetches the rest."
        .venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check "uv==$1" ||
            stop "uv $1 could not be installed into .venv." \
                "Check the connection to your package index, then run make again: it goes on where it stopped."
    fi
}

# uv keeps its downloads in the home folder; where there is none to write to, they go into .venv. And it brings its own
# list of certificates, while pip also trusts the system's: behind a proxy that signs for others only those fit.
uv() {
    if [ -z "${UV_SYSTEM_CERTS:-}" ] && [ -s /etc/ssl/certs/ca-certificates.crt ]; then
        UV_SYSTEM_CERTS=1
        export UV_SYSTEM_CERTS
    fi
    if [ -z "${UV_CACHE_DIR:-}" ] && ! has_home_cache; then
        UV_CACHE_DIR="$(pwd -P)/.venv/cache"
        export UV_CACHE_DIR
    fi
    .venv/bin/uv "$@"
}

has_home_cache() {
    if [ -z "${XDG_CACHE_HOME:-}" ] && [ -z "${HOME:-}" ]; then return 1; fi
    folder="${XDG_CACHE_HOME:-${HOME:-}/.cache}/uv"
    while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
    [ -d "$folder" ] && [ -w "$folder" ]
}

# On a terminal uv shows its progress; elsewhere its long list of packages helps nobody.
quiet() { if [ ! -t 2 ]; then echo "--quiet"; fi; }

install() {
    say "Installing what requirements/$1.lock names into .venv."
    uv pip install $(quiet) --python .venv/bin/python --no-deps --require-hashes -r "requirements/$1.lock" ||
        stop "The packages of requirements/$1.lock could not be installed." \
            "Check the connection to your package index, then run make again: what was fetched is kept."
}

project() {
    # The build needs one package more; once it was fetched, a change of pyproject.toml needs no network.
    set -- pip install --quiet --python .venv/bin/python --no-deps --reinstall-package carrel -e .
    uv "$@" --offline 2>/dev/null || uv "$@" ||
        stop "Carrel itself could not be installed into .venv." \
            "Read the message above; if it speaks of the network, check the connection and run make again."
}

system() {
    command -v redis-server >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing redis-server, which the tests of the shared cache start."
        apt_install redis-server && return
    fi
    say "note: redis-server is not installed, and the tests that start it cannot run without it."
    say "hint: Install it (on Debian or Ubuntu: $(as_root apt-get install redis-server)), then run make test again."
}

# Shows what apt-get says only if it fails. The package lists may be absent or old, so it is asked twice.
apt_install() {
    log=$(mktemp)
    set -- apt-get install --yes --no-install-recommends "$@"
    export DEBIAN_FRONTEND=noninteractive
    if { "$@" || { apt-get update && "$@"; }; } </dev/null >"$log" 2>&1; then rm -f "$log"; return; fi
    cat "$log" >&2
    rm -f "$log"
    return 1
}

# The locks name no index, so that they fit whichever one is in use. The second may not contradict the first.
lock() {
    set -- pip compile pyproject.toml --universal --generate-hashes --no-header --quiet --group model "$@"
    uv "$@" --output-file requirements/run.lock
    uv "$@" --group bench --group dev --constraint requirements/run.lock --output-file requirements/dev.lock
}

"$@"
