#!/usr/bin/env python3
"""Renders labelled picture pairs with a real Chromium, to judge picture comparison.

Each pair is one template, one seed and exactly one edit, so its label is known:
  noise  a person would not call it a change (sub-pixel moves, other rasteriser, tints of 1-2 levels)
  shift  content is the same and lies elsewhere
  real   a person would want to be told

Templates are split: `tune` may be looked at while rules change; `held` and
`fresh` only to report a score.

    pip install playwright
    scripts/labelled_pairs.py OUT [--seeds 2] [--chromium /usr/bin/chromium] [--set tune|held]

writes OUT/<set>/<label>/<edit>--<template>-<seed>/{a,b}.png.
"""

import argparse
import pathlib
import random

from playwright.sync_api import sync_playwright

WORDS = (
    "orders revenue latency checkout basket customer invoice region north south ledger parcel "
    "shipment refund voucher lamp kettle orchard harbour signal meadow copper velvet ribbon "
    "quarter margin balance pending settled archived review approve weekly monthly total"
).split()


def words(rng, count):
    return " ".join(rng.choice(WORDS) for _ in range(count))


def chart(rng, width, height, color):
    points = " ".join(f"{x * width / 11:.1f},{rng.randint(8, height - 8)}" for x in range(12))
    return (
        f'<svg class="chart" width="{width}" height="{height}"><polyline points="{points}" '
        f'fill="none" stroke="{color}" stroke-width="2"/><circle cx="{width // 2}" '
        f'cy="{height // 2}" r="9" fill="{color}" opacity=".4"/></svg>'
    )


def rows(rng, count, columns=4):
    out = []
    for _ in range(count):
        cells = "".join(
            f"<td>{rng.choice(WORDS)}</td><td class=num>{rng.randint(10, 9999)}.{rng.randint(10, 99)}</td>"
            for _ in range(columns // 2)
        )
        out.append(f"<tr>{cells}</tr>")
    return "".join(out)


def page(body, style):
    return f"""<!doctype html><meta charset=utf-8><style>
*{{box-sizing:border-box}} body{{margin:0;font:13px/1.5 "Liberation Sans";color:#1f2937;background:#fff}}
table{{border-collapse:collapse;width:100%}} td{{padding:4px 8px;border-bottom:1px solid #e5e7eb}}
.num{{text-align:right}} .badge{{display:inline-block;padding:1px 8px;border-radius:9px;
background:#dcfce7;color:#166534;font-size:11px}} button{{font:inherit;padding:6px 14px;border:1px solid
#1d4ed8;background:#2563eb;color:#fff;border-radius:6px}} a{{color:#2563eb}}
{style}</style>{body}"""


def dashboard(rng):
    cards = "".join(
        f'<div class="card target"><b>{words(rng, 2)}</b><p class="value">{rng.randint(100, 9999)}'
        f'</p><span class=badge>{rng.choice(WORDS)}</span></div>'
        for _ in range(4)
    )
    return page(
        f"<header><h1>{words(rng, 2).title()}</h1><nav>{words(rng, 4)}</nav></header><main>"
        f"<div class=grid>{cards}</div><section>{chart(rng, 380, 120, '#2563eb')}<div class=fade>"
        f"</div></section><table>{rows(rng, 7)}</table><p class=text>{words(rng, 24)}.</p>"
        f"<button>{rng.choice(WORDS)}</button></main>",
        """header{display:flex;gap:24px;padding:8px 20px;background:#111827;color:#f9fafb}
        h1{font-size:18px;margin:0} main{padding:16px 20px} .grid{display:grid;gap:12px;
        grid-template-columns:repeat(4,1fr)} .card{border:1px solid #e5e7eb;border-radius:8px;
        padding:10px;box-shadow:0 1px 3px rgba(0,0,0,.12)} .value{font-size:22px;margin:2px 0}
        section{display:flex;gap:12px;margin:12px 0} .fade{flex:1;height:120px;border-radius:8px;
        background:linear-gradient(90deg,#dbeafe,#93c5fd)}""",
    )


def article(rng):
    paragraphs = "".join(f"<p class=text>{words(rng, 60)}.</p>" for _ in range(3))
    return page(
        f"<article><h1>{words(rng, 5).title()}</h1><p class='by num'>{rng.randint(1, 28)} May "
        f"20{rng.randint(10, 99)}</p><canvas width=280 height=130></canvas>{paragraphs}"
        f"<div class='card target'>{words(rng, 9)}</div><ul>"
        + "".join(f"<li>{words(rng, 5)}</li>" for _ in range(5))
        + f"</ul><span class=badge>{rng.choice(WORDS)}</span> <button>{rng.choice(WORDS)}</button>"
        f"<div class=fade></div></article><script>{photo(rng.randint(1, 999))}</script>",
        """article{max-width:620px;margin:20px auto;font:16px/1.6 "Liberation Serif"} canvas{float:right;
        margin:0 0 8px 12px;border-radius:6px} .card{background:#f9fafb;border-left:4px solid #f59e0b;
        padding:10px 14px} .by{color:#6b7280;font-size:12px;text-align:left} .fade{height:40px;
        background:linear-gradient(180deg,#fef3c7,#fff)}""",
    )


def photo(seed):
    return f"""let s={seed};const r=()=>(s=(s*16807)%2147483647)/2147483647;
    const c=document.querySelector('canvas'),g=c.getContext('2d');
    for(let i=0;i<40;i++){{g.fillStyle=`hsl(${{r()*360}} 50% ${{30+r()*50}}%)`;
    g.beginPath();g.arc(r()*c.width,r()*c.height,10+r()*40,0,7);g.fill()}}
    window.grain=(n)=>{{const d=g.getImageData(0,0,c.width,c.height);for(let i=0;i<d.data.length;i++)
    if(i%4<3)d.data[i]+=Math.round((r()-.5)*2*n);g.putImageData(d,0,0)}}"""


def settings(rng):
    fields = "".join(
        f'<label class="row"><span>{words(rng, 2)}</span><input value="{words(rng, 2)}">'
        f"<small class=num>{rng.randint(1, 99)} / 100</small></label>"
        for _ in range(6)
    )
    return page(
        f"<aside><b>{words(rng, 1)}</b>" + "".join(f"<a class=item>{w}</a>" for w in WORDS[:8])
        + f"</aside><main><h1>{words(rng, 3)}</h1>{fields}<div class='card target'><p class=text>"
        f"{words(rng, 14)}.</p><span class=badge>{rng.choice(WORDS)}</span></div><table>"
        f"{rows(rng, 3, 2)}</table><div class=fade></div><button>{rng.choice(WORDS)}</button></main>",
        """body{display:flex;font:12px/1.5 "DejaVu Sans"} aside{width:150px;background:#f3f4f6;height:600px;
        padding:14px} .item{display:block;padding:3px 0} main{padding:14px 24px;flex:1} h1{font-size:17px}
        .row{display:flex;gap:10px;align-items:center;margin:6px 0} .row span{width:130px} input{font:inherit;
        padding:4px 6px;border:1px solid #d1d5db;border-radius:4px;width:240px} small{color:#6b7280}
        .card{border:1px solid #e5e7eb;border-radius:6px;padding:8px 12px;margin:10px 0} .fade{height:24px;
        background:linear-gradient(90deg,#ede9fe,#fff);margin:8px 0}""",
    )


def shop(rng):
    items = "".join(
        f'<div class="card target"><svg width=150 height=70><rect width=150 height=70 rx=8 '
        f'fill="hsl({rng.randint(0, 360)} 60% 70%)"/><circle cx={rng.randint(30, 120)} cy=35 r=20 '
        f'fill="#fff" opacity=".7"/></svg><p class=text>{words(rng, 4)}</p>'
        f"<b class='num value'>{rng.randint(1, 99)}.{rng.randint(10, 99)}</b> "
        f"<span class=badge>{rng.choice(WORDS)}</span></div>"
        for _ in range(8)
    )
    return page(
        f"<h1>{words(rng, 3).title()}</h1><div class=grid>{items}</div><ul><li>{words(rng, 6)}</li>"
        f"<li>{words(rng, 7)}</li></ul><table>{rows(rng, 2)}</table><div class=fade></div>"
        f"<button>{rng.choice(WORDS)}</button>",
        """body{padding:14px 22px;background:#fafaf9} h1{font:bold 24px "Liberation Serif"} .grid{display:grid;
        grid-template-columns:repeat(4,1fr);gap:14px} .card{background:#fff;border-radius:10px;padding:8px;
        box-shadow:0 2px 8px rgba(0,0,0,.1)} .text{margin:4px 0;font-size:12px} .fade{height:30px;
        background:linear-gradient(120deg,#fecaca,#fde68a)} button{border-radius:16px;background:#db2777;
        border-color:#9d174d}""",
    )


def night(rng):
    lines = "".join(
        f"<div class='line'><span class=num>{rng.randint(0, 23):02}:{rng.randint(10, 59)}</span> "
        f"<span class=text>{words(rng, 7)}</span> <i class=badge>{rng.choice(WORDS)}</i></div>"
        for _ in range(12)
    )
    return page(
        f"<h1>{words(rng, 2)}</h1><div class='card target'>{words(rng, 6)}</div>{chart(rng, 500, 90, '#34d399')}"
        f"{lines}<ul><li>{words(rng, 4)}</li><li>{words(rng, 5)}</li></ul><table>{rows(rng, 2)}</table>"
        f"<div class=fade></div><button>{rng.choice(WORDS)}</button>",
        """body{padding:14px 20px;background:#0f172a;color:#cbd5e1;font:11px/1.6 "DejaVu Sans Mono"}
        h1{font-size:15px;color:#f8fafc} .card{background:#1e293b;border:1px solid #334155;padding:8px;
        border-radius:4px;margin-bottom:8px} .badge{background:#064e3b;color:#6ee7b7;font-style:normal}
        td{border-color:#334155} .fade{height:30px;background:linear-gradient(90deg,#1e293b,#312e81)}
        .line{border-left:2px solid #334155;padding-left:8px}""",
    )


def inbox(rng):
    mails = "".join(
        f"<div class='mail card{' target' if i == 4 else ''}'><input type=checkbox><b>{words(rng, 2)}"
        f"</b><span class=text>{words(rng, 9)}…</span><span class=badge>{rng.choice(WORDS)}</span>"
        f"<time class=num>{rng.randint(1, 12)}:{rng.randint(10, 59)}</time></div>"
        for i in range(11)
    )
    return page(
        f"<div class=bar><h1>{words(rng, 1).title()}</h1><input placeholder='{words(rng, 3)}'>"
        f"<button>{words(rng, 1)}</button></div>{mails}<ul><li>{words(rng, 3)}</li><li>{words(rng, 4)}"
        f"</li></ul><table>{rows(rng, 2)}</table><div class=fade></div>",
        """body{background:#f8fafc;font:12px/1.5 "Liberation Sans"} .bar{display:flex;gap:12px;padding:8px 14px;
        background:#fff;border-bottom:1px solid #e2e8f0;align-items:center} h1{font-size:16px;margin:0}
        .bar input{flex:1;padding:5px 8px;border:1px solid #cbd5e1;border-radius:14px;font:inherit}
        .mail{display:flex;gap:10px;align-items:center;padding:6px 14px;background:#fff;border-bottom:1px solid
        #eef2f6} .mail .text{flex:1;color:#64748b} .fade{height:26px;background:linear-gradient(90deg,#e0f2fe,
        #fff)} time{color:#94a3b8;font-size:11px}""",
    )


def ledger(rng):
    lines = "".join(
        "<tr>" + "".join(f"<td class=num>{rng.choice(['', '-'])}{rng.randint(0, 999)}.{rng.randint(0, 99):02}"
                         "</td>" for _ in range(9)) + "</tr>"
        for _ in range(22)
    )
    return page(
        f"<h1>{words(rng, 3)}</h1><p class=text>{words(rng, 12)}.</p><table>{lines}</table><div class='card "
        f"target'><span class=badge>{rng.choice(WORDS)}</span> {words(rng, 5)}</div><ul><li>{words(rng, 3)}"
        f"</li><li>{words(rng, 3)}</li></ul><button>{words(rng, 2)}</button><div class=fade></div>",
        """body{padding:10px 16px;font:10px/1.3 "Liberation Sans"} h1{font-size:14px} td{padding:1px 6px;
        border-bottom:1px solid #f1f5f9} tr:nth-child(even){background:#fafbfc} .card{border:1px dashed #94a3b8;
        padding:6px;margin:8px 0;border-radius:3px} .badge{font-size:9px} .fade{height:14px;
        background:linear-gradient(90deg,#fae8ff,#fff);margin-top:6px} button{padding:3px 8px}""",
    )


def landing(rng):
    return page(
        f"<div class=hero><h1>{words(rng, 4).title()}</h1><p class=text>{words(rng, 16)}.</p><button>"
        f"{words(rng, 2)}</button> <a class=num>from {rng.randint(5, 99)}.{rng.randint(10, 99)}</a></div>"
        f"<div class=cols><div class='card'><span class=badge>{words(rng, 1)}</span><p class=text>"
        f"{words(rng, 14)}.</p></div><div class='card target'>{chart(rng, 220, 90, '#e11d48')}<p class=text>"
        f"{words(rng, 8)}.</p></div><div class=card><canvas width=200 height=100></canvas></div></div>"
        f"<ul><li>{words(rng, 4)}</li><li>{words(rng, 6)}</li><li>{words(rng, 2)}</li></ul><table>"
        f"{rows(rng, 2)}</table><div class=fade></div><script>{photo(rng.randint(1, 999))}</script>",
        """body{font:15px/1.5 "DejaVu Serif"} .hero{padding:34px 40px;color:#fff;background:linear-gradient(135deg,
        #4338ca,#9333ea 60%,#db2777)} h1{font-size:30px;margin:0 0 6px} .hero a{color:#fde68a} button{border-radius:
        20px;background:#fff;color:#4338ca;border-color:#fff} .cols{display:grid;grid-template-columns:repeat(3,1fr);
        gap:16px;padding:18px 40px} .card{padding:12px;border-radius:12px;background:#faf5ff;font-size:12px}
        ul,table{margin:6px 40px;width:auto} .fade{height:40px;background:linear-gradient(200deg,#ddd6fe,#fff)}""",
    )


TEMPLATES = {
    "fresh": {"inbox": inbox, "ledger": ledger, "landing": landing},
    "tune": {"dashboard": dashboard, "article": article, "settings": settings},
    "held": {"shop": shop, "night": night},
}

JS = """
const $ = s => document.querySelector(s), $$ = s => [...document.querySelectorAll(s)];
const pick = s => { const all = $$(s); return all[Math.floor(all.length / 2)]; };
const css = (s, t) => { const e = pick(s); if (!e) return false; e.style.cssText += ';' + t; return true; };
const text = (s, f) => { const e = pick(s); if (!e) return false;
  const n = [...e.childNodes].find(n => n.nodeType == 3 && n.data.trim()) || e.firstChild;
  if (!n || n.nodeType != 3) return false; const t = f(n.data); if (t == n.data) return false; n.data = t; return true; };
const put = (c, a, b) => t => { const i = t.indexOf(a); return i < 0 ? t : t.slice(0, i) + b + t.slice(i + 1); };
"""

NOISE = {
    "rerun": "true",
    "subpixel-text": "css('.text','transform:translateX(.3px)')",
    "subpixel-text-y": "css('.text','transform:translateY(.25px)')",
    "subpixel-heading": "css('h1','transform:translate(.2px,.15px)')",
    "subpixel-card": "css('.card','transform:translateX(.25px)')",
    "subpixel-chart": "css('.chart','transform:translate(.3px,.2px)')",
    "rotate-badge": "css('.badge','transform:rotate(.1deg)')",
    "radius-fraction": "css('.card','border-radius:calc('+getComputedStyle(pick('.card')).borderRadius+' + .2px)')",
    "tint-1": "css('body','background:color-mix(in srgb, currentColor 0.5%, '+getComputedStyle($('body')).backgroundColor+')')",
    "tint-card": "css('.card','filter:brightness(.994)')",
    "gradient-stop": "css('.fade','filter:brightness(.992)')",
    "gradient-angle": "css('.fade','background:'+getComputedStyle($('.fade')).backgroundImage.replace(/(\\d+)deg/,(m,d)=>(+d+1)+'deg'))",
    "photo-grain": "window.grain ? (grain(2), true) : false",
    "photo-grain-3": "window.grain ? (grain(3), true) : false",
    "will-change": "css('.card','will-change:transform') && css('h1','will-change:transform')",
}
NOISE |= {
    "margin-fraction": "css('.text','margin-left:.3px')",
    "letter-spacing-fraction": "css('h1','letter-spacing:.02px')",
    "scale-fraction": "css('.card','transform:scale(1.0008)')",
    "opacity-fraction": "css('.text','opacity:.993')",
    "hue-fraction": "css('button','filter:hue-rotate(1deg)')",
    "backdrop": "css('.card','backdrop-filter:blur(0px)')",
    "rotate-badge": "css('.badge','transform:rotate(.1deg)')",
    "svg-stroke-fraction": "css('polyline','stroke-width:2.1')",
}
SHIFT = {
    "padding-1": "css('body','padding-top:'+(parseFloat(getComputedStyle($('body')).paddingTop)+1)+'px')",
    "padding-5": "css('body','padding-top:'+(parseFloat(getComputedStyle($('body')).paddingTop)+5)+'px')",
    "banner": "(()=>{const d=document.createElement('div');d.textContent='New terms apply from May';"
    "d.style.cssText='background:#fde68a;padding:6px';document.body.prepend(d);return true})()",
    "list-line": "(()=>{const u=$('ul');if(!u)return false;const l=document.createElement('li');"
    "l.textContent='another entry';u.insertBefore(l,u.children[1]);return true})()",
    "row-grows": "css('td','padding-top:9px')",
    "card-grows": "css('.card','padding-bottom:22px')",
    "sideways-1": "css('.card','position:relative;left:1px')",
}
REAL = {
    "digit-3-8": "text('.num',t=>/[38]/.test(t)?t.replace(/[38]/,c=>c=='3'?'8':'3'):t.replace(/\\d/,c=>(+c+5)%10))",
    "digit-1-7": "text('.num',t=>/[17]/.test(t)?t.replace(/[17]/,c=>c=='1'?'7':'1'):t.replace(/\\d/,c=>(+c+3)%10))",
    "digit-6-8": "text('.num',t=>/[68]/.test(t)?t.replace(/[68]/,c=>c=='6'?'8':'6'):t.replace(/\\d/,c=>(+c+2)%10))",
    "digit-small": "(css('.num','font-size:10px'),text('.num',t=>t.replace(/\\d/,c=>(+c+1)%10)))",
    "char-e-c": "text('.text',put('c','e','c'))",
    "char-o-a": "text('.text',put('c','o','a'))",
    "char-i-l": "text('.text',put('c','i','l'))",
    "full-stop": "text('.text',t=>t.includes('.')?t.replace('.',''):t+'.')",
    "comma": "text('.text',put('c',' ',', '))",
    "capital": "text('.text',t=>{const i=t.search(/[a-z]/);return i<0?t:t.slice(0,i)+t[i].toUpperCase()+t.slice(i+1)})",
    "word": "text('.text',t=>t.replace(/\\w+/,'lantern'))",
    "colour-text": "css('.text','color:#4b5563')",
    "colour-button": "css('button','background:#1d4ed8')",
    "colour-badge": "css('.badge','background:#fee2e2;color:#991b1b')",
    "row-background": "css('tr','background:rgba(127,140,160,.06)')",
    "border-line": "css('.card','border-bottom:1px solid #c7cdd6')",
    "border-gone": "css('td','border-bottom-color:transparent')",
    "shadow": "css('.card','box-shadow:0 4px 14px rgba(0,0,0,.22)')",
    "radius": "css('button','border-radius:0')",
    "weight": "css('.text','font-weight:600')",
    "italic": "css('.text','font-style:italic')",
    "strike": "css('.text','text-decoration:line-through')",
    "underline": "css('.num','text-decoration:underline')",
    "icon": "(()=>{const e=pick('.card');e.insertAdjacentHTML('beforeend','<svg width=12 height=12 style=\"position:"
    "absolute\"><path d=\"M1 6l4 4 6-8\" fill=none stroke=#16a34a stroke-width=2 /></svg>');return true})()",
    "badge-gone": "css('.badge','visibility:hidden')",
    "dot": "(()=>{const e=pick('.card');e.style.position='relative';e.insertAdjacentHTML('beforeend','<i style=\"position:"
    "absolute;right:4px;top:4px;width:5px;height:5px;border-radius:5px;background:#ef4444\"></i>');return true})()",
    "focus-ring": "css('button','outline:2px solid #93c5fd;outline-offset:1px')",
    "opacity": "css('.card','opacity:.8')",
    "move-2": "css('.badge','position:relative;left:2px')",
    "move-4": "css('button','position:relative;left:3px;top:4px')",
    "photo-swap": "(()=>{const c=$('canvas');if(!c)return false;c.style.transform='scaleX(-1)';return true})()",
    "chart-point": "(()=>{const p=$('polyline');if(!p)return false;const a=p.getAttribute('points').split(' ');"
    "a[6]=a[6].split(',')[0]+',4';p.setAttribute('points',a.join(' '));return true})()",
    "stroke": "css('polyline','stroke-width:3')",
    "font": "css('.text','font-family:\"DejaVu Sans\"')",
    "size": "css('.text','font-size:12.5px')",
}

REAL |= {
    "minus": "text('.num',t=>t.startsWith('-')?t.slice(1):'-'+t)",
    "decimal-point": "text('.num',t=>t.includes('.')?t.replace('.',''):t.replace(/\\d/,'$&.'))",
    "digits-swapped": "text('.num',t=>t.replace(/(\\d)(\\d)/,'$2$1'))",
    "digit-0-8": "text('.num',t=>/[08]/.test(t)?t.replace(/[08]/,c=>c=='0'?'8':'0'):t.replace(/\\d/,'8'))",
    "digit-5-6": "text('.num',t=>/[56]/.test(t)?t.replace(/[56]/,c=>c=='5'?'6':'5'):t.replace(/\\d/,'6'))",
    "apostrophe": "text('.text',put('c',' ',\"'\"))",
    "char-n-m": "text('.text',put('c','n','m'))",
    "char-l-t": "text('.text',put('c','l','t'))",
    "char-a-e": "text('.text',put('c','a','e'))",
    "placeholder": "(()=>{const i=$('input[placeholder]');if(!i)return false;i.placeholder+='s';return true})()",
    "checkbox": "(()=>{const i=$('input[type=checkbox]');if(!i)return false;i.checked=true;return true})()",
    "faint-text": "(css('.text','color:#c3cad3'),text('.text',put('c','e','o')))",
    "border-colour": "css('.card','outline:1px solid #d8dee6')",
    "dashed": "css('td','border-bottom-style:dashed')",
    "row-gone": "(()=>{const r=pick('tr');if(!r)return false;r.style.visibility='hidden';return true})()",
    "highlight-next-row": "(()=>{const r=$$('tr');if(r.length<2)return false;r[1].style.background='#f6f9fd';return true})()",
    "disabled": "css('button','opacity:.6')",
    "gradient-real": "css('.fade','filter:hue-rotate(25deg)')",
    "opacity-95": "css('.card','opacity:.93')",
    "caps": "css('h1','text-transform:uppercase')",
    "bullet": "css('li','list-style:square')",
    "letter-spacing": "css('h1','letter-spacing:.4px')",
    "move-1-down-3": "css('.badge','position:relative;top:3px')",
}


def render(context, html, edit=None):
    tab = context.new_page()
    tab.set_content(html)
    done = True
    if edit:
        done = tab.evaluate(f"() => {{ {JS} return !!({edit}) }}")
    picture = tab.screenshot(animations="disabled", caret="hide")
    tab.close()
    return picture if done else None


def write(folder, before, after):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.png").write_bytes(before)
    (folder / "b.png").write_bytes(after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--set", choices=TEMPLATES, action="append")
    options = parser.parse_args()
    base = ["--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"]
    with sync_playwright() as play:
        plain = play.chromium.launch(executable_path=options.chromium, args=base)
        other = play.chromium.launch(
            executable_path=options.chromium,
            args=[*base, "--enable-gpu-rasterization", "--ignore-gpu-blocklist", "--use-gl=angle",
                  "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        for split in options.set or TEMPLATES:
            for name, template in TEMPLATES[split].items():
                for seed in range(options.seeds):
                    html = template(random.Random(f"{name}{seed}"))
                    view = {"viewport": {"width": 800, "height": 620},
                            "device_scale_factor": 2 if seed % 3 == 2 else 1}
                    context = plain.new_context(**view)
                    before = render(context, html)
                    for label, edits in (("noise", NOISE), ("shift", SHIFT), ("real", REAL)):
                        for edit, script in edits.items():
                            after = render(context, html, script)
                            if after and (after != before or label == "noise"):
                                write(options.out / split / label / f"{edit}--{name}-{seed}", before, after)
                    gpu = other.new_context(**view)
                    write(options.out / split / "noise" / f"gpu-raster--{name}-{seed}",
                          before, render(gpu, html))
                    gpu.close()
                    context.close()
                    print(split, name, seed, flush=True)


if __name__ == "__main__":
    main()
