// What is made: a clip that plays by its link where one leads to it, and from the kernel's bytes elsewhere; pictures.

const LINK_PATIENCE = 1500; // ms for the cell's output to have found its file
const KERNEL_IS_SILENT = "The kernel does not answer: it is busy with a cell, or has ended.";

class Stage {
  constructor(model, controls, signal) {
    Object.assign(this, { model, controls, turn: 0, urls: [], live: false });
    this.place = make("div", { class: "vidu-stage-place" });
    this.caption = make("div", { class: "vidu-caption" });
    this.note = make("div", { class: "vidu-stage-note vidu-quiet", role: "status", hidden: true });
    this.bar = make("div", { class: "vidu-bar-place" });
    this.root = make("div", { class: "vidu-shown" }, this.place, this.bar, this.note, this.caption);
    this.hiding = document.createElement("style");
    document.head.append(this.hiding);
    const heard = [["change:_result", () => this.draw()], ["comm_live_update", () => this.greet()], ["comm:close", () => this.greet()],
      ["msg:custom", (content, buffers) => content.ahead && this.hear(content, buffers)]];
    heard.forEach(([event, act]) => model.on(event, act));
    signal.addEventListener("abort", () => {
      heard.forEach(([event, act]) => model.off(event, act));
      this.leave();
    });
    this.greet();
  }

  // Shows what Python has, once that has answered: without a kernel, and until then, the cell's output shows it.
  async greet() {
    const greeting = (this.greeting = {});
    this.live = false;
    this.draw();
    const reply = await askPython(this.model, { do: "hello" });
    if (greeting !== this.greeting || reply.refused) return;
    this.live = true;
    this.draw();
  }

  // What Python sends ahead of a result, so that no question takes a round trip: its poster, and its bytes' first piece
  // where no link leads to it.
  hear({ ahead, total }, [piece, poster]) {
    this.ahead = { id: ahead, piece: { bytes: piece, total }, poster: { bytes: poster, total: poster.byteLength } };
  }

  // Gives that once, and frees it.
  takeAhead(id, what) {
    const first = this.ahead?.id === id ? this.ahead[what] : null;
    if (first) delete this.ahead[what];
    return first?.bytes.byteLength ? first : null;
  }

  leave() {
    this.greeting = this.ahead = null;
    this.live = false;
    this.clear();
    this.hiding.remove();
  }

  // Ends what is shown or being fetched, and frees its memory.
  clear() {
    this.turn += 1;
    this.unmount?.();
    this.unmount = null;
    this.bar.replaceChildren();
    for (const video of this.place.querySelectorAll("video")) {
      video.removeAttribute("src");
      video.load(); // else the page keeps the file open
    }
    this.urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  }

  draw() {
    this.clear();
    const { turn } = this;
    const { id, items: all = [], link, loops, bar } = this.model.get("_result");
    const items = this.live ? all : [];
    const media = items.map((item) => this.medium(item, loops));
    const figures = media.map((one, place) => make("figure", {}, items[place].label ? make("figcaption", {}, items[place].label) : null, one));
    const group = bar && `${bar.group}-${id}`;
    this.place.className = `vidu-stage-place${items.length > 1 ? " vidu-many" : ""}${bar && items.length ? ` vidu-grid vidu-group-${group}` : ""}`;
    this.place.style.setProperty("--vidu-across", Math.ceil(Math.sqrt(items.length)));
    this.place.replaceChildren(...(items.length ? figures : [this.invitation(all.length)]));
    this.tell(items);
    this.remark("");
    this.hide();
    if (!items.length) return;
    if (bar) {
      const port = { get: (key) => (key === "group" ? group : bar[key]), on() {}, off() {} };
      this.unmount = mountSynchroniser({ model: port, el: this.bar });
    }
    items.forEach((item, place) => this.load(turn, id, item, place, media[place], { link, still: Boolean(bar), loops }));
  }

  // The cell's output is for a page without a kernel; a live page hides it while it shows the same.
  hide(always = false) {
    const shows = always || (this.model.get("_result").items?.length && !this.failed);
    const saved = `.${this.model.get("_place")}${shows ? "" : ".vidu-empty"}`;
    const around = `.jp-OutputArea-child:has(${saved}):not(:has(.jp-OutputArea-child))`; // an Output holds the panel as well
    this.hiding.textContent = this.live ? `${saved}, ${around} { display: none; }` : "";
  }

  // Says why nothing plays, or that it takes a while; the cell's output is there meanwhile.
  remark(text) {
    this.failed = Boolean(text);
    this.note.hidden = !text;
    this.note.textContent = text;
    this.hide();
  }

  invitation(isElsewhere) {
    const [first, second] = isElsewhere ? ["What was made is in the cell's output.", "The panel shows it once the kernel answers."]
      : ["What is made appears here.", "A preview is free: Ctrl+Enter."];
    return make("div", { class: "vidu-invitation" }, drawing("M4 5h16v14H4zM10 9l5 3-5 3z", 24, "vidu-glyph-large"),
      make("div", {}, first), make("div", { class: "vidu-quiet" }, second));
  }

  medium(item, loops) {
    const [width, height] = item.size;
    const words = `${item.caption}. ${item.prompt}`;
    if (item.kind === "image") return make("img", { class: "vidu-medium", width, height, alt: words });
    return make("video", { class: "vidu-medium", width, height, "aria-label": words, playsinline: true, controls: true,
      ...(loops ? { muted: true, loop: true } : {}), tabindex: "0" });
  }

  tell(items) {
    this.caption.replaceChildren();
    if (items.length !== 1) return;
    const [{ caption, preview, prompt, name }] = items;
    this.caption.title = [caption, prompt, name].filter(Boolean).join("\n");
    this.caption.append(preview ? make("span", { class: "vidu-badge" }, "PREVIEW") : "", caption);
  }

  // Shows an item's own file: by its link, else by its bytes.
  async load(turn, id, item, place, medium, { link, still, loops }) {
    const isVideo = item.kind === "video";
    this.showPoster(turn, id, item, place, medium);
    const start = (source) => {
      medium.src = source;
      medium.muted = Boolean(loops);
      if (isVideo && !still) this.play(medium);
    };
    const fetched = async () => {
      const source = await this.bytes(turn, id, item, place, "piece");
      if (source) start(source);
    };
    const source = link && isVideo ? await this.linked(turn, id, place) : "";
    if (turn !== this.turn) return;
    if (!source) return fetched();
    medium.addEventListener("error", () => turn === this.turn && medium.src === source && fetched(), { once: true });
    start(source);
  }

  async showPoster(turn, id, item, place, medium) {
    const poster = await this.bytes(turn, id, item, place, "poster");
    if (!poster) return;
    if (item.kind === "video") medium.poster = poster;
    else if (!medium.src) medium.src = poster;
  }

  async play(video) {
    try {
      await video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // it went, or can't be played
      video.muted = true; // a page may not sound before somebody has touched it
      video.play().catch(() => {});
    }
  }

  // The address of the clip in the cell's output, once that has found its file there; nothing where it doesn't.
  linked(turn, id, place) {
    const find = () => document.querySelectorAll(`.${this.model.get("_place")}.${CSS.escape(id)}`);
    const good = (video) => video && video.readyState >= 1 && !video.error && video.currentSrc;
    return new Promise((answer) => {
      const began = performance.now();
      const look = () => {
        const videos = [...find()].map((output) => output.querySelectorAll("video")[place]); // of each cell that shows it
        const found = videos.find(good);
        if (found) return answer(found.currentSrc);
        const lost = videos.length && videos.every((video) => video?.error);
        if (turn !== this.turn || lost || performance.now() - began > LINK_PATIENCE) return answer("");
        setTimeout(look, 20);
      };
      look();
    });
  }

  // The file, or its poster, as the kernel sends it; an address of this page's memory.
  async bytes(turn, id, item, place, what) {
    const isFile = what === "piece";
    const { blob, problem } = await fetchFile(
      this.model,
      { shown: id, item: place, ...(isFile ? {} : { at: "poster" }) },
      isFile ? item.type : "image/jpeg",
      { first: this.takeAhead(id, what), isWanted: () => turn === this.turn, waits: (late) => isFile && this.remark(late ? KERNEL_IS_SILENT : "") },
    );
    if (problem && isFile) this.remark(problem);
    if (!blob) return "";
    const url = URL.createObjectURL(blob);
    this.urls.push(url);
    return url;
  }
}

// What can be done with what is shown.
class Tools {
  constructor(model, controls, say) {
    Object.assign(this, { model, controls, say });
    this.root = make("div", { class: "vidu-tools" });
    this.sheet = make("div", { class: "vidu-sheet", hidden: true });
    model.on("change:_tools", () => this.draw());
    this.draw();
  }

  async use(tool, more = {}) {
    const reply = await this.controls.ask({ do: "tool", tool, ...more });
    if (reply.refused || reply.message) this.say(reply.message, reply.refused);
    return reply;
  }

  draw() {
    const { name, endings, seed, code, is_video: isVideo } = this.model.get("_tools");
    this.root.hidden = !name;
    this.close();
    if (!name) return;
    const small = { className: "vidu-small" };
    const language = make("select", { "aria-label": "Copy as" }, make("option", { value: "" }, "Copy as ..."),
      ...code.map((one) => make("option", { value: one }, one)));
    language.addEventListener("change", () => language.value && this.copy(language.value).then(() => (language.value = "")));
    this.root.replaceChildren(
      ...(seed ? [pushButton("Use this seed", () => this.use("seed"), small), pushButton("Next seed", () => this.use("next seed"), small)] : []),
      ...(isVideo ? [pushButton("Continue from the last frame", () => this.use("continue"), small),
        pushButton("Add to a film", () => this.use("film"), small)] : [pushButton("Use as reference", () => this.use("reference"), small)]),
      ...(code.length ? [language] : []),
      pushButton("Save a copy", () => this.save(name, endings), small),
    );
  }

  open(...children) {
    const close = pushButton("Close", () => this.close(), { className: "vidu-small" });
    this.sheet.replaceChildren(...children, close);
    this.opener = this.sheet.hidden ? this.sheet.getRootNode().activeElement : this.opener;
    this.sheet.hidden = false;
    this.sheet.onkeydown = (event) => { // returns nothing: false would swallow the key
      if (event.key === "Escape") this.close();
    };
  }

  close() {
    const held = this.sheet.contains(this.sheet.getRootNode().activeElement);
    if (held) (this.root.contains(this.opener) ? this.opener : this.root.querySelector("button"))?.focus();
    this.sheet.hidden = true;
    this.sheet.replaceChildren();
  }

  async copy(language) {
    const { code, refused } = await this.use("code", { language });
    if (refused || !code) return;
    const label = `As ${language}: select all and copy`;
    const area = make("textarea", { class: "vidu-code", readonly: true, "aria-label": label, spellcheck: "false" });
    area.value = code;
    this.open(make("div", { class: "vidu-label" }, label), area);
    area.focus();
    area.select();
    try {
      await navigator.clipboard.writeText(code);
      this.say(`Copied as ${language}.`);
    } catch {
      // not allowed here: it is selected
    }
  }

  save(name, endings) {
    const field = make("input", { type: "text", "aria-label": "Save as", value: name, class: "vidu-save-name" });
    const ending = make("select", { "aria-label": "Kind of file" }, ...endings.map((one) => make("option", { value: one }, one.slice(1).toUpperCase())));
    ending.addEventListener("change", () => (field.value = field.value.replace(/\.\w{2,4}$/, "") + ending.value));
    const done = async () => {
      const reply = await this.use("save", { name: field.value });
      if (!reply.refused) this.close();
    };
    field.addEventListener("keydown", (event) => event.key === "Enter" && !event.ctrlKey && !event.metaKey && done());
    this.open(make("div", { class: "vidu-label" }, "Save a copy, with its recipe inside"), field, ending,
      pushButton("Save", done, { className: "vidu-small vidu-strong" }));
    field.focus();
  }
}
