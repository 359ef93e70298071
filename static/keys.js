/* Menus and single-key shortcuts. Escape works even if these shortcuts are off. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // A menu with an open editor in it stays: clicks beside it are part of writing.
  const openMenus = () => document.querySelectorAll("details.menu[open]:not(:has(.edit[open]))");

  document.addEventListener("click", (event) => {
    for (const menu of openMenus()) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    }
    if (event.target.closest("[data-open=shortcuts]")) showShortcuts();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  function showShortcuts() {
    for (const menu of openMenus()) menu.removeAttribute("open");
    byId("shortcuts").showModal();
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

  const discard = (card) => card.querySelector("[id^=discard-]");

  /* Keys on a focused card: Enter opens it, x and the space bar select it, K keeps a suggestion. */
  const ON_CARD = {
    Enter: (card) => card.querySelector(":is(h2, h3) a"),
    x: (card) => card.querySelector(".pick, .take"),
    " ": (card) => card.querySelector(".pick, .take"),
    K: (card) => card.querySelector("[id^=keep-]"),
    d: discard,
    D: discard,
  };

  const PRESSES = { 1: "vote-first", 2: "vote-second", "=": "vote-tie", s: "skip", z: "undo" };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenu(event);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
    if (!document.body.hasAttribute("data-shortcuts")) return;
    if (event.key === "?") {
      event.preventDefault();
      showShortcuts();
      return;
    }
    const isCard = event.target.matches("li.card[tabindex]");
    const button =
      (isCard && ON_CARD[event.key]?.(event.target)) || byId(PRESSES[event.key.toLowerCase()]);
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
})();
