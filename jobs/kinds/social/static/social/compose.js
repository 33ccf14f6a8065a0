// Shows a post as each chosen account will, and counts as its network does, while it is written. All wording comes from
// the server; what it says after the submit is the truth. Without this script the form is the same, without a preview.

// What differs from network to network is in an account's `limits` and `rules` (networks/base.py and lengths.py say what
// they mean). It counts as lengths.py does: tests/kinds/social/lengths.json holds both to one table of examples.
const MENTION_OR_TAG = "(?<![\\p{L}\\p{N}_@/.])[@#][\\p{L}\\p{N}_](?:[\\p{L}\\p{N}_@.-]*[\\p{L}\\p{N}_])?";
const THUMBNAIL = 480; // pixels

/** What people see as characters. */
export function graphemes(text) {
  return [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)].length;
}

/** Length of a text in graphemes, as a network counts them. perUrl: what a link counts as; null: as it is. */
export function characters(rules, text, perUrl) {
  return graphemes(shortMentions(rules, perUrl ? text.replace(every(rules.links), "x".repeat(perUrl)) : text));
}

/** The text as it is posted: with its warning above it, where the network knows no warnings. */
export function textOn(rules, text, warning) {
  return warning && rules.warning === "above" ? filled(rules.warned, { warning, text }).trimEnd() : text;
}

/** How long the post is for an account and how long it may be, in each unit that is limited: {unit, length, limit}. */
export function counts({ rules, limits }, text, warning = "") {
  const posted = textOn(rules, text, warning);
  const length = characters(rules, posted, limits.characters_per_url);
  const beside = rules.warning === "hides" ? graphemes(warning) : 0;
  return [
    { unit: "characters", length: length + beside, limit: limits.characters },
    { unit: "bytes", length: new TextEncoder().encode(posted).length, limit: limits.bytes },
  ].filter(({ limit }) => limit);
}

function every(pattern) {
  return new RegExp(pattern, "gu");
}

function shortMentions(rules, text) {
  return rules.short_mentions ? text.replace(every(rules.short_mentions), "@$1") : text;
}

/** The count that a person has to know: the one that is over its limit, else that of the characters. */
export function telling(found) {
  return found.find(({ length, limit }) => length > limit) ?? found[0] ?? null;
}

/** Fill in a sentence of the server: %(name)s and %(name)d. */
export function filled(sentence, values) {
  return sentence.replace(/%\((\w+)\)[sd]/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString("en") : value;
  });
}

/** The form as it stands, and what it shows. Looks its parts up anew each time: upload.js may have replaced them. */
class Composer {
  constructor(form, data) {
    this.form = form;
    this.data = data;
    this.thumbnails = new WeakMap(); // File → what of it can be drawn, or null
    this.told = new Set();
  }

  chosen() {
    const boxes = [...this.form.querySelectorAll("[name=accounts]:checked")];
    return boxes.map((box) => this.data.accounts[box.value]).filter(Boolean);
  }

  /** The pictures that were chosen: {file or earlier, alt, slot}. */
  pictures() {
    return this.slots().filter(({ file, earlier }) => file || earlier);
  }

  slots() {
    return [...this.form.querySelectorAll("[data-slot]")].map((slot) => {
      const alt = slot.querySelector("textarea");
      return {
        slot,
        alt,
        file: slot.querySelector("[type=file]").files[0] ?? null,
        earlier: this.data.earlier[slot.querySelector("select")?.value] ?? null,
      };
    });
  }

  show() {
    const text = this.form.elements.text.value.trim();
    const warning = this.form.elements.warning.value.trim();
    const chosen = this.chosen();
    this.showSlots();
    this.count(chosen, text, warning);
    this.preview(chosen, text, warning);
  }

  /** One empty place for a picture after those that are filled; who chose one has to describe it. */
  showSlots() {
    let free = false;
    for (const { slot, alt, file, earlier } of this.slots()) {
      const used = file || earlier || alt.value.trim() || slot.querySelector(".errorlist");
      slot.hidden = free && !used;
      alt.required = Boolean(file || earlier);
      if (!used) free = true;
    }
  }

  count(chosen, text, warning) {
    const list = this.form.querySelector("[data-counters]");
    const template = list.querySelector("template");
    const rows = new Map(); // accounts on one server count alike
    let problem = "";
    for (const account of chosen) {
      const count = telling(counts(account, text, warning));
      if (!count) continue;
      rows.set(account.who, count);
      const surplus = count.length - count.limit;
      if (surplus > 0) problem ||= filled(this.data.sentences[count.unit], { ...count, who: account.who, surplus });
      this.tell(account, surplus > 0 && filled(this.data.sentences[count.unit], { ...count, who: account.who, surplus }));
    }
    for (const row of list.querySelectorAll("li")) row.remove();
    for (const [who, { unit, length, limit }] of rows) {
      const row = template.content.cloneNode(true).firstElementChild;
      row.querySelector("[data-who]").textContent = who;
      row.querySelector("[data-count]").textContent = filled(this.data.sentences[`${unit}_of`], { length, limit });
      row.classList.toggle("over", length > limit);
      list.append(row);
    }
    this.form.elements.text.setCustomValidity(problem);
  }

  /** Say it once, when a post becomes too long. */
  tell(account, sentence) {
    if (!sentence) this.told.delete(account);
    else if (!this.told.has(account)) {
      this.told.add(account);
      document.querySelector("[data-announce]").textContent = sentence;
    }
  }

  preview(chosen, text, warning) {
    const aside = document.querySelector("[data-preview]");
    const template = aside.querySelector("template");
    aside.hidden = false;
    aside.querySelector("[data-nobody]").hidden = chosen.length > 0;
    const holder = aside.querySelector("[data-posts]");
    holder.replaceChildren(
      ...chosen.map((account) => {
        const card = template.content.cloneNode(true).firstElementChild;
        const part = (name) => card.querySelector(`[data-${name}]`);
        part("name").textContent = account.name || account.handle;
        part("handle").textContent = account.name ? `${account.handle} · ${account.label}` : account.label;
        if (account.avatar) part("avatar").src = account.avatar;
        part("avatar").hidden = !account.avatar;
        const apart = warning && account.rules.warning !== "above";
        part("warning").textContent = apart ? warning : "";
        part("warning").hidden = !apart;
        part("text").append(...marked(account.rules, textOn(account.rules, text, warning)));
        const pictures = this.pictures();
        part("pictures").append(...pictures.map((picture) => this.thumbnail(picture)));
        part("pictures").hidden = pictures.length === 0;
        part("empty").hidden = Boolean(text || pictures.length);
        return card;
      }),
    );
  }

  thumbnail({ file, earlier, alt }) {
    const words = alt.value.trim();
    if (earlier?.thumbnail) {
      const image = new Image();
      image.src = earlier.thumbnail;
      image.alt = words;
      return image;
    }
    const drawn = file && this.thumbnails.get(file);
    if (drawn) {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [drawn.width, drawn.height];
      canvas.getContext("2d").drawImage(drawn, 0, 0);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", words || file.name);
      return canvas;
    }
    if (file && drawn === undefined) this.draw(file);
    const name = document.createElement("span");
    name.textContent = file?.name ?? earlier.name;
    return name;
  }

  /** Not every browser can show every picture that can be sent (HEIC, say): then its name stands for it. */
  async draw(file) {
    this.thumbnails.set(file, null);
    try {
      const whole = await createImageBitmap(file);
      const scale = Math.min(1, THUMBNAIL / Math.max(whole.width, whole.height));
      const [resizeWidth, resizeHeight] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
      this.thumbnails.set(file, await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "medium" }));
      this.show();
    } catch {
      // It stays null.
    }
  }
}

/** The text in pieces: what the network makes clickable is marked. */
function marked(rules, text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(every(`${rules.links}|${MENTION_OR_TAG}`))) {
    const part = document.createElement("span");
    part.className = "linked";
    part.textContent = shown(rules, match[0]);
    pieces.push(text.slice(end, match.index), part);
    end = match.index + match[0].length;
  }
  return [...pieces, text.slice(end)];
}

/** A link, mention or tag as the network shows it. */
export function shown(rules, part) {
  if (part.startsWith("@")) return shortMentions(rules, part);
  if (!rules.shown_of_link || !part.includes("://")) return part;
  const link = part.replace(/^https?:\/\/(www\.)?/, "");
  return link.length > rules.shown_of_link ? `${link.slice(0, rules.shown_of_link)}…` : link;
}

function start() {
  let composer = null;
  const begin = () => {
    const data = document.getElementById("compose");
    const form = document.querySelector("[data-counters]")?.closest("form");
    composer = data && form ? new Composer(form, JSON.parse(data.textContent)) : null;
    composer?.show();
  };
  const update = (event) => {
    if (composer?.form.contains(event.target)) composer.show();
  };
  document.addEventListener("input", update);
  document.addEventListener("change", update);
  // What is wrong must be seen, wherever it was folded away.
  document.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), true);
  new MutationObserver(begin).observe(document.body, { childList: true });
  begin();
}

if (globalThis.document) start();
