/** Charts as SVG: one path each, so that hundreds of them cost little. */

import { ago, full, number, span } from "../words.js";

const NS = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const picture = (kind, width, height, label, ...children) =>
  svg("svg", { class: kind === "progress" ? kind : `chart ${kind}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": label }, ...children);

/** Small bars of counts over seven days. */
export function bars(series) {
  const most = Math.max(...series);
  const total = series.reduce((a, b) => a + b, 0);
  const height = (n) => (n ? Math.max(2, (n / most) * 30) : 0);
  const path = series.map((n, x) => (n ? `M${x * 3 + 0.4} 32h2.2v-${height(n)}h-2.2z` : "")).join("");
  return picture("bars", series.length * 3, 32, `${number(total)} in seven days`, svg("path", { d: path }));
}

/** Hours of seven days, with a title for each that has letters. */
export function hours(found) {
  const last = Math.floor(Date.now() / 3.6e6);
  const at = found.map(({ time, count }) => [167 - (last - Math.floor(new Date(time) / 3.6e6)), time, count]);
  const most = Math.max(1, ...found.map((f) => f.count));
  const some = at.map(([x, time, count]) => {
    const tall = Math.max(2, (count / most) * 86);
    return svg("rect", { x: x * 4 + 0.4, y: 90 - tall, width: 3.2, height: tall },
      svg("title", {}, document.createTextNode(`${number(count)} within the hour from ${full(time)}`)));
  });
  const total = found.reduce((sum, f) => sum + f.count, 0);
  return picture("bars big", 672, 90, `${number(total)} in seven days, at most ${number(most)} in an hour`, ...some);
}

/** A small line of depths. */
export function line(depths) {
  const most = Math.max(1, ...depths);
  const step = 120 / Math.max(1, depths.length - 1);
  const points = depths.map((d, n) => `${n ? "L" : "M"}${(n * step).toFixed(1)} ${(30 - (d / most) * 28).toFixed(1)}`).join("");
  const words = `${number(depths.at(-1) ?? 0)} now, at most ${number(Math.max(0, ...depths))} in ten minutes`;
  return picture("line", 120, 32, words, svg("path", { class: "under", d: `${points}L120 32L0 32z` }), svg("path", { d: points }));
}

/** A queue's depth over time: `samples` as the service gives them. */
export function depths(samples) {
  const known = samples.map((s) => [new Date(s.time).getTime(), s.ready + (s.unacked ?? 0)]);
  const [first, last] = [known[0]?.[0] ?? 0, known.at(-1)?.[0] ?? 1];
  const most = Math.max(1, ...known.map(([, n]) => n));
  const x = (time) => (((time - first) / Math.max(1, last - first)) * 672).toFixed(1);
  const points = known.map(([time, n], place) => `${place ? "L" : "M"}${x(time)} ${(150 - (n / most) * 140).toFixed(1)}`).join("");
  const label = `Depth over ${span((last - first) / 1000)}, at most ${number(most)}`;
  return picture("line big", 672, 150, label, svg("path", { class: "under", d: `${points}L672 150L0 150z` }), svg("path", { d: points }));
}

/** Parts of a whole as one bar: `[class, count]` each. */
export function progress(parts, total, label) {
  let at = 0;
  const rects = parts.map(([kind, count]) => {
    const width = (count / Math.max(1, total)) * 1000;
    at += width;
    return svg("rect", { class: kind, x: at - width, y: 0, width, height: 12 });
  });
  return picture("progress", 1000, 12, label, ...rects);
}

/** The colour of a part, for a legend. */
export const swatch = (kind) => svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: kind, width: 10, height: 10, rx: 3 }));

/** What stands under a chart: where it begins and ends, and its top. */
export const scale = (most, from) => [`at most ${number(most)}`, from ? ago(from) : "", "now"];
