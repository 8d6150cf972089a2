/** Who is at the desk: a token and a name, kept for this tab. */

import { request } from "./shared/request.js";
import { perTab } from "./shared/storage.js";

const TOKEN = "desk.token";
const NAME = "desk.name";

let known = { name: null, role: "reader" };

/** Take a token from the address (`#token=…`) and remove it there, before anything else looks at the address. */
export function takeToken() {
  const given = /^#token=([^&]+)/.exec(location.hash);
  if (!given) return;
  history.replaceState(null, "", `${location.pathname}${location.search}#/groups`);
  try {
    perTab.set(TOKEN, decodeURIComponent(given[1]));
  } catch {
    // No token at all: the page asks for one.
  }
}

export const token = () => perTab.get(TOKEN);
export const keepToken = (value) => perTab.set(TOKEN, value);
export const keepName = (name) => perTab.set(NAME, name);

/** Ask the service whose token it is; fails with an `ApiError` if it takes none of it. */
export async function identify() {
  known = await request("session", { token: token() });
  return known;
}

/** The name that stands beside decisions: the token's, else what was typed here. */
export const name = () => known.name ?? perTab.get(NAME);

/** Whether this person may change anything. */
export const mayChange = () => known.role === "operator";

/** Whether it has to be asked for a name: a reader decides nothing, so needs none. */
export const lacksName = () => mayChange() && !name();

/** Forget all of it. */
export function forget() {
  perTab.remove(TOKEN);
  perTab.remove(NAME);
}
