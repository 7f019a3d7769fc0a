"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const failures = () => $$(".failure").filter((failure) => failure.getClientRects().length);
  let at = -1;

  function show(by) {
    const list = failures();
    if (!list.length) return;
    at = (at + by + list.length) % list.length;
    const summary = list[at].closest("details").querySelector("summary");
    summary.focus({ preventScroll: true });
    summary.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
  }

  // The pictures that keys mean: those in the middle of the window, else the first.
  function stage() {
    const stages = $$(".stage").filter((one) => one.getClientRects().length);
    const middle = innerHeight / 2;
    return stages.find((one) => {
      const box = one.getBoundingClientRect();
      return box.top < middle && box.bottom > middle;
    }) || stages[0];
  }

  const timers = new WeakMap();
  function setMode(one, mode) {
    const modes = one && one.previousElementSibling;
    if (!modes || !modes.querySelector(`[data-mode="${mode}"]`)) return;
    one.dataset.mode = mode;
    one.classList.remove("off");
    $$("button", modes).forEach((b) => b.setAttribute("aria-pressed", b.dataset.mode === mode));
    modes.querySelector(".split").hidden = mode !== "slider";
    clearInterval(timers.get(one));
    if (mode === "blink" && !still) timers.set(one, setInterval(() => one.classList.toggle("off"), 600));
  }

  function split(one, percent) {
    if (!one || one.dataset.mode !== "slider") return;
    const input = one.previousElementSibling.querySelector(".split");
    input.value = Math.max(0, Math.min(100, percent));
    one.style.setProperty("--split", input.value);
  }
  const splitBy = (by) => { const one = stage(); if (one) split(one, +(one.style.getPropertyValue("--split") || 50) + by); };

  const keys = {
    n: () => show(1), p: () => show(-1),
    f: () => {
      const only = document.body.classList.toggle("failures-only");
      $$('[data-key="f"]').forEach((button) => button.setAttribute("aria-pressed", only));
    },
    e: () => { const all = $$("details"), open = all.some((one) => !one.open); all.forEach((one) => { one.open = open; }); },
    1: () => setMode(stage(), "side"), 2: () => setMode(stage(), "slider"),
    3: () => setMode(stage(), "blink"), 4: () => setMode(stage(), "difference"),
    ArrowLeft: () => splitBy(-2), ArrowRight: () => splitBy(2),
    "?": () => document.querySelector("dialog").showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    const act = keys[event.key];
    if (act) { act(); if (!event.key.startsWith("Arrow")) event.preventDefault(); }
  });
  $$("[data-key]").forEach((button) => button.addEventListener("click", () => keys[button.dataset.key]()));
  $$(".stage").forEach((one) => {
    const modes = one.previousElementSibling;
    if (!modes || !modes.matches(".modes")) return;
    $$("button", modes).forEach((b) => b.addEventListener("click", () => setMode(one, b.dataset.mode)));
    modes.querySelector(".split").addEventListener("input", (event) => split(one, +event.target.value));
    one.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1 || one.dataset.mode !== "slider") return;
      const box = one.querySelector(".actual").getBoundingClientRect();
      split(one, (event.clientX - box.left) * 100 / box.width);
    });
    $$("img", one).forEach((image) => { image.draggable = false; });
  });
})();
