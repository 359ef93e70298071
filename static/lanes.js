/* Moves cards between lanes by dragging, by keys and by their menus, and shows what others move.

   Every move is shown at once and sent; the answer has the lanes as they are now. A refused move is put
   back. Without this file, the menus are plain forms. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const lanes = () => [...document.querySelectorAll("#lanes > .lane")];
  const cardsIn = (lane) => [...lane.querySelectorAll(".lane-card:not(.lane-ghost)")];
  const listIn = (lane) => lane.querySelector(".lane-cards");
  const laneOf = (element) => element.closest(".lane");
  const titleOf = (card) => card.querySelector("h3").textContent.trim();
  const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  const SLOP_PX = 6;
  const LONG_PRESS_MS = 350;
  const EDGE_PX = 56;
  const MOST_SCROLL_PX = 18;
  const GLIDE_MS = 180;

  /* Forms and the live board ask for the address of this page, so it names the view. */
  function nameView() {
    const address = new URL(location);
    const { view, by } = byId("list")?.dataset ?? {};
    if (!view || address.searchParams.has("view")) return;
    address.searchParams.set("view", view);
    if (view === "lanes" && by) address.searchParams.set("by", by);
    history.replaceState(history.state, "", address);
  }

  const say = (text) => (byId("announcer").textContent = text);

  function words(name, values) {
    const pattern = byId("lanes").dataset[name];
    return Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), pattern);
  }

  const nameOf = (lane) => lane.querySelector("h2").textContent.trim();

  /* Cards glide to where they stand after `change`, so that the eye can follow. */
  function glide(change) {
    const before = new Map();
    for (const card of document.querySelectorAll(".lane-card")) before.set(card.id, card.getBoundingClientRect());
    change();
    if (isStill()) return;
    for (const card of document.querySelectorAll(".lane-card:not(.lane-ghost)")) {
      const from = before.get(card.id);
      const to = card.getBoundingClientRect();
      if (!from || !to.width || (from.left === to.left && from.top === to.top)) continue;
      const start = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
      card.animate([{ transform: start }, { transform: "none" }], { duration: GLIDE_MS, easing: "ease-out" });
    }
  }

  function insert(list, card, before) {
    const at = document.activeElement;
    const hadFocus = card.contains(at);
    if (card.isConnected && list.moveBefore) list.moveBefore(card, before);
    else list.insertBefore(card, before);
    if (hadFocus && document.activeElement !== at) at.focus({ preventScroll: true });
  }

  /* Counts what is shown. Screen readers hear the number that the server answers. */
  function recount(lane, step) {
    lane.dataset.count = Number(lane.dataset.count) + step;
    lane.querySelector(".lane-count > [aria-hidden]").textContent = lane.dataset.count;
    lane.classList.toggle("is-empty", !cardsIn(lane).length);
  }

  /* Moves */
  let isLast = Promise.resolve();
  let waiting = 0;
  let missed = false;

  /* Puts the card before another one of the lane, or at its end. */
  function move(card, lane, before) {
    const from = laneOf(card);
    const cards = cardsIn(lane);
    const rest = cards.filter((one) => one !== card);
    const above = before ? rest[rest.indexOf(before) - 1] : rest.at(-1);
    // A card that goes down goes past the one above its new place, wherever others move the next one.
    const isDown = lane === from && above && cards.indexOf(card) < cards.indexOf(above);
    const home = { list: card.parentElement, next: card.nextElementSibling };
    const fields = { by: byId("lanes").dataset.by, from_lane: from.dataset.lane };
    if (lane !== from && lane.dataset.lane) fields.lane = lane.dataset.lane;
    else if (lane !== from) fields.untag = "true";
    if (before && !isDown) fields.before = before.dataset.idea;
    else if (above) fields.after = above.dataset.idea;
    glide(() => place(card, lane, before ?? null, from));
    const at = cardsIn(lane).indexOf(card) + 1;
    say(words("moved", { title: titleOf(card), lane: nameOf(lane), place: at, count: lane.dataset.count }));
    send(card, fields, () => glide(() => place(card, laneOf(home.list), home.next, lane, home.list)));
  }

  function place(card, lane, before, from, list = listIn(lane)) {
    insert(list, card, before?.parentElement === list ? before : null);
    if (from !== lane) {
      recount(from, -1);
      recount(lane, 1);
    }
    const fold = lane.querySelector(".lane-fold");
    if (fold && card.contains(document.activeElement)) fold.open = true;
  }

  function send(card, fields, putBack) {
    const address = card.querySelector("[data-moves]").getAttribute("action");
    waiting += 1;
    document.dispatchEvent(new CustomEvent("board:asking"));
    isLast = isLast.then(() => ask(address, fields, putBack));
  }

  async function ask(address, fields, putBack) {
    try {
      const response = await fetch(address, {
        method: "POST",
        body: new URLSearchParams(fields),
        headers: { "HX-Request": "true", "HX-Target": "div#list", "HX-Current-URL": location.href, Accept: "text/html" },
      });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.ok) accept(page);
      else refuse(page, putBack);
    } catch {
      putBack?.();
      byId("alerts").replaceChildren(byId("unreachable").content.cloneNode(true));
    } finally {
      waiting -= 1;
      document.dispatchEvent(new CustomEvent("board:answered"));
      if (!waiting && missed) lookAgain();
    }
  }

  function accept(page) {
    byId("alerts").replaceChildren();
    // A later move is shown already, and its answer is on the way.
    if (waiting === 1) show(page);
    fill("#flash", page);
  }

  function refuse(page, putBack) {
    putBack?.();
    fill("#alerts", page);
    missed = true;
  }

  function fill(target, page) {
    const part = page.querySelector(`hx-partial[hx-target="${target}"]`);
    if (!part) return;
    document.querySelector(target).innerHTML = part.innerHTML;
    htmx.process(document.querySelector(target));
  }

  /* Has the live board fetch this page. */
  function lookAgain() {
    missed = false;
    document.dispatchEvent(new CustomEvent("board:change", { detail: { subject: "*", kind: "reset", by: "" } }));
  }

  /* Shows lanes that were fetched. `live` is there if others changed them. */
  function show(page, live) {
    const mine = byId("lanes");
    const fresh = page.getElementById("lanes");
    const keys = (all) => [...all.children].map((lane) => lane.dataset.lane).join("\n");
    if (!mine || !fresh || mine.dataset.by !== fresh.dataset.by || keys(mine) !== keys(fresh)) {
      if (drag) missed = true;
      else if (mine || fresh) replaceAll(page);
      return;
    }
    const news = live ? new News(live) : null;
    glide(() => {
      for (const [at, lane] of [...fresh.children].entries()) showLane(mine.children[at], lane, news);
      const ids = new Set([...fresh.querySelectorAll(".lane-card")].map((card) => card.id));
      for (const card of mine.querySelectorAll(".lane-card")) {
        if (ids.has(card.id) || card === drag?.card) continue;
        news?.removed(card);
        card.remove();
      }
      for (const lane of lanes()) lane.classList.toggle("is-empty", !cardsIn(lane).length);
    });
  }

  function replaceAll(page) {
    const list = byId("list");
    htmx.swap({ text: page.getElementById("list").outerHTML, target: list, sourceElement: list, swap: "outerMorph" });
  }

  function showLane(lane, fresh, news) {
    lane.dataset.count = fresh.dataset.count;
    for (const part of [".lane-count", ".lane-foot"]) {
      const [old, now] = [lane.querySelector(part), fresh.querySelector(part)];
      if (old.textContent === now.textContent) continue;
      old.innerHTML = now.innerHTML;
      htmx.process(old);
    }
    const list = listIn(lane);
    let at = list.querySelector(".lane-card");
    for (const card of fresh.querySelectorAll(".lane-card")) {
      const shown = byId(card.id);
      // What is dragged stays where it is, and so does the line that shows where it goes.
      while (at && (at === drag?.card || at === drag?.line)) at = at.nextElementSibling;
      if (shown && shown === drag?.card) continue;
      if (shown === at && shown) {
        at = at.nextElementSibling;
      } else {
        const isNew = !shown;
        const card_ = shown ?? document.importNode(card, true);
        if (!isNew && laneOf(card_) !== lane) news?.moved(card_, lane);
        insert(list, card_, at);
        if (isNew) {
          htmx.process(card_);
          news?.added(card_);
        }
      }
      if (shown) showCard(shown, card, news);
    }
  }

  function showCard(card, fresh, news) {
    if (face(card) === face(fresh)) return;
    const isOpen = card.querySelector("details[open]");
    if (isOpen || (card !== document.activeElement && card.querySelector("input:focus"))) {
      missed = true;
      return;
    }
    const isPicked = card.querySelector(".pick")?.checked;
    news?.changed(fresh);
    htmx.swap({ text: fresh.outerHTML, target: card, sourceElement: card, swap: "outerMorph" }).then(() => {
      const pick = byId(card.id)?.querySelector(".pick");
      if (pick) pick.checked = isPicked;
    });
  }

  /* What a reader sees of a card, without its age and what its menu offers. */
  function face(card) {
    const copy = card.cloneNode(true);
    for (const gone of copy.querySelectorAll("time, .move-menu")) gone.remove();
    const signs = [...copy.querySelectorAll("[aria-pressed], [points], [href]")].map((one) =>
      ["aria-pressed", "points", "href"].map((name) => one.getAttribute(name)),
    );
    const lane = card.querySelector("[name=from_lane]")?.value ?? "";
    return [copy.textContent.replace(/\s+/g, " "), lane, ...signs, card.classList.contains("is-archived")].join("\n");
  }

  /* Tells what others did. news.js says it, except who moved what where. */
  class News {
    constructor({ news, told, freshen }) {
      Object.assign(this, { news, told, freshen });
    }
    by(card) {
      return this.news.get(card.dataset.idea);
    }
    added(card) {
      this.told.added.push([titleOf(card), this.by(card)]);
      this.freshen(card);
    }
    removed(card) {
      this.told.removed.push([titleOf(card), this.by(card)]);
    }
    changed(card) {
      const shown = byId(card.id);
      if (this.by(card) && !this.wasMoved) this.told.changed.push([titleOf(card), this.by(card)]);
      this.freshen(shown);
    }
    moved(card, lane) {
      this.wasMoved = true;
      const who = this.by(card)?.by || byId("news").dataset.somebody;
      say(words("movedBy", { who, title: titleOf(card), lane: nameOf(lane) }));
    }
  }

  document.addEventListener("board:page", (event) => {
    if (!byId("list") || byId("list").dataset.view !== "lanes") return;
    if (waiting) missed = true;
    else show(event.detail.page, event.detail);
  });
  document.addEventListener("focusout", () => setTimeout(() => missed && !drag && !waiting && lookAgain(), 0));

  /* Dragging */
  let drag = null;
  let armed = null;

  function arm(event) {
    if (event.button || !event.isPrimary || drag) return;
    const card = event.target.closest?.(".lane-card[data-movable]");
    if (!card || event.target.closest("button, input, select, textarea, summary, .menu-box")) return;
    armed = { card, x: event.clientX, y: event.clientY, id: event.pointerId, isTouch: event.pointerType === "touch" };
    if (armed.isTouch) armed.timer = setTimeout(() => begin(), LONG_PRESS_MS);
  }

  function disarm() {
    clearTimeout(armed?.timer);
    armed = null;
  }

  function begin() {
    const { card, x, y, id } = armed;
    const box = card.getBoundingClientRect();
    disarm();
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.removeAttribute("open");
    getSelection().removeAllRanges();
    const ghost = card.cloneNode(true);
    for (const part of [ghost, ...ghost.querySelectorAll("[id]")]) part.removeAttribute("id");
    ghost.classList.add("lane-ghost");
    ghost.inert = true;
    ghost.style.width = `${box.width}px`;
    const line = document.createElement("li");
    line.className = "drop-line";
    line.setAttribute("aria-hidden", "true");
    drag = { card, ghost, line, dx: x - box.left, dy: y - box.top, x, y, id };
    card.classList.add("is-dragged");
    document.documentElement.classList.add("is-dragging");
    document.body.append(ghost);
    card.setPointerCapture?.(id);
    say(words("dragging", { title: titleOf(card) }));
    follow();
    requestAnimationFrame(scrollAtEdges);
  }

  function follow() {
    drag.ghost.style.transform = `translate(${drag.x - drag.dx}px, ${drag.y - drag.dy}px) rotate(1.5deg)`;
    const [lane] = lanes().sort((one, other) => distance(one, drag.x) - distance(other, drag.x));
    for (const one of lanes()) one.classList.toggle("is-target", one === lane);
    const others = cardsIn(lane).filter((card) => card !== drag.card);
    const isFolded = lane.querySelector(".lane-fold:not([open])");
    const before = isFolded ? others[0] : others.find((card) => drag.y < middle(card));
    drag.lane = lane;
    drag.before = before ?? null;
    const list = listIn(lane);
    if (drag.line.parentElement !== list || drag.line.nextElementSibling !== drag.before) {
      list.insertBefore(drag.line, drag.before);
    }
  }

  function distance(lane, x) {
    const { left, right } = lane.getBoundingClientRect();
    return Math.max(left - x, x - right, 0);
  }

  function middle(card) {
    const { top, height } = card.getBoundingClientRect();
    return top + height / 2;
  }

  /* The nearer the pointer is to an edge, the faster. */
  function scrollAtEdges() {
    if (!drag) return;
    const board = byId("lanes");
    const box = board.getBoundingClientRect();
    const top = Math.max(box.top, 0);
    const bottom = Math.min(box.bottom, innerHeight);
    const before = [board.scrollLeft, board.scrollTop, scrollY].join();
    const down = pull(drag.y, top, bottom);
    board.scrollLeft += pull(drag.x, Math.max(box.left, 0), Math.min(box.right, innerWidth));
    board.scrollTop += down;
    scrollBy(0, pull(drag.y, 0, innerHeight));
    if (before !== [board.scrollLeft, board.scrollTop, scrollY].join()) follow();
    requestAnimationFrame(scrollAtEdges);
  }

  function pull(at, start, end) {
    const near = Math.max(EDGE_PX - (at - start), 0) - Math.max(EDGE_PX - (end - at), 0);
    return -Math.round((Math.min(Math.max(near, -EDGE_PX), EDGE_PX) / EDGE_PX) * MOST_SCROLL_PX);
  }

  function end() {
    const ended = drag;
    drag = null;
    ended.ghost.remove();
    ended.line.remove();
    ended.card.classList.remove("is-dragged");
    document.documentElement.classList.remove("is-dragging");
    for (const lane of lanes()) lane.classList.remove("is-target");
    return ended;
  }

  function drop() {
    const { card, lane, before } = end();
    // A click that follows would open the idea.
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
    const cards = cardsIn(lane);
    const next = cards[cards.indexOf(card) + 1] ?? null;
    if (laneOf(card) === lane && before === next) cancelled(card);
    else move(card, lane, before);
  }

  function swallow(event) {
    event.preventDefault();
    event.stopPropagation();
  }

  function cancelled(card) {
    say(words("cancelled", { title: titleOf(card) }));
    if (missed) lookAgain();
  }

  document.addEventListener("pointerdown", arm);
  document.addEventListener("pointermove", (event) => {
    if (drag && event.pointerId === drag.id) {
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      follow();
    } else if (armed && Math.hypot(event.clientX - armed.x, event.clientY - armed.y) > SLOP_PX) {
      // A finger that moves at once scrolls.
      if (armed.isTouch) disarm();
      else begin();
    }
  });
  document.addEventListener("pointerup", () => {
    disarm();
    if (drag) drop();
  });
  document.addEventListener("pointercancel", () => {
    disarm();
    if (drag) cancelled(end().card);
  });
  document.addEventListener("touchmove", (event) => drag && event.preventDefault(), { passive: false });
  document.addEventListener("contextmenu", (event) => (drag || armed?.isTouch) && event.preventDefault());
  document.addEventListener("dragstart", (event) => event.target.closest?.(".lane-card") && event.preventDefault());

  /* Keys and menus */
  const STEPS = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", Home: "top" };

  function step(card, to) {
    const lane = laneOf(card);
    const cards = cardsIn(lane);
    const at = cards.indexOf(card);
    if (to === "left" || to === "right") {
      const other = lanes()[lanes().indexOf(lane) + (to === "left" ? -1 : 1)];
      if (other) move(card, other, cardsIn(other)[0]);
    } else if (to === "bottom" && lane.querySelector(".lane-more")) {
      send(card, { by: byId("lanes").dataset.by, from_lane: lane.dataset.lane, to });
    } else {
      const places = { up: at - 1, down: at + 1, top: 0, bottom: cards.length - 1 };
      const place = Math.min(Math.max(places[to], 0), cards.length - 1);
      if (place !== at) move(card, lane, cards[place > at ? place + 1 : place]);
    }
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (drag && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      cancelled(end().card);
      return;
    }
    const to = event.altKey && !event.ctrlKey && !event.metaKey && STEPS[event.key];
    if (!to || event.target.closest?.("input:not(.pick), textarea, select")) return;
    const card = event.target.closest?.(".lane-card[data-movable]");
    if (!card) return;
    event.preventDefault();
    step(card, to);
  }, true);

  document.addEventListener("submit", (event) => {
    if (!event.target.matches?.(".lane-card [data-moves]")) return;
    event.preventDefault();
    event.stopPropagation();
    const card = event.target.closest(".lane-card");
    const { name, value } = event.submitter;
    const menu = event.target.closest("details");
    menu.removeAttribute("open");
    menu.querySelector("summary").focus({ preventScroll: true });
    const lane = lanes().find((one) => one.dataset.lane === (name === "untag" ? "" : value));
    if (name === "to") step(card, value);
    else if (lane) move(card, lane, cardsIn(lane)[0]);
  }, true);

  /* A menu lies over the lanes, which scroll and would cut it off. */
  function placeMenu(menu) {
    const at = menu.querySelector("summary").getBoundingClientRect();
    const box = menu.querySelector(".menu-box");
    box.classList.add("is-fixed");
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
    box.style.top = `${at.bottom + height + 8 > innerHeight ? Math.max(8, at.top - height - 4) : at.bottom + 4}px`;
  }

  const openMenu = () => document.querySelector(".move-menu[open]");
  document.addEventListener("toggle", (event) => event.target === openMenu() && placeMenu(event.target), true);
  for (const name of ["scroll", "resize"]) {
    addEventListener(name, (event) => {
      if (openMenu() && !event.target.closest?.(".menu-box")) placeMenu(openMenu());
    }, true);
  }

  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.(".lane-add > details[open]")) event.target.querySelector("[name=title]").focus();
  }, true);

  /* The way back to the board leads to the card that was opened; app.js finds it. */
  document.addEventListener("click", (event) => {
    const card = event.target.closest?.("a[href*='/ideas/']")?.closest(".lane-card");
    if (!card || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    history.replaceState(history.state, "", `${location.pathname}${location.search}#${card.id}`);
  });

  nameView();
  for (const lane of lanes()) lane.classList.toggle("is-empty", !cardsIn(lane).length);
})();
