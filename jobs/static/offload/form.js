// Keeps the key by which the server knows a repeated submit (FORM_KEY in jobs/web/submit_request.py) for the back button. A browser
// that makes the page anew then fills in again what was typed, but the page comes with a new key: the same form, sent
// again, would do everything twice. So the key stays with the page's entry in the browser's history. A reload is a new form.

const fields = document.querySelectorAll("input[name=form_key]");
if (fields.length > 0) {
  const [{ type }] = performance.getEntriesByType("navigation");
  const key = (type === "back_forward" && history.state?.formKey) || fields[0].value;
  for (const field of fields) field.value = key;
  history.replaceState({ formKey: key }, "");
}
