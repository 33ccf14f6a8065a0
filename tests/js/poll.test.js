// Runs with `node --test tests/js/`: no packages, a made-up world, no waiting.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Poller, pause } from "../../jobs/static/jobs/poll.js";

/** A world whose clock moves only when told, and whose server answers from a script. */
class World {
  constructor(...answers) {
    this.answers = answers;
    this.requests = [];
    this.timers = new Map();
    this.clock = 0;
    this.hidden = false;
    this.open = 0;
    this.mostOpen = 0;
    this.ids = 0;
  }

  now = () => this.clock;
  random = () => 0.5;
  away = () => this.hidden;
  clearTimeout = (id) => this.timers.delete(id);
  setTimeout = (run, delay) => {
    this.timers.set(++this.ids, { run, at: this.clock + delay });
    return this.ids;
  };

  fetch = async (url, options) => {
    this.requests.push({ url, options, at: this.clock });
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    await answer?.until;
    this.open -= 1;
    if (answer instanceof Error) throw answer;
    return answer;
  };

  /** Let `ms` pass, firing each timer at its time. */
  async pass(ms) {
    const end = this.clock + ms;
    for (;;) {
      await settle();
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.clock = due[1].at;
      due[1].run();
    }
    this.clock = end;
  }
}

/** Give all promises that can resolve the time to do so. */
async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function says(body, { status = 200, etag = '"1"', until } = {}) {
  return { status, ok: status < 300, until, headers: new Headers({ ETag: etag }), json: async () => body };
}

function aCard(url = "/jobs/1/status.json") {
  const seen = [];
  return {
    url,
    seen,
    show: (status) => seen.push(status.status),
    trouble: (on) => seen.push(on ? "trouble" : "fine"),
    gone: () => seen.push("gone"),
  };
}

const running = (after = 1) => says({ status: "running", poll_after: after });
const done = () => says({ status: "succeeded", poll_after: null });

test("the first look comes soon, the others when the server said so", async () => {
  const world = new World(running(2), running(5), done());
  new Poller([aCard()], world);
  await world.pass(20_000);
  assert.deepEqual(world.requests.map(({ at }) => at), [300, 2300, 7300]);
});

test("it stops at the outcome", async () => {
  const world = new World(done());
  const card = aCard();
  new Poller([card], world);
  await world.pass(60_000);
  assert.deepEqual(card.seen, ["succeeded"]);
  assert.equal(world.requests.length, 1);
});

test("it stops when the job is no longer there", async () => {
  const world = new World(says({}, { status: 404 }));
  const card = aCard();
  new Poller([card], world);
  await world.pass(60_000);
  assert.deepEqual(card.seen, ["gone"]);
  assert.equal(world.requests.length, 1);
});

test("it sends the last ETag, and a 304 changes nothing", async () => {
  const world = new World(says({ status: "running", poll_after: 1 }, { etag: '"a"' }), says(null, { status: 304 }), done());
  const card = aCard();
  new Poller([card], world);
  await world.pass(10_000);
  const validators = world.requests.map(({ options }) => options.headers["If-None-Match"]);
  assert.deepEqual(validators, [undefined, '"a"', '"a"']);
  assert.deepEqual(card.seen, ["running", "succeeded"]);
});

test("there is never more than one request in flight", async () => {
  let release;
  const until = new Promise((resolve) => {
    release = resolve;
  });
  const world = new World(says({ status: "running", poll_after: 1 }, { until }), done());
  const poller = new Poller([aCard("/a"), aCard("/b")], world);
  await world.pass(30_000);
  poller.wake();
  await world.pass(30_000);
  assert.equal(world.requests.length, 1);
  release();
  await world.pass(30_000);
  assert.equal(world.mostOpen, 1);
  assert.deepEqual(world.requests.map(({ url }) => url), ["/a", "/b", "/a"]);
});

test("it rests while the tab is hidden and asks at once when it is back", async () => {
  const world = new World(running(), done());
  const poller = new Poller([aCard()], world);
  await world.pass(500);
  world.hidden = true;
  await world.pass(60_000);
  assert.equal(world.requests.length, 1);
  world.hidden = false;
  poller.wake();
  await world.pass(0);
  assert.equal(world.requests.length, 2);
});

test("a page that opens in a hidden tab asks nothing yet", async () => {
  const world = new World(done());
  world.hidden = true;
  const poller = new Poller([aCard()], world);
  await world.pass(60_000);
  assert.equal(world.requests.length, 0);
  world.hidden = false;
  poller.wake();
  await world.pass(0);
  assert.equal(world.requests.length, 1);
});

test("after an error it says so, tries again later and later, and takes it back when it works", async () => {
  const world = new World(new TypeError("network"), says({}, { status: 503 }), new TypeError("network"), done());
  const card = aCard();
  new Poller([card], world);
  await world.pass(60_000);
  const times = world.requests.map(({ at }) => at);
  assert.deepEqual(times.map((at, index) => at - (times[index - 1] ?? 0)), [300, 750, 1500, 3000]);
  assert.deepEqual(card.seen, ["trouble", "trouble", "trouble", "succeeded", "fine"]);
});

test("an answer that is no JSON counts as an error", async () => {
  const page = { ...says({}), json: () => Promise.reject(new SyntaxError("<!doctype")) };
  const world = new World(page, done());
  const card = aCard();
  new Poller([card], world);
  await world.pass(10_000);
  assert.deepEqual(card.seen, ["trouble", "succeeded", "fine"]);
});

test("the pause after errors grows to half a minute and is partly random", () => {
  assert.equal(pause(1, () => 0), 500);
  assert.equal(pause(1, () => 1), 1000);
  assert.equal(pause(4, () => 1), 8000);
  assert.equal(pause(50, () => 1), 30_000);
});

test("each of several jobs keeps its own pace", async () => {
  const world = new World();
  world.fetch = async (url) => {
    world.requests.push({ url, at: world.clock });
    return running(url === "/slow" ? 10 : 1);
  };
  new Poller([aCard("/slow"), aCard("/quick")], world);
  await world.pass(9_000);
  assert.equal(world.requests.filter(({ url }) => url === "/slow").length, 1);
  assert.equal(world.requests.filter(({ url }) => url === "/quick").length, 9);
});
