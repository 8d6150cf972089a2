/**
 * Brings own messages to the server: sends, waits for the ack, sends again under the same id, or fails visibly.
 * A message is sent only into a joined room; what is open is sent again when the room is joined again.
 */

import { uuid7 } from "./ids.js";
import { plain, sentence } from "./text.js";

const ACK_WITHIN = 15_000;
const ATTEMPTS = 5;

export class Delivery {
  #link;
  #sent = new Map(); // message id → {name, timer, attempts}

  /** `link` has `send(frame)`, `join(name)`, `room(name)`, `dispatch(name, action)`, `tell(text, {kind})`. */
  constructor(link) {
    this.#link = link;
  }

  /** Say something in a room; with `target`, change that message: another body, or null to delete it. */
  say(name, body, target = null) {
    const id = uuid7();
    this.#link.dispatch(name, { type: "post", id, body, target, at: Date.now() });
    this.#send(name, id);
  }

  /** Send a failed message again, under its own id. */
  retry(name, id) {
    this.#link.dispatch(name, { type: "retry", id });
    this.#done(id);
    this.#send(name, id);
  }

  /** The room is joined: send what is open there. */
  resume(name) {
    for (const { id } of this.#link.room(name)?.pending ?? []) this.#send(name, id);
  }

  /** The connection is lost: no answer will come to what was sent. */
  reset() {
    for (const id of [...this.#sent.keys()]) this.#done(id);
  }

  /** An `ack` of a message. */
  acknowledged({ id, room }) {
    this.#done(id);
    this.#link.dispatch(room, { type: "ack", id });
  }

  /** A `rejected` frame: a rule refused what had been accepted. */
  rejected({ room, id, message }) {
    this.#done(id);
    this.#link.dispatch(room, { type: "rejected", id, message: sentence(message) });
  }

  /** An `error` frame; returns false if it is not about a message. */
  refused({ ref, id = ref, code, message, retry_after: after = null }) {
    const sent = this.#sent.get(id);
    if (!sent) return false;
    clearTimeout(sent.timer);
    if (code === "not_joined") this.#link.join(sent.name);
    else if (after === null) this.#fail(sent.name, id, sentence(message));
    else {
      sent.timer = setTimeout(() => this.#send(sent.name, id), after * 1000);
      const why = code === "rate_limited" ? message : "your message is not sent yet"; // others speak to programs
      this.#link.tell(plain(why, after), { kind: "problem" });
    }
    return true;
  }

  #send(name, id) {
    const room = this.#link.room(name);
    const message = room?.pending.find((p) => p.id === id && p.status === "pending");
    if (!message || !room.joined) return;
    const attempts = (this.#sent.get(id)?.attempts ?? 0) + 1;
    this.#done(id);
    if (attempts > ATTEMPTS) {
      this.#fail(name, id, "The server did not take it");
    } else if (this.#link.send({ ...frameOf(message), id, room: name, ref: id })) {
      const timer = setTimeout(() => this.#fail(name, id, "The server did not answer"), ACK_WITHIN);
      this.#sent.set(id, { name, timer, attempts });
    }
  }

  #fail(name, id, reason) {
    this.#done(id);
    this.#link.dispatch(name, { type: "failed", id, reason });
  }

  #done(id) {
    clearTimeout(this.#sent.get(id)?.timer);
    this.#sent.delete(id);
  }
}

function frameOf({ body, target }) {
  if (target === null) return { type: "message", body };
  return body === null ? { type: "delete", target } : { type: "edit", target, body };
}
