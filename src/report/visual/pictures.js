"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const sections = $$("section"), links = $$("nav a");
  if (!sections.length) return;
  document.documentElement.classList.add("js");
  const state = { picture: 0, region: -1, mode: "side", split: 50, zoom: 0, timer: 0 };
  const stage = () => $(".stage", sections[state.picture]);
  const view = () => $(".view", sections[state.picture]);
  const regions = () => $$(".regions button", sections[state.picture])
    .filter((button) => button.offsetParent !== null);

  // The zoom at which the whole width fits; never enlarged.
  function fitting() {
    return Math.min(1, (scrollers()[0].clientWidth - 16) / stage().dataset.width);
  }

  function zoomTo(zoom) {
    state.zoom = Math.max(0.05, Math.min(16, zoom));
    stage().style.setProperty("--zoom", state.zoom);
    stage().classList.toggle("sharp", state.zoom > 1.5);
    $("#zoom").textContent = `${Math.round(state.zoom * 100)} %`;
  }

  function setMode(mode) {
    state.mode = mode;
    $$("[data-set-mode]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.setMode === mode));
    $$(".stage").forEach((s) => { s.dataset.mode = mode; s.classList.remove("off"); });
    $("#split").hidden = mode !== "slider" && mode !== "onion";
    clearInterval(state.timer);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (mode === "blink" && !still) state.timer = setInterval(blink, 600);
    state.region < 0 ? zoomTo(fitting()) : focusRegion(state.region);
  }

  const blink = () => stage().classList.toggle("off");

  function split(percent) {
    state.split = Math.max(0, Math.min(100, percent));
    $("#split").value = state.split;
    $$(".stage").forEach((s) => s.style.setProperty("--split", state.split));
  }

  function show(picture) {
    state.picture = (picture + sections.length) % sections.length;
    state.region = -1;
    sections.forEach((section, at) => section.classList.toggle("shown", at === state.picture));
    links.forEach((link) => link.removeAttribute("aria-current"));
    const link = links.find((link) => link.hash === `#${sections[state.picture].id}`);
    if (link) { link.setAttribute("aria-current", "true"); link.scrollIntoView({ block: "nearest" }); }
    setMode(state.mode);
  }

  // Goes to a region, enlarged when it is small, in the middle of the view.
  function focusRegion(at) {
    const list = regions();
    if (!list.length) return;
    state.region = (at + list.length) % list.length;
    const { x, y, w, h, box } = list[state.region].dataset;
    $$(".box.current").forEach((box) => box.classList.remove("current"));
    $$(`[data-of="${box}"]`, stage()).forEach((box) => box.classList.add("current"));
    list.forEach((button, at) => button.setAttribute("aria-pressed", at === state.region));
    const panes = scrollers(), pane = panes[panes.length - 1];
    const room = Math.min(pane.clientWidth / (+w + 24), pane.clientHeight / (+h + 24));
    zoomTo(Math.min(8, Math.max(fitting(), room * 0.6)));
    panes.forEach((pane) => {
      const frame = $(".frame", pane.matches("figure") ? pane : $(".actual", pane) || pane).getBoundingClientRect();
      const box = pane.getBoundingClientRect();
      pane.scrollLeft += frame.left - box.left + (+x + w / 2) * state.zoom - pane.clientWidth / 2;
      pane.scrollTop += frame.top - box.top + (+y + h / 2) * state.zoom - pane.clientHeight / 2;
    });
  }

  // What scrolls: each picture for itself side by side (in step), else the view around them.
  const scrollers = () => state.mode === "side" ? $$("figure", stage()) : [view()];

  // The next region, over the end of a picture into the next picture.
  function step(by) {
    const next = state.region + by;
    if (next >= 0 && next < regions().length) return focusRegion(next);
    show(state.picture + by);
    focusRegion(by > 0 ? 0 : regions().length - 1);
  }

  // Decides without leaving the page; without scripts the form does the same and loads it again.
  async function decide(form, verb) {
    const said = $("output", form), fields = new URLSearchParams(new FormData(form));
    fields.set("verb", verb);
    const show = (text, failed) => { said.textContent = text; said.classList.toggle("failed", failed); };
    try {
      const answer = await fetch("decide", { method: "POST", headers: { accept: "application/json" }, body: fields });
      const { decided = [], told } = await answer.json();
      show(told, !answer.ok);
      if (!answer.ok) return;
      sections.forEach((section) => {
        const own = $("form.decision", section);
        if (!own || !decided.includes(own.elements.name.value)) return;
        $("output", own).textContent = told;
        $$("button, input:not([type=hidden])", own).forEach((field) => { field.disabled = true; });
        const link = links.find((link) => link.hash === `#${section.id}`);
        if (link) link.classList.add("decided");
      });
    } catch (error) { show(`the review no longer answers: ${error.message}`, true); }
  }

  function press(verb) {
    const button = $(`form.decision button[value="${verb}"]`, sections[state.picture]);
    if (!button || button.disabled) return;
    const why = button.form.elements.why;
    if (verb === "reject" && !why.value.trim()) return why.focus();
    button.click();
  }

  const toggle = (name) => document.body.classList.toggle(name);
  const keys = {
    1: () => setMode("side"), 2: () => setMode("slider"), 3: () => setMode("onion"),
    4: () => setMode("blink"), 5: () => setMode("mask"),
    n: () => step(1), p: () => step(-1), j: () => show(state.picture + 1), k: () => show(state.picture - 1),
    "+": () => zoomTo(state.zoom * 1.5), "-": () => zoomTo(state.zoom / 1.5),
    0: () => { state.region = -1; zoomTo(fitting()); }, b: () => toggle("no-boxes"), q: () => toggle("no-noise"),
    a: () => press("approve"), x: () => press("reject"),
    " ": blink, "?": () => $("dialog").showModal(),
    ArrowLeft: () => split(state.split - 2), ArrowRight: () => split(state.split + 2),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    if (event.key === " " && event.target.matches("button")) return;
    const act = keys[event.key];
    if (!act || (event.key.startsWith("Arrow") && $("#split").hidden)) return;
    event.preventDefault();
    act();
  });
  $$("[data-key]").forEach((button) => button.addEventListener("click", () => keys[button.dataset.key]()));
  $$("[data-set-mode]").forEach((b) => b.addEventListener("click", () => setMode(b.dataset.setMode)));
  $("#split").addEventListener("input", (event) => split(+event.target.value));
  links.forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    show(sections.findIndex((section) => `#${section.id}` === link.hash));
  }));
  sections.forEach((section) => {
    const form = $("form.decision", section);
    if (form) form.addEventListener("submit", (event) => {
      event.preventDefault();
      decide(form, event.submitter ? event.submitter.value : "approve");
    });
    $$(".regions button", section).forEach((button) =>
      button.addEventListener("click", () => focusRegion(regions().indexOf(button))));
    const pull = (event) => {
      if (state.mode !== "slider" || event.buttons !== 1) return;
      const frame = $(".actual .frame", section).getBoundingClientRect();
      split((event.clientX - frame.left) * 100 / frame.width);
      event.preventDefault();
    };
    const pane = $(".view", section);
    if (pane) { pane.addEventListener("pointermove", pull); pane.addEventListener("pointerdown", pull); }
    const figures = $$("figure", section);
    figures.forEach((figure) => figure.addEventListener("scroll", () => figures.forEach((other) => {
      if (other !== figure && state.mode === "side") other.scrollTo(figure.scrollLeft, figure.scrollTop);
    })));
    $$("img", section).forEach((image) => { image.draggable = false; });
  });
  addEventListener("resize", () => state.region < 0 && zoomTo(fitting()));
  const wanted = new URLSearchParams(location.hash.slice(1));
  document.body.classList.add("no-noise");
  show(Math.max(0, sections.findIndex((section) => section.id === wanted.get("picture"))));
  if (wanted.get("mode")) setMode(wanted.get("mode"));
  if (wanted.get("region")) focusRegion(+wanted.get("region") - 1);
})();
