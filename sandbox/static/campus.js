// Posts a form that is meant to go on by itself, and keeps a page marked "live" fresh.
"use strict";

document.querySelector("form[data-go]")?.submit();

const live = document.querySelector("[data-live]");
if (live) {
  const shown = document.getElementById("live-switch");
  const fresh = async () => {
    // Nothing moves under somebody who paused it or reads an opened row.
    if (!shown.checked || document.hidden || live.querySelector("details[open]")) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("[data-live]");
      if (next && next.innerHTML !== live.innerHTML) live.innerHTML = next.innerHTML;
    } catch {
      // The campus is restarting; the next turn will tell.
    }
  };
  setInterval(fresh, 2000);
}
