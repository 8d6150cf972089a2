/** Elements from JavaScript. Children that are strings become text nodes: no HTML is ever parsed. */

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

const calls = new WeakMap();

/** Call `call` on an event of an element, in place of what was called on it before. */
export function listen(element, event, call) {
  if (!calls.has(element)) calls.set(element, {});
  const known = calls.get(element);
  if (!(event in known)) element.addEventListener(event, (happened) => known[event](happened));
  known[event] = call;
}

/** The listeners of an element by event, as `listen` set them. */
export const listeners = (element) => Object.entries(calls.get(element) ?? {});

/**
 * A new element. In `props`, `class`, `data` (an object) and `on` (listeners by event) are what they say;
 * the rest are attributes, left out where null or false. Children that are null or false are left out too.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") for (const [event, call] of Object.entries(value)) listen(element, event, call);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((c) => c !== null && c !== false && c !== undefined));
  return element;
}

/** An icon of those in the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Change a text only if it differs, for live regions speak whenever they are touched. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make the children of `parent` the nodes `wanted`, in order, touching only what differs. */
export function arrange(parent, wanted) {
  let at = parent.firstChild;
  for (const node of wanted) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
