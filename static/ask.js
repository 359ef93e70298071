/* Opens the options of a brainstorm while the topic or they have the focus. Without this file, a click does. */
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
})();
