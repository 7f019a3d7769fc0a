#!/usr/bin/env bash
# Runs every test: the Rust tests, then unmodified AWS clients against a real server.
# Installs what is missing first. Arguments go to the Rust test runner.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh

# A cache beside the checkout, so that a fresh checkout does not build everything again.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/coalmine"

if command -v cargo-nextest >/dev/null; then
    cargo nextest run --locked --no-fail-fast "$@"
else
    cargo test --locked --no-fail-fast "$@"
fi
cargo test --locked --doc

# Unmodified clients, from PyPI, against a server of this build; and canaries of this build against
# servers of others: where nginx, redis, dovecot or sshd is not installed its test is left out.
cargo build --locked
venv="$cache/clients-venv"
if ! cmp -s tests/clients/requirements.txt "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
    cp tests/clients/requirements.txt "$venv/installed.txt"
fi

# Another engine reads the segments as they lie.
PATH="$venv/bin:$PATH" cargo test --locked --test suite -- --ignored store::duckdb

scratch="$(mktemp -d)"
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    rm -rf "$scratch"
}
trap cleanup EXIT

program="$(realpath "${CARGO_TARGET_DIR:-target}")/debug/coalmine"
"$program" serve --listen 127.0.0.1:0 --xray-daemon 0 --data-dir "$scratch/data" >"$scratch/ready" &
server=$!
for _ in $(seq 100); do
    [ ! -s "$scratch/ready" ] || break
    sleep 0.1
done
place() {
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())[sys.argv[1]])' "$1" \
        <"$scratch/ready"
}

COALMINE_DATA="$scratch/data" COALMINE_PROGRAM="$program" COALMINE_ENDPOINT="$(place url)" COALMINE_DAEMON="$(place xray_daemon)" "$venv/bin/python" -m unittest discover -s tests/clients -t tests/clients
