/** JSON laid out for reading. Works on the text: numbers keep all their digits, names that come twice stay. */

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g;

/** The text indented by two, or null if it is no JSON object or list. */
export function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let depth = 0;
  let found = "";
  const tokens = text.match(TOKEN);
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, place) => {
    const empty = "]}".includes(tokens[place + 1]) && "[{".includes(token);
    const ended = "[{".includes(tokens[place - 1]) && "]}".includes(token);
    if ("[{".includes(token)) {
      depth += 1;
      found += empty ? token : token + line();
    } else if ("]}".includes(token)) {
      depth -= 1;
      found += ended ? token : line() + token;
    } else if (token === ",") found += token + line();
    else found += token === ":" ? ": " : token;
  });
  return found;
}

/** For `JSON.parse`: numbers that JavaScript would write otherwise (large ones, `1.0`) stay as they were written. */
export const exact = (_, value, context) =>
  typeof value === "number" && context && JSON.rawJSON && String(value) !== context.source ? JSON.rawJSON(context.source) : value;

/** Parts of laid-out JSON as `[kind, text]`: name, string, number, word (true, false, null), or plain. */
export function parts(text) {
  return [...text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|(true|false|null)|[^"\d\-tfn]+|./gs)].flatMap(
    ([all, string, colon, digits, word]) => {
      if (string) return colon ? [["name", string], ["plain", colon]] : [["string", string]];
      return [[digits ? "number" : word ? "word" : "plain", all]];
    },
  );
}

/** Bytes (base64) as lines of sixteen in hexadecimal and ASCII; at most `limit` bytes. */
export function hex(base64, limit = 4096) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).subarray(0, limit);
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const some = [...bytes.subarray(at, at + 16)];
    const codes = some.map((b) => b.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const text = some.map((b) => (b > 31 && b < 127 ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${codes}  ${text}`);
  }
  return lines.join("\n");
}
