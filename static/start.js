/* The topics on an empty board fill the form for a brainstorm, so that one may change them first. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  function fill(prompt) {
    const { topic, method } = prompt.dataset;
    for (const [id, value] of [["topic", topic], ["method", method]]) {
      byId(id).value = value;
      byId(id).dispatchEvent(new Event("input", { bubbles: true }));
      byId(id).dispatchEvent(new Event("change", { bubbles: true }));
    }
    byId("ask-form").scrollIntoView({ block: "center" });
    // Enter starts it.
    byId("brainstorm").focus();
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const prompt = event.target.closest("a[data-topic]");
    const target = event.target.closest("a[data-focus]")?.dataset.focus;
    if (prompt ? !byId("ask-form") : !target || !byId(target)) return;
    event.preventDefault();
    if (prompt) fill(prompt);
    else byId(target).focus();
  });
})();
