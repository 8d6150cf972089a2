/** What a close code asks of the client (the server's table: `warren.contracts.closing`). */

const RETRY = { reconnect: true, after: 0, token: "keep", reason: "The connection was lost" };

const CODES = {
  1002: { after: 1, reason: "The server did not understand this page" },
  1003: { after: 1, reason: "The server did not understand this page" },
  1007: { after: 1, reason: "The server did not understand this page" },
  1009: { after: 1, reason: "A message was too big for the server" },
  1011: { after: 1, reason: "The server had a problem" },
  4001: { token: "fresh", reason: "The server did not accept the sign-in" },
  4002: { token: "fresh", reason: "The sign-in had expired" },
  4003: { reconnect: false, reason: "The server does not allow connections from this page" },
  4008: { after: 1, reason: "This connection was too slow" },
  4009: { after: 5, reason: "Too much was sent at once" },
  4010: { reason: "The server is restarting" },
  4011: { after: 2, reason: "The server cannot serve just now" },
  4012: { after: 1, reason: "The connection was lost" },
};

/** `{reconnect, after (seconds, at the least), token: "keep" | "fresh", reason}` of a close code. */
export const closing = (code) => ({ ...RETRY, ...CODES[code] });
