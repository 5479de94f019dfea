// A film's scenes as rows to write in. Python decides what the film is; this shows it and asks for changes, one message
// each. What somebody types stays in its field, whatever Python makes of it. Every text goes through textContent or value.

const ARROWS = { up: "M6 15l6-6 6 6", down: "M6 9l6 6 6-6", close: "M6 6l12 12M18 6L6 18", plus: "M12 5v14M5 12h14" };
const PAUSE = 250; // ms without a key before what was typed is sent

const sign = (shape) => drawing(ARROWS[shape], 24, "vidu-scene-icon");
const control = make; // whatever takes the focus keeps its keys from JupyterLab's shortcuts

// A field that somebody types in: what is here counts until Python has it.
class Field {
  constructor(input, send) {
    this.input = input;
    this.waits = 0; // messages without an answer
    this.timer = null;
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(send), PAUSE);
    });
    input.addEventListener("change", () => this.flush(send)); // before a click elsewhere arrives
  }

  async flush(send) {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.input.value === this.sent) return;
    this.sent = this.input.value;
    this.waits += 1;
    try {
      await send(this.sent);
    } finally {
      this.waits -= 1;
    }
  }

  show(text) {
    if (this.waits || this.timer !== null) return; // something newer was typed
    this.sent = text;
    if (this.input.value !== text) this.input.value = text;
  }
}

class Row {
  constructor(board, id) {
    this.board = board;
    const ask = (content) => board.ask({ ...content, id });
    const label = (words) => ({ "aria-label": words });
    this.poster = control("button", { type: "button", class: "vidu-scene-poster" });
    this.number = make("span", { class: "vidu-scene-number" });
    this.title = control("input", { class: "vidu-scene-title", placeholder: "Title", maxlength: "200", ...label("Title") });
    this.state = make("span", { class: "vidu-scene-state" });
    this.prompt = control("textarea", { class: "vidu-scene-prompt", rows: "2", placeholder: "What happens in this scene",
      "aria-describedby": `${board.id}-${id}` });
    this.problem = make("div", { class: "vidu-scene-problem", id: `${board.id}-${id}`, role: "status" });
    this.names = make("span", { class: "vidu-scene-names" });
    this.continues = control("input", { type: "checkbox" });
    this.continuing = make("label", { class: "vidu-scene-check" }, this.continues, "Continues the scene before");
    this.seed = control("input", { class: "vidu-scene-seed", inputmode: "numeric" });
    this.seeds = make("label", { class: "vidu-scene-label" }, "Seed", this.seed);
    this.takes = control("select", label("Take"));
    this.again = control("button", { type: "button", class: "vidu-scene-button" });
    const tool = (shape, words, content) => {
      const button = control("button", { type: "button", class: "vidu-scene-tool", title: words }, sign(shape));
      button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || ask(content));
      return button;
    };
    this.up = tool("up", "Move up", { do: "move", by: -1 });
    this.down = tool("down", "Move down", { do: "move", by: 1 });
    this.remove = tool("close", "Remove", { do: "remove" });
    this.element = make("li", { class: "vidu-scene" },
      make("div", { class: "vidu-scene-picture" }, this.poster),
      make("div", { class: "vidu-scene-words" },
        make("div", { class: "vidu-scene-head" }, this.number, this.title,
          make("span", { class: "vidu-scene-right" }, this.state,
            make("span", { class: "vidu-scene-tools" }, this.up, this.down, this.remove))),
        this.prompt, this.problem,
        make("div", { class: "vidu-scene-foot" }, this.names, this.continuing, this.seeds, this.takes, this.again)));
    const edit = (field) => (value) => ask({ do: "edit", field, value });
    this.fields = { prompt: new Field(this.prompt, edit("prompt")), title: new Field(this.title, edit("title")),
      seed: new Field(this.seed, edit("seed")) };
    this.prompt.addEventListener("input", () => this.fit());
    this.continues.addEventListener("change", () => edit("continues")(this.continues.checked));
    this.takes.addEventListener("change", () => edit("take")(Number(this.takes.value)));
    this.again.addEventListener("click", () => ask({ do: "again", price: this.item.again_price }));
    this.poster.addEventListener("click", () => ask({ do: "show" }));
    new Mentions(this.prompt, () => board.model.get("members"), board.life.signal);
  }

  show(item, place, many) {
    this.item = item;
    const number = place + 1;
    for (const name of ["prompt", "title", "seed"]) this.fields[name].show(item[name]);
    this.element.setAttribute("aria-label", `Scene ${number}`);
    this.element.classList.toggle("vidu-scene-continues", item.continues);
    this.number.textContent = number;
    this.prompt.setAttribute("aria-label", `Scene ${number}`);
    this.state.dataset.kind = item.kind;
    this.state.textContent = item.price ? `${item.state} · ${item.price}` : item.state;
    this.state.title = item.state;
    this.problem.textContent = item.problem ? `⚠ ${item.problem}` : item.note;
    this.problem.classList.toggle("vidu-problem", Boolean(item.problem));
    this.continues.checked = item.continues;
    this.continuing.hidden = place === 0;
    this.seeds.hidden = !item.has_seed;
    this.seed.placeholder = item.seed_hint;
    this.takes.hidden = item.takes < 2;
    if (this.takes.options.length !== item.takes + 1) {
      const options = [["0", `Newest of ${item.takes} takes`]];
      for (let take = 1; take <= item.takes; take++) options.push([`${take}`, `Take ${take}`]);
      this.takes.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    }
    this.takes.value = `${item.take}`;
    this.again.hidden = !item.again;
    this.again.textContent = item.again;
    this.again.disabled = this.board.model.get("busy");
    this.up.setAttribute("aria-disabled", place === 0);
    this.down.setAttribute("aria-disabled", place === many - 1);
    this.remove.setAttribute("aria-disabled", many === 1);
    for (const [button, words] of [[this.up, "Move up"], [this.down, "Move down"], [this.remove, "Remove"]])
      button.setAttribute("aria-label", `${words}: scene ${number}`);
    this.poster.setAttribute("aria-label", item.kind === "kept" ? `Show scene ${number}` : `Scene ${number}: nothing to show yet`);
    this.poster.disabled = item.kind !== "kept";
    this.draw(item);
    this.fit();
  }

  draw({ poster, shape, names, kind }) {
    const members = new Map(this.board.model.get("members").map((member) => [member.name, member]));
    const seen = names.map((name) => members.get(name)).filter(Boolean);
    const known = JSON.stringify([poster, shape, kind, names]);
    if (known === this.drawn) return;
    this.drawn = known;
    const image = /^data:image\/webp;base64,/.test(poster) ? make("img", { src: poster, alt: "" }) : null;
    this.poster.replaceChildren(...(image ? [image] : []));
    this.poster.dataset.kind = kind;
    this.poster.style.aspectRatio = shape;
    this.names.replaceChildren(...seen.map((one) =>
      make("span", { class: "vidu-scene-name" }, face(one, "vidu-scene-face"), one.name)));
  }

  // As high as its text.
  fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.prompt.style.height = "auto";
    this.prompt.style.height = `${this.prompt.scrollHeight + 2}px`;
  }
}

class Scenes {
  constructor(model, el) {
    this.model = model;
    this.life = new AbortController();
    this.id = `vidu-scenes-${Math.random().toString(36).slice(2)}`;
    this.rows = new Map();
    this.list = make("ol", { class: "vidu-scenes", "aria-label": "Scenes" });
    this.add = control("button", { type: "button", class: "vidu-scene-button" }, sign("plus"), "Add a scene");
    this.add.addEventListener("click", () => this.ask({ do: "add" }));
    this.notice = make("div", { class: "vidu-scene-notice", role: "alert" });
    el.append(this.list, make("div", { class: "vidu-scenes-foot" }, this.add, this.notice));
    model.on("change:scenes change:members change:busy", () => this.draw());
    this.draw();
  }

  // Sends one message; resolves once Python has done it, and its news are here.
  async ask(content) {
    const silence = "⚠ No answer from Python: it is busy with a cell, or the kernel is gone. Your text is still here.";
    const reply = await askPython(this.model, content, { onSilence: () => (this.notice.textContent = silence) });
    this.notice.textContent = reply.refused ? `⚠ ${reply.message}` : "";
    queueMicrotask(() => this.draw());
  }

  draw() {
    const items = this.model.get("scenes");
    const before = [...this.list.children];
    const held = document.activeElement;
    const known = this.rows;
    this.rows = new Map(items.map((item) => [item.id, known.get(item.id) ?? new Row(this, item.id)]));
    const now = [...this.rows.values()].map((row) => row.element);
    if (now.length !== before.length || now.some((one, place) => one !== before[place])) {
      this.list.replaceChildren(...now);
      if (this.list.contains(held)) held.focus({ preventScroll: true }); // it moved with its row
      else if (now.length > before.length && before.length) now.at(-1).querySelector("textarea").focus();
    }
    items.forEach((item, place) => this.rows.get(item.id).show(item, place, items.length));
  }
}

function mountScenes({ model, el }) {
  const scenes = new Scenes(model, el);
  return () => scenes.life.abort();
}
