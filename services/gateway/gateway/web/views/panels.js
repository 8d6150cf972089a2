/** The panels at the sides: always there on a wide screen, drawn over the room on a narrow one. */

import { lasting } from "../shared/storage.js";
import { $ } from "../shared/dom.js";

const narrow = matchMedia("(max-width: 760px)");
const medium = matchMedia("(max-width: 1080px)");
const covers = { sidebar: narrow, people: medium };
const openers = { sidebar: "sidebar-open", people: "people-toggle" };

/** Make the panels work; `restore()` puts the focus back where one writes. */
export function setUpPanels() {
  $("sidebar-open").addEventListener("click", () => show("sidebar", true));
  $("sidebar-close").addEventListener("click", () => show("sidebar", false));
  $("people-toggle").addEventListener("click", () => show("people", !isOpen("people")));
  $("people-close").addEventListener("click", () => show("people", false));
  $("veil").addEventListener("click", closeCovering);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) closeCovering();
  });
  for (const query of [narrow, medium]) query.addEventListener("change", settle);
  settle();
}

/** Close whatever covers the room; true if something did. */
export function closeCovering() {
  const covering = Object.keys(covers).filter((id) => isOpen(id) && covers[id].matches);
  for (const id of covering) show(id, false);
  return covering.length > 0;
}

const isOpen = (id) => $(id).classList.contains("open");

/** After a change of width: nothing covers; on a wide screen both are shown as they were. */
function settle() {
  set("sidebar", !narrow.matches);
  set("people", !medium.matches && lasting.get("people", true));
}

function show(id, open) {
  set(id, open);
  if (id === "people" && !medium.matches) lasting.set("people", open);
  const from = open ? $(id).querySelector("button:not([hidden]), input") : $(openers[id]);
  if (covers[id].matches || !open) (open ? $(`${id}-close`) : from).focus();
}

function set(id, open) {
  $(id).classList.toggle("open", open);
  $(openers[id]).setAttribute("aria-expanded", String(open));
  const covering = Object.keys(covers).some((panel) => isOpen(panel) && covers[panel].matches);
  $("veil").hidden = !covering;
  $("main").inert = covering;
  for (const panel of Object.keys(covers)) $(panel).inert = covering && panel !== id && isOpen(id);
}
