/** The button that changes between light and dark. Choosing what the system has means: follow the system. */

import { lasting } from "./storage.js";
import { $ } from "./dom.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const wanted = () => lasting.get("theme") ?? (system.matches ? "dark" : "light");

/** Make the button work. */
export function setUpTheme() {
  $("theme-toggle").addEventListener("click", () => {
    const next = wanted() === "dark" ? "light" : "dark";
    if (next === (system.matches ? "dark" : "light")) lasting.remove("theme");
    else lasting.set("theme", next);
    draw();
  });
  system.addEventListener("change", draw);
  draw();
}

function draw() {
  const [now, other] = wanted() === "dark" ? ["dark", "light"] : ["light", "dark"];
  const root = document.documentElement;
  if (lasting.get("theme")) root.dataset.theme = now;
  else delete root.dataset.theme;
  const button = $("theme-toggle");
  button.setAttribute("aria-label", `Change to ${other} colours`);
  button.title = `Change to ${other} colours`;
  button.querySelector("use").setAttribute("href", now === "dark" ? "#i-sun" : "#i-moon");
  document.querySelector("meta[name=theme-color]").content = now === "dark" ? "#1d211f" : "#f3f1ec";
}
