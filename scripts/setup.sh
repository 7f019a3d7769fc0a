#!/usr/bin/env bash
# Installs what is missing on Debian: a C++ compiler, Chromium and its driver, fonts, Python's venv.
# Says what it does; does nothing where nothing is missing. Root, or a user with sudo.
set -euo pipefail

missing=()
need() { missing+=("$@"); }

command -v c++ >/dev/null || need g++
command -v chromium >/dev/null || command -v google-chrome >/dev/null || need chromium
command -v chromedriver >/dev/null || need chromium-driver
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || need fonts-dejavu-core
[ -e /usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf ] || need fonts-liberation
python3 -c 'import venv, ensurepip' 2>/dev/null || need python3-venv

[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this machine lacks: ${missing[*]}; install them by hand (no apt-get here)" >&2
    exit 4
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: be root, or install sudo" >&2; exit 4; }
    as_root=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >&2
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
