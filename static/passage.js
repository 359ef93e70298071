/* Refines the passage that is selected in an idea's text or in its editor. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  /* Finds the selected passage in the saved text. The page shows rendered Markdown, so the text may
     have marks between the words. */
  function selectedPassage() {
    const field = byId("text");
    const source = field?.defaultValue ?? "";
    if (field?.closest("[data-unsaved]")) return null;
    // A field keeps its selection while the Tab key goes on to the offer.
    if (field?.form.contains(document.activeElement)) {
      if (field.value !== source) return null;
      return passageAt(source, field.selectionStart, field.selectionEnd);
    }
    const selection = getSelection();
    const body = byId("body");
    if (!body || !selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    if (!body.contains(range.commonAncestorContainer)) return null;
    const words = selection.toString().trim().split(/\s+/);
    const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    const pattern = new RegExp(escaped.join("[\\s*_`~>#-]+"), "gu");
    const before = range.cloneRange();
    before.setStart(body, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const nth = [...before.toString().matchAll(pattern)].length;
    const found = [...source.matchAll(pattern)][nth];
    return found ? passageAt(source, found.index, found.index + found[0].length) : null;
  }

  function passageAt(source, start, end) {
    const text = source.slice(start, end);
    // The server counts whole characters, and JavaScript counts UTF-16 units.
    return text.trim() ? { text, start: [...source.slice(0, start)].length } : null;
  }

  let offered = null;

  document.addEventListener("selectionchange", () => {
    const offer = byId("selection-offer");
    if (!offer || offer.contains(document.activeElement)) return;
    offered = selectedPassage();
    offer.hidden = !offered;
  });

  function takeSelection() {
    if (!offered) return;
    byId("selection").value = offered.text;
    byId("selection-start").value = offered.start;
    byId("passage").open = true;
    byId("selection-offer").hidden = true;
    byId("instruction").focus();
  }

  // A press would take the focus from the field and clear its selection.
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("[data-refine-selection]")) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-refine-selection]")) takeSelection();
  });

  document.addEventListener("input", (event) => {
    if (event.target.id === "selection") byId("selection-start").value = "";
  });
})();
