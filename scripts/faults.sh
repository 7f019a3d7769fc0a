#!/usr/bin/env bash
# Hurts a real server: kills, power cuts, full and lying disks, bombs, overload. Arguments name tests,
# e.g. `scripts/faults.sh test_disks.FullDisks`; with --long it goes on for about an hour.
# Power cuts and full disks need root; kills inside calls of the system need strace.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --long ]; then
    export COALMINE_FAULTS_LONG=1
    shift
fi
command -v strace >/dev/null || apt-get install --yes --quiet strace >/dev/null
if [ -z "${COALMINE_PROGRAM:-}" ]; then
    cargo build --locked
    COALMINE_PROGRAM="$(realpath "${CARGO_TARGET_DIR:-target}/debug/coalmine")"
fi
export COALMINE_PROGRAM
cd tests/faults
if [ $# -eq 0 ]; then
    exec python3 -W ignore -m unittest --verbose test_kills test_disks test_load
fi
exec python3 -W ignore -m unittest --verbose "$@"
