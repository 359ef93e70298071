/* The clock of a writing round. The server's time counts, because the clock of the device may be wrong. */
(() => {
  const byId = (id) => document.getElementById(id);
  let ahead = 0;
  let said = false;
  let leaving = false;

  /* Each answer of the server replaces the state, and with it the mark that its time was read. */
  function readTime(state) {
    if (state.dataset.read) return;
    ahead = Date.parse(state.dataset.now) - Date.now();
    state.dataset.read = "yes";
  }

  function show(seconds) {
    const minutes = Math.floor(seconds / 60);
    const text = `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    const left = byId("round-left");
    if (left && left.textContent !== text) left.textContent = text;
  }

  /* The server does not know the time zone of the reader. */
  function showEnd(end) {
    const until = byId("round-until");
    const text = new Date(end).toLocaleTimeString(document.documentElement.lang, { timeStyle: "short" });
    if (until && until.textContent !== text) until.textContent = text;
  }

  /* What somebody is writing is never lost: the page stays until they have sent it. */
  function isWriting() {
    return ["round-idea", "round-text"].some((id) => byId(id)?.value.trim());
  }

  function finish() {
    const notice = byId("round-over");
    if (isWriting()) {
      if (notice) notice.hidden = false;
    } else if (!leaving) {
      leaving = true;
      setTimeout(() => location.reload(), 700);
    }
  }

  function tick() {
    const state = byId("round-state");
    if (!state || !byId("round-form")) return;
    if (!state.dataset.ends) return finish();
    readTime(state);
    const end = Date.parse(state.dataset.ends);
    const left = Math.max(0, Math.ceil((end - Date.now() - ahead) / 1000));
    show(left);
    showEnd(end - ahead);
    if (left === 0) return finish();
    const notice = byId("round-over");
    if (notice) notice.hidden = true;
    if (left <= 60 && !said) {
      said = true;
      byId("round-said").textContent = state.dataset.minuteLeft;
    } else if (left > 60) said = false;
  }

  /* A laptop that slept shows the right time at once. */
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, 250);
  tick();
})();
