/** The REST interface beside the socket. Every failure is an `ApiError` whose message a person can read. */

const TIMEOUT = 12_000;
const SENTENCES = {
  401: "The server did not accept the sign-in",
  403: "The server does not allow this",
  404: "The server does not know this",
  422: "The server does not accept this",
  413: "That is too long for the server",
  429: "That was too fast for the server",
};

/** `status` is 0 when no answer came; `retryAfter` is in seconds where the server said so. */
export class ApiError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.permanent = [400, 401, 403, 404, 405, 409, 413, 422].includes(status);
  }
}

/** The address of a resource of this server, wherever the page is mounted. */
export const address = (path) => new URL(path, document.baseURI);

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

async function request(path, { method = "GET", body, token }) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    response = await fetch(address(path), { method, headers, signal, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The server cannot be reached");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const said = answer?.message ?? answer?.error?.message ?? answer?.detail;
  const retryAfter = Number(answer?.retry_after ?? response.headers.get("Retry-After")) || null;
  const sentence = SENTENCES[response.status] ?? "The server has a problem just now";
  throw new ApiError(response.status, typeof said === "string" ? said : sentence, retryAfter);
}
