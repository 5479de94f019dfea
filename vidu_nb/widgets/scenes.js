// A film's scenes as cards to write in, in their order. Python decides what the film is; this shows it and asks for
// changes. What somebody types stays in its field, whatever Python makes of it.

const SIGNS = {
  up: "M6 15l6-6 6 6", down: "M6 9l6 6 6-6", close: "M6 6l12 12M18 6L6 18", plus: "M12 5v14M5 12h14", play: "M8 5l11 7-11 7z",
  grip: "M9 5v.1M15 5v.1M9 12v.1M15 12v.1M9 19v.1M15 19v.1",
};
const REST = 250; // ms without a key before what was typed is sent
const DRAGGED = "application/x-vidu-scene";

// What was typed and Python doesn't have yet. Each message carries all of it, so that no click overtakes it.
class Edits {
  constructor(model, answered) {
    Object.assign(this, { model, answered, dirty: new Map(), turn: 0, timer: null });
  }

  // Notes that a field of a scene holds something else; `get` gives what.
  changed(scene, name, get) {
    this.turn += 1;
    this.dirty.set(JSON.stringify([scene, name]), { scene, name, get, turn: this.turn });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask({ do: "edit" }), REST);
  }

  has(scene, name) {
    return this.dirty.has(JSON.stringify([scene, name]));
  }

  // Sends a message with all that was typed before it; resolves to Python's answer, when its news are here.
  async ask(content, options = {}) {
    clearTimeout(this.timer);
    const upTo = this.turn;
    const edits = {};
    for (const { scene, name, get } of this.dirty.values()) (edits[scene] ??= {})[name] = get();
    const reply = await askPython(this.model, { ...content, edits }, options);
    if (!reply.refused) // else it goes along with the next message
      for (const [key, { turn }] of [...this.dirty]) if (turn <= upTo) this.dirty.delete(key);
    this.answered(reply);
    return reply;
  }
}

// Controls of parameters that may be left to somebody else: the film's of a scene, the model's of a film.
class Knobs {
  constructor(edits, scene) {
    Object.assign(this, { edits, scene, shown: new Map(), drawn: "" });
    this.root = make("div", { class: "vidu-knobs" });
  }

  // Shows some controls; those that were there stay, with the focus.
  show(items) {
    const known = JSON.stringify(items.map(({ name, kind, options }) => [name, kind, options?.length]));
    if (known !== this.drawn) this.build(items);
    this.drawn = known;
    for (const item of items) {
      const { field, set, body } = this.shown.get(item.name);
      if (item.options) body.options[0].textContent = item.options[0];
      else field.placeholder = item.placeholder ?? "";
      if (!this.edits.has(this.scene, item.name)) set(item.raw);
    }
  }

  build(items) {
    this.shown.clear();
    this.root.replaceChildren(...items.map((item) => {
      const id = freshId("knob");
      const kind = KINDS[item.kind](item, id, () => this.edits.changed(this.scene, item.name, kind.get));
      this.shown.set(item.name, kind);
      return make("div", { class: `vidu-knob vidu-knob-${item.role || "other"}`, title: item.help || null },
        make("label", { for: id }, item.title), kind.body);
    }));
  }
}

// One scene.
class Card {
  constructor(list, id) {
    Object.assign(this, { list, id, edits: list.edits });
    this.prompt = make("textarea", { class: "vidu-scene-prompt", rows: "2", placeholder: "What happens in this scene", "aria-describedby": `${list.id}-${id}` });
    this.problem = make("div", { class: "vidu-scene-problem", id: `${list.id}-${id}`, role: "status" });
    this.names = make("span", { class: "vidu-scene-names" });
    this.foot();
    this.more = make("details", { class: "vidu-scene-more" });
    this.summary = make("summary", {}, "Parameters");
    this.knobs = new Knobs(this.edits, id);
    this.more.append(this.summary, this.knobs.root);
    this.root = make("li", { class: "vidu-scene", "data-scene": id },
      this.side(),
      make("div", { class: "vidu-scene-words" }, this.head(), this.prompt, this.problem,
        make("div", { class: "vidu-scene-foot" }, this.names, this.continuing, this.takes, this.more, this.buttons)));
    for (const name of ["prompt", "title"]) this[name].addEventListener("input", () => this.typed(name, () => this[name].value));
    this.continues.addEventListener("change", () => this.typed("continues", () => this.continues.checked));
    this.takes.addEventListener("change", () => this.typed("take", () => Number(this.takes.value)));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    new Mentions(this.prompt, () => list.model.get("_members"), list.signal);
  }

  typed(name, get) {
    this.edits.changed(this.id, name, get);
  }

  ask(content) {
    return this.list.ask({ ...content, scene: this.id });
  }

  // The handle and the picture, which plays what there is.
  side() {
    this.grip = make("button", { type: "button", class: "vidu-scene-grip", draggable: "true" }, drawing(SIGNS.grip, 24, "vidu-scene-sign"));
    this.grip.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (by && !event.altKey) this.moveBy(event, by);
    });
    this.poster = make("button", { type: "button", class: "vidu-scene-poster" });
    this.poster.addEventListener("click", () => this.ask(this.item.kind === "kept" ? { do: "show" } : { do: "preview" }));
    return make("div", { class: "vidu-scene-side" }, this.grip, make("div", { class: "vidu-scene-picture" }, this.poster));
  }

  head() {
    this.number = make("span", { class: "vidu-scene-number", "aria-hidden": "true" });
    this.title = make("input", { class: "vidu-scene-title", type: "text", placeholder: "Title", maxlength: "200", autocomplete: "off" });
    this.state = make("span", { class: "vidu-scene-state" });
    this.tools = ["up", "down", "close"].map((sign) => make("button", { type: "button", class: "vidu-scene-tool" }, drawing(SIGNS[sign], 24, "vidu-scene-sign")));
    const acts = [(event) => this.moveBy(event, -1), (event) => this.moveBy(event, 1), () => this.ask({ do: "remove" })];
    this.tools.forEach((tool, place) => tool.addEventListener("click", (event) => tool.getAttribute("aria-disabled") === "true" || acts[place](event)));
    return make("div", { class: "vidu-scene-head" }, this.number, this.title, this.state, make("span", { class: "vidu-scene-tools" }, ...this.tools));
  }

  foot() {
    const small = { className: "vidu-small" };
    this.continues = make("input", { type: "checkbox" });
    this.after = make("span");
    this.continuing = make("label", { class: "vidu-scene-check", title: "It begins with the last frame of the scene before" }, this.continues, this.after);
    this.takes = make("select", { "aria-label": "Take" });
    this.draft = pushButton("Draft", () => this.ask({ do: "preview", quality: "draft" }), { ...small, title: "A quick, small preview of this scene; free" });
    this.preview = pushButton("Preview", () => this.ask({ do: "preview" }), { ...small, title: "A preview of this scene; free (Ctrl+Enter)" });
    this.again = pushButton("", () => this.ask({ do: "again", price: this.item.again_price }), { ...small, title: "Pay for one more take; both are kept" });
    this.buttons = make("span", { class: "vidu-scene-buttons" }, this.again, this.draft, this.preview);
  }

  moveBy(event, by) {
    event.preventDefault();
    event.stopPropagation();
    this.ask({ do: "move", by });
  }

  onKey(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by && event.altKey && !event.ctrlKey && !event.metaKey) this.moveBy(event, by);
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation(); // or JupyterLab would run the cell
    this.ask({ do: "preview" });
  }

  show(item, place, many) {
    this.item = item;
    const number = place + 1;
    const keep = (name, field, value) => this.edits.has(this.id, name) || field.value === value || (field.value = value);
    keep("prompt", this.prompt, item.prompt);
    keep("title", this.title, item.title);
    if (!this.edits.has(this.id, "continues")) this.continues.checked = item.continues;
    this.root.setAttribute("aria-label", `Scene ${number}`);
    this.root.classList.toggle("vidu-scene-continues", item.continues && place > 0);
    this.number.textContent = number;
    this.prompt.setAttribute("aria-label", `Scene ${number}: what happens`);
    this.title.setAttribute("aria-label", `Scene ${number}: title`);
    this.state.dataset.kind = item.kind;
    this.state.textContent = item.price ? `${item.state} · ${item.price}` : item.state;
    this.problem.textContent = item.problem ? `⚠ ${item.problem}` : item.note;
    this.problem.classList.toggle("vidu-problem", Boolean(item.problem));
    this.prompt.setAttribute("aria-invalid", String(Boolean(item.problem)));
    this.continuing.hidden = place === 0;
    this.after.textContent = `Continues scene ${place}`;
    this.summary.textContent = item.own || "Parameters";
    this.knobs.show(item.controls);
    this.showTakes(item);
    const running = this.list.model.get("_offer").is_running;
    this.again.hidden = !item.again;
    this.again.textContent = item.again;
    for (const button of [this.again, this.draft, this.preview]) disable(button, running);
    [place === 0, place === many - 1, many === 1].forEach((off, at) => disable(this.tools[at], off));
    ["Move up", "Move down", "Remove"].forEach((words, at) => {
      this.tools[at].title = at === 2 ? words : `${words} (Alt+${at ? "Down" : "Up"})`;
      this.tools[at].setAttribute("aria-label", `${words}: scene ${number}`);
    });
    this.grip.setAttribute("aria-label", `Scene ${number}: drag it, or move it with the arrow keys`);
    this.grip.title = "Drag to move";
    this.draft.setAttribute("aria-label", `Draft of scene ${number}`);
    this.preview.setAttribute("aria-label", `Preview of scene ${number}`);
    this.draw(item, number);
  }

  showTakes({ take, takes }) {
    this.takes.hidden = takes < 2;
    if (this.takes.options.length !== takes + 1)
      this.takes.replaceChildren(make("option", { value: "0" }, `Newest of ${takes} takes`),
        ...Array.from({ length: takes }, (_, at) => make("option", { value: at + 1 }, `Take ${at + 1}`)));
    if (!this.edits.has(this.id, "take")) this.takes.value = String(take);
  }

  draw({ names, kind }, number) {
    const { picture, shape = "16 / 9", is_made: made } = this.list.model.get("_posters")[this.id] ?? {};
    const words = kind === "kept" ? `Show scene ${number}` : `Preview scene ${number} (free)`;
    this.poster.setAttribute("aria-label", words);
    this.poster.title = words;
    const known = JSON.stringify([picture, shape, made, kind, names]);
    if (known === this.drawn) return;
    this.drawn = known;
    const image = isOurs(picture) ? make("img", { src: picture, alt: "" }) : null;
    this.poster.replaceChildren(...(image ? [image] : []), drawing(SIGNS.play, 24, "vidu-scene-play"));
    this.poster.classList.toggle("vidu-scene-made", Boolean(made));
    this.poster.style.aspectRatio = shape;
    const members = new Map(this.list.model.get("_members").map((member) => [member.name, member]));
    this.names.replaceChildren(...names.filter((name) => members.has(name)).map((name) =>
      make("span", { class: "vidu-scene-name" }, face(members.get(name), "vidu-scene-face"), name)));
  }
}

// All scenes.
class SceneList {
  constructor(model, edits, ask, signal) {
    Object.assign(this, { model, edits, ask: (content) => this.moved(ask, content), signal, cards: new Map(), dragged: null });
    this.id = freshId("scenes");
    this.list = make("ol", { class: "vidu-scenes", "aria-label": "Scenes" });
    this.told = make("div", { class: "vidu-unseen", role: "status" });
    this.root = make("div", { class: "vidu-scenes-box" }, this.list, this.told);
    this.list.addEventListener("dragstart", (event) => this.onDragStart(event));
    this.list.addEventListener("dragover", (event) => this.onDragOver(event));
    this.list.addEventListener("drop", (event) => this.onDrop(event));
    this.list.addEventListener("dragend", () => this.endDrag());
    this.draw();
  }

  // Asks, and goes where the scene is that it was about.
  async moved(ask, content) {
    const reply = await ask(content);
    const card = this.cards.get(reply.scene ?? content.scene);
    if (reply.refused || !card || !["move", "add", "restore"].includes(content.do)) return reply;
    if (reply.scene) card.prompt.focus({ preventScroll: true });
    card.root.scrollIntoView({ block: "nearest" });
    if (content.do === "move") this.told.textContent = `Scene ${card.number.textContent} of ${this.cards.size}`;
    return reply;
  }

  draw() {
    const items = this.model.get("_scenes");
    const held = this.list.getRootNode().activeElement;
    const known = this.cards;
    this.cards = new Map(items.map((item) => [item.id, known.get(item.id) ?? new Card(this, item.id)]));
    for (const [id, card] of known) if (!this.cards.has(id)) this.drop(card, held);
    items.forEach((item, place) => {
      const card = this.cards.get(item.id);
      if (this.list.children[place] !== card.root) this.list.insertBefore(card.root, this.list.children[place] ?? null);
      card.show(item, place, items.length);
    });
    if (held && held !== held.getRootNode().activeElement && this.list.contains(held)) held.focus({ preventScroll: true }); // it moved with its card
  }

  // Takes a card away; the focus goes to its neighbour.
  drop(card, held) {
    const next = card.root.nextElementSibling ?? card.root.previousElementSibling;
    const hadFocus = card.root.contains(held);
    card.root.remove();
    if (hadFocus) next?.querySelector("textarea").focus({ preventScroll: true });
  }

  // Dragging.

  onDragStart(event) {
    const root = event.target.closest?.(".vidu-scene-grip")?.closest(".vidu-scene");
    if (!root) return;
    event.stopPropagation();
    this.dragged = root.dataset.scene;
    event.dataTransfer.setData(DRAGGED, this.dragged);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setDragImage(root, 12, 12);
    root.classList.add("vidu-scene-dragged");
  }

  onDragOver(event) {
    if (this.dragged === null) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "move";
    this.mark(this.below(event.clientY));
  }

  onDrop(event) {
    if (this.dragged === null) return;
    event.preventDefault();
    event.stopPropagation();
    const before = this.below(event.clientY)?.dataset.scene ?? null;
    const scene = this.dragged;
    this.endDrag();
    if (before !== scene) this.ask({ do: "move", scene, before });
  }

  endDrag() {
    this.dragged = null;
    this.mark(null);
    for (const card of this.list.children) card.classList.remove("vidu-scene-dragged", "vidu-scene-last");
  }

  // The card before which something would be put that is dropped at a height; none at the end.
  below(y) {
    return [...this.list.children].find((card) => {
      const box = card.getBoundingClientRect();
      return y < box.top + box.height / 2;
    });
  }

  mark(before) {
    for (const card of this.list.children) card.classList.toggle("vidu-scene-target", card === before);
    this.list.lastElementChild?.classList.toggle("vidu-scene-last", before === undefined);
  }
}
