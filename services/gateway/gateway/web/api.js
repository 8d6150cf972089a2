/** The REST interface beside the socket. Every failure is an `ApiError` whose message a person can read. */

import { address, request } from "./shared/request.js";

export { ApiError, address } from "./shared/request.js";

/** The address of the socket. */
export function socketAddress() {
  const url = address("ws");
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  return url.href;
}

/** A guest's token: `{token, user: {id, name}, expires}`; without a name the server makes one up. With a guest's present
 * `token` it is a fresh one for the same guest. */
export const guestToken = (name, token) => request("api/token", { method: "POST", body: name ? { name } : {}, token });

/** The resources that need a token; `token({fresh})` gives one. */
export function createApi(token) {
  async function get(path) {
    try {
      return await request(path, { token: await token({ fresh: false }) });
    } catch (error) {
      if (error.status !== 401) throw error;
      return request(path, { token: await token({ fresh: true }) });
    }
  }
  const room = (name) => `api/rooms/${encodeURIComponent(name)}`;
  return {
    /** `[{room, seq, time}]` */
    rooms: async () => (await get("api/rooms")).rooms,
    /** `{entries, seq, truncated}`; `range` is some of `after`, `before`, `limit`. */
    entries: (name, range) => get(`${room(name)}/entries?${new URLSearchParams(range)}`),
    /** `{members, count, rev}` */
    members: (name) => get(`${room(name)}/members`),
  };
}
