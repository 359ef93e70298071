/* The palette, loaded when it is first opened: a combobox whose list filters commands at once and asks
   the server for ideas. keys.js opens it. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const [palette, field, list, none, status] = ["palette", "palette-q", "palette-list", "palette-none", "palette-status"].map(byId);
  const PAUSE_MS = 120;
  // So that ideas are in view below the commands.
  const MOST_OF_A_GROUP = 5;
  let asked = new AbortController();
  let pause = 0;
  let active = null;
  // Whether the reader chose the active option. Until then, the first one is active.
  let isChosen = false;
  let isAsking = false;
  let awaitsEnter = false;

  const typed = () => field.value.trim();
  const all = () => [...list.querySelectorAll("[role=option]")];
  const shown = () => all().filter((option) => !option.hidden);

  function plain(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }

  const wordsOf = (text) => plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);

  /* Whether each word that was typed begins a word of the option. */
  function fits(option, words) {
    const [label, hint] = [".palette-label", ".palette-hint"].map((part) => option.querySelector(part).textContent);
    const text = `${label} ${option.dataset.words ?? ""} ${hint}`;
    const known = wordsOf(text);
    return words.every((word) => known.some((one) => one.startsWith(word)));
  }

  function filter() {
    const words = wordsOf(typed());
    for (const group of list.querySelectorAll("[role=group]")) {
      let left = typed() ? MOST_OF_A_GROUP : Infinity;
      const kind = group.dataset.group;
      for (const option of group.children) {
        if (option.role !== "option") continue;
        if (kind === "typed") option.hidden = !typed();
        else if (kind === "recent") option.hidden = typed() !== "";
        else if (kind === "found" && group.dataset.q === typed()) option.hidden = false;
        else option.hidden = left < 1 || !fits(option, words);
        left -= !option.hidden;
      }
      hideIfEmpty(group);
    }
    for (const option of list.querySelectorAll("[data-typed]")) fill(option);
    show();
  }

  function hideIfEmpty(group) {
    group.hidden = !group.querySelector("[role=option]:not([hidden])");
  }

  function fill(option) {
    option.querySelector(".palette-hint").textContent = `“${typed()}”`;
    if (!option.href) option.value = typed();
    else option.search = new URLSearchParams({ q: typed() });
  }

  function show() {
    const options = shown();
    field.setAttribute("aria-expanded", String(options.length > 0));
    none.hidden = options.length > 0 || !list.children.length;
    isChosen &&= options.includes(active);
    choose(isChosen ? active : options[0]);
  }

  function choose(option) {
    active?.setAttribute("aria-selected", "false");
    active = option ?? null;
    field.setAttribute("aria-activedescendant", active?.id ?? "");
    active?.setAttribute("aria-selected", "true");
    // The first one with the heading above it.
    if (active && active === shown()[0]) list.scrollTop = 0;
    else active?.scrollIntoView({ block: "nearest" });
  }

  function announce() {
    const count = shown().length;
    const text = count ? (count === 1 ? status.dataset.one : status.dataset.many.replace("#", count)) : status.dataset.none;
    status.textContent = typed() ? text : "";
  }

  /* Only the last question counts: a new one ends those before it. Returns null if there is no answer. */
  async function ask(q) {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const { idea, isOpen } = palette.dataset;
    const fields = new URLSearchParams({ q, board: palette.querySelector("[name=board]")?.value ?? "" });
    if (idea) fields.set("idea", idea);
    if (isOpen) fields.set("is_open", "true");
    if (!q) for (const id of seen()) fields.append("seen", id);
    try {
      const answer = await fetch(`${palette.dataset.url}?${fields}`, { signal });
      if (!answer.ok) throw new Error(answer.statusText);
      return await answer.text();
    } catch (error) {
      if (error.name === "AbortError") return null;
      isAsking = awaitsEnter = false;
      none.textContent = status.textContent = status.dataset.failed;
      none.hidden = false;
      return null;
    }
  }

  function seen() {
    try {
      return JSON.parse(localStorage.getItem("ideapool-seen")) ?? [];
    } catch {
      return [];
    }
  }

  async function begin() {
    none.textContent = status.dataset.none;
    const html = await ask("");
    if (html === null || !palette.open) return;
    list.innerHTML = html;
    filter();
    isAsking = typed() !== "";
    if (isAsking) find();
  }

  /* Until the answer is here, what was found before is filtered as the commands are. */
  async function find() {
    const q = typed();
    const html = q ? await ask(q) : "";
    const found = byId("palette-found");
    if (html === null || !found || q !== typed()) return;
    isAsking = false;
    found.innerHTML = html;
    for (const group of found.children) group.dataset.q = q;
    filter();
    announce();
    if (awaitsEnter) active?.click();
  }

  /* Who types quickly and presses Enter means an idea with these words, not to add one. */
  function isTooSoon() {
    return isAsking && !isChosen && (!active || active.hasAttribute("data-typed"));
  }

  function changed() {
    isChosen = awaitsEnter = false;
    isAsking = typed() !== "";
    filter();
    clearTimeout(pause);
    pause = setTimeout(find, typed() ? PAUSE_MS : 0);
  }

  const MOVES = {
    ArrowDown: (at, last) => (at < last ? at + 1 : 0),
    ArrowUp: (at, last) => (at > 0 ? at - 1 : last),
    Home: () => 0,
    End: (_at, last) => last,
    PageDown: (at, last) => Math.min(at + 6, last),
    PageUp: (at) => Math.max(at - 6, 0),
  };

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.shiftKey) return;
    const options = shown();
    const move = MOVES[event.key];
    if (move && options.length) {
      event.preventDefault();
      isChosen = true;
      choose(options[move(options.indexOf(active), options.length - 1)]);
    } else if (event.key === "Enter" && isTooSoon()) {
      event.preventDefault();
      awaitsEnter = true;
    } else if (event.key === "Enter" && active) {
      event.preventDefault();
      if ((event.ctrlKey || event.metaKey) && active.href) window.open(active.href, "_blank", "noopener");
      else active.click();
    }
  });

  field.addEventListener("input", changed);

  list.addEventListener("mousemove", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option || option === active) return;
    isChosen = true;
    choose(option);
  });

  // The focus stays in the field.
  list.addEventListener("mousedown", (event) => event.preventDefault());

  /* Where the page has the control itself, that is used, so that the page stays as it is. */
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const control = option.dataset.press && document.querySelector(option.dataset.press);
    palette.close();
    if (!control) return;
    event.preventDefault();
    control.closest("details:not(.menu)")?.setAttribute("open", "");
    if (control.matches("input, textarea, select")) {
      control.scrollIntoView({ block: "center" });
      control.focus();
    } else control.click();
  });

  palette.addEventListener("close", () => {
    asked.abort();
    clearTimeout(pause);
    field.value = "";
    isChosen = isAsking = awaitsEnter = false;
    list.replaceChildren();
    choose(null);
    status.textContent = "";
    none.hidden = true;
  });

  // A page that comes back from the browser's cache is as one left it, but for the palette.
  window.addEventListener("pagehide", () => palette.close());

  palette.addEventListener("palette-open", begin);
})();
