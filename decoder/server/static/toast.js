/** One line that says what came of what the person at the page did; it goes by itself. */

import { byId, say } from "./dom.js";

const STAYS = { good: 4000, bad: 12000 }; // ms
let timer = 0;

/** @param {"good" | "bad"} tone */
export function toast(text, tone = "good") {
  const node = byId("toast");
  node.dataset.tone = tone;
  node.hidePopover();
  node.showPopover(); // above panels that were opened since
  say(node, text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    say(node, "");
    node.hidePopover();
  }, STAYS[tone]);
}
