/** Asks again and again while someone looks; waits longer each time the service is away. */

const EVERY = 2_000;
const AWAY = [2_000, 4_000, 8_000, 15_000];

/** `ask` is called in turns; when it fails, `away(error, milliseconds until the next turn)` is, and `back()` after that. */
export class Poll {
  #ask;
  #away;
  #back;
  #timer = 0;
  #failures = 0;
  #running = false;
  #again = false;
  #on = false;

  constructor({ ask, away, back }) {
    this.#ask = ask;
    this.#away = away;
    this.#back = back;
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.#timer) : this.now()));
  }

  start() {
    this.#on = true;
    this.now();
  }

  stop() {
    this.#on = false;
    clearTimeout(this.#timer);
  }

  /** Ask at once; if a turn is under way, once more after it. */
  async now() {
    if (!this.#on) return;
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    clearTimeout(this.#timer);
    while (this.#again && this.#on) {
      this.#again = false;
      await this.#turn();
    }
    this.#running = false;
  }

  async #turn() {
    let wait = EVERY;
    try {
      await this.#ask();
      this.#failures = 0;
      this.#back();
    } catch (error) {
      wait = AWAY[Math.min(this.#failures++, AWAY.length - 1)];
      this.#away(error, wait);
    }
    clearTimeout(this.#timer);
    if (this.#on && !document.hidden) this.#timer = setTimeout(() => this.now(), wait);
  }
}
