// What is made: a clip that plays by its link where one leads to it, and from the kernel's bytes elsewhere; pictures.

const LINK_PATIENCE = 1500; // ms for the cell's output to have found its file

class Stage {
  constructor(model, controls, signal) {
    Object.assign(this, { model, controls, turn: 0, urls: [], live: false });
    this.place = make("div", { class: "vidu-stage-place" });
    this.caption = make("div", { class: "vidu-caption" });
    this.bar = make("div", { class: "vidu-bar-place" });
    this.root = make("div", { class: "vidu-shown" }, this.place, this.bar, this.caption);
    this.hiding = document.createElement("style");
    document.head.append(this.hiding);
    signal.addEventListener("abort", () => this.leave());
    model.on("change:_result", () => this.draw());
    this.draw();
    askPython(model, { do: "hello" }).then(() => {
      this.live = true; // else the cell's output shows it
      this.draw();
    });
  }

  leave() {
    this.turn += 1;
    this.unmount?.();
    this.hiding.remove();
    this.urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
  }

  draw() {
    const turn = (this.turn += 1);
    const { id, items = [], link, loops, bar } = this.model.get("_result");
    this.unmount?.();
    this.unmount = null;
    const old = this.urls.splice(0);
    const media = items.map((item) => this.medium(item, loops));
    const figures = media.map((one, place) => make("figure", {}, items[place].label ? make("figcaption", {}, items[place].label) : null, one));
    const group = bar && `${bar.group}-${id}`;
    this.place.className = `vidu-stage-place${items.length > 1 ? " vidu-many" : ""}${bar ? ` vidu-grid vidu-group-${group}` : ""}`;
    this.place.replaceChildren(...(items.length ? figures : [this.invitation()]));
    old.forEach((url) => URL.revokeObjectURL(url));
    this.hiding.textContent = "";
    this.tell(items);
    if (bar) {
      const port = { get: (key) => (key === "group" ? group : bar[key]), on() {}, off() {} };
      this.unmount = mountSynchroniser({ model: port, el: this.bar });
    } else this.bar.replaceChildren();
    if (!this.live || !items.length) return;
    this.hideSaved();
    items.forEach((item, place) => this.load(turn, id, item, place, media[place], { link, still: Boolean(bar), loops }));
  }

  // Hides the cell's output, which shows the same.
  hideSaved() {
    const saved = `.${this.model.get("_place")}`;
    this.hiding.textContent = `${saved}, .jp-OutputArea-child:has(> .jp-OutputArea-output ${saved}) { display: none; }`;
  }

  invitation() {
    return make("div", { class: "vidu-invitation" }, drawing("M4 5h16v14H4zM10 9l5 3-5 3z", 24, "vidu-glyph-large"),
      make("div", {}, "What is made appears here."), make("div", { class: "vidu-quiet" }, "A preview is free: Ctrl+Enter."));
  }

  medium(item, loops) {
    const [width, height] = item.size;
    const words = `${item.caption}. ${item.prompt}`;
    if (item.kind === "image")
      return make("img", { class: "vidu-medium", width, height, alt: words, src: isOurs(item.poster) ? item.poster : null });
    return make("video", { class: "vidu-medium", width, height, "aria-label": words, playsinline: true, controls: true,
      ...(loops ? { muted: true, loop: true } : {}), poster: isOurs(item.poster) ? item.poster : null, tabindex: "0" });
  }

  tell(items) {
    this.caption.replaceChildren();
    if (items.length !== 1) return;
    const [{ caption, preview, prompt, name }] = items;
    this.caption.title = [prompt, name].filter(Boolean).join("\n");
    this.caption.append(preview ? make("span", { class: "vidu-badge" }, "PREVIEW") : "", caption);
  }

  // Shows an item's own file: by its link, else by its bytes.
  async load(turn, id, item, place, medium, { link, still, loops }) {
    const gone = () => turn !== this.turn;
    const isVideo = item.kind === "video";
    let source = link && isVideo ? await this.linked(id, place) : "";
    if (gone()) return;
    if (source) medium.addEventListener("error", () => gone() || this.loadBytes(turn, id, item, place, medium), { once: true });
    else source = await this.bytes(turn, id, item, place);
    if (gone() || !source) return;
    medium.src = source;
    if (isVideo) medium.muted = Boolean(loops);
    if (isVideo && !still) this.play(medium);
  }

  async loadBytes(turn, id, item, place, medium) {
    const source = await this.bytes(turn, id, item, place);
    if (turn === this.turn && source) medium.src = source;
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
  linked(id, place) {
    const find = () => document.querySelectorAll(`.${this.model.get("_place")}.${CSS.escape(id)} video`)[place];
    const good = (video) => video && video.readyState >= 1 && !video.error && video.currentSrc;
    return new Promise((answer) => {
      const began = performance.now();
      const look = () => {
        const video = find();
        if (good(video)) return answer(video.currentSrc);
        if (video?.error || performance.now() - began > LINK_PATIENCE) return answer("");
        setTimeout(look, 30);
      };
      look();
    });
  }

  // The file as the kernel sends it, piece by piece; an address of this page's memory.
  async bytes(turn, id, item, place) {
    const pieces = [];
    let [at, total] = [0, 1];
    while (at < total) {
      const reply = await askPython(this.model, { do: "piece", shown: id, item: place, at });
      if (turn !== this.turn || reply.refused || !reply.bytes?.byteLength) return "";
      pieces.push(reply.bytes);
      at += reply.bytes.byteLength;
      total = reply.total;
    }
    const url = URL.createObjectURL(new Blob(pieces, { type: item.type }));
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
    this.sheet.hidden = false;
    this.sheet.onkeydown = (event) => event.key === "Escape" && (event.stopPropagation(), this.close());
  }

  close() {
    const held = this.sheet.contains(this.sheet.getRootNode().activeElement);
    this.sheet.hidden = true;
    this.sheet.replaceChildren();
    if (held) this.root.querySelector("button")?.focus();
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
    field.addEventListener("keydown", (event) => event.key === "Enter" && done());
    this.open(make("div", { class: "vidu-label" }, "Save a copy, with its recipe inside"), field, ending,
      pushButton("Save", done, { className: "vidu-small vidu-strong" }));
    field.focus();
  }
}
