#!/usr/bin/env python3
"""CPU time of `coalmine diff` against npm's odiff-bin, file against file, whole processes.

Draws pages with a real Chromium, then runs both programs in turn and prints the ratio of their
median CPU times (user and system) beside the aim.

    pip install playwright; npm install odiff-bin@4.5.0   # its native program, without the start of Node
    cargo build --release
    benches/pictures.py [--coalmine target/release/coalmine] [--odiff node_modules/@odiff/linux-x64/odiff]
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import tempfile

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "10k": (1280, 10000)}
AIMS = {
    ("720p", "same"): 0.12, ("1080p", "same"): 0.06, ("10k", "same"): 0.02,
    "reencoded": 0.35, "changed": 0.45, "shift": 0.45, "changed, picture": 0.40, "shift, picture": 0.40,
}


def html(seed, height, edit=""):
    rng = random.Random(seed)
    word = lambda: "".join(rng.choice("abcdefghijklmnoprstuvw") for _ in range(rng.randint(3, 9)))
    text = lambda count: " ".join(word() for _ in range(count))
    blocks = []
    for block in range(height // 180):
        kind = block % 5
        if kind == 0:
            cards = "".join(f"<div class=card><b>{text(2)}</b><p class=v>{rng.randint(1, 99999)}</p></div>" for _ in range(5))
            blocks.append(f"<div class=grid>{cards}</div>")
        elif kind == 1:
            rows = "".join(f"<tr><td>{text(2)}<td>{rng.randint(1, 9999)}<td>{text(3)}<td>{rng.random():.3f}</tr>" for _ in range(6))
            blocks.append(f"<table>{rows}</table>")
        elif kind == 2:
            points = " ".join(f"{x * 30},{rng.randint(5, 145)}" for x in range(40))
            blocks.append(f"<svg width=1170 height=150><polyline points='{points}' fill=none stroke='#2563eb' stroke-width=2 /></svg>")
        elif kind == 3:
            blocks.append(f"<p>{text(120)}.</p>")
        else:
            blocks.append("<div class=fade></div><canvas width=400 height=110></canvas>")
    return f"""<!doctype html><meta charset=utf-8><style>body{{margin:0;padding:16px 30px;font:14px/1.5
    'Liberation Sans';color:#1f2937}} .grid{{display:grid;grid-template-columns:repeat(5,1fr);gap:12px}} .card{{padding:12px;
    border:1px solid #e5e7eb;border-radius:8px;box-shadow:0 1px 4px rgba(0,0,0,.15)}} .v{{font-size:24px;margin:4px 0}}
    table{{width:100%;border-collapse:collapse}} td{{border-bottom:1px solid #e5e7eb;padding:3px}} .fade{{height:50px;
    background:linear-gradient(90deg,#dbeafe,#f0abfc)}} {edit}</style>{''.join(blocks)}<script>let s=7;for(const c of
    document.querySelectorAll('canvas')){{const g=c.getContext('2d'),d=g.createImageData(c.width,c.height);for(let i=0;
    i<d.data.length;i++){{s=s*16807%2147483647;d.data[i]=i%4==3?255:120+s%60}}g.putImageData(d,0,0)}}</script>"""


def draw(folder, chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--hide-scrollbars"])
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            edits = {"a": "", "changed": ".card:nth-child(3){background:#eef2ff} td:nth-child(2){color:#b91c1c}",
                     "shift": "body{padding-top:17px}"}
            for label, edit in edits.items():
                page.set_content(html(name, height, edit))
                page.screenshot(path=folder / f"{name}-{label}.png")
            page.close()
        browser.close()
    for name in SIZES:
        first = (folder / f"{name}-a.png").read_bytes()
        (folder / f"{name}-same.png").write_bytes(first)
        reencode(folder / f"{name}-a.png", folder / f"{name}-reencoded.png")


def reencode(source, target):
    """The same pixels in other bytes: one chunk more of compression effort."""
    import struct, zlib

    data = source.read_bytes()
    at, out, stream = 8, data[:8], b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IDAT":
            stream += data[at + 8:at + 8 + length]
        elif kind == b"IEND":
            body = zlib.compress(zlib.decompress(stream), 4)
            out += struct.pack(">I4s", len(body), b"IDAT") + body
            out += struct.pack(">I", zlib.crc32(b"IDAT" + body)) + data[at:at + 12]
        else:
            out += data[at:at + 12 + length]
        at += 12 + length
    target.write_bytes(out)


def cpu_ms(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return (usage.ru_utime + usage.ru_stime) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--coalmine", default="target/release/coalmine")
    parser.add_argument("--odiff", default="node_modules/@odiff/linux-x64/odiff")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch)
        folder.mkdir(exist_ok=True)
        if not (folder / "10k-reencoded.png").exists():
            draw(folder, options.chromium)
        picture = str(pathlib.Path(scratch) / "difference.png")
        print(f"{'':24}{'odiff ms':>10}{'ours ms':>10}{'ratio':>8}{'aim':>7}")
        for size in SIZES:
            for label in ("same", "reencoded", "changed", "shift", "changed, picture", "shift, picture"):
                pair = [str(folder / f"{size}-a.png"), str(folder / f"{size}-{label.split(',')[0]}.png")]
                drawn = label.endswith("picture")
                theirs = [options.odiff, *pair, *([picture] if drawn else []), "--parsable-stdout"]
                ours = [options.coalmine, "diff", *pair, *(["--out", picture] if drawn else [])]
                times = ([], [])
                for _ in range(options.runs):
                    times[0].append(cpu_ms(theirs))
                    times[1].append(cpu_ms(ours))
                left, right = map(statistics.median, times)
                aim = AIMS.get((size, label), AIMS.get(label, 0))
                verdict = "" if right / left <= aim else "  over"
                print(f"{size + ' ' + label:24}{left:10.1f}{right:10.1f}{right / left:8.2f}{aim:7.2f}{verdict}")


main()
