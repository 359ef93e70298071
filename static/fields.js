/* Counts characters in fields and shows the problems of a refused form. Only the server decides what
   it accepts. `macros.html` writes the attributes that are read here. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // The counter appears at this fraction of the limit.
  const NEAR = 0.85;
  // Longer than the pause between two keys, so that screen readers do not read every count.
  const PAUSE_MS = 1000;

  /* Counts as the server does: whole characters, without the spaces around the text. */
  const lengthOf = (text) => [...text.trim()].length;

  function wordsFor(field) {
    const most = Number(field.dataset.most);
    const hasTags = field.hasAttribute("data-tags");
    const parts = hasTags ? field.value.split(",").map((tag) => tag.trim().replace(/^#+/, "")) : [field.value];
    const count = Math.max(...parts.map(lengthOf));
    const { countNear, countOver, countTag } = document.body.dataset;
    const isOver = count > most;
    const isNear = !hasTags && count > most * NEAR;
    const words = isOver ? (hasTags ? countTag : countOver) : isNear ? countNear : "";
    return { isOver, words: words.replace("{count}", count).replace("{most}", most) };
  }

  function countIn(field) {
    const counter = byId(`${field.id}-count`);
    if (!counter) return;
    const { isOver, words } = wordsFor(field);
    // The server's message already says it.
    counter.textContent = field.getAttribute("aria-invalid") === "true" ? "" : words;
    counter.hidden = !counter.textContent;
    counter.classList.toggle("is-over", isOver);
  }

  function countAll() {
    for (const field of document.querySelectorAll("[data-most]")) countIn(field);
  }

  let pause;

  function announce(field) {
    clearTimeout(pause);
    pause = setTimeout(() => {
      const counter = byId(`${field.id}-count`);
      if (counter && !counter.hidden) byId("announcer").textContent = counter.textContent;
    }, PAUSE_MS);
  }

  /* Removes the message about a field or its form once the text changes. */
  document.addEventListener("input", (event) => {
    const field = event.target;
    field.removeAttribute("aria-invalid");
    for (const id of [field.id, field.form?.id]) if (id) byId(`${id}-problem`)?.remove();
    if (!field.dataset.most) return;
    countIn(field);
    announce(field);
  });

  /* Moves to the first problem of a refused form and opens the disclosures around it. */
  function goOn() {
    const field = document.querySelector("main [data-refused]");
    if (!field) return;
    byId("alerts").replaceChildren();
    for (let at = field.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
    field.focus();
  }

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.response?.status === 422) goOn();
    countAll();
  });

  /* A form sent without htmx leaves its own address in the bar. That is no page, so replace it. */
  const { address } = document.body.dataset;
  if (address) history.replaceState(history.state, "", address);
  countAll();
})();
