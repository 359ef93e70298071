/* Dictation into the text of an idea, only where the browser understands speech on the device itself:
   nothing that is said leaves it. Elsewhere the button stays hidden. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const Recognition = window.SpeechRecognition;
  if (!Recognition?.available || !("processLocally" in Recognition.prototype)) return;
  // Only Chrome has the models for speech. Builds of Chromium without them have the same objects, and
  // some end the whole page when they are asked.
  if (!navigator.userAgentData?.brands.some(({ brand }) => brand === "Google Chrome")) return;

  // The variety that the browser is set to, or else the most usual one.
  const own = document.documentElement.lang;
  const usual = { en: "en-US", sv: "sv-SE" };
  const lang = navigator.languages.find((one) => one.startsWith(`${own}-`)) ?? usual[own] ?? own;
  const wanted = { langs: [lang], processLocally: true };
  let state = "unavailable";
  let session = null;

  const button = () => document.querySelector("[data-dictate]");

  function say(text) {
    byId("announcer").textContent = text;
    button().title = text;
  }

  async function ask() {
    try {
      state = await Recognition.available(wanted);
    } catch {
      state = "unavailable";
    }
    show();
  }

  function show() {
    const one = button();
    if (!one) return;
    one.hidden = state !== "available" && state !== "downloadable";
    if (state !== "downloadable") return;
    one.title = one.dataset.install;
    one.querySelector(".visually-hidden").textContent = one.dataset.install;
  }

  async function install() {
    say(button().dataset.installing);
    button().disabled = true;
    const isThere = await Recognition.install(wanted).catch(() => false);
    button().disabled = false;
    await ask();
    if (!isThere) say(button().dataset.failed);
  }

  function start() {
    const field = byId(button().closest("[role=toolbar]").getAttribute("aria-controls"));
    session = new Recognition();
    session.lang = lang;
    session.processLocally = true;
    session.continuous = true;
    session.interimResults = false;
    session.onresult = (event) => {
      for (const result of [...event.results].slice(event.resultIndex)) {
        if (result.isFinal && field.isConnected) write(field, result[0].transcript.trim());
      }
    };
    session.onerror = (event) => {
      if (event.error === "no-speech" || event.error === "aborted") return;
      say(button().dataset[event.error === "not-allowed" ? "refused" : "failed"]);
    };
    session.onend = () => {
      session = null;
      button()?.setAttribute("aria-pressed", "false");
    };
    session.start();
    button().setAttribute("aria-pressed", "true");
    say(button().dataset.listening);
    field.focus();
  }

  function write(field, words) {
    const before = field.value.slice(0, field.selectionStart);
    const space = before && !/\s$/.test(before) ? " " : "";
    writing.insert(field, `${space}${words}`);
  }

  function stop() {
    if (!session) return;
    say(button().dataset.stopped);
    session.stop();
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-dictate]")) return;
    if (session) stop();
    else if (state === "downloadable") install();
    else start();
  });
  // Nobody is listened to without seeing the button.
  document.addEventListener("toggle", (event) => event.target.id === "editor" && !event.target.open && stop(), true);
  document.addEventListener("htmx:after:settle", show);
  // writing.js loads this file when the editor is first opened.
  ask();
})();
