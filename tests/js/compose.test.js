// Runs with `node --test tests/js/`: no packages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  characters, counts, filled, graphemes, shown, telling, textOn,
} from "../../jobs/kinds/social/static/social/compose.js";

const EXAMPLES = JSON.parse(readFileSync(new URL("../kinds/social/lengths.json", import.meta.url)));
// What the page hands the script: tests/kinds/social/test_rules.py holds the file to it.
const RULES = JSON.parse(readFileSync(new URL("../kinds/social/rules.json", import.meta.url)));
const { mastodon: MASTODON, bluesky: BLUESKY, webhook: WEBHOOK } = RULES;

for (const { name, text, mastodon, graphemes: visible, bytes } of EXAMPLES) {
  test(`it counts as the server does: ${name}`, () => {
    assert.equal(characters(MASTODON.rules, text, 23), mastodon);
    assert.equal(characters(BLUESKY.rules, text, null), visible);
    assert.equal(graphemes(text), visible);
    assert.equal(new TextEncoder().encode(text).length, bytes);
  });
}

test("a warning counts on Mastodon and stands above the text on Bluesky", () => {
  assert.deepEqual(counts(MASTODON, "Hello", "Food"), [{ unit: "characters", length: 9, limit: 500 }]);
  assert.equal(textOn(BLUESKY.rules, "Hello", "Food"), "CW: Food\n\nHello");
  assert.equal(textOn(BLUESKY.rules, "", "Food"), "CW: Food");
  assert.equal(textOn(MASTODON.rules, "Hello", "Food"), "Hello");
  assert.equal(counts(BLUESKY, "Hello", "Food")[0].length, 15);
});

test("links and mentions are shown as the network shows them", () => {
  const [link, mention] = ["https://www.example.org/a/rather/long/way/to/go", "@bob@other.example"];
  assert.equal(shown(MASTODON.rules, link), "example.org/a/rather/long/way/…");
  assert.equal(shown(MASTODON.rules, mention), "@bob");
  assert.equal(shown(BLUESKY.rules, link), link);
  assert.equal(shown(BLUESKY.rules, mention), mention);
});

test("what is told is the limit that was passed, else the characters", () => {
  const family = "👨‍👩‍👧‍👦";
  assert.deepEqual(telling(counts(BLUESKY, "x".repeat(301))), { unit: "characters", length: 301, limit: 300 });
  assert.deepEqual(telling(counts(BLUESKY, family.repeat(121))), { unit: "bytes", length: 3025, limit: 3000 });
  assert.deepEqual(telling(counts(BLUESKY, "x")), { unit: "characters", length: 1, limit: 300 });
});

test("where nothing is limited, nothing is told", () => {
  assert.equal(telling(counts(WEBHOOK, "x".repeat(9000))), null);
});

test("sentences are filled in with grouped numbers", () => {
  assert.equal(filled("%(who)s: %(length)s of %(limit)d", { who: "X", length: 3025, limit: 3000 }), "X: 3,025 of 3,000");
});
