// The controls of a model's parameters: each shows what Python holds, and what a person has typed counts until Python
// has it. Messages carry all that is new, so that no click overtakes what was typed before it.

const PAUSE = 250; // ms without a key before what was typed is sent
const GLYPHS = {
  lock: "M6 10V7a6 6 0 0 1 12 0v3h1v11H5V10zm2 0h8V7a4 4 0 0 0-8 0z",
  unlock: "M6 10V7a6 6 0 0 1 11.7-1.9l-1.9.6A4 4 0 0 0 8 7v3h11v11H5V10z",
  dice: "M4 4h16v16H4zM8 8v.1M16 8v.1M12 12v.1M8 16v.1M16 16v.1",
};

// A button with a text, or with a drawing and a text for those who don't see it. Where it is disabled it acts if
// `actsAnyway` says so.
function pushButton(label, act, { className = "", glyph, title, actsAnyway = () => false } = {}) {
  const drawn = glyph ? drawing(GLYPHS[glyph], 24, "vidu-glyph") : label;
  const made = make("button", { type: "button", class: `vidu-button ${className}`, title: title ?? null,
    "aria-label": glyph ? label : null }, drawn);
  made.addEventListener("click", () => (made.getAttribute("aria-disabled") === "true" && !actsAnyway()) || act(made));
  return made;
}

let serial = 0;
const freshId = (what) => `vidu-${what}-${(serial += 1)}-${Math.random().toString(36).slice(2, 8)}`;

// What a kind of control consists of: {body, get, set}; `changed` is to be called at each change.
const KINDS = {
  text(item, id, changed) {
    const area = make("textarea", { id, rows: item.role === "prompt" ? 6 : item.place === "content" ? 2 : 1, placeholder: item.placeholder ?? "" });
    area.addEventListener("input", changed);
    return { body: area, field: area, get: () => area.value, set: (raw) => area.value !== raw && (area.value = raw) };
  },
  line(item, id, changed) {
    const input = make("input", { id, type: "text", placeholder: item.placeholder ?? "", autocomplete: "off" });
    input.addEventListener("input", changed);
    return { body: input, field: input, get: () => input.value, set: (raw) => input.value !== raw && (input.value = raw) };
  },
  number(item, id, changed) {
    const made = KINDS.line(item, id, changed);
    made.field.inputMode = "decimal";
    made.field.classList.add("vidu-number");
    made.field.addEventListener("keydown", (event) => {
      const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      const value = Number(made.field.value);
      if (!by || !made.field.value.trim() || !Number.isFinite(value)) return;
      event.preventDefault();
      made.field.value = String(Number((value + by * item.step).toPrecision(12)));
      changed();
    });
    return made;
  },
  suggest(item, id, changed) {
    const made = KINDS.line(item, id, changed);
    const list = make("datalist", { id: `${id}-known` }, ...item.known.map((value) => make("option", { value })));
    made.field.setAttribute("list", list.id);
    return { ...made, body: make("span", { class: "vidu-suggest" }, made.field, list) };
  },
  select(item, id, changed) {
    const options = item.options.map((label, place) => make("option", { value: place }, label));
    const select = make("select", { id }, ...options);
    select.addEventListener("change", changed);
    return { body: select, field: select, get: () => Number(select.value), set: (raw) => (select.value = raw) };
  },
  radio(item, id, changed) {
    const inputs = item.options.map((_, place) => make("input", { type: "radio", name: id, value: place, id: `${id}-${place}` }));
    const labels = inputs.map((input, place) => {
      const ratio = item.shapes?.[place];
      const scale = ratio ? Math.min(20 / Math.max(1, ratio), 16 * Math.max(1, ratio)) : 0;
      const shape = ratio ? make("span", { class: "vidu-shape", "aria-hidden": "true" }) : null;
      const height = ratio > 1 ? 22 / ratio : 18;
      if (shape) Object.assign(shape.style, { width: `${height * ratio}px`, height: `${height}px` });
      return make("label", { class: "vidu-choice", for: input.id }, input, shape, make("span", {}, item.options[place]));
    });
    inputs.forEach((input) => input.addEventListener("change", changed));
    const body = make("div", { class: "vidu-choices", role: "radiogroup" }, ...labels);
    return {
      body, group: true, field: inputs[0],
      get: () => inputs.findIndex((input) => input.checked),
      set: (raw) => inputs.forEach((input, place) => (input.checked = place === raw)),
    };
  },
  check(item, id, changed) {
    const input = make("input", { type: "checkbox", id });
    input.addEventListener("change", changed);
    return { body: input, field: input, get: () => input.checked, set: (raw) => (input.checked = raw) };
  },
};

// One tray's part of the panel's model, as tray.js knows a model.
class TrayPort {
  constructor(model, name) {
    Object.assign(this, { model, name, heard: [] });
  }
  get(key) {
    return this.model.get("_trays")[this.name]?.[key] ?? (key === "items" ? [] : {});
  }
  on(event, handler) {
    const name = event === "change:items" ? "change:_trays" : event;
    this.heard.push([name, handler]);
    this.model.on(name, handler);
  }
  off(event, handler) {
    this.model.off(event, handler);
  }
  send(content, callbacks, buffers) {
    this.model.send({ ...content, tray: this.name }, callbacks, buffers);
  }
  close() {
    for (const [name, handler] of this.heard) this.model.off(name, handler);
  }
}

class Controls {
  // `onSilence` hears whether Python gives no answer.
  constructor(model, signal, onSilence) {
    Object.assign(this, { model, signal, onSilence, shown: new Map(), dirty: new Map(), turn: 0, timer: null });
    Object.assign(this, { closing: [], trays: [] });
    this.content = make("div", { class: "vidu-content" });
    this.dials = make("div", { class: "vidu-dials" });
    this.help = make("div", { class: "vidu-help-line" }, "\u00a0");
    this.alarm = make("div", { class: "vidu-unseen", role: "alert" });
    this.counter = make("span", { class: "vidu-counter" });
    model.on("change:_controls", () => this.build());
    model.on("change:_values", () => this.fill());
    model.on("change:_remarks", () => this.remark());
    model.on("change:_cast", () => this.showCast());
    model.on("change:_switches", () => this.showSwitches());
    this.build();
  }

  // What was typed and Python does not have yet; call the second when it has.
  unsent() {
    clearTimeout(this.timer);
    const upTo = this.turn;
    const values = Object.fromEntries([...this.dirty.keys()].map((name) => [name, this.shown.get(name)?.get()]));
    const settle = () => {
      for (const [name, turn] of [...this.dirty]) if (turn <= upTo) this.dirty.delete(name);
      this.fill(); // Python may have made something else of it
    };
    return [values, settle];
  }

  // Sends a message with all that was typed before it; resolves to the answer.
  async ask(content) {
    const [values, settle] = this.unsent();
    const reply = await askPython(this.model, { ...content, values, of: this.of }, { onSilence: () => this.onSilence(true) });
    this.onSilence(Boolean(reply.isGone));
    if (!reply.isGone) settle();
    return reply;
  }

  changed(name) {
    this.turn += 1;
    this.dirty.set(name, this.turn);
    if (this.shown.get(name)?.item.role === "prompt") this.count();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask({ do: "values" }), PAUSE);
  }

  build() {
    this.closing.splice(0).forEach((close) => close());
    this.trays = [];
    this.of = this.model.get("_words").model; // whose controls these are
    const typed = new Map([...this.dirty.keys()].map((name) => [name, this.shown.get(name)]));
    this.shown.clear();
    const places = { content: [], dials: [], folded: [] };
    for (const item of this.model.get("_controls")) places[item.place].push(this.control(item));
    this.content.replaceChildren(...places.content);
    this.dials.replaceChildren(...places.dials, ...this.fold(places.folded));
    this.dials.hidden = !this.dials.children.length;
    for (const [name, old] of typed) {
      const control = this.shown.get(name);
      if (old && control?.item.kind === old.item.kind && !old.item.options) control.set(old.get());
      else this.dirty.delete(name);
    }
    this.fill();
    this.remark();
    this.showCast();
    this.showSwitches();
  }

  // Controls that are seldom wanted: a button shows them in the row where it stands.
  fold(fields) {
    if (!fields.length) return [];
    const more = make("button", { type: "button", class: "vidu-more" });
    const open = (isOpen) => {
      fields.forEach((field) => (field.hidden = !isOpen));
      more.setAttribute("aria-expanded", String(isOpen));
      more.textContent = isOpen ? "Fewer" : `More (${fields.length})`;
    };
    more.addEventListener("click", () => open(fields[0].hidden));
    open(false);
    return [...fields, more];
  }

  control(item) {
    const name = item.name.replaceAll("_", "-");
    const box = make("div", { class: `vidu-field vidu-${name} vidu-role-${(item.role || "none").replaceAll("_", "-")}` });
    if (item.kind === "tray") {
      const port = new TrayPort(this.model, item.name);
      const tray = new Tray(port, box);
      if (!this.trays.length) tray.empty.append(this.samples());
      this.trays.push(tray);
      this.closing.push(() => (tray.life.abort(), port.close()));
      return box;
    }
    const id = freshId("control");
    const kind = KINDS[item.kind](item, id, () => this.changed(item.name));
    const remark = make("div", { class: "vidu-remark", id: `${id}-remark` });
    const about = make("span", { class: "vidu-unseen", id: `${id}-about` }, item.help);
    const mark = item.mark && make("span", { class: "vidu-mark", title: item.mark, tabindex: "0" }, "unverified");
    const hint = item.help && make("span", { class: "vidu-hint", title: item.help, "aria-hidden": "true" }, "?");
    const label = make(kind.group ? "span" : "label", { class: "vidu-label", id: `${id}-label`, for: kind.group ? null : id }, item.title);
    const head = make("div", { class: "vidu-label-row" }, label, hint || null, mark || null, remark);
    const described = `${id}-remark ${id}-about`;
    kind.body.setAttribute("aria-labelledby", kind.group ? label.id : "");
    if (!kind.group) kind.body.removeAttribute("aria-labelledby");
    (kind.group ? kind.body : kind.field).setAttribute("aria-describedby", described);
    box.addEventListener("focusin", () => this.showHelp(item.name));
    box.addEventListener("focusout", () => this.showHelp(""));
    this.shown.set(item.name, { ...kind, item, remark, box });
    if (item.role === "prompt") return this.promptBox(box, head, kind, remark, about);
    if (item.kind === "check") head.prepend(kind.body);
    const body = item.role === "seed" ? make("div", { class: "vidu-seed-row" }, kind.body, ...this.seedTools()) : kind.body;
    box.append(head, ...(item.kind === "check" ? [] : [body]), about);
    return box;
  }

  promptBox(box, head, kind, remark, about) {
    this.prompt = kind.field;
    kind.field.placeholder = this.model.get("_words").idea;
    const tips = make("details", { class: "vidu-tips" }, make("summary", {}, "Prompt tips"),
      make("ul", {}, ...this.model.get("_words").tips.map((tip) => make("li", {}, tip))));
    head.append(tips, remark, this.counter);
    this.cast = make("div", { class: "vidu-members", role: "group", "aria-label": "Cast" });
    box.append(head, kind.body, about, this.cast);
    this.mentions = null;
    return box;
  }

  samples() {
    const add = () => this.ask({ do: "samples" }).then(() => this.invite());
    return pushButton("Try sample pictures", add, { className: "vidu-small", title: "Three photographs to try" });
  }

  // Resolves when Python has what was done in the trays, or gives no answer.
  arrived() {
    return Promise.all(this.trays.map((tray) => tray.arrived()));
  }

  // After the pictures come the words, with nothing to click.
  invite() {
    if (this.prompt?.isConnected && !this.prompt.value) this.prompt.focus({ preventScroll: true });
  }

  seedTools() {
    const keep = pushButton("Keep", () => this.ask({ do: "switch", switch: "keep", on: !this.model.get("_switches").keep }),
      { glyph: "lock", className: "vidu-keep" });
    const dice = pushButton("Dice", () => this.ask({ do: "roll" }), { glyph: "dice", title: "Another random seed" });
    this.keep = keep;
    return [keep, dice];
  }

  showSwitches() {
    if (!this.keep?.isConnected && !this.keep) return;
    const { keep } = this.model.get("_switches");
    this.keep.replaceChildren(drawing(GLYPHS[keep ? "lock" : "unlock"], 24, "vidu-glyph"));
    this.keep.setAttribute("aria-pressed", Boolean(keep));
    this.keep.title = keep ? "The seed stays after a run: press to vary it" : "Another seed after each run: press to keep it";
  }

  showCast() {
    if (!this.cast) return;
    const { members = [], mentioned = [] } = this.model.get("_cast");
    this.cast.hidden = !members.length;
    if (members.length && !this.mentions)
      this.mentions = new Mentions(this.prompt, () => this.model.get("_cast").members ?? [], this.signal);
    this.cast.replaceChildren(...members.map((member) => {
      const label = `Insert @${member.name}, ${member.note}`;
      const card = make("button", { type: "button", class: "vidu-member", title: label, "aria-label": label,
        "data-mentioned": String(mentioned.includes(member.name)) },
      face(member, "vidu-member-face"), make("span", {}, `@${member.name}`));
      if (member.note !== "1 picture") card.append(make("span", { class: "vidu-member-note" }, member.note));
      card.addEventListener("mousedown", (event) => event.preventDefault()); // the caret stays where it is
      card.addEventListener("click", () => insertMention(this.prompt, member.name));
      return card;
    }), make("span", { class: "vidu-members-hint" }, "Type @ in the prompt, or press a name."));
  }

  fill() {
    const values = this.model.get("_values");
    for (const [name, control] of this.shown)
      if (name in values && !this.dirty.has(name)) control.set(values[name]);
    this.count();
  }

  count() {
    const prompt = [...this.shown.values()].find((control) => control.item.role === "prompt");
    const limit = prompt?.item.limit;
    this.counter.hidden = !limit;
    if (!limit) return;
    const length = [...prompt.get().trim()].length; // as it is sent
    this.counter.textContent = `${length.toLocaleString("en-US")} / ${limit.toLocaleString("en-US")}`;
    this.counter.classList.toggle("vidu-over", length > limit);
  }

  remark() {
    const remarks = this.model.get("_remarks");
    this.warn(remarks);
    for (const [name, control] of this.shown) {
      const { kind, text } = remarks[name] ?? {};
      control.remark.className = `vidu-remark${kind ? ` vidu-${kind}` : ""}`;
      write(control.remark, text ? `⚠ ${text}` : "");
      control.remark.title = text ?? "";
      (control.group ? control.body : control.field).setAttribute("aria-invalid", String(kind === "problem"));
    }
    this.showHelp(this.helped);
  }

  // A problem is heard when it comes, and not again for each letter that changes its figures.
  warn(remarks) {
    const found = [...this.shown.entries()].filter(([name]) => remarks[name]?.kind === "problem");
    const words = found.map(([name, { item }]) => `${item.title}: ${remarks[name].text}`).join(" ");
    const same = (text) => text.replace(/[\d,.]+/g, "");
    if (same(this.alarm.textContent) !== same(words)) this.alarm.textContent = words;
  }

  // One line for the control that has the focus: the remark that its label has no place for, else its help.
  showHelp(name) {
    this.helped = name;
    const { remark, item } = this.shown.get(name) ?? {};
    const text = (remark?.scrollWidth > remark?.clientWidth ? remark.textContent : item?.help) ?? "";
    this.help.textContent = text || "\u00a0";
    this.help.title = text;
  }
}
