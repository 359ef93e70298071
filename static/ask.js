/* Opens the options of a brainstorm while the topic or they have the focus. Without this file, a click does.
   On an empty board, fills the form with a topic that was chosen. */
"use strict";
(() => {
  const options = () => document.querySelector(".hero:not(.is-inviting) #ask-more");

  document.addEventListener("focusin", (event) => {
    const more = options();
    if (!more) return;
    if (event.target.id === "topic") more.open = true;
    else if (!more.closest("form").contains(event.target)) more.open = false;
  });

  document.addEventListener("click", (event) => {
    const more = options();
    if (more && !more.closest("form").contains(event.target)) more.open = false;
  });

  document.addEventListener("keydown", (event) => {
    const more = options();
    if (event.key !== "Escape" || !more?.open || !more.closest("form").contains(event.target)) return;
    event.preventDefault();
    more.open = false;
    if (more.contains(event.target)) more.querySelector("summary").focus();
  });

  /* A field that the browser refuses must be seen. */
  document.addEventListener("invalid", (event) => {
    const more = options();
    if (more?.contains(event.target)) more.open = true;
  }, true);

  /* The options of an empty board are open, and stay so when it gets its first ideas. */
  document.addEventListener("htmx:after:swap", () => {
    const more = options();
    if (more && !more.querySelector("[aria-invalid]") && !more.closest("form").contains(document.activeElement)) {
      more.open = false;
    }
  });

  /* The topics on an empty board fill the form, so that one may change them first. */
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
