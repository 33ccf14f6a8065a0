// Runs with `node --test tests/js/`: no packages, a made-up world, no waiting.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Poller, pause } from "../../jobs/static/offload/poll.js";

/** A world whose clock moves only when told, and whose server answers from a script. */
class World {
  constructor(...answers) {
    this.answers = answers;
    this.requests = [];
    this.timers = new Map();
    this.clock = 0;
    this.away = false;
    this.cut = false;
    this.open = 0;
    this.mostOpen = 0;
    this.ids = 0;
  }

  now = () => this.clock;
  random = () => 0.5;
  hidden = () => this.away;
  offline = () => this.cut;
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

function says(body, { status = 200, until } = {}) {
  return { status, ok: status < 300, until, json: async () => body };
}

const ADDRESS = "/jobs/status.json?as=card";

function aCard(id = "1", address = ADDRESS) {
  const seen = [];
  return {
    id, address, seen, version: "shown", show: (status) => seen.push(status.status), gone: () => seen.push("gone"),
  };
}

function aPage() {
  const seen = [];
  const unfinished = [];
  return {
    seen,
    unfinished,
    trouble: (on) => seen.push(on ? "trouble" : "fine"),
    changed: (cards) => unfinished.push(cards.length),
  };
}

function follow(world, ...cards) {
  const page = aPage();
  return { page, poller: new Poller(cards, page, world) };
}

const job = (id, status, after, version = "v") => ({ id, status, poll_after: after, version });
const answer = (jobs, options) =>
  says({ jobs, gone: [], poll_after: Math.min(...jobs.map((one) => one.poll_after ?? Infinity)) }, options);
const running = (after = 1, options) => answer([job("1", "running", after)], options);
const done = () => says({ jobs: [job("1", "succeeded", null)], gone: [], poll_after: null });

test("the first look comes soon, the others when the server said so", async () => {
  const world = new World(running(2), running(5), done());
  follow(world, aCard());
  await world.pass(20_000);
  assert.deepEqual(world.requests.map(({ at }) => at), [300, 2300, 7300]);
});

test("pages that asked together do not go on together", async () => {
  const looks = async (random) => {
    const world = new World(running(10));
    world.random = () => random;
    follow(world, aCard());
    await world.pass(10_000 + 1500);
    return world.requests.map(({ at }) => at);
  };
  assert.deepEqual(await looks(0), [300, 9300]);
  assert.deepEqual(await looks(1), [300, 11_300]);
});

test("it stops at the outcome", async () => {
  const world = new World(done());
  const card = aCard();
  const { page } = follow(world, card);
  await world.pass(60_000);
  assert.deepEqual(card.seen, ["succeeded"]);
  assert.deepEqual(page.unfinished, [0]);
  assert.equal(world.requests.length, 1);
});

test("it stops when the job is no longer there", async () => {
  const world = new World(says({ jobs: [], gone: ["1"], poll_after: null }));
  const card = aCard();
  follow(world, card);
  await world.pass(60_000);
  assert.deepEqual(card.seen, ["gone"]);
  assert.equal(world.requests.length, 1);
});

test("one request asks for all jobs, and those that are done drop out", async () => {
  const world = new World(
    answer([job("1", "succeeded", null), job("2", "running", 1)]),
    answer([job("2", "succeeded", null)]),
  );
  const { page } = follow(world, aCard("1"), aCard("2"));
  await world.pass(20_000);
  assert.deepEqual(world.requests.map(({ url }) => url), [`${ADDRESS}&only=changes&id=1&id=2`, `${ADDRESS}&only=changes&id=2`]);
  assert.deepEqual(page.unfinished, [1, 0]);
});

test("more jobs than fit into one request take turns", async () => {
  const world = new World();
  world.fetch = async (url) => {
    const ids = [...new URL(url, "http://host").searchParams.getAll("id")];
    world.requests.push({ url, ids });
    return answer(ids.map((id) => job(id, "running", 1)));
  };
  const cards = Array.from({ length: 70 }, (_, index) => aCard(`${index}`));
  follow(world, ...cards);
  await world.pass(1_300);
  assert.deepEqual(world.requests.map(({ ids }) => ids.length), [50, 50]);
  assert.ok(cards.every((card) => card.seen.length > 0));
});

test("it sends the versions of what it shows, and a 304 changes nothing", async () => {
  const world = new World(says(null, { status: 304 }), answer([job("1", "running", 1, "new")]), done());
  const card = aCard();
  const { page } = follow(world, card);
  await world.pass(10_000);
  const validators = world.requests.map(({ options }) => options.headers["If-None-Match"]);
  assert.deepEqual(validators, ['"shown"', '"shown"', '"new"']);
  assert.deepEqual(card.seen, ["running", "succeeded"]);
  assert.deepEqual(page.unfinished, [1, 1, 0]);
});

test("what is not in an answer stays as it is, and is asked for again", async () => {
  const world = new World(
    answer([job("2", "running", 1, "new")]),
    answer([job("1", "succeeded", null), job("2", "succeeded", null)]),
  );
  const [first, second] = [aCard("1"), aCard("2")];
  follow(world, first, second);
  await world.pass(20_000);
  assert.deepEqual(world.requests.map(({ options }) => options.headers["If-None-Match"]), ['"shown.shown"', '"shown.new"']);
  assert.deepEqual([first.seen, second.seen], [["succeeded"], ["running", "succeeded"]]);
});

test("there is never more than one request in flight", async () => {
  let release;
  const until = new Promise((resolve) => {
    release = resolve;
  });
  const world = new World(running(1, { until }), done());
  const { poller } = follow(world, aCard("1", "/a?as=card"), aCard("1", "/b?as=line"));
  await world.pass(30_000);
  poller.wake();
  await world.pass(30_000);
  assert.equal(world.requests.length, 1);
  release();
  await world.pass(30_000);
  assert.equal(world.mostOpen, 1);
  assert.deepEqual(world.requests.map(({ url }) => url[1]), ["a", "b", "a"]);
});

test("while the tab is hidden it asks seldom, and at once when it is back", async () => {
  const world = new World(running(), running(), running(), done());
  const { poller } = follow(world, aCard());
  await world.pass(500);
  world.away = true;
  poller.wake();
  await world.pass(29_000);
  assert.equal(world.requests.length, 1);
  await world.pass(31_000);
  assert.equal(world.requests.length, 3);
  world.away = false;
  poller.wake();
  await world.pass(0);
  assert.equal(world.requests.length, 4);
});

test("while the browser is offline it asks nothing, and at once when it is back", async () => {
  const world = new World(running(), done());
  const { poller } = follow(world, aCard());
  await world.pass(500);
  world.cut = true;
  await world.pass(60_000);
  assert.equal(world.requests.length, 1);
  world.cut = false;
  poller.wake();
  await world.pass(0);
  assert.equal(world.requests.length, 2);
});

test("after an error it says so, tries again later and later, and takes it back when it works", async () => {
  const world = new World(new TypeError("network"), says({}, { status: 503 }), new TypeError("network"), done());
  const card = aCard();
  const { page } = follow(world, card);
  await world.pass(60_000);
  const times = world.requests.map(({ at }) => at);
  assert.deepEqual(times.map((at, index) => at - (times[index - 1] ?? 0)), [300, 750, 1500, 3000]);
  assert.deepEqual(page.seen, ["trouble", "trouble", "trouble", "fine"]);
  assert.deepEqual(card.seen, ["succeeded"]);
});

test("an answer that is no JSON counts as an error", async () => {
  const html = { ...says({}), json: () => Promise.reject(new SyntaxError("<!doctype")) };
  const world = new World(html, done());
  const { page } = follow(world, aCard());
  await world.pass(10_000);
  assert.deepEqual(page.seen, ["trouble", "fine"]);
});

test("the pause after errors grows to half a minute and is partly random", () => {
  assert.equal(pause(1, () => 0), 500);
  assert.equal(pause(1, () => 1), 1000);
  assert.equal(pause(4, () => 1), 8000);
  assert.equal(pause(50, () => 1), 30_000);
});
