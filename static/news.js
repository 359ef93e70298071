/* Shows what others do on the board of this page, without moving what somebody types, reads or drags.

   live.js says what has changed, and loads this file with the first news. Then the page is fetched once for
   all that has come together, and each card, and each other part with `data-live`, is replaced by what the
   fetched page has for it. */
"use strict";
(() => {
  if (!document.body.dataset.live) return;
  const byId = (id) => document.getElementById(id);
  const now = () => performance.now();
  // live.js has watched the page from the beginning.
  const use = window.live;

  // What comes within this time is fetched together.
  const PAUSE_MS = 120;
  // More cards than are shown, so that new ones do not push the last ones out of the fetched page.
  const MARGIN = 20;
  // A pointer that moved so lately may be about to click.
  const POINTING_MS = 1_500;
  const FRESH_MS = 2_500;
  const EVERYTHING = "*";

  /* What has changed, by the id of the idea, the run … */
  let changes = new Map();
  let timer = 0;
  let isFetching = false;
  // Cards that somebody asked to see, and those that wait until nobody uses them.
  const wanted = new Set();
  const held = new Map();
  const unseen = new Set();
  let isHeld = false;

  function note(change) {
    const shown = byId("sheet")?.dataset.idea;
    const isAboutAll = /^(run|rubric|board|reset)\b/.test(change.kind);
    if (shown && change.subject !== shown && !isAboutAll) return;
    changes.set(change.subject, change);
    if (byId("vote-form")?.dataset.shows.includes(change.subject)) offer();
    schedule();
  }

  function schedule() {
    timer ||= setTimeout(refresh, PAUSE_MS);
  }

  async function refresh() {
    timer = 0;
    // A hidden page is not seen; what has changed waits until it is.
    if (document.hidden) return;
    if (isFetching || use.asking) {
      schedule();
      return;
    }
    const taken = changes;
    const before = use.answers;
    changes = new Map();
    isFetching = true;
    try {
      const page = await fetchPage();
      if (before === use.answers && !use.asking) await show(page, taken);
      else putBack(taken);
    } catch {
      // The connection is lost: `connect` finds out, and catches up.
      putBack(taken, false);
    } finally {
      isFetching = false;
    }
  }

  function putBack(taken, isSoon = true) {
    changes = new Map([...taken, ...changes]);
    if (isSoon) schedule();
  }

  async function fetchPage() {
    const url = new URL(location.href);
    const cards = document.querySelectorAll("#ideas > li[id^=idea-]").length;
    if (byId("ideas")) url.searchParams.set("loaded", cards + MARGIN);
    const response = await fetch(url, { headers: { "X-Live": "true", Accept: "text/html" } });
    if (response.status >= 500) throw new Error("The server cannot answer right now.");
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  async function show(page, news) {
    const told = { added: [], changed: [], removed: [] };
    if (byId("ideas") && page.getElementById("ideas")) await showCards(page, news, told);
    // lanes.js shows a board as lanes.
    document.dispatchEvent(new CustomEvent("board:page", { detail: { page, news, told, freshen } }));
    for (const part of document.querySelectorAll("[data-live][id]")) {
      if (part === document.body || part.parentElement.closest("main [data-live]")) continue;
      await showPart(part, page.getElementById(part.id), news);
    }
    announce(told);
  }

  /* Parts of the page other than cards */
  async function showPart(part, fresh, news) {
    // A run tells its own news.
    if (part.querySelector("[hx-sse\\:connect]") || part.hasAttribute("hx-sse:connect")) return;
    if (fresh && face(part) === face(fresh)) return;
    if (isOfAnotherText(part, fresh)) return;
    const change = [...news.values()].at(-1);
    if (part.id === "sheet" && (!fresh || isBusy(part))) noteOnSheet(part, fresh, change);
    else if (!fresh) offer();
    else if (isBusy(part)) isHeld = true;
    else await replace(part, fresh);
  }

  /* Whoever accepts a proposal must accept what was read. For another text of the idea, its changes and the ticks
     mean something else; the server says so, and shows them again. */
  function isOfAnotherText(part, fresh) {
    const [mine, theirs] = [part, fresh].map((one) => one?.querySelector("#proposal")?.elements.idea_version.value);
    return Boolean(mine && theirs) && mine !== theirs;
  }

  function noteOnSheet(sheet, fresh, change) {
    if (!fresh || revision(fresh) !== revision(sheet)) {
      const form = byId("edit-form");
      const isTyping = Boolean(fresh) && byId("editor").open && isChanged(form);
      document.querySelector(".sheet-note")?.remove();
      const box = byId("sheet-note").content.cloneNode(true).firstElementChild;
      box.querySelector("span").textContent = words(box.dataset[fresh ? "changed" : "removed"], change);
      box.querySelector("[data-see]").hidden = !isTyping;
      box.querySelector("[data-show-sheet]").hidden = isTyping;
      sheet.before(box);
    }
    isHeld = true;
  }

  const revision = (part) => part.querySelector("[name=revision]")?.value;

  /* Cards */
  async function showCards(page, news, told) {
    const list = byId("ideas");
    const fresh = new Map(cardsOf(page.getElementById("ideas")));
    const shown = new Map(cardsOf(list));
    const isAll = news.has(EVERYTHING);
    for (const [id, card] of shown) {
      const change = news.get(id) ?? held.get(id);
      if (fresh.has(id)) await showCard(card, fresh.get(id), change, told);
      else if (change || isAll) removeCard(card, change, told);
    }
    const isNew = (id) => news.has(id) || isAll || unseen.has(id);
    const added = [...fresh].filter(([id]) => !shown.has(id) && isNew(id));
    for (const id of [...unseen]) if (!fresh.has(id)) unseen.delete(id);
    for (const [id, card] of added) addCard(list, card, id, [...fresh.keys()], news.get(id), told);
    if (fresh.size || !shown.size) list.querySelector(".empty")?.remove();
    const empty = page.querySelector("#ideas > .empty");
    if (empty && !cardsOf(list).length && !list.querySelector(".empty")) list.append(empty);
    sort(list, [...fresh.keys()]);
    offerUnseen();
  }

  const cardsOf = (list) => [...list.querySelectorAll(":scope > li[id^=idea-]")].map((card) => [idOf(card), card]);
  const idOf = (card) => card.id.slice("idea-".length);
  const titleOf = (card) => card.querySelector("h3")?.textContent.trim() ?? "";

  async function showCard(card, fresh, change, told) {
    const id = idOf(card);
    if (isEdited(card)) {
      const isOld = change && revision(card) !== undefined && change.kind !== "like.changed";
      if (isOld) noteOnCard(card, "editing", change);
    } else if (face(card) === face(fresh)) {
      held.delete(id);
      card.querySelector(".card-note")?.remove();
    } else if (isBusy(card) && !wanted.has(id)) {
      if (!change) return;
      held.set(id, change);
      noteOnCard(card, "changed", change);
    } else {
      await replace(card, fresh);
      if (change && !wanted.has(id)) told.changed.push([titleOf(fresh), change]);
      wanted.delete(id);
      held.delete(id);
    }
  }

  function removeCard(card, change, told) {
    const id = idOf(card);
    if (isBusy(card) && !wanted.has(id)) {
      held.set(id, change ?? { kind: "reset", by: "" });
      noteOnCard(card, "removed", change);
      return;
    }
    told.removed.push([titleOf(card), change]);
    wanted.delete(id);
    held.delete(id);
    card.remove();
  }

  function addCard(list, card, id, order, change, told) {
    const shown = new Map(cardsOf(list));
    const before = order.slice(0, order.indexOf(id)).findLast((one) => shown.has(one));
    const follows = order.slice(order.indexOf(id) + 1).some((one) => shown.has(one));
    // “Show more” brings it.
    if (!follows && shown.size && document.querySelector("#more a")) return;
    const at = before ? shown.get(before).nextElementSibling : cardAfterForm(list);
    if (at && pushes(list, at) && !wanted.has(EVERYTHING)) {
      unseen.add(id);
      return;
    }
    unseen.delete(id);
    const added = document.importNode(card, true);
    list.insertBefore(added, at);
    htmx.process(added);
    freshen(added);
    told.added.push([titleOf(card), change]);
  }

  const cardAfterForm = (list) =>
    byId("add") ? byId("add").nextElementSibling : list.firstElementChild;

  /* Whether a card put here moves what somebody may be reading or using. */
  function pushes(list, at) {
    if (at.getBoundingClientRect().top > window.innerHeight) return false;
    return !isAtRest(list);
  }

  function isAtRest(list) {
    const isAtTop = list.getBoundingClientRect().top >= 0 || window.scrollY === 0;
    const isPointedAt = list.matches(":hover") && now() - use.pointedAt < POINTING_MS;
    return isAtTop && !isPointedAt && !cardsOf(list).some(([, card]) => isBusy(card));
  }

  /* Only where nothing is read: the order is right again when the page is loaded. */
  function sort(list, order) {
    const shown = new Map(cardsOf(list));
    const right = order.filter((id) => shown.has(id));
    const there = [...shown.keys()].filter((id) => right.includes(id));
    if (right.every((id, place) => id === there[place]) || !isAtRest(list)) return;
    for (const id of right) list.append(shown.get(id));
    for (const [id, card] of shown) if (!right.includes(id)) list.append(card);
  }

  /* Is somebody using it? */
  const isEdited = (element) => element.matches(".is-edited") || element.querySelector(".is-edited");

  function isChanged(element) {
    const fields = [...element.querySelectorAll("input:not([type=hidden], [type=checkbox]), textarea")];
    return fields.some((field) => field.value !== field.defaultValue);
  }

  function isBusy(element) {
    const at = document.activeElement;
    const isCard = element.matches("li.card");
    const isField = at?.matches("input:not([type=checkbox]), textarea, select");
    if (at !== document.body && element.contains(at) && (isCard || isField)) return true;
    if (use.pressed && element.contains(use.pressed)) return true;
    if (isEdited(element) || element.querySelector("details.menu[open], dialog[open]")) return true;
    const selection = getSelection();
    const isSelected = !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(element);
    return isSelected || isChanged(element);
  }

  /* What a reader sees of an element, without the ages, which change all the time. */
  function face(element) {
    const copy = element.cloneNode(true);
    for (const gone of copy.querySelectorAll("time, .card-note, template, [role=tooltip]")) gone.remove();
    const signs = [...copy.querySelectorAll("[aria-pressed], [points], [href], [name=revision], [value], [disabled]")].map(
      (one) =>
        ["aria-pressed", "points", "href", "disabled"].map((name) => one.getAttribute(name)) +
        (one.name === "revision" ? one.value : ""),
    );
    const state = ["is-archived"].filter((name) => copy.classList.contains(name));
    return [copy.textContent.replace(/\s+/g, " "), ...signs, ...state].join("\n");
  }

  async function replace(element, fresh) {
    const isPicked = element.querySelector(".pick")?.checked;
    await htmx.swap({ text: fresh.outerHTML, target: element, sourceElement: element, swap: "outerMorph" });
    const shown = byId(fresh.id);
    const pick = shown?.querySelector(".pick");
    if (pick && isPicked !== undefined) pick.checked = isPicked;
    shown?.querySelector(":scope > .card-note")?.remove();
    if (shown?.matches("li.card, #sheet")) freshen(shown);
    if (fresh.id === "sheet") document.querySelector(".sheet-note")?.remove();
  }

  function freshen(element) {
    element.classList.add("is-fresh");
    setTimeout(() => element.classList.remove("is-fresh"), FRESH_MS);
  }

  /* Words */
  const texts = byId("news").dataset;

  function words(pattern, change, title = "") {
    return pattern.replace("{who}", change?.by || texts.somebody).replace("{title}", title);
  }

  function noteOnCard(card, what, change) {
    card.querySelector(":scope > .card-note")?.remove();
    const line = byId("card-note").content.cloneNode(true).firstElementChild;
    line.querySelector("span").textContent = words(line.dataset[what], change);
    line.querySelector("button").hidden = what === "editing";
    card.prepend(line);
  }

  function announce(told) {
    // A run on this page tells its own progress; the cards that it changes would drown it out.
    if (byId("run")?.hasAttribute("hx-sse:connect")) told.changed = [];
    const lines = Object.entries(told).flatMap(([what, cards]) => {
      if (cards.length > 1) return [texts[`${what}Many`].replace("{count}", cards.length)];
      return cards.map(([title, change]) => words(texts[what], change, title));
    });
    if (lines.length) byId("announcer").textContent = lines.join(" ");
  }

  /* The pill: new cards that would push what is read, or a page that cannot be renewed part by part. */
  let isOffered = false;

  function offer() {
    isOffered = true;
    offerUnseen();
  }

  function offerUnseen() {
    const count = unseen.size;
    byId("news").hidden = !count && !isOffered;
    const many = texts.newMany.replace("{count}", count);
    byId("show-news").firstElementChild.textContent = !count ? texts.other : count === 1 ? texts.newOne : many;
  }

  async function showNews() {
    const ids = [...unseen];
    const isWhole = isOffered && !ids.length;
    isOffered = false;
    byId("news").hidden = true;
    if (isWhole) {
      location.reload();
      return;
    }
    byId("ideas").scrollIntoView({ block: "start" });
    wanted.add(EVERYTHING);
    await refreshNow();
    wanted.delete(EVERYTHING);
    unseen.clear();
    offerUnseen();
    const first = ids.map((id) => byId(`idea-${id}`)).find(Boolean);
    first?.scrollIntoView({ block: "nearest" });
    first?.focus({ preventScroll: true });
  }

  async function refreshNow() {
    clearTimeout(timer);
    await refresh();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("#show-news")) showNews();
    if (event.target.closest("[data-show-sheet]")) location.reload();
    const card = event.target.closest("[data-show-card]")?.closest("li.card");
    if (card) {
      wanted.add(idOf(card));
      changes.set(idOf(card), held.get(idOf(card)) ?? { kind: "shown", by: "" });
      refreshNow();
    }
  });

  /* What was held back is shown once nobody uses it any more. */
  function tryAgain() {
    if (!held.size && !isHeld) return;
    isHeld = false;
    for (const [id, change] of held) if (!changes.has(id)) changes.set(id, change);
    schedule();
  }

  document.addEventListener("focusout", () => setTimeout(tryAgain, PAUSE_MS));
  document.addEventListener("selectionchange", () => getSelection().isCollapsed && tryAgain());

  document.addEventListener("visibilitychange", () => changes.size && schedule());
  document.addEventListener("board:change", (event) => note(event.detail));
})();
