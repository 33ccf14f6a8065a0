// Keeps what a page shows of unfinished jobs up to date, and tells when one is done. All wording comes from the server's
// HTML; without this script a job's page loads itself again (see offload/_refresh.html).
//
// A job is an element <… data-poll="address of status.json" data-id="its id" data-version="of what is shown"> around an
// element [data-card], which holds its card or its line; see offload/_live.html and offload/_lines.html.

const FIRST = 300; // ms until the first look: quick jobs are done by then
const HIDDEN = 30_000; // ms between two looks at the least while the tab is hidden
const TIMEOUT = 15_000; // ms after which a request without an answer is given up
const BACKOFF = 1_000; // ms before the first new try after an error; doubles up to BACKOFF_MAX
const BACKOFF_MAX = 30_000;
const AT_ONCE = 50; // jobs in one request, as many as the server answers for (AT_ONCE in jobs/web/polling.py); the others take turns

/** Milliseconds before the next try after `failures` errors in a row: exponential, half of it random. */
export function pause(failures, random = Math.random) {
  const ceiling = Math.min(BACKOFF * 2 ** (failures - 1), BACKOFF_MAX);
  return ceiling * (0.5 + random() / 2);
}

/** About 1: pages that once asked at the same moment (after an outage, say) do not do so for ever. */
function spread(random) {
  return 0.9 + random() / 5;
}

/**
 * Asks for the status of all unfinished jobs of a page together, one request at a time, when the answer before said that
 * it is worth it; while the tab is hidden seldom, while the browser is offline never.
 *
 * cards: objects with `id`, `version` (of what they show), `address` (without the ids) and the methods show(status) and
 *   gone().
 * page: trouble(on), and changed(unfinished cards) after each answer.
 * world: what a browser provides, replaced in tests: fetch, setTimeout, clearTimeout, now() in ms, random(), hidden(),
 *   offline(). Call `wake` when one of the last two may have changed.
 */
export class Poller {
  constructor(cards, page, world) {
    this.page = page;
    this.world = world;
    this.groups = [...new Set(cards.map((card) => card.address))].map((address) => ({
      address,
      cards: cards.filter((card) => card.address === address),
      due: world.now() + FIRST,
      failures: 0,
    }));
    this.timer = null;
    this.inFlight = false;
    this.plan();
  }

  /** The person is back, or the line: ask at once. */
  wake() {
    if (!this.world.hidden()) for (const group of this.groups) group.due = Math.min(group.due, this.world.now());
    this.plan();
  }

  plan() {
    this.world.clearTimeout(this.timer);
    if (this.inFlight || this.groups.length === 0 || this.world.offline()) return;
    const next = this.groups.reduce((first, group) => (group.due < first.due ? group : first));
    const least = this.world.hidden() ? HIDDEN : 0;
    this.timer = this.world.setTimeout(() => this.ask(next), Math.max(least, next.due - this.world.now()));
  }

  async ask(group) {
    if (this.inFlight || this.world.offline()) return;
    this.inFlight = true;
    try {
      await this.look(group);
      if (group.failures > 0) this.page.trouble(false);
      group.failures = 0;
      this.page.changed(this.groups.flatMap((each) => each.cards));
    } catch {
      group.failures += 1;
      this.page.trouble(true);
      group.due = this.world.now() + pause(group.failures, this.world.random);
    }
    this.inFlight = false;
    this.plan();
  }

  async look(group) {
    const asked = new Map(group.cards.slice(0, AT_ONCE).map((card) => [card.id, card]));
    const ids = [...asked.keys()].map((id) => `&id=${id}`);
    const versions = [...asked.values()].map((card) => card.version);
    const response = await this.world.fetch(`${group.address}&only=changes${ids.join("")}`, {
      headers: { Accept: "application/json", "If-None-Match": `"${versions.join(".")}"` },
      credentials: "same-origin",
      // The validator is ours to send: the browser's cache would turn a 304 into a 200.
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.status !== 304) {
      if (!response.ok) throw new Error(`The server answered ${response.status}.`);
      const { jobs, gone, poll_after: after } = await response.json();
      for (const status of jobs) {
        const card = asked.get(status.id);
        card.show(status);
        card.version = status.version;
        if (status.poll_after === null) asked.delete(status.id);
      }
      for (const id of gone) {
        asked.get(id).gone();
        asked.delete(id);
      }
      group.after = after;
    }
    group.cards = [...group.cards.slice(AT_ONCE), ...asked.values()];
    if (group.cards.length === 0) this.groups = this.groups.filter((other) => other !== group);
    else group.due = this.world.now() + (group.after ?? 1) * 1000 * spread(this.world.random);
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
  const present = [...old.childNodes];
  const wanted = [...fresh.childNodes];
  while (wanted.length > 0) {
    const node = wanted.shift();
    // What has an id is found again wherever it stands; what came before it is gone.
    const place = node.id ? present.findIndex((other) => same(other, node)) : 0;
    for (const gone of present.splice(0, Math.max(0, place))) gone.remove();
    const other = present[0];
    if (!other || (other.id && wanted.some((later) => same(other, later)))) old.insertBefore(node, other ?? null);
    else {
      present.shift();
      if (!same(other, node)) other.replaceWith(node);
      else if (node.nodeType === Node.ELEMENT_NODE) morph(other, node);
      else if (other.data !== node.data) other.data = node.data;
    }
  }
  for (const extra of present) extra.remove();
}

/** Whether two nodes are the same thing; buttons have ids, so that none turns into another under a finger. */
function same(one, other) {
  return one.nodeName === other.nodeName && one.id === other.id;
}

/** One job on the page, as its card or its line. */
class Card {
  constructor(element, page) {
    this.page = page;
    this.address = element.dataset.poll;
    this.id = element.dataset.id;
    this.version = element.dataset.version;
    this.holder = element.querySelector("[data-card]");
  }

  show({ html, poll_after: after }) {
    const fresh = this.holder.cloneNode(false);
    fresh.innerHTML = html;
    const focused = this.holder.contains(document.activeElement);
    const before = this.milestone();
    morph(this.holder, fresh);
    if (focused && !this.holder.contains(document.activeElement)) this.holder.focus({ preventScroll: true });
    if (this.milestone() !== before) this.page.announce(this.milestone());
    if (after === null) this.page.done(this.id, this.milestone());
  }

  milestone() {
    return this.holder.querySelector("[data-say]")?.dataset.say;
  }

  gone() {
    this.page.reveal("[data-gone]", true);
  }
}

/** What the page says beside its jobs: to screen readers, in the tab's title, and in notifications. */
class Page {
  constructor() {
    this.title = document.title;
    this.unfinished = 0;
    this.news = null;
    this.button = document.querySelector("[data-notify]");
    this.button?.addEventListener("click", async () => {
      await Notification.requestPermission();
      this.offer();
    });
  }

  /** How many jobs are unfinished stands in the tab's title; while nobody looks, the newest outcome does. */
  changed(cards) {
    this.unfinished = cards.length;
    this.entitle();
  }

  entitle() {
    if (!document.hidden) this.news = null;
    const title = this.news ?? this.title;
    document.title = this.unfinished > 0 ? `(${this.unfinished}) ${title}` : title;
    this.offer();
  }

  done(id, milestone) {
    if (!document.hidden) return;
    this.news = milestone;
    if (globalThis.Notification?.permission === "granted") new Notification(milestone, { tag: id });
  }

  /** The button that asks for notifications stands there while they can be asked for and something can still happen. */
  offer() {
    if (this.button) this.button.hidden = this.unfinished === 0 || globalThis.Notification?.permission !== "default";
  }

  announce(text) {
    document.querySelector("[data-announce]").textContent = text;
  }

  trouble(on) {
    this.reveal("[data-trouble]", on);
  }

  reveal(selector, on) {
    const notice = document.querySelector(selector);
    if (on && notice.hidden) this.announce(notice.textContent);
    notice.hidden = !on;
  }
}

function start() {
  const page = new Page();
  const cards = [...document.querySelectorAll("[data-poll]")].map((element) => new Card(element, page));
  page.changed(cards);
  const poller = new Poller(cards, page, {
    fetch: window.fetch.bind(window),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    now: () => performance.now(),
    random: Math.random,
    hidden: () => document.hidden,
    offline: () => !navigator.onLine,
  });
  document.addEventListener("visibilitychange", () => {
    page.entitle();
    poller.wake();
  });
  window.addEventListener("online", () => poller.wake());
}

if (globalThis.document) start();
