/* Packs cards of different heights into a grid without holes, and opens an idea by a click on its card.
   Without this file, cards stand in rows with gaps, and their links open them. */
"use strict";
(() => {
  const GAP_PX = 16;
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) place(target);
  });

  /* htmx copies the attribute `style` between cards, which the content security policy forbids. So a card's rows are
     in `data-rows`, and a sheet of our own has a rule for each number. */
  const sheet = new CSSStyleSheet();
  const known = new Set();
  document.adoptedStyleSheets.push(sheet);

  /* The card spans as many rows of one pixel as it and the gap below it are high. The grid puts the next card
     where a column ends first, so the order on the screen is that of the page. */
  function place(card) {
    if (!card.isConnected) return;
    const rows = String(Math.ceil(card.getBoundingClientRect().height) + GAP_PX);
    if (!known.has(rows)) sheet.insertRule(`[data-rows="${rows}"] { grid-row-end: span ${rows}; }`);
    known.add(rows);
    if (card.dataset.rows !== rows) card.dataset.rows = rows;
  }

  const placed = new WeakSet();

  function pack() {
    for (const card of document.querySelectorAll(".cards > *")) {
      if (placed.has(card)) continue;
      placed.add(card);
      place(card);
      sizes.observe(card);
    }
  }

  // Before the browser paints what was changed.
  new MutationObserver(pack).observe(document.body, { childList: true, subtree: true });

  /* The text of a card lies above its link, so that it can be selected. */
  function open(event, link) {
    if (!getSelection().isCollapsed) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) window.open(link.href);
    else link.click();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#ideas > .card .card-text")?.closest(".card").querySelector("h3 a");
    if (link) open(event, link);
  });

  // On the root, which no swap replaces.
  document.documentElement.classList.add("is-packed");
  pack();
})();
