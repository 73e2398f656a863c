/** The token: taken from the address once, kept for this tab, asked for when refused; and its use. */

import { byId, say } from "./dom.js";

const KEY = "braincast-token";

/** The token of `#token=...`, which leaves the address bar, or the one this tab had. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

/** Ask for a token, saying why; `use` is called with what was entered. */
export function askToken(reason, use) {
  const dialog = byId("ask");
  say(byId("ask-reason"), reason);
  byId("ask-form").onsubmit = (submission) => {
    submission.preventDefault();
    const field = byId("ask-token");
    const token = field.value.trim();
    if (!token) return;
    // People paste the whole line that the server printed as readily as the token in it.
    const bare = token.split("#token=").pop();
    sessionStorage.setItem(KEY, bare);
    field.value = "";
    dialog.close();
    use(bare);
  };
  if (!dialog.open) dialog.showModal();
}

/** Ask the server for JSON. */
export async function get(path, token) {
  return (await request(path, token)).json();
}

/** Save what the server has at `path` as a file: a link could not carry the token. */
export async function download(path, name, token) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await request(path, token)).blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function request(path, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers });
  if (!answer.ok) throw new Error(`${path} was refused (HTTP ${answer.status})`);
  return answer;
}
