/* Attaches files to the idea of this page: chosen, dropped on the page or pasted into its text. */
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const upload = () => byId("upload");
  const say = (text) => (byId("announcer").textContent = text);

  function problem(text) {
    const place = byId("upload-refused");
    place.textContent = text;
    place.hidden = !text;
  }

  const words = (name, file) => upload().dataset[name].replace("{name}", file.name);

  /* The file as the server has stored it; null if it was refused, which is said. */
  async function send(file) {
    const { upload: address, mostBytes } = upload().dataset;
    if (file.size > Number(mostBytes)) {
      problem(words("tooLarge", file));
      return null;
    }
    say(words("sending", file));
    const body = new FormData();
    body.append("file", file, file.name || "image.png");
    try {
      const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
      const found = await answer.json();
      if (!answer.ok) problem(`${file.name}: ${found.detail}`);
      return answer.ok ? found : null;
    } catch {
      problem(words("failed", file));
      return null;
    }
  }

  async function attach(files, field = null) {
    problem("");
    let last = null;
    for (const file of files) {
      const made = await send(file);
      if (!made) continue;
      last = made;
      if (field?.isConnected) writing.insert(field, made.markdown);
    }
    if (!last) return;
    say(words("attached", last));
    await refresh();
  }

  /* Only the list, so that nobody's typing is disturbed. */
  async function refresh() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html", "X-Live": "true" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("files");
    const section = byId("files");
    if (!fresh || !section) return;
    const said = byId("upload-refused");
    section.replaceWith(document.importNode(fresh, true));
    if (!said.hidden) problem(said.textContent);
    htmx.process(byId("files"));
    prepare();
  }

  function prepare() {
    const input = byId("file");
    if (!input) return;
    input.multiple = true;
    input.required = false;
  }

  document.addEventListener("change", (event) => {
    if (event.target.id !== "file" || !event.target.files.length) return;
    const files = [...event.target.files];
    const field = byId("editor")?.open && event.target.dataset.into ? byId("text") : null;
    delete event.target.dataset.into;
    event.target.value = "";
    attach(files, field);
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-choose-file]") || !byId("file")) return;
    byId("file").dataset.into = "text";
    byId("file").click();
  });

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // A table that is copied comes as text and as a picture of it.
    const isText = event.clipboardData?.types.includes("text/plain");
    if (!files.length || isText || !upload()) return;
    const field = event.target.closest?.("#text");
    if (!field && event.target.closest?.("input, textarea")) return;
    event.preventDefault();
    attach(files, field);
  });

  /* Dropping: the text under the pointer, or else the list, says that it takes the file. */
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files") && upload();

  function mark(target) {
    for (const each of document.querySelectorAll(".is-target")) {
      if (each !== target) each.classList.remove("is-target");
    }
    target?.classList.add("is-target");
  }

  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    mark(event.target.closest("#text") ?? byId("files"));
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) mark(null);
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(null);
    attach([...event.dataTransfer.files], event.target.closest("#text"));
  });

  document.addEventListener("htmx:after:settle", prepare);
  prepare();
})();
