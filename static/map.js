/* Moves over the map of a board: pan, zoom, keys, and cards that are dragged into areas.

   Dragging a card into an area gives it the tag of the area; its place is not kept. The list below the
   map does the same with plain forms. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const map = byId("map");
  const svg = byId("map-svg");
  if (!svg) return;
  const cards = () => [...svg.querySelectorAll(".map-card")];
  const areas = () => [...svg.querySelectorAll(".map-area")];
  const titleOf = (card) => card.querySelector("title").textContent;
  const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const say = (text) => (byId("announcer").textContent = text);

  const [SLOP_PX, EDGE_PX, NARROW_PX] = [6, 36, 640];
  const [LONG_PRESS_MS, GLIDE_MS] = [350, 220];
  // Titles are too small to read below the first one.
  const [READABLE, OPENING, MOST_ZOOM, STEP] = [0.42, 0.62, 2.5, 1.35];

  function words(name, values) {
    return Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), map.dataset[name]);
  }

  /* The view: the part of the map in the frame. `x` and `y` are its middle. */
  let view = { x: 0, y: 0, zoom: 1 };
  let gliding = 0;

  const size = () => ({ width: Number(svg.dataset.width), height: Number(svg.dataset.height) });
  const bounded = (zoom) => clamp(zoom, fitting().zoom * 0.7, MOST_ZOOM);
  const clamp = (value, low, high) => (low > high ? (low + high) / 2 : Math.min(Math.max(value, low), high));

  function fitting() {
    const { width, height } = size();
    const box = svg.getBoundingClientRect();
    return { x: width / 2, y: height / 2, zoom: Math.min(1.15, box.width / width, box.height / height) };
  }

  function look(next) {
    const box = svg.getBoundingClientRect();
    const zoom = bounded(next.zoom);
    view = { x: clamp(next.x, 0, size().width), y: clamp(next.y, 0, size().height), zoom };
    const [w, h] = [box.width / zoom, box.height / zoom];
    svg.setAttribute("viewBox", [view.x - w / 2, view.y - h / 2, w, h].map((one) => one.toFixed(2)).join(" "));
    svg.style.setProperty("--zoom", zoom.toFixed(3));
    svg.classList.toggle("is-far", zoom < READABLE);
  }

  /* Goes there so that the eye can follow. */
  function glideTo(next) {
    cancelAnimationFrame(gliding);
    if (isStill()) return look(next);
    const { x, y, zoom } = view;
    const start = performance.now();
    const step = (now) => {
      const left = (1 - clamp((now - start) / GLIDE_MS, 0, 1)) ** 3;
      const towards = (from, to) => to + (from - to) * left;
      look({ x: towards(x, next.x), y: towards(y, next.y), zoom: towards(zoom, next.zoom) });
      if (left > 0) gliding = requestAnimationFrame(step);
    };
    gliding = requestAnimationFrame(step);
  }

  function onMap(clientX, clientY) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const [dx, dy] = [clientX - left - width / 2, clientY - top - height / 2];
    return new DOMPoint(view.x + dx / view.zoom, view.y + dy / view.zoom);
  }

  /* The view after zooming so that the point under the pointer stays there. */
  function zoomed(factor, clientX, clientY) {
    const zoom = bounded(view.zoom * factor);
    const at = onMap(clientX, clientY);
    const share = view.zoom / zoom;
    return { x: at.x + (view.x - at.x) * share, y: at.y + (view.y - at.y) * share, zoom };
  }

  const zoomBy = (factor) => glideTo({ ...view, zoom: bounded(view.zoom * factor) });
  const COMMANDS = { in: () => zoomBy(STEP), out: () => zoomBy(1 / STEP), fit: () => glideTo(fitting()) };
  const KEYS = { "+": "in", "=": "in", "-": "out", "−": "out", 0: "fit" };

  /* Where a card is, by its upper left corner. */
  function cornerOf(card) {
    const [x, y] = card.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
    return { x, y };
  }

  const put = (card, { x, y }) => card.setAttribute("transform", `translate(${x} ${y})`);

  function middleOf(card) {
    const { x, y } = cornerOf(card);
    return { x: x + svg.dataset.cardWidth / 2, y: y + svg.dataset.cardHeight / 2 };
  }

  /* Focus. One card at a time can be reached with Tab; arrow keys go on from there. */
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function choose(card) {
    for (const one of cards()) {
      one.setAttribute("tabindex", one === card ? "0" : "-1");
      one.classList.toggle("is-chosen", one === card);
    }
    const form = byId("map-bar")?.querySelector("form");
    if (!form) return;
    byId("map-bar-title").textContent = titleOf(card);
    form.setAttribute("action", `${card.getAttribute("href")}/place`);
    form.elements.from_lane.value = fromOf(card);
    const tags = JSON.parse(card.dataset.tags);
    for (const button of form.querySelectorAll("button")) button.parentElement.hidden = tags.includes(button.value);
    byId("map-bar").hidden = !form.querySelector("li:not([hidden])");
  }

  const fromOf = (card) => (map.dataset.by === "tag" ? card.dataset.group : "");

  function cardBeside(card, [dx, dy]) {
    const from = middleOf(card);
    const far = (one) => {
      // Cards are wider than high, so that a row is nearer than it looks.
      const [x, y] = [middleOf(one).x - from.x, (middleOf(one).y - from.y) * 2];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy) + Math.abs(y * dx);
      return along > 1 && across <= along * 2 ? along + across * 1.5 : Infinity;
    };
    const [nearest] = cards().sort((one, other) => far(one) - far(other));
    return far(nearest) < Infinity ? nearest : undefined;
  }

  function reveal(card) {
    const { x, y } = middleOf(card);
    const { width, height } = svg.getBoundingClientRect();
    const [w, h] = [width / view.zoom / 2 - 110, height / view.zoom / 2 - 60];
    glideTo({ ...view, x: clamp(view.x, x - w, x + w), y: clamp(view.y, y - h, y + h) });
  }

  svg.addEventListener("focusin", (event) => {
    const card = event.target.closest(".map-card");
    if (!card) return;
    choose(card);
    if (!pointers.size) reveal(card);
  });
  byId("map-frame").addEventListener("focusout", (event) => {
    if (!event.relatedTarget || byId("map-frame").contains(event.relatedTarget)) return;
    byId("map-bar")?.setAttribute("hidden", "");
    for (const one of cards()) one.classList.remove("is-chosen");
  });

  byId("map-frame").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = event.target.closest(".map-card");
    const beside = card && DIRECTIONS[event.key] && cardBeside(card, DIRECTIONS[event.key]);
    if (event.key in KEYS) COMMANDS[KEYS[event.key]]();
    else if (beside) beside.focus({ preventScroll: true });
    else if (card && event.key === "t" && byId("map-bar")?.hidden === false) byId("map-menu").open = true;
    else if (!card || !(event.key in DIRECTIONS)) return;
    swallow(event);
  });

  /* Pointers: one pans or drags a card, two zoom. */
  const pointers = new Map();
  let drag = null;
  let armed = null;

  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    cancelAnimationFrame(gliding);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    disarm();
    if (pointers.size > 1) return drag && cancel();
    const card = svg.hasAttribute("data-movable") && event.target.closest(".map-card");
    const isTouch = event.pointerType === "touch";
    armed = { card, isTouch, id: event.pointerId, x: event.clientX, y: event.clientY };
    if (card && isTouch) armed.timer = setTimeout(beginDrag, LONG_PRESS_MS);
  });

  function disarm() {
    clearTimeout(armed?.timer);
    armed = null;
  }

  addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (armed && Math.hypot(now.x - armed.x, now.y - armed.y) > SLOP_PX) {
      // A finger that moves at once pans.
      if (armed.card && !armed.isTouch) beginDrag();
      else beginPan(event.pointerId);
    }
    if (pointers.size > 1) pinch(event.pointerId, before, now);
    else if (drag) follow(now);
    else if (isPanned()) panBy(now.x - before.x, now.y - before.y);
    if (!armed || pointers.size > 1) pointers.set(event.pointerId, now);
  });

  function beginPan(id) {
    disarm();
    svg.setPointerCapture(id);
    svg.classList.add("is-panned");
  }

  const isPanned = () => svg.classList.contains("is-panned");
  const panBy = (dx, dy) => look({ ...view, x: view.x - dx / view.zoom, y: view.y - dy / view.zoom });

  function pinch(id, before, now) {
    const [other] = [...pointers].filter(([one]) => one !== id).map(([, point]) => point);
    const reach = (point) => Math.max(20, Math.hypot(point.x - other.x, point.y - other.y));
    beginPan(id);
    look(zoomed(reach(now) / reach(before), (now.x + other.x) / 2, (now.y + other.y) / 2));
    panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  function endPointer(event) {
    if (!pointers.delete(event.pointerId)) return;
    disarm();
    // A click that follows would open the idea.
    if (drag || isPanned()) addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
    if (drag) event.type === "pointerup" ? drop() : cancel();
    if (!pointers.size) svg.classList.remove("is-panned");
  }

  function swallow(event) {
    event.preventDefault();
    event.stopPropagation();
  }

  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, endPointer);
  svg.addEventListener("dragstart", swallow);
  svg.addEventListener("contextmenu", (event) => (drag || armed?.isTouch) && event.preventDefault());
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    cancelAnimationFrame(gliding);
    const way = -event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    look(zoomed(Math.exp(way / (event.ctrlKey ? 120 : 480)), event.clientX, event.clientY));
  }, { passive: false });

  /* Dragging a card */
  function beginDrag() {
    const { card, id, x, y } = armed;
    disarm();
    drag = { card, home: cornerOf(card), grip: onMap(x, y), now: { x, y }, area: null };
    svg.setPointerCapture(id);
    byId("map-cards").append(card);
    card.focus({ preventScroll: true });
    card.classList.add("is-dragged");
    svg.classList.add("is-dragging");
    say(words("dragging", { title: titleOf(card) }));
    requestAnimationFrame(panAtEdges);
  }

  function follow(now) {
    drag.now = now;
    const at = onMap(now.x, now.y);
    const { home, grip, card } = drag;
    put(card, { x: home.x + at.x - grip.x, y: home.y + at.y - grip.y });
    drag.area = areas().find((area) => area.isPointInFill(at)) ?? null;
    for (const area of areas()) area.classList.toggle("is-target", area === drag.area);
  }

  function panAtEdges() {
    if (!drag) return;
    const box = svg.getBoundingClientRect();
    const past = (at, low, high) => Math.max(EDGE_PX - high + at, 0) - Math.max(EDGE_PX - at + low, 0);
    const pull = (...all) => clamp(past(...all), -EDGE_PX, EDGE_PX) / 4;
    const [dx, dy] = [pull(drag.now.x, box.left, box.right), pull(drag.now.y, box.top, box.bottom)];
    if (dx || dy) panBy(-dx, -dy);
    follow(drag.now);
    requestAnimationFrame(panAtEdges);
  }

  function endDrag() {
    const { card } = drag;
    drag = null;
    for (const one of [card, svg, ...areas()]) one.classList.remove("is-dragged", "is-dragging", "is-target");
  }

  function cancel(why, tag = "") {
    const { card, home } = drag;
    endDrag();
    glide(card, cornerOf(card), home);
    say(words(why ?? "stays", { title: titleOf(card), tag }));
    if (missed) lookAgain();
  }

  async function drop() {
    const { card, area, home } = drag;
    const tag = area?.dataset.gives;
    if (!area || area.dataset.name === card.dataset.group) return cancel();
    if (JSON.parse(card.dataset.tags).includes(tag)) return cancel("has", tag);
    endDrag();
    const fields = { by: "tag", to: "same", from_lane: fromOf(card), lane: tag };
    if (!(await send(`${card.getAttribute("href")}/place`, fields))) glide(card, cornerOf(card), home);
  }

  function glide(card, from, to) {
    put(card, to);
    if (isStill() || Math.hypot(from.x - to.x, from.y - to.y) < 1) return;
    const at = ({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` });
    card.animate([at(from), at(to)], { duration: GLIDE_MS, easing: "ease-out" });
  }

  addEventListener("keydown", (event) => {
    if (drag && event.key === "Escape") cancel(swallow(event));
  }, true);

  /* What was asked for, and what others do. */
  let waiting = 0;
  let missed = false;

  async function send(address, fields) {
    waiting += 1;
    tell("asking");
    try {
      const headers = { "HX-Request": "true", "HX-Current-URL": location.href, Accept: "text/html" };
      const response = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      byId("alerts").innerHTML = page.querySelector('hx-partial[hx-target="#alerts"], #alerts')?.innerHTML.trim() ?? "";
      if (response.ok) show(page);
      if (response.ok) byId("flash").innerHTML = page.getElementById("flash").innerHTML.trim();
      return response.ok;
    } catch {
      byId("alerts").replaceChildren(byId("unreachable").content.cloneNode(true));
      return false;
    } finally {
      waiting -= 1;
      tell("answered");
      if (!waiting && missed) lookAgain();
    }
  }

  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`board:${name}`, { detail }));

  function lookAgain() {
    missed = false;
    tell("change", { subject: "*", kind: "reset", by: "" });
  }

  function show(page) {
    const fresh = page.getElementById("map-svg");
    if (!fresh) return location.reload();
    const before = new Map(cards().map((card) => [card.dataset.idea, cornerOf(card)]));
    const [chosen] = svg.querySelectorAll(".is-chosen");
    const hadFocus = svg.contains(document.activeElement);
    const replace = (id) => byId(id) && (byId(id).innerHTML = page.getElementById(id)?.innerHTML ?? "");
    for (const id of ["map-areas", "map-cards", "map-names", "map-puts"]) replace(id);
    for (const name of ["width", "height"]) svg.dataset[name] = fresh.dataset[name];
    keepStill(before);
    for (const card of cards()) {
      if (before.has(card.dataset.idea)) glide(card, before.get(card.dataset.idea), cornerOf(card));
    }
    const rest = byId("map-rest");
    htmx.swap({ text: page.getElementById("map-rest").outerHTML, target: rest, sourceElement: rest, swap: "outerMorph" });
    const card = cards().find((one) => one.dataset.idea === chosen?.dataset.idea) ?? cards()[0];
    card.setAttribute("tabindex", "0");
    if (hadFocus) card.focus({ preventScroll: true });
  }

  /* The map may have grown to the left or upwards: what is seen stays where it is. */
  function keepStill(before) {
    const known = cards().filter((card) => before.has(card.dataset.idea));
    const shift = (key) => {
      const all = known.map((card) => cornerOf(card)[key] - before.get(card.dataset.idea)[key]);
      return all.sort((one, other) => one - other)[all.length >> 1] ?? 0;
    };
    const [x, y] = [shift("x"), shift("y")];
    for (const corner of before.values()) Object.assign(corner, { x: corner.x + x, y: corner.y + y });
    look({ ...view, x: view.x + x, y: view.y + y });
  }

  document.addEventListener("board:page", (event) => {
    if (waiting || drag || pointers.size) missed = true;
    else show(event.detail.page);
  });

  /* The forms below the map, the menu, and the button that undoes. */
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-puts], #flash form")) return;
    swallow(event);
    const details = form.closest("details");
    details?.removeAttribute("open");
    await send(form.getAttribute("action"), new FormData(form, event.submitter));
    if (details?.closest("#map-rest")) byId(details.id)?.querySelector("summary").focus();
    else svg.querySelector('.map-card[tabindex="0"]').focus({ preventScroll: true });
  }, true);

  byId("map-menu")?.addEventListener("toggle", (event) => {
    if (event.target.open) event.target.querySelector("li:not([hidden]) button").focus();
  });
  byId("map-frame").addEventListener("click", (event) => {
    COMMANDS[event.target.closest("[data-zoom]")?.dataset.zoom]?.();
  });
  addEventListener("resize", () => look(view));

  cards()[0].setAttribute("tabindex", "0");
  // A narrow screen begins with a part that can be read.
  look({ ...fitting(), zoom: Math.max(fitting().zoom, svg.clientWidth < NARROW_PX ? OPENING : 0) });
})();
