// The reference tray's front end. Python decides what is in the tray; this shows it and asks for changes, one message
// each. Every text from a user or a file goes through textContent or setAttribute.

const SHORTCUTS = "Alt+ArrowLeft Alt+ArrowRight Delete";
const SHAPES = {
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  warning: "M12 4L2.5 20h19zM12 10v4.5M12 17v.6",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5v.1",
};

const trayIcon = (shape) => drawing(SHAPES[shape], 24, "vidu-tray-icon");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const pictures = (count) => `${count} picture${count === 1 ? "" : "s"}`;
const JUPYTER_FILES = "application/x-jupyter-icontents"; // paths below the server's root
const IN_PYTHON = "give its path in Python: references=[path]";

// From a file to what travels: {bytes, note}. An Error's message is for the user.
async function packed(file, limits) {
  if (file.size > limits.file_bytes)
    throw new Error(`${megabytes(file.size)} is more than the ${megabytes(limits.file_bytes)} that are read here`);
  const small = file.size <= limits.message_bytes;
  let bitmap;
  try {
    if (small) return { bytes: await file.arrayBuffer(), note: "" };
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (small) throw new Error("it can't be read: is it a folder, or was it moved?");
    throw new Error(`${megabytes(file.size)} that this browser can't decode and shrink: save it as JPEG`);
  }
  try {
    return await shrunk(bitmap, limits);
  } finally {
    bitmap.close();
  }
}

// A file that was dragged from JupyterLab's file browser, which names it by its path below the server's root: the page
// fetches it from the server that it came from, and Python gets a picture as from anywhere else, never a path.
async function fetched({ name, path }, limits) {
  const config = document.getElementById("jupyter-config-data")?.textContent;
  const base = config ? JSON.parse(config).baseUrl : document.body.dataset.baseUrl;
  const parts = path.replace(/^RTC:/, "").split("/").filter(Boolean);
  if (!base || parts.some((part) => part === "." || part === "..")) throw new Error(`it can't be fetched: ${IN_PYTHON}`);
  const url = new URL(`${base}files/${parts.map(encodeURIComponent).join("/")}`, document.baseURI);
  const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  if (xsrf) url.searchParams.set("_xsrf", decodeURIComponent(xsrf)); // as JupyterLab's own download links do
  const response = await fetch(url, { credentials: "same-origin", cache: "no-cache" });
  if (!response.ok) throw new Error(`Jupyter's server does not hand it out (${response.status}): ${IN_PYTHON}`);
  const size = Number(response.headers.get("content-length"));
  if (size > limits.file_bytes) return { name, size }; // refused by its size, unread
  return new File([await response.blob()], name);
}

async function shrunk(bitmap, limits) {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  let scale = Math.min(1, limits.side / Math.max(bitmap.width, bitmap.height));
  for (let round = 0; round < 10; round++) {
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    Object.assign(canvas, { width, height });
    Object.assign(pen, { fillStyle: "#fff", imageSmoothingQuality: "high" });
    pen.fillRect(0, 0, width, height); // JPEG knows no transparency, and canvas would make it black
    pen.drawImage(bitmap, 0, 0, width, height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    if (blob && blob.size <= limits.message_bytes) {
      const note = `shrunk in the browser from ${bitmap.width}x${bitmap.height} to ${width}x${height}`;
      return { bytes: await blob.arrayBuffer(), note: scale < 1 ? note : "made a JPEG in the browser" };
    }
    scale *= blob ? Math.min(0.9, 0.95 * Math.sqrt(limits.message_bytes / blob.size)) : 0.5;
  }
  throw new Error(`it can't be shrunk in this browser: ${IN_PYTHON}`);
}

class Tray {
  constructor(model, el) {
    this.model = model;
    this.words = model.get("words");
    this.cards = new Map(); // id of an item -> its card
    this.pending = new Set(); // cards of files that are being read or travel
    this.turn = 0;
    this.sending = Promise.resolve(); // files are shrunk and sent one after the other
    this.answered = Promise.resolve(); // when Python has all that was sent, or is silent
    this.life = new AbortController();
    this.build(el);
    this.listen();
    model.on("change:items", () => this.draw()); // anywidget takes a view's listeners off its model by itself
    this.draw();
  }

  get limits() {
    return this.model.get("limits");
  }

  build(el) {
    const id = `vidu-tray-${Math.random().toString(36).slice(2)}`;
    const button = { type: "button", class: "vidu-tray-button" };
    this.count = make("span", { class: "vidu-tray-count" });
    this.list = make("ol", { class: "vidu-tray-list", "aria-labelledby": id });
    const one = this.limits.pictures === 1;
    this.empty = make("div", { class: "vidu-tray-empty" }, trayIcon("picture"),
      make("div", {}, make("div", {}, one ? "Drop a picture here, paste or browse" : "Drop pictures here, paste or browse"),
        make("div", { class: "vidu-tray-about" }, this.words.about)));
    this.browse = make("button", button, trayIcon("plus"), one ? "Add picture..." : "Add pictures...");
    this.chooser = make("input", { type: "file", accept: "image/*", hidden: "", ...(one ? {} : { multiple: "" }) });
    this.url = make("input", { type: "url", class: "vidu-tray-url", id: `${id}-url`, placeholder: "https://",
      autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-notice` });
    this.addUrl = make("button", { ...button, "aria-label": "Add picture URL" }, "Add");
    this.notice = make("div", { class: "vidu-tray-notice", id: `${id}-notice`, role: "alert" });
    this.status = make("div", { class: "vidu-tray-status", role: "status", "aria-live": "polite" });
    this.hint = make("div", { class: "vidu-tray-hint", id: `${id}-hint` },
      one ? "Delete removes the picture."
        : "Drag to reorder, or press Alt+Left and Alt+Right on a picture; Delete removes it.");
    const label = make("label", { for: `${id}-url` }, "Picture URL");
    this.root = make("div", { class: `vidu-tray${one ? " vidu-tray-one" : ""}`, role: "group", tabindex: "-1", "aria-labelledby": id },
      make("div", { class: "vidu-tray-head" }, make("b", { id }, this.words.title), this.count, this.browse, this.chooser,
        make("div", { class: "vidu-tray-typed" }, label, this.url, this.addUrl)),
      make("div", { class: "vidu-tray-area" }, this.empty, this.list),
      make("div", { class: "vidu-tray-status-line" }, this.notice, this.status, this.hint));
    el.append(this.root);
  }

  listen() {
    const on = (target, types, handler, options) => {
      for (const type of types.split(" "))
        target.addEventListener(type, handler.bind(this), { ...options, signal: this.life.signal });
    };
    on(this.browse, "click", () => this.chooser.click());
    on(this.chooser, "change", () => {
      this.addFiles([...this.chooser.files]);
      this.chooser.value = ""; // so that the same file can be chosen again
    });
    on(this.addUrl, "click", this.addTypedUrl);
    on(this.root, "keydown", this.onKey);
    on(this.root, "dragstart", this.onDragStart);
    on(this.root, "dragenter dragover", this.onDragOver);
    on(this.root, "dragleave", this.onDragLeave);
    on(this.root, "drop", this.onDrop);
    on(this.root, "dragend", this.endDrag);
    // JupyterLab drags its own things by Lumino's events, not by the browser's.
    on(this.root, "lm-dragenter lm-dragover", this.onJupyterDragOver);
    on(this.root, "lm-dragleave", this.onDragLeave);
    on(this.root, "lm-drop", this.onJupyterDrop);
    // A browser sends a paste to where the text selection is, which need not be where the focus is.
    on(document, "paste", this.onPaste, { capture: true });
  }

  // Sends one message; resolves to Python's answer if that ever comes.
  async ask(content, buffers = [], onSilence = (words) => this.complain(words)) {
    const seconds = this.limits.answer_seconds;
    const silence = `no answer from Python for ${seconds} s: it is busy with a cell, or the kernel is gone`;
    const wait = setTimeout(() => (this.status.textContent = "waiting for Python ..."), Math.min(2000, seconds * 500));
    let settled;
    this.answered = Promise.all([this.answered, new Promise((done) => (settled = done))]);
    const giveUp = () => { settled(); onSilence(silence); };
    const reply = await askPython(this.model, content, { buffers, seconds, onSilence: giveUp });
    settled();
    clearTimeout(wait);
    if (reply.refused) this.complain(reply.message);
    else this.status.textContent = reply.message;
    return reply;
  }

  // Resolves when Python has what was dropped, pasted, browsed, moved or removed: a kernel may handle two messages at
  // once, and the second overtake the first.
  async arrived() {
    await this.sending;
    await this.answered;
  }

  change(content) {
    this.notice.replaceChildren();
    this.ask(content);
  }

  complain(words) {
    this.status.textContent = "";
    this.notice.replaceChildren(trayIcon("warning"), make("span", { title: words }, words));
  }

  // How many more it takes.
  free() {
    const good = this.model.get("items").filter((item) => !item.problem).length;
    return Math.max(0, this.limits.pictures - good - this.pending.size);
  }

  // As many files or URLs as still fit in; the others are refused by name.
  fitting(things) {
    this.notice.replaceChildren();
    const free = this.free();
    const left = things.slice(free).map((thing) => thing.name ?? thing);
    const refusal = `at most ${pictures(this.limits.pictures)}: ${left.length} not added (${left.slice(0, 7).join(", ")})`;
    if (left.length) this.complain(refusal);
    return things.slice(0, free);
  }

  addFiles(files) {
    for (const file of this.fitting(files)) {
      const card = this.pendingCard(file.name);
      this.sending = this.sending.then(() => this.sendFile(file, card));
    }
    this.draw();
  }

  async sendFile(file, card) {
    const [content, buffers] = [{ do: "file", name: file.name, turn: [this.url.id, (this.turn += 1)] }, []];
    try {
      const { bytes, note } = await packed(file.path ? await fetched(file, this.limits) : file, this.limits);
      content.note = note;
      buffers.push(bytes);
    } catch (error) {
      content.problem = error.message;
    }
    if (this.pending.has(card)) this.ask(content, buffers, card.fail).then(() => card.settle());
  }

  async addUrls(urls) {
    const fitting = this.fitting(urls);
    const replies = await Promise.all(fitting.map((url) => this.ask({ do: "url", url })));
    return fitting.length === urls.length && replies.every((reply) => !reply.refused);
  }

  async addTypedUrl() {
    const typed = this.url.value.trim();
    if (!typed) return this.url.focus();
    if (typed === this.sentUrl) return; // Enter twice
    this.sentUrl = typed;
    const added = await this.addUrls([typed]);
    this.url.setAttribute("aria-invalid", !added);
    if (added && this.url.value.trim() === typed) this.url.value = "";
    this.sentUrl = null;
  }

  // What was dropped or pasted.
  take(transfer) {
    if (transfer.files.length) return this.addFiles([...transfer.files]);
    const text = transfer.getData("text/uri-list") || transfer.getData("text/plain");
    const lines = text.split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
    if (lines.length && lines.every((line) => /^https?:\/\//i.test(line))) return this.addUrls(lines);
    this.complain("that is neither a picture nor a URL that begins with https://");
  }

  onPaste(event) {
    const within = [event.target, this.root.getRootNode().activeElement].some((each) => this.root.contains(each));
    if (!within || (event.target === this.url && !event.clipboardData.files.length)) return; // text, for the field
    event.preventDefault();
    event.stopImmediatePropagation();
    this.take(event.clipboardData);
  }

  onKey(event) {
    const id = event.target.closest("[data-id]")?.dataset.id;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.ctrlKey || event.metaKey) return; // for the panel
    if (event.target === this.url && event.key === "Enter") this.addTypedUrl();
    else if (id && event.altKey && by) this.change({ do: "move", id, by });
    else if (id && event.key === "Delete") this.change({ do: "remove", id });
    else return;
    event.preventDefault(); // Alt+Left would go back in the browser's history
    event.stopPropagation();
  }

  onDragStart(event) {
    this.dragged = event.target.closest?.(".vidu-tray-good");
    if (!this.dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("application/x-vidu-tray", ""); // some browsers drag nothing without data
    this.dragged.classList.add("vidu-tray-dragged");
  }

  onDragOver(event) {
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = this.dragged ? "move" : "copy";
    this.root.classList.toggle("vidu-tray-over", !this.dragged);
    const card = this.dragged && event.target.closest?.(".vidu-tray-good");
    if (!card) return; // between two cards: where it would land stays as it was
    const box = card.getBoundingClientRect();
    this.mark(card, event.clientX > box.left + box.width / 2 ? "after" : "before");
  }

  onDragLeave(event) {
    if (this.root.contains(event.relatedTarget)) return;
    this.root.classList.remove("vidu-tray-over");
    this.mark(null);
  }

  onDrop(event) {
    event.preventDefault(); // or the browser would open the file in place of the notebook
    event.stopPropagation();
    const dragged = this.dragged;
    const cards = [...this.list.querySelectorAll(".vidu-tray-good")];
    const over = cards.findIndex((card) => card.matches(".vidu-tray-before, .vidu-tray-after"));
    const gap = over + (cards[over]?.matches(".vidu-tray-after") ? 1 : 0);
    this.endDrag();
    if (!dragged) return this.dropped(() => this.take(event.dataTransfer));
    const from = cards.indexOf(dragged);
    const by = (gap > from ? gap - 1 : gap) - from;
    if (over >= 0 && by) this.change({ do: "move", id: dragged.dataset.id, by });
  }

  onJupyterDragOver(event) {
    if (!event.mimeData.hasData(JUPYTER_FILES)) return;
    event.preventDefault();
    event.stopPropagation();
    event.dropAction = event.proposedAction;
    this.root.classList.add("vidu-tray-over");
  }

  onJupyterDrop(event) {
    if (!event.mimeData.hasData(JUPYTER_FILES)) return;
    event.preventDefault();
    event.stopPropagation(); // or the notebook would take it
    event.dropAction = event.proposedAction;
    this.root.classList.remove("vidu-tray-over");
    const paths = event.mimeData.getData(JUPYTER_FILES).map(String);
    this.dropped(() => this.addFiles(paths.map((path) => ({ name: path.split("/").pop(), path }))));
  }

  // A drop moves no focus by itself: whatever shows the tray may.
  dropped(take) {
    take();
    this.root.dispatchEvent(new Event("vidu-dropped", { bubbles: true }));
  }

  endDrag() {
    this.root.classList.remove("vidu-tray-over");
    this.dragged?.classList.remove("vidu-tray-dragged");
    this.dragged = null;
    this.mark(null);
  }

  mark(card, side) {
    for (const each of this.list.children) each.classList.remove("vidu-tray-before", "vidu-tray-after");
    card?.classList.add(`vidu-tray-${side}`);
  }

  draw() {
    const items = this.model.get("items");
    const good = items.filter((item) => !item.problem).length;
    const known = this.cards; // an item never changes, only its place does: its card stays
    this.cards = new Map(items.map((item) => [item.id, known.get(item.id) ?? this.card(item)]));
    [...this.cards.values()].forEach((card, index) => card.place(index, good));
    this.show([...this.cards.values(), ...this.pending]);
    this.count.textContent = this.limits.open ? `${good}` : `${good} of ${this.limits.pictures}`;
  }

  // Puts the cards into the list; the focus stays where it was, or goes to a neighbour of a card that went.
  show(cards) {
    const before = [...this.list.children];
    const held = this.root.getRootNode().activeElement;
    const place = before.findIndex((card) => card.contains(held));
    this.empty.hidden = cards.length > 0;
    this.list.hidden = this.hint.hidden = !cards.length;
    if (before.length === cards.length && before.every((card, index) => card === cards[index])) return;
    this.list.replaceChildren(...cards);
    if (this.empty.contains(held)) this.browse.focus({ preventScroll: true });
    const neighbour = cards[Math.min(place, cards.length - 1)] ?? this.browse;
    if (place >= 0) (this.root.contains(held) ? held : neighbour).focus({ preventScroll: true });
  }

  card(item) {
    const { id, label, size, host, thumbnail, note, problem } = item;
    const wordsId = `${this.hint.id}-${id}`;
    const number = make("span", { class: "vidu-tray-number", "aria-hidden": "true" });
    const left = trayTool("left", "Move left", label, () => this.change({ do: "move", id, by: -1 }));
    const right = trayTool("right", "Move right", label, () => this.change({ do: "move", id, by: 1 }));
    const remove = trayTool("close", "Remove", label, () => this.change({ do: "remove", id }));
    const shown = problem ? [trayIcon("warning"), problem] : [trayIcon(host ? "link" : "picture"), host || ""];
    const picture = /^data:image\/jpeg;base64,/.test(thumbnail) // no other address: showing it would fetch it
      ? make("img", { class: "vidu-tray-thumbnail", src: thumbnail, alt: "", draggable: "false" })
      : make("div", { class: "vidu-tray-words", title: problem }, ...shown);
    const attributes = { class: `vidu-tray-card vidu-tray-${problem ? "bad" : "good"}`, "data-id": id, tabindex: "0",
      draggable: problem ? null : "true", "aria-describedby": `${wordsId} ${this.hint.id}`, "aria-keyshortcuts": SHORTCUTS };
    const card = make("li", attributes,
      make("div", { class: "vidu-tray-frame" }, number, picture),
      make("div", { class: "vidu-tray-name", title: label }, label),
      make("div", { class: "vidu-tray-size" }, problem ? "not used" : host ? "" : size),
      make("div", { class: "vidu-tray-note", title: note }, note),
      make("div", { class: "vidu-tray-tools" }, ...(problem ? [] : [left, right]), remove));
    card.querySelector(problem ? ".vidu-tray-words" : ".vidu-tray-note").id = wordsId;
    card.place = (index, good) => {
      number.textContent = problem ? "" : index + 1;
      card.setAttribute("aria-label", problem ? `${label}, not used` : `${index + 1}: ${label}, ${size}`);
      // Not `disabled`: a button that holds the focus would drop it at the end of the row.
      left.setAttribute("aria-disabled", index === 0);
      right.setAttribute("aria-disabled", index === good - 1);
    };
    return card;
  }

  pendingCard(name) {
    const words = make("div", { class: "vidu-tray-words" }, "reading ...");
    const card = make("li", { class: "vidu-tray-card vidu-tray-pending" },
      make("div", { class: "vidu-tray-frame" }, words),
      make("div", { class: "vidu-tray-name", title: name }, name),
      make("div", { class: "vidu-tray-tools" }, trayTool("close", "Dismiss", name, () => card.settle())));
    card.fail = (text) => {
      card.classList.add("vidu-tray-bad");
      words.replaceChildren(trayIcon("warning"), text);
      this.status.textContent = `${name}: ${text}`;
    };
    card.settle = () => this.pending.delete(card) && this.draw();
    this.pending.add(card);
    return card;
  }
}

function trayTool(shape, words, label, act) {
  const attributes = { type: "button", class: "vidu-tray-tool", "aria-label": `${words} ${label}`, title: words };
  const button = make("button", attributes, trayIcon(shape));
  button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || act());
  return button;
}
