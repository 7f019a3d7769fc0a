// Finds elements. Every function here is local to one call: nothing is left in the page.

const squeeze = (text) => (text || "").replace(/\s+/g, " ").trim();

/// Open shadow roots below `root`, and `root` itself.
function* scopes(root) {
  yield root;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if (node.shadowRoot) yield* scopes(node.shadowRoot);
  }
}

function everywhere(selector) {
  const found = [];
  for (const scope of scopes(document)) found.push(...scope.querySelectorAll(selector));
  return found;
}

function byXPath(expression) {
  const result = document.evaluate(
    expression, document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
  const found = [];
  for (let at = 0; at < result.snapshotLength; at++) {
    const node = result.snapshotItem(at);
    if (node.nodeType === Node.ELEMENT_NODE) found.push(node);
  }
  return found;
}

/// Whole matches where there are any, otherwise texts that hold `wanted`, in any case.
function matching(elements, textOf, wanted) {
  wanted = squeeze(wanted);
  const lower = wanted.toLowerCase();
  const texts = elements.map((element) => squeeze(textOf(element)));
  const whole = elements.filter((_, at) => texts[at] === wanted);
  if (whole.length > 0) return whole;
  return elements.filter((_, at) => texts[at].toLowerCase().includes(lower));
}

const SILENT = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "TITLE", "META", "LINK"]);

function ownText(element) {
  if (element instanceof HTMLInputElement) {
    return ["button", "submit", "reset"].includes(element.type) ? element.value : "";
  }
  if (!element.querySelector("script, style, noscript, template")) return element.textContent;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) {
    if (!SILENT.has(walker.currentNode.parentNode.tagName)) text += walker.currentNode.data;
  }
  return text;
}

/// The smallest elements that hold the text.
function byText(wanted) {
  // Most elements are ruled out by one word, before anything is put together.
  const word = squeeze(wanted).split(" ")[0].toLowerCase();
  const candidates = everywhere("*").filter((element) => !SILENT.has(element.tagName)
    && (element instanceof HTMLInputElement || element.textContent.toLowerCase().includes(word)));
  const found = matching(candidates, ownText, wanted);
  const holders = new Set(found);
  const smallest = found.filter((element) => {
    for (const child of element.children) if (holders.has(child)) return false;
    return true;
  });
  const shown = smallest.filter(isVisible);
  return shown.length > 0 ? shown : smallest;
}

const IMPLICIT_ROLES = [
  ["button", "button, summary, input[type=button], input[type=submit], input[type=reset], input[type=image]"],
  ["link", "a[href], area[href]"],
  ["heading", "h1, h2, h3, h4, h5, h6"],
  ["searchbox", "input[type=search]:not([list])"],
  ["spinbutton", "input[type=number]"],
  ["slider", "input[type=range]"],
  ["checkbox", "input[type=checkbox]"],
  ["radio", "input[type=radio]"],
  ["combobox", "select:not([multiple]):not([size]), input[list]"],
  ["listbox", "select[multiple], select[size], datalist"],
  ["textbox", "textarea, input:not([type]), input[type=text], input[type=email], input[type=tel], input[type=url]"],
  ["option", "option"], ["list", "ul, ol, menu"], ["listitem", "li"], ["img", "img"],
  ["navigation", "nav"], ["main", "main"], ["banner", "header"], ["contentinfo", "footer"],
  ["complementary", "aside"], ["article", "article"], ["region", "section"], ["form", "form"],
  ["search", "search"], ["table", "table"], ["rowgroup", "tbody, thead, tfoot"], ["row", "tr"],
  ["columnheader", "th"], ["cell", "td"], ["dialog", "dialog"], ["separator", "hr"],
  ["status", "output"], ["progressbar", "progress"], ["meter", "meter"], ["group", "fieldset, details"],
  ["figure", "figure"], ["paragraph", "p"], ["term", "dt"], ["definition", "dd"],
];

function roleOf(element) {
  const explicit = squeeze(element.getAttribute("role")).split(" ")[0];
  if (explicit) return explicit.toLowerCase();
  for (const [role, selector] of IMPLICIT_ROLES) if (element.matches(selector)) return role;
  return "";
}

const NAMED_BY_CONTENT = new Set([
  "button", "link", "heading", "option", "tab", "menuitem", "menuitemcheckbox", "menuitemradio",
  "checkbox", "radio", "switch", "treeitem", "cell", "columnheader", "rowheader", "row", "tooltip",
]);

function labelText(element) {
  const ids = squeeze(element.getAttribute("aria-labelledby"));
  if (ids) {
    const root = element.getRootNode();
    const named = ids.split(" ").map((id) => root.getElementById && root.getElementById(id));
    return named.filter(Boolean).map((label) => label.textContent).join(" ");
  }
  const given = element.getAttribute("aria-label");
  if (squeeze(given)) return given;
  return [...(element.labels || [])].map((label) => label.textContent).join(" ");
}

function accessibleName(element) {
  const label = squeeze(labelText(element));
  if (label) return label;
  if (element instanceof HTMLInputElement && ["button", "submit", "reset"].includes(element.type)) {
    return element.value || (element.type === "submit" ? "Submit" : element.type === "reset" ? "Reset" : "");
  }
  if (element.hasAttribute("alt")) return element.getAttribute("alt");
  const caption = element.querySelector(":scope > legend, :scope > figcaption, :scope > caption");
  if (caption) return caption.textContent;
  if (NAMED_BY_CONTENT.has(roleOf(element))) {
    const pictures = [...element.querySelectorAll("img[alt]")].map((img) => img.alt).join(" ");
    const content = squeeze(element.textContent + " " + pictures);
    if (content) return content;
  }
  return element.getAttribute("title") || element.getAttribute("placeholder") || "";
}

function byRole(role, name) {
  const candidates = everywhere("*").filter((element) =>
    roleOf(element) === role && !element.closest("[aria-hidden=true]") && isVisible(element));
  return name === null ? candidates : matching(candidates, accessibleName, name);
}

function byLabel(wanted) {
  const fields = everywhere(
    "input, textarea, select, button, meter, output, progress, [aria-label], [aria-labelledby]");
  return matching(fields.filter((field) => squeeze(labelText(field))), labelText, wanted);
}

function find(locator) {
  switch (locator.by) {
    case "css": return everywhere(locator.value);
    case "xpath": return byXPath(locator.value);
    case "text": return byText(locator.value);
    case "role": return byRole(locator.role, locator.value);
    case "label": return byLabel(locator.value);
    case "placeholder":
      return matching(everywhere("[placeholder]"), (e) => e.getAttribute("placeholder"), locator.value);
    case "test-id": return everywhere(`[data-testid=${JSON.stringify(locator.value)}]`);
  }
  throw new Error(`no such locator: ${locator.by}`);
}

function isVisible(element) {
  if (!element.isConnected) return false;
  if (element instanceof HTMLOptionElement) return !!element.closest("select, datalist");
  const style = getComputedStyle(element);
  if (style.visibility !== "visible") return false;
  if (style.display === "contents") return [...element.children].some(isVisible);
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.height > 0;
}

/// An element as a person recognises it: `<button id="buy" class="wide">Buy now</button>`.
function describe(element) {
  const tag = element.tagName.toLowerCase();
  const shown = ["id", "name", "type", "class", "role", "aria-label", "data-testid", "href"];
  let head = `<${tag}`;
  for (const name of shown) {
    const value = element.getAttribute(name);
    if (value) head += ` ${name}="${value.length > 40 ? value.slice(0, 39) + "…" : value}"`;
  }
  const text = SILENT.has(element.tagName) ? "" : squeeze(element.textContent);
  const short = text.length > 40 ? text.slice(0, 39) + "…" : text;
  return short ? `${head}>${short}</${tag}>` : `${head}>`;
}
