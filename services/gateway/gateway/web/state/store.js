/**
 * The state of the page in one place; whoever draws is told once per animation frame, however much changed.
 */

/** A store over `initial`; `schedule(callback)` says when the subscribers are told. */
export function createStore(initial, schedule = whenDrawing) {
  let state = initial;
  let told = initial;
  let waiting = false;
  const subscribers = [];

  function tell() {
    waiting = false;
    const [now, before] = [state, told];
    told = now;
    for (const subscriber of subscribers) subscriber(now, before);
  }

  return {
    get: () => state,
    /** Replace some fields. */
    set(patch) {
      state = { ...state, ...patch };
      if (!waiting) {
        waiting = true;
        schedule(tell);
      }
    },
    /** Be told of changes as `(now, before)`. */
    subscribe: (subscriber) => subscribers.push(subscriber),
  };
}

/** Hidden pages get no animation frames, but their title must go on counting. */
function whenDrawing(callback) {
  if (document.hidden) setTimeout(callback, 250);
  else {
    let done = false;
    const once = () => {
      if (!done) callback();
      done = true;
    };
    requestAnimationFrame(once);
    setTimeout(once, 250); // the page may become hidden before the frame
  }
}
