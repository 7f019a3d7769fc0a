#!/usr/bin/env python3
"""Draws labelled picture pairs on pages that no rule was set on, and scores `coalmine diff` on them.

Each pair is one page, one seed and one difference whose label is known:
  noise  another machine's text drawing or rasteriser, a caret, a lossy copy, one pixel sideways
  real   an edit that a person wants to be told of: text, colour, place, something gone or new

Sets `tune` may be looked at while rules change; `sealed` and `fresh` only give a score.

    pip install playwright pillow
    benches/picture_verdicts.py FOLDER --set tune [--coalmine target/release/coalmine] [--seeds 2]

Draws FOLDER/<set>/<label>/<difference>--<page>-<seed>/{a,b}.png once, then judges every pair.
"""

import argparse
import collections
import concurrent.futures
import io
import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

BASE = """*{box-sizing:border-box} body{margin:0} table{border-collapse:collapse} ul,ol,dl,dd,figure{margin:0;
padding:0} li{list-style:none} h1,h2,h3,p{margin:0} button,input,select,textarea{font:inherit}"""

NAMES = ("Ada Brandt|Jonas Vik|Mira Okafor|Lena Kowalski|Tomas Riedel|Ines Duarte|Paul Mensah|Yuki Arai|"
         "Sofia Lindqvist|Omar Haddad|Greta Holm|Ravi Menon").split("|")
NOUNS = ("shipment pallet warehouse voucher contract sensor turbine harvest clinic library concert "
         "village station bakery garden bridge island printer battery compass").split()
VERBS = "shipped packed signed opened closed moved returned approved printed planned measured sold".split()


def said(rng, count):
    return " ".join(rng.choice(NOUNS if at % 2 else VERBS) for at in range(count))


def money(rng):
    return f"{rng.randint(1, 4999):,}.{rng.randint(0, 99):02}"


def icon(rng, size=16, color="currentColor"):
    paths = ("M2 8h12M8 2v12", "M3 3l10 10M13 3L3 13", "M2 12l4-5 3 3 5-7", "M3 4h10M3 8h10M3 12h7",
             "M8 2l6 11H2z", "M8 3a5 5 0 1 0 .1 0z", "M3 7l5-4 5 4v6H3z")
    return (f'<svg class=icon width={size} height={size} viewBox="0 0 16 16"><path d="{rng.choice(paths)}" fill=none '
            f'stroke="{color}" stroke-width=1.6 /></svg>')


def photo(rng, width, height):
    return (f'<canvas class=photo width={width} height={height} data-seed={rng.randint(1, 9999)}></canvas>')


PHOTOS = """<script>for(const c of document.querySelectorAll('canvas.photo')){let s=+c.dataset.seed;
const r=()=>(s=(s*16807)%2147483647)/2147483647,g=c.getContext('2d'),w=c.width,h=c.height;
let l=g.createLinearGradient(0,0,0,h);l.addColorStop(0,`hsl(${r()*360} 40% 70%)`);l.addColorStop(1,`hsl(${r()*360} 45% 35%)`);
g.fillStyle=l;g.fillRect(0,0,w,h);for(let i=0;i<26;i++){g.globalAlpha=.25+r()*.5;g.fillStyle=`hsl(${r()*360} ${20+r()*50}% ${20+r()*60}%)`;
g.beginPath();g.ellipse(r()*w,r()*h,4+r()*w/5,4+r()*h/5,r()*3,0,7);g.fill()}g.globalAlpha=1;
const d=g.getImageData(0,0,w,h);for(let i=0;i<d.data.length;i++)if(i%4<3)d.data[i]+=(r()-.5)*9;g.putImageData(d,0,0)}</script>"""


def page(body, style, scripts=""):
    return f"<!doctype html><meta charset=utf-8><style>{BASE}{style}</style>{body}{scripts}"


# Each page offers: .say (running text), .num (a number), .box (a surface with an edge), .chip (a small label),
# .row (one of several lines), .ink (text of a colour of its own), .tool (something small that can move), .icon.

def form(rng):
    fields = "".join(
        f"<label class=row><span class=say>{said(rng, 3)}</span><input class=box value='{said(rng, 2)} {rng.randint(10, 99)}'>"
        f"<em class=num>{rng.randint(100, 999)}</em></label>" for _ in range(5))
    picks = "".join(f"<label class=pick><input type=checkbox {'checked' if rng.random() < .5 else ''}> {said(rng, 2)}"
                    "</label>" for _ in range(4))
    return page(
        f"<main><h1>{said(rng, 3).title()}</h1><p class='say ink'>{said(rng, 16)}.</p>{fields}<fieldset><legend>"
        f"{said(rng, 1)}</legend>{picks}</fieldset><textarea class=box rows=3>{said(rng, 14)}</textarea><select><option>"
        f"{said(rng, 2)}</select> <button class=tool>{icon(rng)} {said(rng, 1)}</button> <span class=chip>"
        f"{rng.choice(NOUNS)}</span></main>",
        """body{background:#eef1f5;font:14px/1.4 "Liberation Sans";color:#22303c} main{width:600px;margin:18px auto;background:#fff;
        padding:20px 26px;border-radius:10px;border:1px solid #d5dce4} h1{font-size:21px;margin-bottom:4px} .row{display:flex;gap:12px;
        align-items:center;margin:8px 0} .row span{width:190px} .row input{flex:1;padding:6px 8px} .box{border:1px solid #b6c2cf;
        border-radius:4px} .num{font-style:normal;color:#5b6b7b;width:40px;text-align:right} .ink{color:#5b6b7b} fieldset{border:1px solid
        #d5dce4;margin:10px 0;padding:6px 12px} .pick{margin-right:14px} textarea{width:100%;padding:6px} button{background:#0f766e;
        color:#fff;border:0;padding:7px 16px;border-radius:5px} .chip{background:#fef3c7;color:#92400e;border-radius:3px;padding:1px 7px;
        font-size:12px}""")


def board(rng):
    def card():
        return (f"<div class='box row'><p class=say>{said(rng, 6)}</p><div class=foot><span class=chip>{rng.choice(VERBS)}</span>"
                f"<span class=num>{rng.randint(1, 99)}</span>{icon(rng, 14)}</div></div>")
    columns = "".join(f"<section><h2>{said(rng, 1)} <b class=num>{rng.randint(2, 19)}</b></h2>"
                      + "".join(card() for _ in range(rng.randint(3, 4))) + "</section>" for _ in range(4))
    return page(f"<header>{icon(rng, 20, '#8be9fd')}<h1>{said(rng, 2)}</h1><span class='ink say'>{said(rng, 4)}</span><button class=tool>"
                f"+ {rng.choice(NOUNS)}</button></header><div class=cols>{columns}</div>",
                """body{background:#15171c;color:#d7dae0;font:13px/1.45 "DejaVu Sans"} header{display:flex;gap:14px;align-items:center;
                padding:10px 16px;background:#1d2027;border-bottom:1px solid #2c303a} h1{font-size:16px} .ink{color:#8a91a0;flex:1}
                .cols{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;padding:14px} section{background:#1a1d23;border-radius:8px;
                padding:8px} h2{font-size:12px;color:#9aa3b5;text-transform:uppercase;margin:2px 4px 8px} .box{background:#23272f;
                border:1px solid #323844;border-radius:6px;padding:8px 10px;margin-bottom:8px} .foot{display:flex;gap:8px;align-items:center;
                margin-top:6px;color:#8a91a0;font-size:11px} .chip{background:#1f3a34;color:#7ee2b8;border-radius:8px;padding:0 7px}
                button{background:#4f46e5;color:#fff;border:0;border-radius:6px;padding:5px 12px}""")


def charts(rng):
    bars = "".join(f'<rect class=bar x="{20 + at * 31}" y="{170 - (tall := rng.randint(20, 150))}" width=20 height="{tall}" '
                   f'fill="#3b82f6"/>' for at in range(11))
    axis = "".join(f'<line x1=14 x2=360 y1="{y}" y2="{y}" stroke="#e2e8f0"/><text x=0 y="{y + 4}" class=tick>{170 - y}</text>'
                   for y in range(20, 171, 30))
    wave = " ".join(f"{x * 18},{60 + rng.randint(-40, 40)}" for x in range(21))
    legend = "".join(f"<li class=row><i style='background:hsl({rng.randint(0, 359)} 60% 55%)'></i><span class=say>{said(rng, 2)}</span>"
                     f"<b class=num>{rng.randint(1, 99)}.{rng.randint(0, 9)}%</b></li>" for _ in range(6))
    return page(f"<h1>{said(rng, 3)}</h1><p class='say ink'>{said(rng, 11)}.</p><div class=grid><figure class=box><svg width=370 height=180>"
                f"{axis}{bars}</svg></figure><figure class=box><svg width=370 height=130><path d='M0 120h370' stroke='#94a3b8'/><polyline "
                f"points='{wave}' fill='rgba(16,185,129,.15)' stroke='#059669' stroke-width=1.5 /></svg><span class=chip>{said(rng, 1)}</span>"
                f"</figure><ul class=box>{legend}</ul><figure class=box><div class=pie style='background:conic-gradient(#f59e0b 0 "
                f"{(first := rng.randint(60, 160))}deg,#ef4444 0 {first + 80}deg,#8b5cf6 0)'></div><button class=tool>{icon(rng)}</button></figure></div>",
                """body{padding:16px 20px;font:13px/1.5 "Liberation Sans";background:#fff;color:#0f172a} h1{font-size:19px}
                .ink{color:#64748b} .grid{display:grid;grid-template-columns:1fr 1fr;gap:14px;margin-top:12px} .box{border:1px solid #e2e8f0;
                border-radius:8px;padding:10px;position:relative} .tick{font-size:9px;fill:#64748b} .row{display:flex;gap:8px;align-items:center}
                .row i{width:10px;height:10px;border-radius:2px} .row span{flex:1} .pie{width:120px;height:120px;border-radius:50%}
                .chip{position:absolute;right:10px;top:10px;background:#d1fae5;color:#065f46;padding:1px 8px;border-radius:9px;font-size:11px}
                button{position:absolute;right:12px;bottom:12px;border:1px solid #cbd5e1;background:#f8fafc;border-radius:6px;padding:4px 8px}""")


def chat(rng):
    lines = "".join(
        f"<div class='row {'mine' if rng.random() < .4 else ''}'>{photo(rng, 30, 30)}<div class=box><b class=ink>{rng.choice(NAMES)}</b> "
        f"<time class=num>{rng.randint(0, 23):02}:{rng.randint(0, 59):02}</time><p class=say>{said(rng, rng.randint(4, 15))}.</p></div></div>"
        for _ in range(7))
    return page(f"<aside>{''.join(f'<a class=say>{name}</a>' for name in NAMES[:9])}</aside><main>{lines}<footer><input class=box "
                f"value='{said(rng, 3)}'><button class=tool>{icon(rng)}</button><span class=chip>{rng.randint(1, 9)} new</span></footer></main>",
                """body{display:flex;font:14px/1.4 "DejaVu Sans Condensed";background:#fdf6ec;color:#3b2f2f} aside{width:150px;background:#4a2c2a;
                color:#f3dfc1;min-height:620px;padding:12px} aside a{display:block;padding:5px 0} main{flex:1;padding:12px 16px} .row{display:flex;
                gap:8px;margin-bottom:9px} .mine{flex-direction:row-reverse} canvas{border-radius:50%} .box{background:#fff;border:1px solid #ead9bf;
                border-radius:12px;padding:6px 12px;max-width:440px} .ink{color:#9a3412;font-size:12px} .num{color:#a08c78;font-size:11px}
                footer{display:flex;gap:8px;align-items:center} footer input{flex:1;padding:7px 12px} button{background:#9a3412;color:#fff;border:0;
                border-radius:50%;width:34px;height:34px} .chip{background:#fecaca;color:#7f1d1d;border-radius:8px;padding:1px 8px;font-size:11px}""",
                PHOTOS)


def invoice(rng):
    lines = "".join(f"<tr class=row><td>{at + 1}<td class=say>{said(rng, 5)}<td class=num>{rng.randint(1, 40)}<td class=num>{money(rng)}"
                    f"<td class=num>{money(rng)}</tr>" for at in range(10))
    return page(f"<div class=box><header><h1>Invoice {rng.randint(1000, 9999)}</h1><span class=chip>{rng.choice(VERBS)}</span><i class=tool>"
                f"{icon(rng, 22, '#7c2d12')}</i></header><p class='say ink'>{rng.choice(NAMES)}, {said(rng, 4)}, {rng.randint(10, 99)} Mill Lane</p>"
                f"<table>{lines}</table><p class=sum>Total <b class=num>{money(rng)}</b></p><p class=say>{said(rng, 20)}.</p></div>",
                """body{background:#fff;font:13px/1.5 "Liberation Serif";color:#111} .box{width:640px;margin:20px auto;border:1px solid #ddd;
                padding:24px 30px} header{display:flex;gap:14px;align-items:center} h1{font-size:24px;flex:1} .chip{border:1px solid #7c2d12;
                color:#7c2d12;padding:0 8px;font-size:12px} .ink{color:#555} table{width:100%;margin:14px 0} td{padding:3px 6px;border-bottom:
                1px solid #eee} .num{text-align:right} .sum{text-align:right;font-size:16px}""")


def gallery(rng):
    tiles = "".join(f"<figure class='box row'>{photo(rng, 176, 112)}<figcaption class=say>{said(rng, 3)}</figcaption><span class=num>"
                    f"{rng.randint(10, 999)}</span> <span class=chip>{rng.choice(NOUNS)}</span> {icon(rng, 13)}</figure>" for _ in range(12))
    return page(f"<nav><b>{said(rng, 2)}</b><span class='ink say'>{said(rng, 5)}</span><button class=tool>{said(rng, 1)}</button></nav>"
                f"<div class=grid>{tiles}</div>",
                """body{background:#0b0b0d;color:#e8e6e3;font:12px/1.5 "Liberation Sans Narrow"} nav{display:flex;gap:16px;padding:10px 14px;
                align-items:center} .ink{flex:1;color:#a8a29e} .grid{display:grid;grid-template-columns:repeat(4,1fr);gap:10px;padding:0 14px}
                .box{background:#18181b;border-radius:4px;padding:6px;border:1px solid #27272a} canvas{width:100%;display:block}
                .num{color:#a8a29e} .chip{background:#3f3f46;border-radius:3px;padding:0 5px} button{background:#e8e6e3;border:0;color:#18181b;
                padding:4px 14px;border-radius:14px}""", PHOTOS)


def code(rng):
    def line(at):
        return (f"<div class=row><span class=num>{at + 10}</span><span class=say>{'&nbsp;' * (2 * rng.randint(0, 3))}<b class=ink>"
                f"{rng.choice(VERBS)}</b>({rng.choice(NOUNS)}, {rng.randint(0, 255)}) -&gt; {rng.choice(NOUNS)}; <i>// {said(rng, 3)}</i></span></div>")
    return page(f"<div class=tabs><span class='chip'>{rng.choice(NOUNS)}.rs</span><span>{rng.choice(NOUNS)}.toml</span><i class=tool>{icon(rng, 14)}"
                f"</i></div><pre class=box>{''.join(line(at) for at in range(22))}</pre><footer class=say>{said(rng, 5)}, {rng.randint(1, 99)}:4</footer>",
                """body{background:#282c34;color:#abb2bf;font:13px/1.5 "Liberation Mono"} .tabs{display:flex;gap:12px;background:#21252b;
                padding:6px 12px;align-items:center} .chip{background:#282c34;color:#e5c07b;padding:2px 10px;border-top:2px solid #61afef}
                pre{margin:8px;padding:8px;border:1px solid #3b4048;font:inherit} .row{display:flex;gap:14px} .num{color:#636d83;width:24px;
                text-align:right} .ink{color:#c678dd;font-weight:400} .row i{color:#7f848e;font-style:italic} footer{position:fixed;bottom:0;
                left:0;right:0;background:#61afef;color:#1b1f27;padding:1px 12px;font-size:11px}""")


def calendar(rng):
    days = "".join(f"<div class='box {'row' if rng.random() < .6 else ''}'><b class=num>{day}</b>"
                   + "".join(f"<p class='{'chip' if rng.random() < .5 else 'say'}'>{rng.randint(7, 19)}:{rng.choice(['00', '15', '30'])} "
                             f"{rng.choice(NOUNS)}</p>" for _ in range(rng.randint(0, 3))) + "</div>" for day in range(1, 36))
    return page(f"<header><h1 class=ink>{rng.choice(NOUNS).title()} {rng.randint(2019, 2031)}</h1><button class=tool>{icon(rng, 12)} "
                f"{rng.choice(VERBS)}</button></header><div class=grid>{days}</div>",
                """body{background:#fffdf8;font:11px/1.35 "DejaVu Serif";color:#2b2b2b;padding:12px 16px} header{display:flex;
                justify-content:space-between;margin-bottom:8px} h1{font-size:20px;color:#9f1239} .grid{display:grid;grid-template-columns:
                repeat(7,1fr);border-top:1px solid #e7dfd0;border-left:1px solid #e7dfd0} .box{border-right:1px solid #e7dfd0;border-bottom:
                1px solid #e7dfd0;height:104px;padding:4px 5px;overflow:hidden} .num{font-size:12px} .chip{background:#ffe4e6;color:#881337;
                border-radius:3px;padding:0 4px;margin-bottom:2px} button{border:1px solid #9f1239;background:none;color:#9f1239;
                border-radius:2px}""")


def pricing(rng):
    def plan(at):
        items = "".join(f"<li class=row>{icon(rng, 13, '#0d9488')} <span class=say>{said(rng, 4)}</span></li>" for _ in range(6))
        return (f"<section class='box {'hot' if at == 1 else ''}'><h2>{rng.choice(NOUNS)}</h2><p class=big>$<span class=num>{rng.randint(5, 99)}"
                f"</span><small>/mo</small></p><ul>{items}</ul><button class={'tool' if at == 1 else 'plain'}>{said(rng, 2)}</button></section>")
    return page(f"<h1>{said(rng, 4).title()}</h1><p class='say ink'>{said(rng, 12)}. <span class=chip>{rng.choice(VERBS)}</span></p><div "
                f"class=grid>{''.join(map(plan, range(3)))}</div><p class=say>{said(rng, 22)}.</p>",
                """body{background:linear-gradient(180deg,#f0fdfa,#ffffff 60%);padding:22px 40px;font:15px/1.5 "TeX Gyre Heros","Liberation Sans";
                color:#134e4a;text-align:center} h1{font-size:28px} .ink{color:#5f8a86} .grid{display:grid;grid-template-columns:repeat(3,1fr);
                gap:18px;margin:20px 0;text-align:left} .box{background:#fff;border:1px solid #ccece8;border-radius:14px;padding:18px 20px;
                box-shadow:0 6px 18px rgba(13,148,136,.08)} .hot{border:2px solid #0d9488} .big{font-size:30px} .big small{font-size:13px;
                color:#7aa5a1} .chip{background:#ccfbf1;border-radius:9px;padding:1px 9px;font-size:12px} button{width:100%;margin-top:12px;
                padding:8px;border:0;border-radius:8px;background:#0d9488;color:#fff}""")


def player(rng):
    songs = "".join(f"<tr class=row><td class=num>{at + 1}<td>{photo(rng, 28, 28)}<td class=say>{said(rng, 3)}<td class=ink>{rng.choice(NAMES)}"
                    f"<td class=num>{rng.randint(2, 7)}:{rng.randint(0, 59):02}</tr>" for at in range(9))
    return page(f"<div class=top>{photo(rng, 130, 130)}<div><span class=chip>{rng.choice(NOUNS)}</span><h1>{said(rng, 2)}</h1><p class='say ink'>"
                f"{said(rng, 8)}</p></div></div><table>{songs}</table><div class='bar box'><i class=tool>{icon(rng, 18)}</i><div class=track><b>"
                f"</b></div><span class=num>{rng.randint(0, 3)}:{rng.randint(10, 59)}</span></div>",
                """body{background:radial-gradient(circle at 20% 0,#4c1d95,#0f0a1a 70%);color:#ede9fe;font:14px/1.4 "Liberation Sans";
                min-height:620px;padding:20px 26px} .top{display:flex;gap:18px;align-items:end} h1{font-size:34px} .ink{color:#a78bfa}
                table{width:100%;margin:14px 0} td{padding:3px 8px;border-bottom:1px solid rgba(255,255,255,.06)} .num{color:#8b7fb0;
                font-size:12px} .chip{background:rgba(255,255,255,.12);border-radius:8px;padding:1px 8px;font-size:11px} .bar{display:flex;
                gap:12px;align-items:center;background:#1e1433;border:1px solid #3b2a63;border-radius:10px;padding:8px 14px} .track{flex:1;
                height:4px;background:#3b2a63;border-radius:2px} .track b{display:block;width:37%;height:4px;background:#c4b5fd;
                border-radius:2px}""", PHOTOS)


def news(rng):
    stories = "".join(f"<article class='box row'>{photo(rng, 110, 74)}<div><h3>{said(rng, 6).capitalize()}</h3><p class=say>{said(rng, 16)}.</p>"
                      f"<small class=ink>{rng.choice(NAMES)} <span class=num>{rng.randint(1, 59)} min</span></small></div></article>" for _ in range(5))
    return page(f"<header><b>The {rng.choice(NOUNS).title()}</b><span class=chip>{said(rng, 1)}</span><i class=tool>{icon(rng, 18)}</i></header>"
                f"<div class=cols><main>{stories}</main><aside><h2>{said(rng, 2)}</h2>"
                + "".join(f"<p class='say line'>{said(rng, 7)}</p>" for _ in range(8)) + "</aside></div>",
                """body{background:#fbfaf7;color:#1c1917;font:15px/1.4 "Liberation Serif"} header{display:flex;gap:16px;align-items:baseline;
                border-bottom:3px double #1c1917;padding:10px 22px} header b{font:bold 30px "DejaVu Serif";flex:1} .chip{font:11px "Liberation Sans";
                background:#b91c1c;color:#fff;padding:1px 7px} .cols{display:flex;gap:24px;padding:12px 22px} main{flex:1} aside{width:210px;
                border-left:1px solid #d6d3d1;padding-left:16px;font-size:14px} .box{display:flex;gap:12px;border-bottom:1px solid #e7e5e4;
                padding:8px 0} h3{font-size:18px;line-height:1.2} .ink{color:#78716c} h2{font-size:15px} .line{margin:8px 0}""", PHOTOS)


def metrics(rng):
    def tile():
        level = [rng.randint(3, 30) for _ in range(24)]
        bars = "".join(f"<i style='height:{tall}px'></i>" for tall in level)
        return (f"<div class='box row'><small class=say>{said(rng, 2)}</small><p><b class=num>{rng.randint(1, 9999)}</b> <span class=chip>"
                f"{rng.choice('+-')}{rng.randint(1, 30)}%</span></p><div class=spark>{bars}</div></div>")
    beat = "".join(f"<tr><td class=ink>{rng.choice(NOUNS)}-{rng.randint(1, 30):02}<td class=num>{rng.random():.4f}<td class=num>{rng.randint(1, 9)}ms"
                   f"<td><span class=lamp style='background:{rng.choice(['#22c55e', '#22c55e', '#eab308'])}'></span></tr>" for _ in range(11))
    return page(f"<header><h1>{said(rng, 2)}</h1><button class=tool>{icon(rng, 12)} {rng.choice(VERBS)}</button></header><div class=grid>"
                f"{''.join(tile() for _ in range(8))}</div><table>{beat}</table>",
                """body{background:#0d1117;color:#c9d1d9;font:12px/1.5 "Liberation Sans";padding:12px 18px} header{display:flex;
                justify-content:space-between;margin-bottom:10px} h1{font-size:17px} .grid{display:grid;grid-template-columns:repeat(4,1fr);
                gap:10px} .box{background:#161b22;border:1px solid #30363d;border-radius:6px;padding:8px 10px} small{color:#8b949e}
                p b{font-size:20px} .chip{color:#3fb950;font-size:11px} .spark{display:flex;gap:2px;align-items:end;height:32px} .spark i{width:5px;
                background:#1f6feb} table{width:100%;margin-top:12px} td{padding:3px 8px;border-bottom:1px solid #21262d} .ink{color:#58a6ff}
                .lamp{display:inline-block;width:9px;height:9px;border-radius:50%} button{background:#21262d;border:1px solid #30363d;
                color:#c9d1d9;border-radius:6px;padding:3px 10px}""")


PAGES = {
    "tune": {"form": form, "board": board, "charts": charts, "chat": chat},
    "sealed": {"invoice": invoice, "gallery": gallery, "code": code, "calendar": calendar},
    "fresh": {"pricing": pricing, "player": player, "news": news, "metrics": metrics},
}

JS = """
const all = s => [...document.querySelectorAll(s)];
const some = s => { const found = all(s); return found[Math.floor(found.length * .6)]; };
const css = (s, t) => { const e = some(s); if (!e) return false; e.style.cssText += ';' + t; return true; };
const leaf = e => [...e.childNodes].find(n => n.nodeType == 3 && n.data.trim().length > 1) || [...e.childNodes].map(n =>
  n.nodeType == 1 && leaf(n)).find(Boolean) || (e.firstChild && e.firstChild.nodeType == 3 ? e.firstChild : null);
const text = (s, f) => { const e = some(s), n = e && leaf(e); if (!n) return false; const t = f(n.data);
  if (t == n.data) return false; n.data = t; return true; };
const swap = (a, b) => t => { const i = t.indexOf(a); return i < 0 ? t : t.slice(0, i) + b + t.slice(i + a.length); };
const add = (s, html) => { const e = some(s + ':not(input):not(textarea)'); if (!e) return false; e.insertAdjacentHTML('beforeend', html); return true; };
"""

TEXT = {
    "text-digit": "text('.num',t=>t.replace(/\\d/,c=>(+c+1)%10))",
    "text-digit-3-8": "text('.num',t=>/[38]/.test(t)?t.replace(/[38]/,c=>c=='3'?'8':'3'):t.replace(/\\d/,c=>c=='6'?'8':'6'))",
    "text-digit-0-6": "text('.num',t=>/[06]/.test(t)?t.replace(/[06]/,c=>c=='0'?'6':'0'):t.replace(/\\d/,c=>c=='5'?'6':'5'))",
    "text-letter": "text('.say',swap('e','o'))",
    "text-letter-n-r": "text('.say',swap('n','r'))",
    "text-letter-i-l": "text('.say',swap('i','l'))",
    "text-letter-c-e": "text('.say',swap('c','e'))",
    "text-case": "text('.say',t=>t.replace(/[a-z]/,c=>c.toUpperCase()))",
    "text-comma": "text('.say',swap(' ',', '))",
    "text-word": "text('.say',t=>t.replace(/[a-z]{4,}/,'lantern'))",
    "text-word-gone": "text('.say',t=>t.replace(/ ?[a-z]{4,}/,''))",
    "text-chip": "text('.chip',t=>t.replace(/[a-z\\d]/i,'k'))",
    "text-ink": "text('.ink',t=>t.replace(/[aeiou]/,c=>c=='a'?'e':'a'))",
}
REAL = {
    "colour-text": "css('.say','color:color-mix(in srgb,currentColor 60%,#7a7a7a)')",
    "colour-ink": "css('.ink','color:#d9480f')",
    "colour-chip": "css('.chip','background:#bfdbfe;color:#1e3a8a')",
    "colour-box": "css('.box','background:color-mix(in srgb,currentColor 6%,'+getComputedStyle(some('.box')).backgroundColor+')')",
    "colour-row-faint": "css('.row','background:rgba(127,140,160,.07)')",
    "colour-edge": "css('.box','border-color:color-mix(in srgb,currentColor 40%,transparent)')",
    "colour-icon": "css('.icon path','stroke:#dc2626')",
    "moved-chip-3": "css('.chip','translate:3px')",
    "moved-tool-down-3": "css('.tool','translate:0 3px')",
    "moved-icon-2": "css('.icon','translate:2px')",
    "moved-box-6": "css('.box','translate:0 6px')",
    "moved-row-9": "css('.row','translate:9px')",
    "gone-chip": "css('.chip','visibility:hidden')",
    "gone-icon": "css('.icon','visibility:hidden')",
    "gone-row": "css('.row','visibility:hidden')",
    "gone-edge": "css('.box','border-color:transparent')",
    "gone-photo": "css('canvas','visibility:hidden')",
    "gone-tool": "css('.tool','display:none')",
    "band-top": "(document.body.insertAdjacentHTML('afterbegin','<div style=\"background:#fde047;color:#422006;padding:7px 14px\">"
                "Planned work on Sunday</div>'),true)",
    "band-row": "(()=>{const e=some('.row');if(!e)return false;const c=e.cloneNode(true);e.after(c);for(const k of c.querySelectorAll"
                "('canvas')){k.style.background='#888'}return true})()",
    "band-note": "add('.box','<p style=\"color:#b91c1c\">Please check this</p>')",
    "icon-other": "(()=>{const p=some('.icon path');if(!p)return false;const was=p.getAttribute('d');const now='M2 2h12v12H2z';"
                  "p.setAttribute('d',was==now?'M8 2l6 11H2z':now);return true})()",
    "icon-new": "add('.row','<svg width=12 height=12 style=\"position:absolute\"><path d=\"M1 6l4 4 6-8\" fill=none stroke=#16a34a "
                "stroke-width=2 /></svg>')",
    "icon-larger": "css('.icon','transform:scale(1.4)')",
    "dot-new": "(css('.box:not(input):not(textarea)','position:relative'),add('.box','<i style=\"position:absolute;right:5px;top:5px;width:6px;height:6px;"
               "border-radius:6px;background:#ef4444\"></i>'))",
    "bar-taller": "(()=>{const b=some('rect.bar,.spark i');if(!b)return false;if(b.tagName=='I'){b.style.height=parseFloat(b.style.height)"
                  "+7+'px'}else{b.setAttribute('y',b.getAttribute('y')-9);b.setAttribute('height',+b.getAttribute('height')+9)}return true})()",
    "bold": "css('.say','font-weight:700')",
    "italic": "css('.say','font-style:italic')",
    "underline": "css('.say','text-decoration:underline')",
    "size": "css('.say','font-size:112%')",
    "opacity": "css('.box','opacity:.85')",
    "disabled": "css('.tool','opacity:.55')",
    "focus": "css('.tool,input','outline:2px solid #60a5fa;outline-offset:1px')",
    "radius": "css('.box,.tool','border-radius:0')",
    "shadow": "css('.box','box-shadow:0 3px 10px rgba(0,0,0,.3)')",
    "checked": "(()=>{const i=some('input[type=checkbox]');if(!i)return false;i.checked=!i.checked;return true})()",
    "photo-other": "(()=>{const c=some('canvas');if(!c)return false;c.style.transform='scaleX(-1)';return true})()",
    "photo-warmer": "css('canvas','filter:hue-rotate(25deg)')",
}
# What one edit of style draws differently, and nobody would call a change.
NOISE = {
    "rerun": "true",
    "part-of-a-pixel": "css('.say','transform:translateX(.35px)')",
    "part-of-a-pixel-down": "css('.row','transform:translateY(.3px)')",
    "part-of-a-pixel-box": "css('.box','transform:translate(.2px,.3px)')",
    "part-of-a-pixel-icon": "css('.icon','transform:translate(.3px,.2px)')",
    "layer": "(css('.box','will-change:transform'),css('.row','will-change:transform'))",
    "one-level": "css('.box','filter:brightness(.995)')",
    "hue-1": "css('.chip','filter:hue-rotate(1deg)')",
    "grain": "(()=>{const k=all('canvas');for(const c of k){const g=c.getContext('2d'),d=g.getImageData(0,0,c.width,c.height);let s=99;"
             "for(let i=0;i<d.data.length;i++){s=s*16807%2147483647;if(i%4<3)d.data[i]+=s%5-2}g.putImageData(d,0,0)}return k.length>0})()",
    "spacing-fraction": "css('.say','letter-spacing:.015px')",
    "stroke-fraction": "css('.icon path','stroke-width:1.65')",
}
# A pixel sideways or down: no alarm at the usual sensitivity.
SHIFT = {
    "one-pixel-right": "css('.box','translate:1px')",
    "one-pixel-chip": "css('.chip','translate:1px')",
    "one-pixel-row-down": "css('.row','translate:0 1px')",
    "one-pixel-page": "(document.body.style.paddingTop=parseFloat(getComputedStyle(document.body).paddingTop)+1+'px',true)",
    "one-pixel-tool": "css('.tool','translate:0 1px')",
}
CARET = {
    "caret": "(()=>{const i=some('input:not([type=checkbox])')||some('textarea');if(!i)return false;i.style.outline='none';i.focus();"
             "i.setSelectionRange(3,3);return true})()",
}
SOFTWARE_GPU = ["--enable-gpu-rasterization", "--ignore-gpu-blocklist", "--use-gl=angle", "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader"]
# The same page on another machine.
MACHINES = {
    "machine-gpu": SOFTWARE_GPU,
    "machine-gpu-msaa": [*SOFTWARE_GPU, "--gpu-rasterization-msaa-sample-count=8"],
    "machine-hinting-none": ["--font-render-hinting=none"],
    "machine-hinting-slight": ["--font-render-hinting=slight"],
    "machine-hinting-full": ["--font-render-hinting=full"],
    "machine-lcd-text": ["--enable-lcd-text"],
    "machine-no-lcd": ["--disable-lcd-text"],
    "machine-tiles": ["--default-tile-width=200", "--default-tile-height=180", "--disable-partial-raster"],
}


class Shop:
    """Draws one page in one browser."""

    def __init__(self, browser, scale):
        self.context = browser.new_context(viewport={"width": 800, "height": 620}, device_scale_factor=scale)

    def draw(self, html, edit=None, caret="hide"):
        tab = self.context.new_page()
        tab.set_content(html)
        done = not edit or tab.evaluate(f"() => {{ {JS} return !!({edit}) }}")
        picture = tab.screenshot(animations="disabled", caret=caret) if done else None
        tab.close()
        return picture


def lossy(picture, quality):
    from PIL import Image

    out, copy = io.BytesIO(), io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(copy, "JPEG", quality=quality, subsampling=0)
    Image.open(copy).save(out, "PNG")
    return out.getvalue()


def write(folder, before, after):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(before)
    (folder / "b.png").write_bytes(after)


def draw(folder, pages, seeds, chromium):
    from playwright.sync_api import sync_playwright

    base = ["--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"]
    with sync_playwright() as play:
        launch = lambda flags: play.chromium.launch(executable_path=chromium, args=[*base, *flags])
        plain = launch([])
        machines = {name: launch(flags) for name, flags in MACHINES.items()}
        for name, template in pages.items():
            for seed in range(seeds):
                html = template(random.Random(f"{name}{seed}"))
                scale = 2 if seed % 2 else 1
                shop = Shop(plain, scale)
                before = shop.draw(html)
                put = lambda label, what, after: after and after != before and write(
                    folder / label / f"{what}--{name}-{seed}", before, after)
                for label, edits in (("real", TEXT | REAL), ("noise", NOISE | SHIFT)):
                    for what, edit in edits.items():
                        put(label, what, shop.draw(html, edit))
                for what, edit in CARET.items():
                    put("noise", what, shop.draw(html, edit, "initial"))
                for quality in (97, 92):
                    put("noise", f"lossy-{quality}", lossy(before, quality))
                for what, browser in machines.items():
                    put("noise", what, Shop(browser, scale).draw(html))
                print("drew", name, seed, file=sys.stderr, flush=True)


def judge(coalmine, pair):
    command = [coalmine, "diff", str(pair / "a.png"), str(pair / "b.png"), "--json"]
    told = subprocess.run(command, capture_output=True, text=True)
    return pair, told.returncode, json.loads(told.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--set", choices=PAGES, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--coalmine", default="target/release/coalmine")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    folder = options.folder / options.set
    if not folder.exists():
        draw(folder, PAGES[options.set], options.seeds, options.chromium)
    counts, wrong = collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for pair, status, told in pool.map(lambda pair: judge(options.coalmine, pair), sorted(folder.glob("*/*"))):
            label = pair.parent.name
            kind = "text" if pair.name.startswith("text") else label
            counts[kind, "all"] += 1
            if (status == 0) != (label == "noise"):
                counts[kind, "wrong"] += 1
                wrong.append(f"{label:6} {pair.name:44} {told['verdict']:8} "
                             + " ".join(f"{region['verdict']}@{region['area']['x']},{region['area']['y']}+{region['pixels']}"
                                        for region in told.get("regions", []) if region["verdict"] != "noise")[:110])
    print("\n".join(wrong))
    for kind, what in (("text", "text edits missed"), ("real", "other changes missed"), ("noise", "false alarms")):
        total = max(counts[kind, "all"], 1)
        print(f"{what:22} {counts[kind, 'wrong']:4} of {counts[kind, 'all']:4}  {100 * counts[kind, 'wrong'] / total:5.1f} %")


if __name__ == "__main__":
    main()
