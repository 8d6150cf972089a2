/** Whether someone is at the page: away after some minutes without input, or soon after it was hidden; back at once. */

const IDLE_AFTER = 5 * 60_000; // milliseconds
const HIDDEN_AFTER = 30_000;
const LOOK_EVERY = 5_000;
const INPUTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

/** Whether the page is in sight and has the focus just now. */
export const looking = () => !document.hidden && document.hasFocus();

/** Calls `tell("away" | "online")` at each change; the page begins online. */
export function watchAttendance(tell) {
  let status = "online";
  let last = Date.now();

  function look() {
    const next = Date.now() - last >= (document.hidden ? HIDDEN_AFTER : IDLE_AFTER) ? "away" : "online";
    if (next !== status) tell((status = next));
  }

  function touched() {
    last = Date.now();
    if (status === "away") look();
  }

  for (const input of INPUTS) addEventListener(input, touched, { passive: true, capture: true });
  document.addEventListener("visibilitychange", touched);
  setInterval(look, LOOK_EVERY);
}
