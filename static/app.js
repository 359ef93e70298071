/* Adds what links, forms and htmx cannot do. Every action works without this file. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const YEAR_S = 31536000;

  /* A swap may remove the focused element. Then the nearest element around it that still exists
     gets the focus, so that the reader is not sent back to the top of the page. */
  let trail = [];
  let lastCard = null;
  let hasMore = false;
  let leftByCard = false;
  let typed = [];

  function trailOf(element) {
    const ids = [];
    for (let at = element; at && at !== document.body; at = at.parentElement) {
      if (at.id) ids.push(at.id);
      if (at.matches("li[id]")) {
        for (const beside of [at.nextElementSibling, at.previousElementSibling]) {
          if (beside?.id) ids.push(beside.id);
        }
      }
    }
    return ids;
  }

  function focusOn(element, options) {
    if (!element) return false;
    element.focus(options);
    if (document.activeElement !== element) {
      element.tabIndex = -1;
      element.focus(options);
    }
    return document.activeElement === element;
  }

  function keepFocus() {
    const at = document.activeElement;
    if (at && at !== document.body) return;
    for (const id of trail) {
      if (focusOn(byId(id), { preventScroll: true })) return;
    }
  }

  /* A card that is being edited stays on the page even if a search no longer finds it. */
  function keepTyped() {
    for (const card of typed) {
      if (card.isConnected || !byId("ideas")) continue;
      byId("ideas").prepend(card);
      htmx.process(card);
    }
    typed = [];
  }

  document.addEventListener("htmx:before:swap", (event) => {
    trail = trailOf(document.activeElement);
    // After “Show more”, the first of the new cards gets the focus.
    const isMore = document.activeElement?.matches("[data-then-first]");
    lastCard = isMore ? byId("ideas").lastElementChild : null;
    const source = event.detail?.ctx?.sourceElement;
    hasMore ||= Boolean(source?.matches?.("[data-then-first]"));
    typed = [...document.querySelectorAll(".is-edited")].filter(
      (card) => !card.contains(source) && isChanged(card),
    );
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail?.ctx?.sourceElement;
    const status = event.detail?.ctx?.response?.status ?? 200;
    // The selector reads the attribute, because a field named `method` hides the form's property.
    const form = source?.matches?.("[hx-post]") ? source.closest("form[method=post]") : null;
    if (form) finish(form, status, source);
    if (lastCard) focusOn(lastCard.nextElementSibling?.querySelector("h3 a"));
    lastCard = null;
    keepTyped();
    keepFocus();
    describeMethod();
    countPicks();
    copyCount();
  });

  /* Copies the count of a run to its chip, because the stream of the run contains no chips. */
  function copyCount() {
    const count = document.querySelector("[data-count-of]");
    const chip = count && byId(count.dataset.countOf);
    if (chip) chip.textContent = count.textContent;
  }

  /* For the way back to a board: its address says how many cards were loaded and which one was
     opened. That card is found again even if others have changed. */
  function noteLoaded() {
    const address = new URL(location);
    address.searchParams.set("loaded", document.querySelectorAll("#ideas > li[id^=idea-]").length);
    history.replaceState(history.state, "", address);
  }

  document.addEventListener("click", (event) => {
    const card = event.target.closest("a[href*='/ideas/']:not([href*='//'])")?.closest("#ideas > li[id]");
    if (!card || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    leftByCard = true;
    history.replaceState(history.state, "", `${location.pathname}${location.search}#${card.id}`);
  });

  /* The browser would restore the position in pixels, where another card may be by now. */
  window.addEventListener("pagehide", () => {
    history.scrollRestoration = leftByCard ? "manual" : "auto";
    leftByCard = false;
  });

  window.addEventListener("pageshow", () => {
    if (!location.hash.startsWith("#idea-")) return;
    const card = byId(location.hash.slice(1));
    history.replaceState(history.state, "", location.pathname + location.search);
    card?.scrollIntoView({ block: "center" });
    focusOn(card?.querySelector("h3 a"), { preventScroll: true });
  });

  /* This event also comes when the swap removed the form itself. The one above does not. */
  document.addEventListener("htmx:after:settle", () => {
    const first = document.querySelector("[data-read-first]");
    if (first && !first.dataset.wasRead && focusOn(first)) first.dataset.wasRead = "yes";
    keepFocus();
    if (hasMore) noteLoaded();
    hasMore = false;
  });

  /* Runs after a form was accepted. `data-reset` empties the form and names the field for the next
     entry. `data-closes` names the disclosure around the form. `data-then` names the element that
     gets the focus; on a button, it overrides that of the form. */
  function finish(form, status, source) {
    if (status >= 400) return;
    byId("alerts").replaceChildren();
    if (form.dataset.reset) {
      form.reset();
      focusOn(form.querySelector(form.dataset.reset), { preventScroll: true });
    }
    if (form.dataset.closes) {
      const closed = form.closest(form.dataset.closes);
      const had = closed?.contains(document.activeElement);
      closed?.removeAttribute("open");
      if (had) focusOn(closed.querySelector("summary"));
    }
    if (form.hasAttribute("data-unpick")) pickAll(false);
    for (const field of form.querySelectorAll("[data-forget]")) field.value = "";
    const next = source.dataset.then ?? form.dataset.then;
    if (next) focusOn(document.querySelector(next));
  }

  /* A finished run may have changed more than its own panel, so the page is fetched again. If
     another request is answered meanwhile, the fetched page may be outdated and is fetched once more. */
  let answers = 0;

  function fetchAnew() {
    htmx.ajax("GET", location.pathname + location.search, {
      source: byId("main"),
      target: "#main",
      select: "#main",
      swap: "outerMorph",
      answersBefore: answers,
    });
  }

  document.addEventListener("done", (event) => {
    if (event.target.id === "run") fetchAnew();
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { answersBefore } = event.detail.ctx;
    if (answersBefore === undefined) answers += 1;
    else if (answersBefore !== answers) {
      event.preventDefault();
      fetchAnew();
    }
  });

  /* Shows an alert if no answer came at all. Streams reconnect on their own. */
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.ctx?.response) return;
    byId("alerts").replaceChildren(byId("unreachable").content.cloneNode(true));
  });

  /* Leaves out empty search fields, so that addresses stay short. */
  document.addEventListener("htmx:config:request", (event) => {
    const { request, sourceElement } = event.detail.ctx;
    if (sourceElement.id !== "filters") return;
    const body = request.body;
    for (const [name, value] of [...body.entries()]) if (value === "") body.delete(name);
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  /* Copies a field, or what a link leads to. If the browser does not allow it, a link is followed. */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-answer]");
    if (!button || !navigator.clipboard) {
      if (button?.dataset.copy) document.querySelector(button.dataset.copy).select();
      return;
    }
    event.preventDefault();
    const { copy, done } = button.dataset;
    try {
      const text = copy
        ? document.querySelector(copy).value
        : await fetch(button.href).then((answer) => (answer.ok ? answer.text() : Promise.reject()));
      await navigator.clipboard.writeText(text);
      button.textContent = done;
      byId("announcer").textContent = done;
    } catch {
      if (button.href) location.assign(button.href);
      else document.querySelector(copy).select();
    }
  });

  /* Sends a form that leaves the page only once, however often it is clicked. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-theme-form], [data-shortcuts-form]")) {
      event.preventDefault();
      choose(form, event.submitter);
    } else if (form.hasAttribute("data-once")) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    }
    form.dataset.submitted = "yes";
  });

  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
  });

  window.addEventListener("beforeunload", (event) => {
    for (const form of document.querySelectorAll("[data-guard]:not([data-submitted])")) {
      if (isChanged(form)) event.preventDefault();
    }
  });

  /* A refused form counts as changed: its values come from the server, but they are not saved. */
  function isChanged(form) {
    if (form.closest("[data-unsaved]") || form.querySelector("[data-unsaved]")) return true;
    const fields = [...form.querySelectorAll("input:not([type=hidden]), textarea")];
    return fields.some((field) => field.value !== field.defaultValue);
  }

  function choose(form, button) {
    const { cookie, attributes } = form.dataset;
    document.cookie = `${cookie}=${button.value}; ${attributes}; max-age=${YEAR_S}; samesite=lax`;
    if (button.name === "theme") {
      document.documentElement.dataset.theme = button.value;
      for (const each of form.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
    } else {
      const isOn = button.value === "on";
      document.body.toggleAttribute("data-shortcuts", isOn);
      button.value = isOn ? "off" : "on";
      button.textContent = isOn ? button.dataset.off : button.dataset.on;
    }
  }

  function tick(form, name) {
    const boxes = [...form.querySelectorAll(`[name=${name}]`)];
    const isOn = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = isOn;
  }

  function describeMethod() {
    const hint = byId("method-when");
    const chosen = byId("method")?.selectedOptions[0];
    if (hint && chosen) hint.textContent = chosen.dataset.when;
  }

  /* The selection of ideas for the bulk actions. */
  let lastPick = null;

  function pickAll(isPicked) {
    for (const box of document.querySelectorAll(".pick")) box.checked = isPicked;
    countPicks();
  }

  function countPicks() {
    const count = byId("bulk-count");
    if (!count) return;
    const picked = document.querySelectorAll(".pick:checked").length;
    const words = picked === 1 ? count.dataset.one : count.dataset.many.replace("#", picked);
    count.textContent = picked ? words : "";
  }

  /* Asks before several ideas are deleted. */
  function askFirst(event, button) {
    const dialog = byId(button.dataset.ask);
    const picked = document.querySelectorAll(".pick:checked").length;
    if (picked < 2) return;
    event.preventDefault();
    const title = dialog.querySelector("[data-many]");
    title.textContent = title.dataset.many.replace("#", picked);
    dialog.showModal();
  }

  /* With the Shift key, a click also changes the boxes between this one and the last one. */
  function pickRange(event) {
    const boxes = [...document.querySelectorAll(".pick")];
    const [from, to] = [boxes.indexOf(lastPick), boxes.indexOf(event.target)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) {
      for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
    }
    lastPick = event.target;
    countPicks();
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "method") describeMethod();
    event.target.closest("[data-send-on-change]")?.requestSubmit();
  });

  /* Makes the browser complete only the last tag of a field. */
  function completeTags(field) {
    if (field.list?.id !== "known-tags") return;
    const written = field.value.slice(0, field.value.lastIndexOf(",") + 1);
    const before = written && `${written} `;
    for (const option of field.list.options) {
      option.dataset.tag ??= option.value;
      option.value = before + option.dataset.tag;
    }
  }

  document.addEventListener("focusin", (event) => completeTags(event.target));

  document.addEventListener("input", (event) => {
    completeTags(event.target);
    const form = event.target.form;
    if (form) delete form.dataset.submitted;
    const warning = form?.querySelector(".unsaved");
    if (warning) warning.hidden = true;
  });

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.matches(".pick")) pickRange(event);
    const asking = target.closest("[data-ask]");
    if (asking) askFirst(event, asking);
    const pick = target.closest("[data-pick]");
    if (pick) {
      event.preventDefault();
      pickAll(pick.dataset.pick === "shown");
    }
    if (target.closest("[data-dismiss]")) target.closest(".flash, .alert").remove();
    const ticker = target.closest("[data-tick]");
    if (ticker) tick(ticker.form, ticker.dataset.tick);
  });

  /* Escape closes the editor of an idea. If the text was changed, it takes a second press. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    const form = event.target.closest(".is-edited form, #edit-form");
    if (!form) return;
    const warning = form.querySelector(".unsaved");
    if (isChanged(form) && warning.hidden) warning.hidden = false;
    else leave(form);
  });

  function leave(form) {
    form.reset();
    form.querySelector(".unsaved").hidden = true;
    const editor = form.closest("#editor");
    if (!editor) form.querySelector("[data-cancel]").click();
    editor?.removeAttribute("open");
    editor?.querySelector("summary").focus();
  }

  document.documentElement.classList.add("has-script");
  describeMethod();
  countPicks();
})();
