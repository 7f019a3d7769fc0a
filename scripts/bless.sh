#!/usr/bin/env bash
# Rewrites the golden files of tests/ui from what the program says now. Review the difference.
set -euo pipefail
cd "$(dirname "$0")/.."

COALMINE_BLESS=1 INSTA_UPDATE=always cargo test --locked --quiet "$@"
git --no-pager diff --stat -- tests/ui '*.snap'
