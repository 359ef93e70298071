/* Fields: how much fits into them, and what was wrong with what was sent. The server alone decides;
   `macros.html` writes the attributes that are read here. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  // A counter shows from this part of the limit on.
  const NEAR = 0.85;
  // Longer than between two keys, so that not each of them is read out.
  const PAUSE_MS = 1000;

  /* As the server counts: characters, not halves of them, without blanks around them. */
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
    // What the server said of the text says it already.
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

  /* What was said of a field, or of its form, was said of what stood there before. */
  document.addEventListener("input", (event) => {
    const field = event.target;
    field.removeAttribute("aria-invalid");
    for (const id of [field.id, field.form?.id]) if (id) byId(`${id}-problem`)?.remove();
    if (!field.dataset.most) return;
    countIn(field);
    announce(field);
  });

  /* A refused form has come back: on with its first problem, wherever that is folded away. */
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

  /* A form that was sent without htmx has put its own address into the bar, which is no page. */
  const { address } = document.body.dataset;
  if (address) history.replaceState(history.state, "", address);
  countAll();
})();
