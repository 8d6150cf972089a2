/** Numbers, times and statuses in words. */

const STEPS = [
  [60, "s", 1],
  [3600, "min", 60],
  [48 * 3600, "h", 3600],
  [Infinity, "days", 86400],
];

/** How long: "5 s", "3 min", "7 h", "4 days"; null is unknown. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  const [, unit, size] = STEPS.find(([below]) => seconds < below);
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** How long ago or until: "3 min ago", "in 2 h". */
export function ago(iso) {
  const seconds = (Date.now() - new Date(iso)) / 1000;
  if (Math.abs(seconds) < 3) return "just now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

/** A time in full, as the person's own clock has it. */
export const full = (iso) =>
  new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const number = (n) => n.toLocaleString("en");

/** "1 letter", "30 letters". */
export const letters = (n) => `${number(n)} ${n === 1 ? "letter" : "letters"}`;

/** A rate in messages a second. */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value < 10 ? String(Math.round(value * 10) / 10) : number(Math.round(value));
}

export function bytes(size) {
  for (const [unit, below, by] of [["bytes", 1024, 1], ["KiB", 2 ** 20, 1024], ["MiB", 2 ** 30, 2 ** 20]]) {
    if (size < below) return `${Math.round((size / by) * 10) / 10} ${unit}`;
  }
  return `${Math.round((size / 2 ** 30) * 10) / 10} GiB`;
}

/** What the status of a letter means. */
export const STATUS = {
  new: "Nothing has been decided about it.",
  held: "It waits for a person to decide.",
  retrying: "A rule sends it again by itself.",
  replayed: "It was sent again; what becomes of it is awaited.",
  resolved: "It was sent again, and its effect was seen.",
  returned: "It was sent again and died again, as another letter.",
  discarded: "It was given up. It stays on record and can be restored.",
  replaced: "An edited copy was sent in its place.",
  edited: "An edited copy that has not taken its original's place yet.",
};

export const OPEN = ["new", "held", "retrying"];
