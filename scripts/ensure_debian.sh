#!/bin/sh
# Installs what the tests need from Debian's packages, where this may be done and something is missing.
# With the word `nightly`, also what only the long tests need.
# Elsewhere it stays silent: prerequisites.py then names what is missing and how to get it.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || [ -n "${CLOUTAGENT_CHROMIUM:-}" ] || missing="$missing chromium"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v bwrap >/dev/null 2>&1 || missing="$missing bubblewrap"
[ "${1:-}" != nightly ] || command -v strace >/dev/null 2>&1 || missing="$missing strace"
[ "${1:-}" != nightly ] || command -v buildah >/dev/null 2>&1 || missing="$missing buildah"
[ "${1:-}" != nightly ] || command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || exit 0
[ "$(id -u)" = 0 ] || exit 0
echo "Installing from Debian's packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core >/dev/null
