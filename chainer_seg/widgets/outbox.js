// Messages to Python, one at a time: clicks that have waited for the answer to others are sent together.

class Outbox {
  // Calls send(message) when Python is free.
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.sent = null; // the message that Python has not answered
  }

  add(message) {
    this.waiting.push(message);
    this.next();
  }

  next() {
    if (this.sent || this.waiting.length === 0) return;
    const message = this.waiting.shift();
    while (message.kind === "click" && this.waiting[0]?.kind === "click" &&
           this.waiting[0].image === message.image) {
      message.clicks.push(...this.waiting.shift().clicks);
    }
    message.ticket = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.sent = message;
    this.send(message);
  }

  // Returns whether it was the answer to a message of ours.
  answer(ticket) {
    if (this.sent?.ticket !== ticket) return false;
    this.sent = null;
    this.next();
    return true;
  }

  get pending() {
    return this.sent ? [this.sent, ...this.waiting] : this.waiting;
  }

  // The number of clicks and keys without an answer.
  get size() {
    return this.pending.reduce((sum, { clicks }) => sum + (clicks?.length ?? 1), 0);
  }
}
