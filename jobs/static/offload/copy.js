// Buttons that copy a text of the page: <button data-copy="the text's id" data-copied="what the button says then">. The
// style sheet shows them only where this works; the text can be selected anyhow.

// Only pages over HTTPS, and those of this machine, may write to the clipboard.
if (navigator.clipboard) document.documentElement.dataset.canCopy = "";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    window.getSelection().selectAllChildren(text); // not allowed after all: one key more
    return;
  }
  button.textContent = button.dataset.copied;
  document.querySelector("[data-announce]").textContent = button.dataset.copied;
});
