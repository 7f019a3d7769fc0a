#!/usr/bin/env bash
# See Coalmine work in a few minutes: a shop, its canaries, a fault, a picture that differs, an alarm.
# Installs what is missing (as root or with sudo), builds in release, stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -t 1 ]; then bold=$'\e[1m'; plain=$'\e[0m'; else bold=; plain=; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

scripts/setup.sh

say "building (release; the first build takes some minutes)"
cargo build --release --locked
coalmine="${CARGO_TARGET_DIR:-target}/release/coalmine"

scratch="$(mktemp -d)"
shop=
server=
cleanup() {
    for process in "$server" "$shop"; do
        [ -z "$process" ] || kill "$process" 2>/dev/null || true
        [ -z "$process" ] || wait "$process" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap cleanup EXIT

# The address in the ready line that a server prints first.
address_in() {
    for _ in $(seq 100); do
        if [ -s "$1" ]; then
            sed -n 's/.*"url":"http:\/\/\([^"]*\)".*/\1/p;q' "$1"
            return
        fi
        sleep 0.1
    done
    echo "quickstart: a server did not start" >&2
    return 1
}

# A form post without curl, which a fresh machine may not have.
set_faults() {
    local address="$1" body="$2"
    exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
    printf 'POST /_faults HTTP/1.0\r\nhost: %s\r\ncontent-length: %d\r\n\r\n%s' \
        "$address" "${#body}" "$body" >&3
    grep -q '^HTTP/1.[01] 303' <&3
    exec 3>&-
}

say "a shop, on a port of its own"
"$coalmine" demo --listen 127.0.0.1:0 >"$scratch/shop.ready" &
shop=$!
shop_address="$(address_in "$scratch/shop.ready")"
export BASE_URL="http://$shop_address" SHOP_PASSWORD=lamplight
echo "$BASE_URL (user ann, password $SHOP_PASSWORD)"

say "a server that runs the shop's canaries around the clock"
mkdir "$scratch/canaries"
sed -e 's/^schedule: .*/schedule: rate(10 seconds)/' \
    -e 's/when: SuccessPercent .*/when: SuccessPercent < 100 for 1 of 1 periods of 10s/' \
    -e 's/^    missing: .*/    notify: quickstart/' \
    canaries/shop-search.yaml >"$scratch/canaries/shop-search.yaml"
cat >"$scratch/coalmine.toml" <<TOML
[notify.quickstart]
command = ["/bin/sh", "-c", "cat >>'$scratch/alarms.jsonl'; echo >>'$scratch/alarms.jsonl'"]
TOML
"$coalmine" serve --config "$scratch/coalmine.toml" --listen 127.0.0.1:0 \
    --data-dir "$scratch/data" --canaries "$scratch/canaries" --baselines baselines \
    >"$scratch/server.ready" 2>"$scratch/server.log" &
server=$!
echo "http://$(address_in "$scratch/server.ready")"

say "every canary once: YAML and Lua, HTTP and a browser with a picture"
"$coalmine" run canaries --artifacts-dir "$scratch/artifacts"

say "now the shop breaks: its buttons turn red"
set_faults "$shop_address" "fault=changed-colour"
code=0
"$coalmine" run canaries --artifacts-dir coalmine-artifacts || code=$?
echo "exit code $code"
[ "$code" -eq 1 ] || { echo "quickstart: expected a failing canary, exit code 1" >&2; exit 1; }
echo "the picture and its difference:"
find coalmine-artifacts -name '*.png' | sed 's/^/  /'

say "and the alarm (its canary runs every 10 seconds)"
for _ in $(seq 90); do
    ! grep -qs '"ALARM"' "$scratch/alarms.jsonl" || break
    sleep 1
done
if ! grep -qs '"ALARM"' "$scratch/alarms.jsonl"; then
    echo "quickstart: no alarm within 90 s" >&2
    exit 1
fi
# What the channel of coalmine.toml was told, in its main facts.
for fact in alarm previous state reason step message; do
    value="$(grep '"ALARM"' "$scratch/alarms.jsonl" | head -1 |
        sed -n "s/.*\"$fact\":\"\([^\"]*\)\".*/\1/p")"
    printf '  %-9s %s\n' "$fact" "$value"
done

set_faults "$shop_address" ""
cat <<TEXT

${bold}What to try next${plain}
  $coalmine demo                     # the shop; break it on its page /_faults
  $coalmine run canaries -v          # its canaries, step by step
  $coalmine new my-site --url https://example.com
  $coalmine serve --canaries canaries
  $coalmine help run
TEXT
