// Without this script every link and form works. With it, moving through time
// replaces only the view, and the keyboard has short ways.
"use strict";

(() => {
  const view = () => document.getElementById("view");
  const told = document.getElementById("told");
  let moving = null;

  // Replaces the view by that of another address.
  async function move(address, push) {
    if (moving) moving.abort();
    const mine = (moving = new AbortController());
    try {
      const answer = await fetch(address, { signal: mine.signal, credentials: "same-origin" });
      const type = answer.headers.get("content-type") || "";
      if (!type.startsWith("text/html")) throw new Error("no page");
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = next.getElementById("view");
      if (!fresh) throw new Error("no view");
      const place = document.activeElement && document.activeElement.closest("#time") ? "time" : null;
      view().replaceWith(document.adoptNode(fresh));
      document.querySelector("header").replaceWith(document.adoptNode(next.querySelector("header")));
      document.title = next.title;
      if (push) history.pushState(null, "", answer.url);
      const moment = document.getElementById("moment");
      told.textContent = moment ? moment.textContent : next.title;
      if (place) {
        const current = document.querySelector("#time .version[aria-current]");
        if (current) current.focus({ preventScroll: true });
      }
      keepInSight();
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  }

  // The version in view is in sight in its list.
  function keepInSight() {
    const current = document.querySelector("#time .version[aria-current]");
    const list = current && current.closest(".days");
    if (list) list.scrollTop = current.offsetTop - list.offsetTop - list.clientHeight / 3;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[data-move]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    move(link.href, true);
  });

  window.addEventListener("popstate", () => move(location.href, false));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.closest && at.closest("input, select, textarea, pre, .scroll, video, [contenteditable]")) return;
    if (event.key === "/") {
      event.preventDefault();
      document.querySelector("header input[type=search]").focus();
      return;
    }
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = rel && document.querySelector(`#time a[rel=${rel}]`);
    if (link) {
      event.preventDefault();
      move(link.href, true);
    }
  });

  keepInSight();
})();
