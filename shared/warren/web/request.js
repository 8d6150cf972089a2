/** Asking this server over HTTP. Every failure is an `ApiError` whose message a person can read. */

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

/** What a resource answers; `method`, `body` (sent as JSON), `token` and a `reviver` of its JSON as needed. */
export async function request(path, { method = "GET", body, token, reviver }) {
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
  const answer = await response.text().then((text) => JSON.parse(text, reviver)).catch(() => null);
  if (response.ok && answer) return answer;
  const said = sentence(answer?.message ?? answer?.error?.message ?? answer?.detail);
  const retryAfter = Number(answer?.retry_after ?? response.headers.get("Retry-After")) || null;
  throw new ApiError(response.status, said ?? SENTENCES[response.status] ?? "The server has a problem just now", retryAfter);
}

/** What the server says is wrong: a text, or a list of faults, each with its place. */
function sentence(said) {
  if (Array.isArray(said)) return said.map((fault) => `${fault.loc?.at(-1) ?? ""}: ${fault.msg ?? ""}`).join("; ");
  return typeof said === "string" ? said : null;
}
