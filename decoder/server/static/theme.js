/** Light or dark: the system's choice until the button is pressed. */

import { byId } from "./dom.js";

const KEY = "braincast-theme";

/** Wire the button; `changed` is called whenever colours changed. */
export function startTheme(changed) {
  const system = matchMedia("(prefers-color-scheme: light)");
  const button = byId("theme");
  const apply = () => {
    const theme = localStorage.getItem(KEY) ?? (system.matches ? "light" : "dark");
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
    changed();
  };
  button.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme === "dark";
    localStorage.setItem(KEY, dark ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
