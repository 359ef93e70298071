/* Runs: keeps cards where they are while somebody uses them, and follows a run that is out of sight.
   Every action works without this file. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  /* The order of suggestions: decided when the run ends, unless somebody is using them. Then the
     address says that they stay as they were made. This runs before app.js fetches the page anew. */
  const USED =
    "#run .suggestion:is(:hover, :focus-within, .is-kept, .is-discarded, .is-avoided, :has(.take:checked, [open]))";

  function isUsed() {
    const top = document.querySelector("#run .suggestions").getBoundingClientRect().top;
    return top < 0 || document.querySelector(USED) !== null;
  }

  document.addEventListener(
    "done",
    (event) => {
      if (event.target.id !== "run" || !document.querySelector("#run [data-has-order]") || !isUsed()) return;
      const address = new URL(location);
      address.searchParams.set("order", "made");
      history.replaceState(history.state, "", address);
    },
    true,
  );

  /* Escape leaves the editor of a suggestion. What was typed stays in it. */
  document.addEventListener("keydown", (event) => {
    const editor = event.key === "Escape" && event.target.closest(".suggestion .edit[open]");
    if (!editor) return;
    event.preventDefault();
    editor.removeAttribute("open");
    const menu = editor.closest(".menu");
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  });

  /* Toasts: the runs that this tab has shown while they went on, until somebody has seen their end. */
  const place = byId("toasts");
  const [, root, board] = /^(.*)\/boards\/([^/]+)\/live$/.exec(document.body.dataset.live ?? "") ?? [];
  if (!place || !board) return;
  const TICK_MS = 1_000;
  const MOST = 3;
  // So much of a panel must be seen to need no toast.
  const SEEN_PX = 90;
  let timer = 0;
  let isFetching = false;

  const read = (name) => JSON.parse(sessionStorage.getItem(name) ?? "[]");
  const write = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));
  const followed = () => read("runs-followed").filter((one) => one.board === board);

  function follow(run) {
    if (read("runs-put-away").includes(run) || followed().some((one) => one.run === run)) return;
    write("runs-followed", [...read("runs-followed"), { run, board }]);
  }

  function unfollow(run) {
    write("runs-followed", read("runs-followed").filter((one) => one.run !== run));
    byId(`toast-${run}`)?.remove();
    arrange();
  }

  const panel = () => document.querySelector("#run[data-run]");

  function isSeen(run) {
    const shown = panel();
    if (shown?.dataset.run !== run) return false;
    const { top, bottom } = shown.getBoundingClientRect();
    return Math.min(bottom, window.innerHeight) - Math.max(top, 0) >= Math.min(SEEN_PX, bottom - top);
  }

  const isLive = () => panel()?.hasAttribute("data-toast");

  /* Hides the toast of a panel that is in sight, and forgets a run whose end was seen. */
  function arrange() {
    for (const { run } of followed()) {
      const toast = byId(`toast-${run}`);
      if (toast) toast.hidden = isSeen(run);
      if (isSeen(run) && !isLive()) return unfollow(run);
    }
    place.hidden = !place.querySelector(".toast:not([hidden])");
    makeWay();
  }

  /* The element with the focus must not be covered. */
  function makeWay() {
    place.classList.remove("is-high");
    const at = document.activeElement;
    if (place.hidden || !at || at === document.body || place.contains(at)) return;
    const [one, other] = [at.getBoundingClientRect(), place.getBoundingClientRect()];
    const isBeside = one.right < other.left || one.left > other.right;
    const isOverOrUnder = one.bottom < other.top || one.top > other.bottom;
    place.classList.toggle("is-high", !isBeside && !isOverOrUnder && one.height < window.innerHeight / 2);
  }

  /* As far as its toast tells, if there is one already. */
  const goesOn = (run) => (byId(`toast-${run}`)?.dataset.state ?? "live") === "live";

  async function show(run) {
    const response = await fetch(`${root}/runs/${run}/toast`, { headers: { Accept: "text/html", "X-Live": "true" } });
    if (response.status >= 500) return;
    if (!response.ok) return unfollow(run);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector(".toast");
    const there = byId(fresh.id);
    if (!followed().some((one) => one.run === run)) return;
    if (!there) {
      const added = document.importNode(fresh, true);
      place.append(added);
      htmx.process(added);
    } else if (there.textContent !== fresh.textContent) {
      const wasLive = there.dataset.state === "live";
      await htmx.swap({ text: fresh.outerHTML, target: there, sourceElement: there, swap: "outerMorph" });
      if (wasLive && fresh.dataset.state !== "live" && panel()?.dataset.run !== run) tell(fresh);
    }
  }

  /* A panel on this page tells its own end. */
  function tell(toast) {
    byId("announcer").textContent = toast.querySelector("[data-words]").textContent;
  }

  async function tick() {
    timer = 0;
    if (isFetching || document.hidden) return;
    isFetching = true;
    try {
      const shown = panel();
      if (shown && isLive()) follow(shown.dataset.run);
      arrange();
      for (const { run } of followed().slice(-MOST)) if (!isSeen(run) && goesOn(run)) await show(run);
      arrange();
    } catch {
      // The connection is lost; live.js says so.
    } finally {
      isFetching = false;
    }
    if (followed().some(({ run }) => goesOn(run))) timer ||= setTimeout(tick, TICK_MS);
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(tick, 0);
  }

  let frame = 0;
  document.addEventListener(
    "scroll",
    () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        if (!followed().length) return;
        arrange();
        const isMissing = followed().some(({ run }) => !isSeen(run) && !byId(`toast-${run}`));
        if (isMissing && !timer) soon();
      });
    },
    { passive: true },
  );
  document.addEventListener("focusin", makeWay);
  document.addEventListener("visibilitychange", soon);
  // The stream of a panel swaps a few times a second, which must not hurry the ticks.
  document.addEventListener("htmx:after:settle", () => panel() && !isFetching && !timer && soon());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-put-away]");
    if (!button) return;
    const run = button.dataset.putAway;
    write("runs-put-away", [...read("runs-put-away"), run]);
    unfollow(run);
    byId("main").focus({ preventScroll: true });
  });
  soon();
})();
