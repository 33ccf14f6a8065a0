// Sends forms with files in the background of their page and shows how far that is; lists the files that were chosen or
// dropped. All wording is in the page; without this script the browser sends the same form itself. The form carries a key,
// so sending it twice makes nothing twice.

const announce = (text) => {
  document.querySelector("[data-announce]").textContent = text;
};

// --- Choosing: [data-drop] around an input that takes several files --------------------------------------------------

const chosen = new WeakMap(); // the files of each such input: what is chosen next is added to them
const unreadable = new WeakSet();

/** A size as people read it (1.4 MB), in the units that the zone names. */
function inWords({ dataset }, bytes) {
  const units = dataset.units.split(",");
  const power = Math.min(Math.floor(Math.log2(bytes || 1) / 10), units.length - 1);
  const digits = power && 1;
  const format = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${format.format(bytes / 1024 ** power)} ${units[power]}`;
}

/** Which of the zone's limits these files break. */
function broken({ dataset }, files) {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  return {
    many: files.length > Number(dataset.mostFiles),
    large: files.some(({ size }) => size > Number(dataset.largest)),
    heavy: files.length > 1 && total > Number(dataset.mostBytes),
    unreadable: files.some((file) => unreadable.has(file)),
  };
}

/** Make `files` what the zone's input sends, and show them. */
function choose(zone, files) {
  const input = zone.querySelector("input[type=file]");
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input.files = transfer.files;
  chosen.set(input, files);
  const list = zone.querySelector("[data-chosen]");
  list.replaceChildren(...files.map((file) => row(zone, file)));
  list.hidden = files.length === 0;
  const sum = zone.querySelector("[data-sum]");
  sum.hidden = files.length < 2;
  sum.querySelector("[data-size]").textContent = inWords(zone, files.reduce((total, { size }) => total + size, 0));
  const breaks = broken(zone, files);
  let sentence = "";
  for (const notice of zone.querySelectorAll("[data-too]")) {
    notice.hidden = !breaks[notice.dataset.too];
    if (!notice.hidden) sentence ||= notice.textContent;
  }
  input.setCustomValidity(sentence); // the browser sends no form with such an input, and says why
  if (sentence) announce(sentence);
}

/** The list's row of a file. */
function row(zone, file) {
  const item = zone.querySelector("template").content.firstElementChild.cloneNode(true);
  for (const name of item.querySelectorAll("[data-name]")) name.textContent = file.name;
  item.querySelector("[data-size]").textContent = inWords(zone, file.size);
  item.querySelector("button").onclick = () => {
    const input = zone.querySelector("input[type=file]");
    const at = chosen.get(input).indexOf(file);
    choose(zone, chosen.get(input).toSpliced(at, 1));
    // Its button is gone: go on at the next one.
    const buttons = zone.querySelectorAll("[data-chosen] button");
    (buttons[Math.min(at, buttons.length - 1)] ?? input).focus();
  };
  return item;
}

/** Add files to those that are chosen already. */
function add(zone, files) {
  const before = chosen.get(zone.querySelector("input[type=file]")) ?? [];
  const isNew = (file) =>
    !before.some(({ name, size, lastModified }) => name === file.name && size === file.size && lastModified === file.lastModified);
  const all = [...before, ...files.filter(isNew)];
  choose(zone, all);
  for (const file of files) {
    // Dropped folders look like files until they are read.
    file.slice(0, 1).arrayBuffer().catch(() => {
      unreadable.add(file);
      choose(zone, chosen.get(zone.querySelector("input[type=file]")));
    });
  }
}

/** Prepare the zones of a page, or of a part of it. */
function prepare(part) {
  for (const zone of part.querySelectorAll("[data-drop]")) {
    for (const hint of zone.querySelectorAll("[data-script]")) hint.hidden = false;
    const input = zone.querySelector("input[type=file]");
    add(zone, [...input.files]);
    input.addEventListener("change", () => add(zone, [...input.files]));
  }
}

function zoneOf(event) {
  if (!event.dataTransfer?.types.includes("Files")) return null;
  return event.target.closest?.("[data-drop]") ?? document.querySelector("[data-drop]");
}

document.addEventListener("dragover", (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  event.preventDefault(); // wherever on the page it falls: the browser would leave the page for the file
  zone.dataset.over = "";
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) delete document.querySelector("[data-over]")?.dataset.over;
});
document.addEventListener("drop", (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  event.preventDefault();
  delete zone.dataset.over;
  add(zone, [...event.dataTransfer.files]);
});
prepare(document);

// --- Sending ---------------------------------------------------------------------------------------------------------

/** Send `form` as its button would. progress(share from 0 to 1). Returns the answer; rejects if the line breaks. */
function send(form, submitter, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    request.responseType = "document";
    request.upload.onprogress = ({ loaded, total }) => progress(loaded / total);
    request.onload = () => resolve(request);
    request.onerror = reject;
    request.onabort = reject;
    request.open("POST", form.action);
    request.send(new FormData(form, submitter));
  });
}

/** Show `main` in place of the page's own; the files that were chosen stay chosen. */
function replaceMain(main) {
  const before = document.querySelector("main");
  for (const input of main.querySelectorAll("input[type=file]")) {
    const same = before.querySelector(`input[type=file][name="${input.name}"]`);
    if (same) input.files = same.files;
  }
  before.replaceWith(main);
  prepare(main);
  main.focus();
}

async function upload(form, submitter) {
  const bar = form.querySelector("[data-upload]");
  const brokenOff = form.querySelector("[data-broken]");
  bar.hidden = false;
  brokenOff.hidden = true;
  form.dataset.sending = "";
  try {
    const answer = await send(form, submitter, (share) => {
      bar.querySelector("progress").value = Math.round(100 * share);
      bar.querySelector("[data-percent]").textContent = Math.round(100 * share);
    });
    if (answer.status === 200) {
      window.location.assign(answer.responseURL);
      return; // until the next page is there the form stays as it is
    }
    // The form again, with a sentence at what was wrong, or a page about what went wrong.
    if (!answer.response) throw new Error(`The server answered ${answer.status}.`);
    replaceMain(answer.response.querySelector("main"));
  } catch {
    bar.hidden = true;
    brokenOff.hidden = false;
    announce(brokenOff.textContent);
  }
  delete form.dataset.sending;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
  if (!form.querySelector("[data-upload]") || files.length === 0) return;
  event.preventDefault();
  if (!("sending" in form.dataset)) upload(form, event.submitter);
});
