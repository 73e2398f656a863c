/** Making and filling elements. Text is only ever set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

/** Set a text, only if it changed: screen readers would read it again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** One of the shapes of index.html: right, near, wrong, none. */
export function shape(kind) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `shape ${kind}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#shape-${kind}`);
  svg.append(use);
  return svg;
}

/** An emoji, hidden from screen readers, since its word stands beside it. */
export function glyph(text) {
  const node = make("span", "glyph", text);
  node.setAttribute("aria-hidden", "true");
  return node;
}

export function percent(share) {
  const value = 100 * share;
  return `${value.toFixed(value === 0 || value >= 9.95 ? 0 : value < 0.995 ? 2 : 1)} %`;
}

/** Whether this machine can draw emoji: without a font all of them are the same empty box. */
export function hasEmoji() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 24;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const draw = (text) => {
    pen.clearRect(0, 0, 24, 24);
    pen.font = "18px sans-serif";
    pen.fillText(text, 0, 19);
    return pen.getImageData(0, 0, 24, 24).data.join();
  };
  return draw("\u{1F408}") !== draw("\u{1F697}");
}
