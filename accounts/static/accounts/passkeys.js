// Shows what belongs to passkeys where the browser knows them, and what is to be said if one could not be used. The rest is
// django-allauth's mfa/js/webauthn.js. All wording is in the page: [data-passkeys] and [data-no-passkeys] are the page with
// and without them; [data-passkey-trouble] is what is said after an error: the one of its name, or the one without a name.

const known = Boolean(window.PublicKeyCredential);
for (const part of document.querySelectorAll("[data-passkeys]")) part.hidden = !known;
for (const part of document.querySelectorAll("[data-no-passkeys]")) part.hidden = known;

document.addEventListener("allauth.error", (event) => {
  event.preventDefault(); // it is told here, and not in the console
  const texts = [...document.querySelectorAll("[data-passkey-trouble]")];
  const named = texts.find((text) => text.dataset.passkeyTrouble === event.detail.exception?.name);
  const said = named ?? texts.find((text) => text.dataset.passkeyTrouble === "");
  for (const text of texts) text.hidden = text !== said;
});
