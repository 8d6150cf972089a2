/** Text for people: links in messages, times, names. Text stays text: nothing here makes HTML of it. */

const LINK = /https?:\/\/[^\s<>"'`\u0000-\u001f]+/giu;
const EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u{fe0f}\u{200d}\p{Extended_Pictographic}]*|\p{RI}{2}|[\s])+$/u;

/** Split a text into `{text}` and `{text, href}`; only http and https become links. */
export function linkify(body) {
  const parts = [];
  let from = 0;
  for (const match of body.matchAll(LINK)) {
    const text = trimmed(match[0]);
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!url?.hostname || url.username) continue; // what stands before an @ only pretends to be the address
    if (match.index > from) parts.push({ text: body.slice(from, match.index) });
    parts.push({ text, href: url.href });
    from = match.index + text.length;
  }
  if (from < body.length) parts.push({ text: body.slice(from) });
  return parts;
}

/** A link ends before the punctuation of its sentence, but keeps brackets that it opened. */
function trimmed(link) {
  let text = link;
  for (;;) {
    const last = text.at(-1);
    const opening = { ")": "(", "]": "[", "}": "{" }[last];
    const closes = opening && text.split(opening).length < text.split(last).length;
    if (!closes && !".,;:!?…*_~،؛؟。，！？、".includes(last)) return text;
    text = text.slice(0, -1);
  }
}

/** Whether a text is a few emoji and nothing else. */
export const onlyEmoji = (body) => body.length <= 32 && body.trim() !== "" && EMOJI.test(body);

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });

/** The time of day. */
export const timeOfDay = (date) => clock.format(date);

/** Date and time to the second. */
export const fullTime = (date) => full.format(date);

/** A key that is the same for all moments of one local day. */
export const dayKey = (date) => `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;

/** The day, as a heading. */
export function dayName(date, now = new Date()) {
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (dayKey(date) === dayKey(now)) return "Today";
  if (dayKey(date) === dayKey(yesterday)) return "Yesterday";
  return (date.getFullYear() === now.getFullYear() ? weekday : withYear).format(date);
}

/** How long ago, roughly. */
export function ago(date, now = Date.now()) {
  const minutes = Math.round((date - now) / 60_000);
  if (minutes > -1) return "now";
  if (minutes > -60) return relative.format(minutes, "minute");
  if (minutes > -60 * 24) return relative.format(Math.round(minutes / 60), "hour");
  return relative.format(Math.round(minutes / 60 / 24), "day");
}

/** A wait in words. */
export function wait(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  return whole === 1 ? "1 second" : whole < 120 ? `${whole} seconds` : `${Math.round(whole / 60)} minutes`;
}

/** One or two letters for an avatar. */
export function initials(name) {
  const words = name.match(/\p{L}[^\s._-]*/gu) ?? [name];
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0]).join("").toUpperCase();
}

/** One of `n` for an id, always the same. */
export function bucket(id, n) {
  let hash = 2166136261;
  for (const character of id) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
  return (hash >>> 0) % n;
}

/** "Ada", "Ada and Ben", "Ada, Ben and 3 others". */
export function listing(names, most = 3) {
  if (names.length <= 1) return names.join("");
  const hidden = names.length > most ? names.length - most + 1 : 0;
  const shown = hidden ? names.slice(0, most - 1) : names.slice(0, -1);
  return `${shown.join(", ")} and ${hidden ? `${hidden} others` : names.at(-1)}`;
}

/** A server's message as the beginning of a sentence. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A server's error as whole sentences; `after` is the wait in seconds until it is tried again, or null. */
export function plain(message, after) {
  const said = /[.!?]$/.test(message) ? sentence(message) : `${sentence(message)}.`;
  return after === null ? said : `${said} Trying again in ${wait(after)}.`;
}
