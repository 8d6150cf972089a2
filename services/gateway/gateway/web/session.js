/** Who the user is here: a token, kept by the browser, renewed before it expires. */

import { ApiError, guestToken } from "./api.js";
import { lasting } from "./shared/storage.js";

const MARGIN = 60_000;

/** `{token, user, expires}` as the server gave it, or null. */
export const session = () => lasting.get("session");

/** Keep a session (as `POST /api/token` gives it). */
export const keep = (value) => lasting.set("session", value);

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
  const left = known?.expires ? new Date(known.expires) - Date.now() : Infinity;
  if (known && !fresh && left > MARGIN) return known.token;
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
