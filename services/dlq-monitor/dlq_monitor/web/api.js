/** The service's HTTP API, as the one who is at the desk. */

import { request } from "./shared/request.js";
import { name, token } from "./session.js";

/** Get a resource; what is null or empty in the query is left out; `reviver` reads values of its JSON. */
export function get(path, query = {}, reviver) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const asked = new URLSearchParams(given).toString();
  return request(asked ? `${path}?${asked}` : path, { token: token(), reviver });
}

/** Do something; the record says who. */
export const post = (path, body = {}) => request(path, { method: "POST", token: token(), body: { actor: name(), ...body } });

/** Say something of something. */
export const patch = (path, body) => request(path, { method: "PATCH", token: token(), body: { actor: name(), ...body } });
