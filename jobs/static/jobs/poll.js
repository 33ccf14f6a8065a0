// Keeps the cards of unfinished jobs up to date. All wording comes from the server's HTML; without this script the pages
// load themselves again (see jobs/_refresh.html).
//
// A card is <div data-poll="address of its status.json">…<div data-card>the card</div></div>, see jobs/_live.html.

const FIRST = 300; // ms until the first look: quick jobs are done by then
const TIMEOUT = 15_000; // ms after which a request without an answer is given up
const BACKOFF = 1_000; // ms before the first new try after an error; doubles up to BACKOFF_MAX
const BACKOFF_MAX = 30_000;

/** Milliseconds before the next try after `failures` errors in a row: exponential, half of it random. */
export function pause(failures, random = Math.random) {
  const ceiling = Math.min(BACKOFF * 2 ** (failures - 1), BACKOFF_MAX);
  return ceiling * (0.5 + random() / 2);
}

/**
 * Asks for the status of several jobs, one request at a time, each when its answer before said it is worth it.
 *
 * cards: objects with `url` and the methods show(status), trouble(on) and gone().
 * world: what a browser provides, replaced in tests: fetch, setTimeout, clearTimeout, now() in ms, random(), and
 *   away(): true while the tab is hidden or offline. Call `wake` when that may have changed.
 */
export class Poller {
  constructor(cards, world) {
    this.world = world;
    this.waiting = cards.map((card) => ({ card, due: world.now() + FIRST, etag: null, failures: 0 }));
    this.timer = null;
    this.inFlight = false;
    this.plan();
  }

  /** The person is back, or the line: ask at once. */
  wake() {
    if (this.world.away()) return;
    for (const entry of this.waiting) entry.due = Math.min(entry.due, this.world.now());
    this.plan();
  }

  plan() {
    this.world.clearTimeout(this.timer);
    if (this.inFlight || this.waiting.length === 0 || this.world.away()) return;
    const next = this.waiting.reduce((first, entry) => (entry.due < first.due ? entry : first));
    this.timer = this.world.setTimeout(() => this.ask(next), Math.max(0, next.due - this.world.now()));
  }

  async ask(entry) {
    if (this.inFlight || this.world.away()) return;
    this.inFlight = true;
    try {
      await this.look(entry);
      if (entry.failures > 0) entry.card.trouble(false);
      entry.failures = 0;
    } catch {
      entry.failures += 1;
      entry.card.trouble(true);
      entry.due = this.world.now() + pause(entry.failures, this.world.random);
    }
    this.inFlight = false;
    this.plan();
  }

  async look(entry) {
    const headers = { Accept: "application/json" };
    if (entry.etag) headers["If-None-Match"] = entry.etag;
    const response = await this.world.fetch(entry.card.url, {
      headers,
      credentials: "same-origin",
      // The validator is ours to send: the browser's cache would turn a 304 into a 200.
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.status === 404) {
      entry.card.gone();
      return this.drop(entry);
    }
    if (response.status !== 304) {
      if (!response.ok) throw new Error(`The server answered ${response.status}.`);
      const status = await response.json();
      entry.etag = response.headers.get("ETag");
      entry.after = status.poll_after;
      entry.card.show(status);
    }
    if (entry.after === null) return this.drop(entry);
    entry.due = this.world.now() + entry.after * 1000;
  }

  drop(entry) {
    this.waiting = this.waiting.filter((other) => other !== entry);
  }
}

/**
 * Makes `old` look like `fresh` and keeps every element that is in both, so that the focus stays where it is, a
 * video plays on, and a screen reader does not lose its place.
 */
export function morph(old, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    // Whether <details> is open is the reader's choice.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  const wanted = [...fresh.childNodes];
  const present = [...old.childNodes];
  wanted.forEach((node, index) => {
    const other = present[index];
    if (!other) old.append(node);
    else if (!same(other, node)) other.replaceWith(node);
    else if (node.nodeType === Node.ELEMENT_NODE) morph(other, node);
    else if (other.data !== node.data) other.data = node.data;
  });
  for (const extra of present.slice(wanted.length)) extra.remove();
}

/** Whether two nodes are the same thing; buttons have ids, so that none turns into another under a finger. */
function same(one, other) {
  return one.nodeName === other.nodeName && one.id === other.id;
}

/** One card on the page. */
class Card {
  constructor(element, announce) {
    this.element = element;
    this.announce = announce;
    this.url = element.dataset.poll;
    this.holder = element.querySelector("[data-card]");
  }

  show({ html }) {
    const fresh = this.holder.cloneNode(false);
    fresh.innerHTML = html;
    const focused = this.holder.contains(document.activeElement);
    const before = this.milestone();
    morph(this.holder, fresh);
    if (focused && !this.holder.contains(document.activeElement)) this.holder.focus({ preventScroll: true });
    if (this.milestone() !== before) this.announce(this.milestone());
  }

  milestone() {
    return this.holder.querySelector("[data-say]")?.dataset.say;
  }

  trouble(on) {
    this.reveal("[data-trouble]", on);
  }

  gone() {
    this.trouble(false);
    this.reveal("[data-gone]", true);
  }

  reveal(selector, on) {
    const notice = this.element.querySelector(selector);
    if (on && notice.hidden) this.announce(notice.textContent);
    notice.hidden = !on;
  }
}

function start() {
  const region = document.querySelector("[data-announce]");
  const announce = (text) => {
    region.textContent = text;
  };
  const cards = [...document.querySelectorAll("[data-poll]")].map((element) => new Card(element, announce));
  const poller = new Poller(cards, {
    fetch: window.fetch.bind(window),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    now: () => performance.now(),
    random: Math.random,
    away: () => document.hidden || !navigator.onLine,
  });
  document.addEventListener("visibilitychange", () => poller.wake());
  window.addEventListener("online", () => poller.wake());
}

if (globalThis.document) start();
