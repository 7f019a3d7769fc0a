#!/usr/bin/env bash
# Measures the HTTP runner against its peers on loopback, in one run, and prints ratios.
#
#   benches/http_chain.sh [path of a release build of coalmine]
#
# Three pieces of work: a chain of ten requests with assertions in a cold process; ten thousand
# probes (or COUNT, in thousands), each with a connection of its own, sixteen at a time; and how far a measured
# latency is from the time that a server really took. Peers are measured when they are on PATH: hurl
# for the first, blackbox_exporter (or Debian's prometheus-blackbox-exporter) for the others. The
# target is the demo shop of the same build; for latencies, a server that delays and keeps book.
set -euo pipefail
cd "$(dirname "$0")/.."
coalmine=${1:-target/release/coalmine}
[ -x "$coalmine" ] || { echo "no $coalmine: cargo build --release first, or name one" >&2; exit 2; }
count=${COUNT:-10}000
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

echo "one probe of $count, sixteen at a time"
repeat=$((count / 1000))
if [ "$repeat" -gt 1 ]; then repeated=(--repeat "$repeat"); else repeated=(); fi
measure probes "$count" "$coalmine" run --jobs 16 "${repeated[@]}" "$work/probes.yaml"
blackbox=$(command -v blackbox_exporter || command -v prometheus-blackbox-exporter || true)
if [ -n "$blackbox" ]; then
  printf 'modules: { http_2xx: { prober: http, http: { preferred_ip_protocol: ip4 } } }\n' \
    > "$work/blackbox.yml"
  "$blackbox" --config.file="$work/blackbox.yml" --web.listen-address=127.0.0.1:19115 \
    2> "$work/blackbox.log" & exporter=$!
  python3 - "$exporter" "$url" "$work/blackbox.json" "$count" <<'PYTHON'
import json, os, sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
pid, url, out, count = *sys.argv[1:4], int(sys.argv[4])
probe = f"http://127.0.0.1:19115/probe?module=http_2xx&target={url}/api/health"
def cpu():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
for _ in range(100):
    try: urllib.request.urlopen(probe).read(); break
    except OSError: time.sleep(0.05)
before = cpu()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda _: urllib.request.urlopen(probe).read(), range(count)))
seen = {"cpu": (cpu() - before) / count}
json.dump(seen, open(out, "w"))
print("%-22s %9s         %9.3f ms CPU" % ("blackbox_exporter", "", seen["cpu"]))
PYTHON
  ratio probes blackbox
fi

echo "measured latency against what a server took, 200 requests of 20 ms"
cat > "$work/delay.py" <<'PYTHON'
import http.server, json, sys, time
book = {}
class Delay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/book":
            body = json.dumps(book).encode()
        else:
            begun = time.monotonic()
            time.sleep(0.02)
            body = b"ok"
            book[self.path] = (time.monotonic() - begun) * 1000
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Delay)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 "$work/delay.py" > "$work/port" & delay=$!
trap 'kill $delay; [ -z "$demo" ] || kill "$demo"; [ -z "$exporter" ] || kill "$exporter"; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.05; done
delayed=http://127.0.0.1:$(cat "$work/port")
{
  printf 'canary: latency\nmatrix: { n: [%s] }\n' "$(seq -s, 200)"
  printf 'steps: [{ step: probe, http: "%s/ours/{{ n }}" }]\n' "$delayed"
} > "$work/latency.yaml"
"$coalmine" run --jobs 1 --report json="$work/latency.jsonl" "$work/latency.yaml" > /dev/null 2>&1
python3 - "$work/latency.jsonl" "$delayed" "${blackbox:+yes}" <<'PYTHON'
import json, re, statistics, sys, urllib.request
report, delayed, has_blackbox = sys.argv[1:]
measured = {}
for line in map(json.loads, open(report)):
    if line["type"] == "run":
        exchange = line["attempts"][0]["steps"][0]["exchanges"][0]
        measured[exchange["url"].removeprefix(delayed)] = exchange["timings"]["wait_ms"]
if has_blackbox:
    phase = re.compile(r'probe_http_duration_seconds\{phase="processing"\} (\S+)')
    for n in range(200):
        probe = f"http://127.0.0.1:19115/probe?module=http_2xx&target={delayed}/theirs/{n}"
        text = urllib.request.urlopen(probe).read().decode()
        measured[f"/theirs/{n}"] = float(phase.search(text).group(1)) * 1000
book = json.load(urllib.request.urlopen(f"{delayed}/book"))
for name in ["ours"] + ["theirs"] * bool(has_blackbox):
    errors = sorted(abs(measured[p] - book[p]) for p in book if p.startswith(f"/{name}/"))
    p50, p99 = statistics.median(errors), errors[int(len(errors) * 0.99)]
    print("%-22s %9.3f ms p50  %9.3f ms p99 error" % (name, p50, p99))
PYTHON
