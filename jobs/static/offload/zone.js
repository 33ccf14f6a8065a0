// Tells the server the browser's time zone (see jobs/web/time_zone.py), unless the person has chosen one.

if (!/(^|; )time_zone=/.test(document.cookie)) {
  document.cookie = `time_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; SameSite=Lax`;
}
