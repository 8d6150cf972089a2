/** A person's sign: initials on one of twelve colours, always the same for a user. */

import { bucket, initials } from "../text.js";
import { h } from "../shared/dom.js";

/** A new avatar. */
export const avatar = (user) => paint(h("span", { class: "avatar", "aria-hidden": "true" }), user);

/** Make an existing element a user's avatar. */
export function paint(element, user) {
  element.dataset.hue = bucket(user.id, 12);
  element.textContent = initials(user.name);
  return element;
}
