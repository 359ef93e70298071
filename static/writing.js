/* Writing on the page of an idea: a click opens the text for editing, what is typed is kept as a draft,
   buttons and keys write Markdown, and the server shows how it will look. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const editor = () => byId("editor");
  const form = () => byId("edit-form");
  const say = (text) => (byId("announcer").textContent = text);
  // Longer than the pause between two keys.
  const PAUSE_MS = 400;

  /* Editing in place */
  document.addEventListener("click", (event) => {
    const part = event.target.closest("#sheet > h1, #sheet > #body");
    if (!part || !editor() || event.defaultPrevented || event.button) return;
    if (event.target.closest("a, button, input, summary, label")) return;
    // A click that ends a selection is not meant to edit.
    if (!getSelection().isCollapsed) return;
    const field = part.matches("h1") ? byId("title") : byId("text");
    const place = placeInSource(event, part, field.value);
    editor().open = true;
    // The browser moves the focus after the press; the disclosure opens in the same turn.
    field.focus();
    field.setSelectionRange(place, place);
  });

  /* Where in the source somebody clicked: the words before the place are looked for, because the page
     shows rendered Markdown. The end if they are not found. */
  function placeInSource(event, part, source) {
    const at = document.caretPositionFromPoint?.(event.clientX, event.clientY);
    if (!at || !part.contains(at.offsetNode)) return source.length;
    const before = document.createRange();
    before.setStart(part, 0);
    before.setEnd(at.offsetNode, at.offset);
    const text = before.toString();
    const words = text.trimStart().slice(-16);
    if (!words.trim()) return part.textContent.trim() ? 0 : source.length;
    const nth = text.split(words).length - 1;
    let found = -1;
    for (let count = 0; count < nth; count += 1) {
      const next = source.indexOf(words, found + 1);
      if (next < 0) break;
      found = next;
    }
    return found < 0 ? source.length : found + words.length;
  }

  function atEnd(field) {
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  // At once, as the event that tells of an open disclosure comes later than the next key may.
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || !event.target.closest("#editor:not([open]) > summary")) return;
    event.preventDefault();
    editor().open = true;
    atEnd(byId("text"));
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target !== editor()) return;
      if (event.target.open) loadDictation();
      else endPreview();
    },
    true,
  );

  /* Few open the editor, so what only it needs comes with its first opening. */
  let hasDictation = false;

  function loadDictation() {
    const address = document.querySelector("[data-dictate]")?.dataset.script;
    if (hasDictation || !address) return;
    hasDictation = true;
    const script = document.createElement("script");
    script.src = address;
    document.head.append(script);
  }

  /* Drafts: kept on this device while somebody types, and until the text is saved or discarded. */
  const NAMES = ["title", "body", "tags", "revision"];
  const keyOf = (path) => `draft:${path}`;

  function isTyped() {
    const fields = [...form().querySelectorAll("input:not([type=hidden]), textarea")];
    return fields.some((field) => field.value !== field.defaultValue);
  }

  /* Whether the draft is stored: a browser may not allow it, or have no room. */
  function keepDraft() {
    const values = Object.fromEntries(NAMES.map((name) => [name, form().elements[name].value]));
    try {
      localStorage.setItem(keyOf(location.pathname), JSON.stringify({ ...values, by: form().dataset.draft }));
      return true;
    } catch {
      return false;
    }
  }

  function draft() {
    try {
      const kept = JSON.parse(localStorage.getItem(keyOf(location.pathname)));
      return kept?.by === form()?.dataset.draft ? kept : null;
    } catch {
      return null;
    }
  }

  function dropDraft(path = location.pathname) {
    try {
      localStorage.removeItem(keyOf(path));
    } catch {
      // Nothing is stored where nothing can be.
    }
  }

  let pause;
  // An editor that was only looked into leaves an earlier draft alone.
  let isTouched = false;

  document.addEventListener("input", (event) => {
    if (!event.target.form || event.target.form !== form()) return;
    isTouched = true;
    clearTimeout(pause);
    pause = setTimeout(noteTyped, PAUSE_MS);
  });

  function noteTyped() {
    if (!form()) return;
    if (isTyped()) keepDraft();
    else dropDraft();
    showDraft();
  }

  function showDraft() {
    const note = byId("draft-note");
    if (!note || !form()) return;
    const kept = draft();
    const isSaved = kept && NAMES.slice(0, 3).every((name) => kept[name] === form().elements[name].defaultValue);
    if (isSaved) dropDraft();
    note.hidden = !kept || isSaved || (editor().open && isTouched);
  }

  function openDraft() {
    const kept = draft();
    if (!kept) return;
    for (const name of NAMES) form().elements[name].value = kept[name];
    editor().open = true;
    atEnd(byId("text"));
    byId("text").dispatchEvent(new Event("input", { bubbles: true }));
    showDraft();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-draft-open]")) openDraft();
    if (event.target.closest("[data-draft-drop]")) {
      dropDraft();
      showDraft();
      (editor().open ? byId("text") : editor().querySelector("summary")).focus();
    }
    if (event.target.closest("[data-leave]") && leave()) event.preventDefault();
  });

  /* Closes the editor; what was typed stays as a draft. False if it cannot be kept. */
  function leave() {
    clearTimeout(pause);
    const hasText = isTyped();
    if (form().hasAttribute("data-unsaved") || (hasText && !keepDraft())) return false;
    if (!hasText && isTouched) dropDraft();
    isTouched = false;
    form().reset();
    editor().open = false;
    editor().querySelector("summary").focus();
    showDraft();
    if (hasText) say(byId("draft-note").dataset.kept);
    return true;
  }

  // Before the handler in app.js, which asks before it discards: that is left for when nothing can be kept.
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || event.isComposing || !editor()?.open) return;
      if (event.target.closest("#edit-form") && leave()) event.preventDefault();
    },
    true,
  );

  document.addEventListener("htmx:after:swap", (event) => {
    const { sourceElement, response } = event.detail?.ctx ?? {};
    const path = sourceElement?.closest?.("form[method=post]")?.getAttribute("action");
    if (path && /^\/ideas\/[^/]+$/.test(path) && (response?.status ?? 200) < 400) {
      clearTimeout(pause);
      isTouched = false;
      dropDraft(new URL(path, location).pathname);
    }
  });
  document.addEventListener("htmx:after:settle", showDraft);
  document.addEventListener("toggle", (event) => event.target === editor() && showDraft(), true);
  window.addEventListener("pagehide", () => form() && isTyped() && keepDraft());

  /* Markdown: every change goes through the browser's own editing, so that it can be undone. */
  function replace(field, start, end, text) {
    field.focus();
    field.setSelectionRange(start, end);
    const isDone = text
      ? document.execCommand("insertText", false, text)
      : start === end || document.execCommand("delete");
    if (isDone) return;
    field.setRangeText(text, start, end, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const chosen = (field) => field.value.slice(field.selectionStart, field.selectionEnd);

  /* Puts the marks around the selection, or takes them away if they are there. */
  function wrap(field, mark) {
    const { selectionStart: start, selectionEnd: end, value } = field;
    const size = mark.length;
    const text = chosen(field);
    // One star is not the half of two, but three are one and two.
    const signs = (part) => [...part].findIndex((sign) => sign !== mark[0]);
    const before = signs(`${[...value.slice(0, start)].reverse().join("")} `);
    const count = Math.min(before, signs(`${value.slice(end)} `));
    const isInside = size > 1 ? count > 1 : count % 2 === 1;
    if (isInside) {
      replace(field, start - size, end + size, text);
      field.setSelectionRange(start - size, end - size);
      return;
    }
    replace(field, start, end, `${mark}${text}${mark}`);
    field.setSelectionRange(start + size, end + size);
  }

  /* Begins each selected line with the mark, in place of another one; or takes it away if all have it. */
  const ANY = /^(\s*)(?:#{1,6}\s+|>\s+|(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?)?/;

  function begin(field, mark, own) {
    const { value } = field;
    const start = value.lastIndexOf("\n", field.selectionStart - 1) + 1;
    const next = value.indexOf("\n", Math.max(field.selectionStart, field.selectionEnd - 1));
    const end = next < 0 ? value.length : next;
    const lines = value.slice(start, end).split("\n");
    const isFilled = (line) => line.trim() || lines.length === 1;
    const isMarked = lines.filter(isFilled).every((line) => own.test(line));
    const changed = lines.map((line) => {
      if (!isFilled(line)) return line;
      return isMarked ? line.replace(own, "$1") : line.replace(ANY, `$1${mark}`);
    });
    const text = changed.join("\n");
    replace(field, start, end, text);
    const at = start + text.length;
    field.setSelectionRange(lines.length > 1 ? start : at, at);
  }

  function link(field) {
    const { selectionStart: start } = field;
    const text = chosen(field);
    if (/^https?:\/\/\S+$/.test(text)) {
      replace(field, start, field.selectionEnd, `[](${text})`);
      field.setSelectionRange(start + 1, start + 1);
      return;
    }
    replace(field, start, field.selectionEnd, `[${text}](https://)`);
    const at = start + text.length + 3;
    field.setSelectionRange(text ? at : start + 1, text ? at + "https://".length : start + 1);
  }

  function code(field) {
    if (!chosen(field).includes("\n")) return wrap(field, "`");
    const { selectionStart: start, selectionEnd: end } = field;
    return replace(field, start, end, `\`\`\`\n${chosen(field)}\n\`\`\``);
  }

  const MARKS = {
    bold: (field) => wrap(field, "**"),
    italic: (field) => wrap(field, "*"),
    heading: (field) => begin(field, "## ", /^(\s*)##\s+/),
    list: (field) => begin(field, "- ", /^(\s*)[-*+]\s+(?!\[[ xX]\]\s)/),
    check: (field) => begin(field, "- [ ] ", /^(\s*)[-*+]\s+\[[ xX]\]\s+/),
    quote: (field) => begin(field, "> ", /^(\s*)>\s+/),
    link,
    code,
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mark]");
    if (button) MARKS[button.dataset.mark](byId(button.closest("[role=toolbar]").getAttribute("aria-controls")));
  });
  // A press must not take the focus from the field, so that its selection stays in sight.
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("[role=toolbar] button")) event.preventDefault();
  });

  const KEYS = { b: "bold", i: "italic", k: "link", e: "code" };

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("textarea[data-markdown]");
    const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey;
    if (!field || event.isComposing) return;
    const mark = isCommand && !event.shiftKey ? KEYS[event.key.toLowerCase()] : undefined;
    if (mark) {
      event.preventDefault();
      MARKS[mark](field);
    } else if (event.key === "Enter" && !isCommand && !event.shiftKey) continueList(event, field);
  });

  /* A new line in a list is its next item; in an empty item, it ends the list. */
  function continueList(event, field) {
    if (field.selectionStart !== field.selectionEnd) return;
    const at = field.selectionStart;
    const start = field.value.lastIndexOf("\n", at - 1) + 1;
    const line = field.value.slice(start, at);
    const item = /^(\s*)([-*+]|(\d{1,9})([.)]))(\s+)(\[[ xX]\]\s+)?/.exec(line);
    if (!item) return;
    event.preventDefault();
    if (line.length === item[0].length) return replace(field, start, at, "");
    const bullet = item[3] ? `${Number(item[3]) + 1}${item[4]}` : item[2];
    return replace(field, at, at, `\n${item[1]}${bullet}${item[5]}${item[6] ? "[ ] " : ""}`);
  }

  /* An address that is pasted over a selection becomes its link. */
  document.addEventListener("paste", (event) => {
    const field = event.target.closest?.("textarea[data-markdown]");
    const address = event.clipboardData?.getData("text/plain").trim() ?? "";
    if (!field || !chosen(field).trim() || !/^https?:\/\/\S+$/.test(address) || /[\n[\]]/.test(chosen(field))) return;
    event.preventDefault();
    replace(field, field.selectionStart, field.selectionEnd, `[${chosen(field)}](${address})`);
  });

  /* In a toolbar, the arrow keys go from button to button. */
  document.addEventListener("keydown", (event) => {
    const bar = event.target.closest("[role=toolbar]");
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (!bar || step === undefined) return;
    event.preventDefault();
    const buttons = [...bar.querySelectorAll("button:not([hidden])")];
    const here = buttons.indexOf(event.target);
    const next = Number.isFinite(step)
      ? (here + step + buttons.length) % buttons.length
      : step < 0 ? 0 : buttons.length - 1;
    for (const [place, button] of buttons.entries()) button.tabIndex = place === next ? 0 : -1;
    buttons[next].focus();
  });

  /* The preview comes from the server, which shows texts; so both look the same. */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("#edit-form [data-preview]");
    if (!button) return;
    event.preventDefault();
    if (button.getAttribute("aria-pressed") === "true") {
      endPreview();
      byId("text").focus();
      return;
    }
    const box = byId("preview");
    try {
      const answer = await fetch(button.formAction, {
        method: "POST",
        body: new URLSearchParams(new FormData(form())),
        headers: { "HX-Request": "true", "HX-Target": "div#preview", Accept: "text/html" },
      });
      if (!answer.ok) throw new Error(String(answer.status));
      box.innerHTML = await answer.text();
    } catch {
      box.textContent = button.dataset.failed;
    }
    box.hidden = false;
    form().classList.add("is-previewed");
    button.setAttribute("aria-pressed", "true");
    box.focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  });

  function endPreview() {
    if (!form()) return;
    byId("preview").hidden = true;
    form().classList.remove("is-previewed");
    form().querySelector("[data-preview]").setAttribute("aria-pressed", "false");
  }

  /* For files.js and dictation.js. */
  window.writing = { insert: (field, text) => replace(field, field.selectionStart, field.selectionEnd, text) };

  showDraft();
})();
