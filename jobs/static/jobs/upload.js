// Sends forms with files in the background of their page and shows how far that is. All wording is in the page; without
// this script the browser sends the same form itself. The form carries a key, so sending it twice makes nothing twice.

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

async function upload(form, submitter) {
  const bar = form.querySelector("[data-upload]");
  const broken = form.querySelector("[data-broken]");
  bar.hidden = false;
  broken.hidden = true;
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
    document.querySelector("main").replaceWith(answer.response.querySelector("main"));
    document.querySelector("main").focus();
  } catch {
    bar.hidden = true;
    broken.hidden = false;
    document.querySelector("[data-announce]").textContent = broken.textContent;
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
