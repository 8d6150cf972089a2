/* A classic script, run before the first paint: the chosen theme, if one was chosen, else the system's. */
(() => {
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("warren.theme"));
  } catch {
    // Storage is forbidden: the system's theme it is.
  }
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
