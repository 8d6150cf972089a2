/** Who the user is here: a token, kept by the browser, renewed before it expires. */

import { ApiError, guestToken } from "./api.js";
import { lasting } from "./shared/storage.js";

const MARGIN = 60_000; // milliseconds before its end that a token is renewed; half of its life, if that is short

/** `{token, user, expires}` as the server gave it, with `since` when (milliseconds), or null. */
export const session = () => lasting.get("session");

/** Keep a session (as `POST /api/token` gives it). */
export const keep = (value) => lasting.set("session", { since: Date.now(), ...value });

/** Forget who this is. */
export const forget = () => lasting.remove("session");

/** The user goes by another name (or the server said who a pasted token is). */
export function identify(user) {
  const known = session();
  if (known) keep({ ...known, user });
}

/** Sign in with a token that was made elsewhere. */
export const useToken = (token) => keep({ token, user: null, expires: null });

/** Whether the token at hand was made elsewhere. */
export const isForeign = () => session()?.expires === null;

let renewal = null;

/** A valid token; `fresh`: not the one at hand, for the server refused it. */
export async function token({ fresh = false } = {}) {
  const known = session();
  const end = known?.expires ? Date.parse(known.expires) : Infinity;
  const margin = Math.min(MARGIN, (end - (known?.since ?? 0)) / 2);
  if (known && !fresh && end - Date.now() > margin) return known.token;
  if (known && isForeign()) throw new ApiError(401, "The access token is not valid any more");
  renewal ??= renew(known).finally(() => (renewal = null));
  return renewal;
}

/** The same guest goes on while the token at hand is good; else it is a new guest, by the same name. */
async function renew(known) {
  const name = known?.user?.name;
  const next = await guestToken(name, known?.token).catch((error) => {
    if (!known || ![401, 403].includes(error.status)) throw error;
    return guestToken(name);
  });
  keep(next);
  return next.token;
}
