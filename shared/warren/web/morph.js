/**
 * Make what is shown what it should be, and touch only what differs: focus, selection, scrolling, what one is typing
 * and which details are open stay. Elements with `data-key` are found again wherever they go.
 */

import { listen, listeners } from "./dom.js";

/** Make the children of `parent` like the nodes `wanted`. */
export function morph(parent, wanted) {
  const focused = document.activeElement;
  children(parent, wanted);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

const keyOf = (node) => node.dataset?.key;

function children(parent, wanted) {
  const keyed = new Map([...parent.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let at = parent.firstChild;
  for (const fresh of wanted) {
    let old = keyOf(fresh) ? keyed.get(keyOf(fresh)) : at;
    if (!keyOf(fresh)) while (old && keyOf(old)) old = old.nextSibling;
    if (!old || old.nodeName !== fresh.nodeName) {
      parent.insertBefore(fresh, at);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else parent.insertBefore(old, at);
    become(old, fresh);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function become(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const untouched = old.value === preset(old);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const [event, call] of listeners(fresh)) listen(old, event, call);
  children(old, [...fresh.childNodes]);
  if (untouched && preset(fresh) !== undefined && old.value !== preset(fresh)) old.value = preset(fresh);
}

/** The value that a field was made with. */
function preset(field) {
  if (field.localName !== "select") return field.defaultValue;
  return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value;
}
