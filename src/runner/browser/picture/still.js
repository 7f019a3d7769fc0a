// Holds a page still for a picture, and lets it go on afterwards.

const KEPT = "__coalmine_still";

function* documents(root) {
  yield root;
  for (const frame of root.querySelectorAll("iframe, frame")) {
    let inner = null;
    try { inner = frame.contentDocument; } catch { /* another site's frame keeps to itself */ }
    if (inner && inner.documentElement) yield* documents(inner);
  }
}

function* scopesOf(root) {
  yield root;
  for (const element of root.querySelectorAll("*")) {
    if (element.shadowRoot) yield* scopesOf(element.shadowRoot);
  }
}

function* allScopes() {
  for (const page of documents(document)) yield* scopesOf(page);
}

const STYLE = `
  *, *::before, *::after { caret-color: transparent !important; scroll-behavior: auto !important; }
  input[type=password], [data-secret], [data-coalmine-secret] {
    -webkit-text-fill-color: transparent !important; color: transparent !important;
    text-shadow: none !important; background: #808080 !important; }
`;

const atMost = (promise, millis) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(resolve, millis))]);

const painted = () => new Promise((resolve) => {
  const timer = setTimeout(resolve, 200);
  requestAnimationFrame(() => requestAnimationFrame(() => { clearTimeout(timer); resolve(); }));
});

function stopAnimations(kept) {
  for (const scope of allScopes()) {
    for (const animation of scope.getAnimations ? scope.getAnimations() : []) {
      if (kept.animations.includes(animation)) continue;
      const timing = animation.effect && animation.effect.getComputedTiming();
      if (!timing) continue;
      if (Number.isFinite(timing.endTime)) {
        // What ends is shown at its end, as a patient visitor sees it.
        try { animation.finish(); } catch { animation.cancel(); }
      } else {
        animation.cancel();
        kept.animations.push(animation);
      }
    }
    for (const video of scope.querySelectorAll("video")) {
      if (!video.paused) { video.pause(); kept.videos.push(video); }
    }
  }
}

/// Everything that makes two pictures of one page differ is waited for or stopped.
async function still(request) {
  const kept = window[KEPT] || { styles: [], animations: [], videos: [] };
  Object.defineProperty(window, KEPT, { value: kept, configurable: true, enumerable: false });
  if (kept.styles.length === 0) {
    for (const scope of allScopes()) {
      const style = document.createElement("style");
      style.textContent = STYLE;
      (scope.head || scope.documentElement || scope).append(style);
      kept.styles.push(style);
    }
  }
  stopAnimations(kept);
  const images = [];
  for (const scope of allScopes()) {
    for (const image of scope.querySelectorAll("img")) {
      const isLazy = image.loading === "lazy" && !image.complete;
      if (image.currentSrc && !isLazy) images.push(image.decode().catch(() => 0));
    }
  }
  await atMost(Promise.all([document.fonts.ready, ...images]), request.patience);
  await painted();
  // What the fonts have moved may have begun to move.
  stopAnimations(kept);
}

/// Shows every part of a long page once, so that what loads when it is seen has loaded.
async function unroll(request) {
  const step = Math.max(innerHeight, 100), start = [scrollX, scrollY];
  const end = Math.min(document.documentElement.scrollHeight, request.limit);
  for (let y = 0; y < end; y += step) { scrollTo(0, y); await painted(); }
  scrollTo(...start);
  await painted();
}

function release() {
  const kept = window[KEPT];
  if (!kept) return;
  delete window[KEPT];
  for (const style of kept.styles) style.remove();
  for (const animation of kept.animations) { try { animation.play(); } catch { /* gone */ } }
  for (const video of kept.videos) video.play().catch(() => 0);
}

/// Boxes in CSS pixels of the document: of the page, of one element, of what is ignored.
function geometry(request) {
  const page = document.documentElement, body = document.body;
  const width = Math.max(page.scrollWidth, body ? body.scrollWidth : 0);
  const height = Math.max(page.scrollHeight, body ? body.scrollHeight : 0);
  const boxOf = (element) => {
    const box = element.getBoundingClientRect();
    return [box.left + scrollX, box.top + scrollY, box.width, box.height];
  };
  const ignored = [];
  for (const locator of request.ignore) {
    try { ignored.push(...find(locator).filter(isVisible).map(boxOf)); }
    catch (fault) { return { invalid: String(fault.message || fault) }; }
  }
  const element = request.element ? boxOf(request.element) : null;
  return { page: [width, height], scroll: [scrollX, scrollY], element, ignored };
}

/// How wide and high one line is in the faces that pages ask for: machines with other fonts, or
/// another way of drawing them, differ in this. It does not depend on the page.
function fonts() {
  const pen = document.createElement("canvas").getContext("2d");
  const families = ["serif", "sans-serif", "monospace", "system-ui", "cursive", "Arial",
    "Helvetica", "Times New Roman", "Courier New", "Georgia", "Verdana", "Roboto", "Segoe UI"];
  const seen = [];
  for (const family of families) {
    for (const weight of [400, 700]) {
      const name = family.includes(" ") ? `"${family}"` : family;
      pen.font = `${weight} 37px ${name}`;
      const size = pen.measureText("Hamburgefonstiv 0123456789 AVAWäß€ 漢字 😀");
      seen.push([size.width, size.actualBoundingBoxAscent, size.actualBoundingBoxDescent]
        .map((length) => Math.round(length * 100)).join(" "));
    }
  }
  return seen;
}

// What moved between two looks, for whoever asks why a page will not hold still.
function boxes() {
  const list = [];
  for (const element of everywhere("*")) {
    if (list.length >= 3000) break;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.height > 0) {
      list.push([element, `${box.left},${box.top},${box.width},${box.height}`]);
    }
  }
  return list;
}

async function moving() {
  const before = boxes();
  await new Promise((resolve) => setTimeout(resolve, 150));
  const now = new Map(boxes());
  const moved = before.filter(([element, box]) => now.get(element) !== box);
  const inner = moved.filter(([element]) =>
    !moved.some(([other]) => other !== element && element.contains(other)));
  return inner.slice(0, 5).map(([element]) => describe(element));
}
