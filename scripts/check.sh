#!/usr/bin/env bash
# Everything that must hold before a change lands: form, lints, tests, licences and sources.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
scripts/test.sh "$@"
if command -v cargo-deny >/dev/null; then
    cargo deny --offline check bans licenses sources
fi
