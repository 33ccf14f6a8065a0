// Refreshes the monitor's tables. Their words and numbers are the server's: each answer brings the rendered HTML along.

const TIMEOUT = 10_000; // milliseconds
const PAUSE_AFTER_ERROR = 15; // seconds

const numbers = document.getElementById("monitor");
const stale = document.getElementById("monitor-stale");
let timer;
let asking = false;

async function refresh() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = true;
  let pause = PAUSE_AFTER_ERROR;
  try {
    // The admin answers somebody who was signed out with a redirect to its sign-in page: an error here.
    const response = await fetch(numbers.dataset.url, { redirect: "error", signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const answer = await response.json();
    numbers.innerHTML = answer.html;
    stale.hidden = true;
    pause = answer.poll_after;
  } catch {
    stale.hidden = false;
  } finally {
    asking = false;
    timer = setTimeout(refresh, pause * 1000);
  }
}

document.addEventListener("visibilitychange", refresh);
refresh();
