/** How far the user has read, told to the server, which keeps it and tells the user's other devices. */

const TELL_EVERY = 1_000;

export class Reading {
  #room;
  #send;
  #told = new Map(); // room → the last seq that the server knows to be read
  #telling = new Set(); // rooms of which the server will be told soon

  /** `room(name)` returns its state, `send(frame)` whether it went out. */
  constructor({ room, send }) {
    this.#room = room;
    this.#send = send;
  }

  /** The server says how far was read, here or elsewhere. */
  known(name, seq) {
    this.#told.set(name, seq);
  }

  /** Tell it if it knows less, once a second at most. */
  tell(name) {
    if (!this.#isNews(name) || this.#telling.has(name)) return;
    this.#telling.add(name);
    setTimeout(() => {
      this.#telling.delete(name);
      if (!this.#isNews(name)) return;
      const seq = this.#room(name).read;
      if (this.#send({ type: "read", room: name, seq })) this.#told.set(name, seq);
    }, TELL_EVERY);
  }

  #isNews(name) {
    const room = this.#room(name);
    return Boolean(room?.joined) && room.read > (this.#told.get(name) ?? 0);
  }
}
