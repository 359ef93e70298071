/* Menus, single-key shortcuts and the way to the palette. Escape, Ctrl K and Ctrl Enter work even if single
   keys are off. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // By itself, htmx begins in a later turn. A key that pressed a button before would load the page anew.
  window.htmx?.initialize();
  // A menu with an open editor in it stays: clicks beside it are part of writing.
  const openMenus = () => document.querySelectorAll("details.menu[open]:not(:has(.edit[open]))");

  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    }
    if (event.target.closest("[data-open=shortcuts]")) showShortcuts();
    const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey);
    if (isPlain && event.target.closest("[data-open=palette]") && openPalette()) event.preventDefault();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  function showShortcuts() {
    for (const menu of openMenus()) menu.removeAttribute("open");
    byId("shortcuts").showModal();
  }

  /* The field is there at once; the list comes with the palette's own script and sheet. */
  function openPalette() {
    const palette = byId("palette");
    if (!palette?.showModal || palette.open) return Boolean(palette?.open);
    for (const menu of openMenus()) menu.removeAttribute("open");
    const card = document.activeElement?.closest("li.card[id^=idea-]");
    const opened = location.pathname.match(/\/ideas\/([0-9a-f-]{36})$/)?.[1];
    palette.dataset.idea = card?.id.slice("idea-".length) ?? opened ?? "";
    palette.dataset.isOpen = !card && opened ? "yes" : "";
    palette.showModal();
    const parts = byId("palette-parts");
    const begin = () => palette.dispatchEvent(new Event("palette-open"));
    if (!parts) begin();
    else {
      const copy = document.importNode(parts.content, true);
      copy.querySelector("script").addEventListener("load", begin);
      document.head.append(copy);
      parts.remove();
    }
    return true;
  }

  /* Which boards and ideas were visited last, for the palette. Only their ids: the server knows who may
     see their names. */
  function noteVisit() {
    const id = location.pathname.match(/\/(?:boards|ideas)\/([0-9a-f-]{36})$/)?.[1];
    if (!id) return;
    try {
      const before = JSON.parse(localStorage.getItem("ideapool-seen")) ?? [];
      const seen = [id, ...before.filter((one) => one !== id)].slice(0, 8);
      localStorage.setItem("ideapool-seen", JSON.stringify(seen));
    } catch {
      // A browser may refuse to store anything.
    }
  }

  /* What Escape leaves, the innermost first; app.js closes editors. */
  function leave(event) {
    if (openMenus().length) closeMenu(event);
    else if (!event.target.closest("input:not(.pick), textarea, select, dialog, .is-edited")) {
      if (document.querySelector(".pick:checked")) document.querySelector("[data-pick=none]")?.click();
    }
  }

  function closeMenu(event) {
    const [menu] = openMenus();
    if (!menu) return;
    event.preventDefault();
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }

  const KEYS = {
    "/": () => byId("q"),
    n: () => byId("new-title"),
    b: () => byId("topic") ?? byId("branch-method"),
    r: () => byId("instruction"),
    e: () => byId("evaluate"),
    j: () => cardBeside(1),
    k: () => cardBeside(-1),
    a: () => document.querySelector(".pick:checked") && document.querySelector("#bulk summary"),
  };

  /* The card after or before the focused one; the first card if none has the focus. */
  function cardBeside(step) {
    const cards = [...document.querySelectorAll("li.card[tabindex]")];
    const here = cards.findIndex((card) => card.contains(document.activeElement));
    return cards[here < 0 ? 0 : Math.min(Math.max(here + step, 0), cards.length - 1)];
  }

  /* Keys on a focused card press its own controls. What one may not do has no control. */
  const ON_CARD = {
    Enter: ":is(h2, h3) a",
    x: ".pick, .take",
    " ": ".pick, .take",
    e: 'a[href$="/edit"]',
    s: 'form[action$="/star"] button',
    l: 'form[action$="/like"] button',
    1: '[name=status][value="draft"]',
    2: '[name=status][value="kept"]',
    3: '[name=status][value="in-progress"]',
    4: '[name=status][value="done"]',
    "#": 'form[action$="/delete"] button',
    Delete: 'form[action$="/delete"] button',
    K: "[id^=keep-]",
    d: "[id^=discard-]",
    D: "[id^=discard-]",
  };

  /* After g: pages of the board. */
  const GOES = { b: "", r: "/rank", o: "/summary", t: "/table", m: "/map" };
  const PATIENCE_MS = 1500;
  let wentAt = -Infinity;

  function went(event) {
    const isSecond = event.timeStamp - wentAt < PATIENCE_MS;
    wentAt = event.key === "g" ? event.timeStamp : -Infinity;
    const board = document.body.dataset.live?.replace(/\/live$/, "");
    if (!isSecond || !board || !(event.key in GOES)) return event.key === "g";
    location.assign(board + GOES[event.key]);
    return true;
  }

  /* Where a text is written, Enter alone begins a new line. */
  function send(event) {
    const form = event.target.closest("form[data-guard], form:has([data-markdown])");
    if (!form || event.isComposing || !event.target.matches("input, textarea")) return;
    event.preventDefault();
    if (!event.repeat) form.requestSubmit();
  }

  const PRESSES = { 1: "vote-first", 2: "vote-second", "=": "vote-tie", s: "skip", z: "undo" };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave(event);
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key === "k") {
      if (byId("palette")?.open) byId("palette").close();
      else if (!openPalette()) return;
      event.preventDefault();
      return;
    }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key === "Enter") send(event);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not(.pick), textarea, select, dialog, [contenteditable]")) return;
    if (!document.body.hasAttribute("data-shortcuts")) return;
    if (event.key === "?") {
      event.preventDefault();
      showShortcuts();
      return;
    }
    if (went(event)) {
      event.preventDefault();
      return;
    }
    const card = event.target.closest("li.card[tabindex]:not(.is-edited)");
    const isOnCard = card === event.target || (event.key.length === 1 && event.key !== " ");
    const button =
      (card && isOnCard && ON_CARD[event.key] && card.querySelector(ON_CARD[event.key])) ||
      byId(PRESSES[event.key.toLowerCase()]);
    if (button) {
      event.preventDefault();
      // A key held down counts once.
      if (!event.repeat) button.click();
      return;
    }
    const field = KEYS[event.key]?.();
    if (!field) return;
    event.preventDefault();
    field.scrollIntoView({ block: "center" });
    field.focus();
  });

  noteVisit();
})();
