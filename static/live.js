/* Hears from the server what others do on the board of this page, and who is here. news.js shows it; it comes
   with the first news. */
"use strict";
(() => {
  const { live: address, after: newest } = document.body.dataset;
  if (!address) return;
  const byId = (id) => document.getElementById(id);
  const now = () => performance.now();

  // A hidden page gives up its connection, because a browser has only six of them for a server.
  const HIDDEN_MS = 10_000;
  // The server says something every 15 seconds.
  const SILENT_MS = 40_000;
  const CHECK_MS = 5_000;
  const WORRY_MS = 4_000;
  const RETRY_MS = 500;
  const MOST_RETRY_MS = 30_000;

  /* For news.js, which must know what was under way when it came: requests of this page's own, whose answers
     show what they changed, and the pointer. A page fetched before such an answer came is out of date. */
  const use = { asking: 0, answers: 0, pressed: null, pointedAt: -Infinity };
  window.live = use;
  for (const name of ["htmx:before:request", "board:asking"]) {
    document.addEventListener(name, () => (use.asking += 1));
  }
  for (const name of ["htmx:finally:request", "board:answered"]) {
    document.addEventListener(name, () => {
      use.asking = Math.max(0, use.asking - 1);
      use.answers += 1;
    });
  }
  document.addEventListener("pointerdown", (event) => (use.pressed = event.target));
  for (const end of ["pointerup", "pointercancel", "dragend"]) {
    document.addEventListener(end, () => (use.pressed = null));
  }
  document.addEventListener("pointermove", () => (use.pointedAt = now()), { passive: true });

  /* The connection */
  let after = Number(newest);
  let source = null;
  let heardAt = now();
  let lostAt = null;
  let tries = 0;
  let retry = 0;
  let hiding = 0;

  function connect() {
    disconnect();
    if (document.hidden) return;
    heardAt = now();
    source = new EventSource(`${address}?after=${after}`);
    source.onerror = lose;
    listen("change", (event) => tell(JSON.parse(event.data)));
    listen("here", (event) => showHere(event.data));
    listen("reset", () => tell({ subject: "*", kind: "reset", by: "" }));
    listen("beat", () => {});
  }

  function listen(name, act) {
    source.addEventListener(name, (event) => {
      heardAt = now();
      tries = 0;
      lostAt = null;
      byId("offline").hidden = true;
      if (event.lastEventId) after = Number(event.lastEventId);
      act(event);
    });
  }

  function disconnect() {
    clearTimeout(retry);
    source?.close();
    source = null;
  }

  function lose() {
    disconnect();
    lostAt ??= now();
    const pause = Math.min(MOST_RETRY_MS, RETRY_MS * 2 ** tries);
    tries += 1;
    // All pages lose a server at once; they must not all come back at once.
    retry = setTimeout(connect, pause * (0.75 + Math.random() / 2));
  }

  function connectNow() {
    tries = 0;
    connect();
  }

  /* Also runs right after a computer has slept. */
  setInterval(() => {
    if (document.hidden) return;
    if (source && now() - heardAt > SILENT_MS) connectNow();
    if (lostAt !== null && now() - lostAt > WORRY_MS) byId("offline").hidden = false;
  }, CHECK_MS);

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(disconnect, HIDDEN_MS);
    else if (!source || now() - heardAt > SILENT_MS / 2) connectNow();
  });
  window.addEventListener("online", connectNow);
  window.addEventListener("offline", () => {
    lose();
    byId("offline").hidden = false;
  });
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", (event) => event.persisted && connectNow());

  function showHere(html) {
    const here = byId("here");
    const isOpen = here.querySelector("details")?.open;
    here.innerHTML = html;
    here.querySelector("details")?.toggleAttribute("open", Boolean(isOpen));
  }

  let shower = null;

  async function tell(change) {
    shower ??= load();
    await shower;
    document.dispatchEvent(new CustomEvent("board:change", { detail: change }));
  }

  /* Tries again until the file is there: news that were told once do not come again. */
  function load() {
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = byId("news").dataset.script;
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => {
        script.remove();
        setTimeout(() => load().then(resolve), RETRY_MS);
      });
      document.head.append(script);
    });
  }

  byId("connect").addEventListener("click", connectNow);
  connect();
})();
