// Runs with `node --test tests/js/`: no packages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  counts, filled, graphemes, mastodonLength, telling, textOn,
} from "../../jobs/kinds/social/static/social/compose.js";

const EXAMPLES = JSON.parse(readFileSync(new URL("../kinds/social/lengths.json", import.meta.url)));
const MASTODON = { network: "mastodon", limits: { characters: 500, characters_per_url: 23, bytes: null } };
const BLUESKY = { network: "bluesky", limits: { characters: 300, characters_per_url: null, bytes: 3000 } };
const WEBHOOK = { network: "webhook", limits: { characters: null, characters_per_url: null, bytes: null } };

for (const { name, text, mastodon, graphemes: characters, bytes } of EXAMPLES) {
  test(`it counts as the server does: ${name}`, () => {
    assert.equal(mastodonLength(text, 23), mastodon);
    assert.equal(graphemes(text), characters);
    assert.equal(new TextEncoder().encode(text).length, bytes);
  });
}

test("a warning counts on Mastodon and stands above the text on Bluesky", () => {
  assert.deepEqual(counts(MASTODON, "Hello", "Food"), [{ unit: "characters", length: 9, limit: 500 }]);
  assert.equal(textOn("bluesky", "Hello", "Food"), "CW: Food\n\nHello");
  assert.equal(textOn("bluesky", "", "Food"), "CW: Food");
  assert.equal(textOn("mastodon", "Hello", "Food"), "Hello");
  assert.equal(counts(BLUESKY, "Hello", "Food")[0].length, 15);
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
