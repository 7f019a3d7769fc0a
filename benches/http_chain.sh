#!/usr/bin/env bash
# Measures the HTTP runner against its peers on loopback, in one run, and prints ratios.
#
#   benches/http_chain.sh [path of a release build of coalmine]
#
# Two pieces of work: a chain of ten requests with assertions in a cold process, and a thousand
# probes, each with a connection of its own, sixteen at a time. Peers are measured when they are on
# PATH: hurl for the first, blackbox_exporter (or Debian's prometheus-blackbox-exporter) for the
# second. The target is the demo shop of the same build.
set -euo pipefail
cd "$(dirname "$0")/.."
coalmine=${1:-target/release/coalmine}
[ -x "$coalmine" ] || { echo "no $coalmine: cargo build --release first, or name one" >&2; exit 2; }
work=$(mktemp -d)
demo=
exporter=
trap '[ -z "$demo" ] || kill "$demo"; [ -z "$exporter" ] || kill "$exporter"; rm -rf "$work"' EXIT

"$coalmine" demo --listen 127.0.0.1:0 > "$work/ready" 2> "$work/demo.log" & demo=$!
for _ in $(seq 100); do [ -s "$work/ready" ] && break; sleep 0.05; done
url=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"])' "$work/ready")

{
  printf 'canary: chain\nsteps:\n'
  for step in $(seq 10); do
    printf -- '- { step: request %d, http: "%s/api/health",' "$step" "$url"
    printf ' expect: { status: 200, json: { "$.status": ok } } }\n'
  done
} > "$work/chain.yaml"
{
  printf 'canary: probes\nmatrix: { n: [%s] }\n' "$(seq -s, 1000)"
  printf 'steps: [{ step: probe, http: "%s/api/health", expect: { status: 200 } }]\n' "$url"
} > "$work/probes.yaml"
for _ in $(seq 10); do
  printf 'GET %s/api/health\nHTTP 200\n[Asserts]\njsonpath "$.status" == "ok"\n\n' "$url"
done > "$work/chain.hurl"

# measure NAME COUNT COMMAND..: the best of five; wall and CPU in ms per unit, memory in MiB.
measure() {
  python3 - "$work/$1.json" "$@" <<'PYTHON'
import json, os, subprocess, sys, time
out, name, count, command = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
best = None
for _ in range(5):
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, f"{command} ended with {status}"
    seen = {
        "wall": (time.monotonic() - begun) * 1000 / count,
        "cpu": (usage.ru_utime + usage.ru_stime) * 1000 / count,
        "memory": usage.ru_maxrss / 1024,
    }
    best = seen if best is None or seen["cpu"] < best["cpu"] else best
json.dump(best, open(out, "w"))
print("%-22s %9.3f ms wall %9.3f ms CPU %8.1f MiB" % (name, *best.values()))
PYTHON
}

# ratio OURS THEIRS
ratio() {
  python3 - "$work/$1.json" "$work/$2.json" "$2" <<'PYTHON'
import json, sys
ours, theirs = (json.load(open(path)) for path in sys.argv[1:3])
parts = ("%s %.2f" % (key, ours[key] / theirs[key]) for key in ours if key in theirs)
print("  against %s: %s" % (sys.argv[3], ", ".join(parts)))
PYTHON
}

echo "ten requests, cold process"
measure chain 1 "$coalmine" run "$work/chain.yaml"
if command -v hurl > /dev/null; then
  measure hurl 1 hurl --test "$work/chain.hurl"
  ratio chain hurl
fi

echo "one probe of a thousand, sixteen at a time"
measure probes 1000 "$coalmine" run --jobs 16 "$work/probes.yaml"
blackbox=$(command -v blackbox_exporter || command -v prometheus-blackbox-exporter || true)
if [ -n "$blackbox" ]; then
  printf 'modules: { http_2xx: { prober: http, http: { preferred_ip_protocol: ip4 } } }\n' \
    > "$work/blackbox.yml"
  "$blackbox" --config.file="$work/blackbox.yml" --web.listen-address=127.0.0.1:19115 \
    2> "$work/blackbox.log" & exporter=$!
  python3 - "$exporter" "$url" "$work/blackbox.json" <<'PYTHON'
import json, os, sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
pid, url, out = sys.argv[1:]
probe = f"http://127.0.0.1:19115/probe?module=http_2xx&target={url}/api/health"
def cpu():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
for _ in range(100):
    try: urllib.request.urlopen(probe).read(); break
    except OSError: time.sleep(0.05)
before = cpu()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda _: urllib.request.urlopen(probe).read(), range(1000)))
seen = {"cpu": (cpu() - before) / 1000}
json.dump(seen, open(out, "w"))
print("%-22s %9s         %9.3f ms CPU" % ("blackbox_exporter", "", seen["cpu"]))
PYTHON
  ratio probes blackbox
fi
