/** Which channels are drawn, where there are too many to tell apart. */

import { byId } from "./dom.js";

const ENOUGH = 80; // more cannot be told apart at 720 pixels
const GROUP = 64;

/**
 * Offer groups of channels; `show` is called with the first of them and how many.
 *
 * @param {string[]} names
 * @param {(first: number, n: number) => void} show
 */
export function offerRows(names, show) {
  const choice = byId("plot-rows");
  choice.hidden = names.length <= ENOUGH;
  const groups = [[0, names.length]];
  for (let first = 0; first < names.length; first += GROUP) {
    groups.push([first, Math.min(GROUP, names.length - first)]);
  }
  const words = ([first, n], k) => (k ? `${names[first]} to ${names[first + n - 1]}` : `all ${n}`);
  const options = groups.map((group, k) => new Option(words(group, k), k));
  choice.replaceChildren(...options);
  choice.onchange = () => show(...groups[choice.value]);
}
