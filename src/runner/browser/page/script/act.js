// Waits until an element can be acted on, and says what stands in the way while it cannot.

const frame = () => new Promise((resolve) => {
  // A page that never paints must not stop us; two frames at 60 Hz are 34 ms.
  const timer = setTimeout(resolve, 100);
  requestAnimationFrame(() => { clearTimeout(timer); resolve(); });
});

function isDisabled(element) {
  if (element.matches(":disabled")) return true;
  return !!element.closest("[aria-disabled=true]");
}

function isEditable(element) {
  if (element.isContentEditable) return true;
  if (element.matches("input, textarea")) return !element.readOnly;
  return element.matches("select");
}

/// The element at a point, through open shadow roots.
function hit(x, y) {
  let scope = document, top = null;
  while (scope) {
    const next = scope.elementFromPoint(x, y);
    if (!next || next === top) break;
    top = next;
    scope = top.shadowRoot;
  }
  return top;
}

function composedContains(outer, inner) {
  for (let at = inner; at; at = at.parentNode || at.host) if (at === outer) return true;
  return false;
}

/// What covers the middle of the element; null when nothing does.
function cover(element) {
  const box = [...element.getClientRects()].find((r) => r.width > 0 && r.height > 0)
    || element.getBoundingClientRect();
  const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
  const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
  if (left >= right || top >= bottom) return "outside";
  const at = hit((left + right) / 2, (top + bottom) / 2);
  if (!at || composedContains(element, at)) return null;
  const label = at.closest("label");
  if (label && label.control === element) return null;
  // A child that lies over its own control, such as a picture in a button seen from the label.
  if (at.control === element) return null;
  return at;
}

function intoView(element) {
  const box = element.getBoundingClientRect();
  const isInside = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
  if (!isInside) element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
}

const sameBox = (a, b) =>
  a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height;

/// One look: either the element and nothing in the way, or what is.
async function look(request) {
  let found;
  try {
    found = find(request.locator);
  } catch (fault) {
    return { state: "invalid", why: String(fault.message || fault) };
  }
  const nth = request.locator.nth;
  if (nth !== null) {
    if (found.length <= nth) return { state: "absent", why: `there are ${found.length} matches` };
    found = [found[nth]];
  }
  if (found.length === 0) return { state: "absent", why: "no element matches" };
  if (found.length > 1) {
    return { state: "ambiguous", total: found.length, matches: found.slice(0, 5).map(describe) };
  }
  const element = found[0];
  const needs = request.needs;
  const say = (state, why) => ({ state, why, seen: describe(element) });
  if (needs.includes("visible") && !isVisible(element)) return say("hidden", "it is not visible");
  if (needs.includes("enabled") && isDisabled(element)) return say("disabled", "it is disabled");
  if (needs.includes("editable") && !isEditable(element)) return say("readonly", "it cannot be edited");
  if (needs.includes("stable")) {
    intoView(element);
    const before = element.getBoundingClientRect();
    await frame();
    if (!element.isConnected) return say("detached", "it was taken out of the page");
    if (!sameBox(before, element.getBoundingClientRect())) return say("moving", "it is moving");
  }
  if (needs.includes("receives")) {
    const above = cover(element);
    if (above === "outside") return say("outside", "it cannot be scrolled into view");
    if (above) return say("covered", `it is covered by ${describe(above)}`);
  }
  return { state: "ready", element, seen: describe(element) };
}

/// Looks again and again, for `slice` milliseconds at most.
async function ready(request) {
  const end = performance.now() + request.slice;
  for (;;) {
    const seen = await look(request);
    if (seen.state === "ready" || seen.state === "ambiguous" || seen.state === "invalid") return seen;
    if (performance.now() >= end) return seen;
    await frame();
  }
}

/// Puts the caret into a field with all of its content selected.
function selectAll(element, isSecret) {
  // Pictures cover what carries this mark.
  element.toggleAttribute("data-coalmine-secret", isSecret);
  element.focus();
  if (element.isContentEditable) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return "typed";
  }
  // Fields that are not typed into: their value is set, and told like a person's choice.
  const chosen = ["date", "time", "datetime-local", "month", "week", "range", "color"];
  if (element instanceof HTMLInputElement && chosen.includes(element.type)) return "chosen";
  element.select();
  return "typed";
}

function choose(element, value) {
  const prototype = Object.getPrototypeOf(element);
  Object.getOwnPropertyDescriptor(prototype, "value").set.call(element, value);
  tellChange(element);
  return element.value === value;
}

function tellChange(element) {
  element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
  element.dispatchEvent(new Event("change", { bubbles: true }));
}

/// Chooses options of a `select` by value or by text. Returns what was not found.
function selectOptions(element, wanted) {
  if (!(element instanceof HTMLSelectElement)) return { missing: null, seen: describe(element) };
  const options = [...element.options];
  const chosen = [];
  for (const text of wanted) {
    const option = options.find((o) => o.value === text) || options.find((o) => squeeze(o.label) === squeeze(text));
    if (!option) return { missing: text, options: options.slice(0, 20).map((o) => squeeze(o.label)) };
    if (option.disabled) return { missing: text, options: ["(it is disabled)"] };
    chosen.push(option);
  }
  for (const option of options) option.selected = chosen.includes(option);
  tellChange(element);
  return { ok: true };
}

/// What a page shows of something; `undefined` becomes null: it is not there.
function observe(request) {
  if (request.what === "url") return { value: location.href };
  if (request.what === "title") return { value: document.title };
  let found = find(request.locator);
  if (request.locator.nth !== null) found = found.slice(request.locator.nth, request.locator.nth + 1);
  if (request.what === "count") return { value: found.length };
  if (request.what === "visible") return { value: found.some(isVisible) };
  if (found.length > 1) return { ambiguous: found.slice(0, 5).map(describe), total: found.length };
  const element = found[0];
  if (!element) return { value: null };
  switch (request.what) {
    case "text":
      return { value: squeeze(element.innerText === undefined ? element.textContent : element.innerText) };
    case "value":
      if (element.type === "checkbox" || element.type === "radio") return { value: element.checked };
      return { value: element.value === undefined ? squeeze(element.textContent) : element.value };
    case "attribute": return { value: element.getAttribute(request.name) };
  }
  throw new Error(`nothing to observe: ${request.what}`);
}
