// What stands where, in words: text runs with their boxes and the looks of what owns them.

const TEXTS_MAX = 4000, BOXES_MAX = 2000;

/// A selector that names one element and survives most edits: the nearest id, then steps.
function pathOf(element) {
  const steps = [];
  for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
    if (at.id && document.querySelectorAll(`#${CSS.escape(at.id)}`).length === 1) {
      steps.unshift(`#${CSS.escape(at.id)}`);
      return steps.join(" > ");
    }
    const testId = at.getAttribute("data-testid");
    if (testId) {
      steps.unshift(`[data-testid=${JSON.stringify(testId)}]`);
      return steps.join(" > ");
    }
    const tag = at.tagName.toLowerCase();
    const alike = at.parentElement
      ? [...at.parentElement.children].filter((other) => other.tagName === at.tagName) : [];
    steps.unshift(alike.length > 1 ? `${tag}:nth-of-type(${alike.indexOf(at) + 1})` : tag);
  }
  return steps.join(" > ") || element.tagName.toLowerCase();
}

const round = (number) => Math.round(number * 100) / 100;

function looksOf(style) {
  return {
    color: style.color, font_family: style.fontFamily, font_size: style.fontSize,
    font_weight: style.fontWeight, font_style: style.fontStyle,
    text_decoration: style.textDecorationLine,
  };
}

function isSecret(element) {
  return !!element.closest("[data-secret], [data-coalmine-secret]")
    || (element instanceof HTMLInputElement && element.type === "password");
}

function sidecar() {
  const texts = [], boxes = [];
  const range = document.createRange();
  const owners = new Map();
  const ownerOf = (element) => {
    if (!owners.has(element)) owners.set(element, { path: pathOf(element), style: getComputedStyle(element) });
    return owners.get(element);
  };
  const shown = (element, box) => box.width > 0 && box.height > 0
    && ownerOf(element).style.visibility === "visible";
  const place = (box) => [round(box.left + scrollX), round(box.top + scrollY), round(box.width), round(box.height)];
  for (const scope of scopes(document)) {
    const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.nodeType === Node.TEXT_NODE) {
        const text = squeeze(node.data), owner = node.parentElement;
        if (!text || !owner || SILENT.has(owner.tagName) || texts.length >= TEXTS_MAX) continue;
        range.selectNodeContents(node);
        const box = range.getBoundingClientRect();
        if (!shown(owner, box)) continue;
        const { path, style } = ownerOf(owner);
        texts.push({ text: isSecret(owner) ? "***" : text, box: place(box), owner: path, looks: looksOf(style) });
      } else if (boxes.length < BOXES_MAX) {
        const field = node.matches("input, textarea, select");
        const style = getComputedStyle(node);
        const drawn = style.backgroundColor !== "rgba(0, 0, 0, 0)" || style.backgroundImage !== "none"
          || style.borderTopWidth !== "0px" || style.boxShadow !== "none"
          || field || node.matches("img, svg, canvas, video, iframe");
        if (!drawn) continue;
        owners.set(node, { path: pathOf(node), style });
        const box = node.getBoundingClientRect();
        if (!shown(node, box)) continue;
        boxes.push({
          box: place(box), owner: owners.get(node).path,
          background: style.backgroundColor, border: `${style.borderTopWidth} ${style.borderTopColor}`,
          radius: style.borderTopLeftRadius, shadow: style.boxShadow, opacity: style.opacity,
          value: field ? (isSecret(node) ? "***" : squeeze(node.value)) : undefined,
        });
      }
    }
  }
  return { texts, boxes };
}
