// The panel: what is asked on one side, what is made on the other, results below. Python decides; this shows and asks.

class Panel {
  constructor(model, el) {
    this.model = model;
    this.life = new AbortController();
    this.ticked = new Set();
    const { signal } = this.life;
    this.controls = new Controls(model, signal, (isSilent) => this.tellSilence(isSilent));
    this.stage = new Stage(model, this.controls, signal);
    this.tools = new Tools(model, this.controls, (text, problem) => this.say({ text, problem }));
    this.root = make("div", { class: "vidu-panel", role: "group", "aria-label": "Vidu panel" },
      this.head(),
      make("div", { class: "vidu-columns" },
        make("div", { class: "vidu-ask" }, this.controls.content, this.controls.dials, this.controls.help, this.controls.alarm, this.actions()),
        make("div", { class: "vidu-got" }, this.stage.root, this.tools.root, this.progress(), this.tools.sheet),
        this.history()));
    el.append(this.root);
    followTheEye(this.root, signal);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.root.addEventListener("vidu-dropped", () => this.controls.invite());
    new FocusKeeper(this.root, signal);
    receivePictures(this.root, () => this.controls.trays, () => this.say({ text: "This model takes no pictures.", problem: true }), signal);
    for (const [names, draw] of [["_head", this.drawHead], ["_offer _running_call", this.drawOffer], ["_said _progress_item", this.drawStatus],
      ["_strip _kept", this.drawHistory], ["_switches", this.drawSwitches]]) {
      onChange(model, names, () => draw.call(this));
      draw.call(this);
    }
    echoChanges(model);
  }

  async ask(content) {
    const reply = await this.controls.ask(content);
    if (reply.refused) this.say({ text: reply.message, problem: true });
    return reply;
  }

  tellSilence(isSilent) {
    if (isSilent) this.say({ text: NO_ANSWER, problem: true });
    else if (this.isSilent) this.drawStatus();
    this.isSilent = isSilent;
  }

  // The first line.

  head() {
    this.models = make("select", { id: freshId("model") });
    this.models.addEventListener("change", () => this.ask({ do: "model", slug: this.models.value }));
    this.ideas = make("select", { id: freshId("idea") });
    this.ideas.addEventListener("change", () => this.ask({ do: "idea", idea: this.ideas.value }));
    this.ideasLabel = make("label", { for: this.ideas.id }, "Idea");
    this.live = make("input", { type: "checkbox", id: freshId("live") });
    this.live.addEventListener("change", () => this.ask({ do: "switch", switch: "live", on: this.live.checked }));
    const live = make("label", { class: "vidu-live", for: this.live.id, title: "A quick, small preview follows your changes; free" }, this.live, "Live draft");
    return make("div", { class: "vidu-head" }, make("label", { for: this.models.id }, "Model"),
      make("span", { class: "vidu-models" }, this.models), this.ideasLabel, this.ideas, live);
  }

  drawHead() {
    const { model, models, ideas, idea } = this.model.get("_head");
    this.models.replaceChildren(...models.map(([slug, title, cost]) => make("option", { value: slug }, `${title} · ${cost}`)));
    this.models.value = model;
    this.ideas.replaceChildren(make("option", { value: "" }, "Start from ..."), ...ideas.map((one) => make("option", { value: one }, one)));
    this.ideas.value = idea;
    this.ideas.hidden = this.ideasLabel.hidden = !ideas.length;
  }

  // The buttons.

  actions() {
    const actsAnyway = () => this.controls.dirty.size > 0; // what was typed just now may be what was missing
    this.preview = pushButton("Preview (free)", () => this.press("preview"), { className: "vidu-info", actsAnyway });
    this.generate = pushButton("Generate", () => this.press("generate"), { className: "vidu-strong", actsAnyway });
    this.reason = make("div", { class: "vidu-reason" });
    return make("div", { class: "vidu-actions" }, make("div", { class: "vidu-row" }, this.preview, this.generate), this.reason);
  }

  // How far a call is, and what came of it.
  progress() {
    this.lines = new StatusLines();
    this.cancel = pushButton("Cancel", () => this.press("cancel"));
    this.again = pushButton("Pay again", () => this.press("again"), { className: "vidu-warning",
      title: "Send the same request once more, though the first may have been billed" });
    return make("div", { class: "vidu-status" }, this.lines.root, this.cancel, this.again);
  }

  async press(name) {
    const { price } = this[name].dataset; // what a person reads is what a click says
    if (name !== "cancel") await this.controls.arrived(); // pictures that were dropped just now count
    if (name === "cancel") disable(this.cancel, true);
    return this.ask({ do: "press", button: name, price: price ? Number(price) : null });
  }

  drawOffer() {
    const offer = this.model.get("_offer");
    const running = this.model.get("_running_call");
    for (const name of ["preview", "generate"]) {
      if (this[name].textContent !== offer[name]) this[name].textContent = offer[name];
      this[name].title = offer[`${name}_help`];
      disable(this[name], offer.is_blocked);
    }
    this.generate.dataset.price = offer.price ?? "";
    this.again.dataset.price = offer.again_price;
    this.again.textContent = offer.again;
    this.again.hidden = !offer.can_pay_again;
    disable(this.cancel, !running);
    if (!running && this.cancel.matches(":focus")) this.preview.focus(); // not what pays: Enter may come twice
    this.cancel.hidden = !running;
    this.reason.textContent = offer.reason || "\u00a0";
    this.reason.title = offer.reason;
  }

  drawSwitches() {
    this.live.checked = this.model.get("_switches").live;
  }

  drawStatus() {
    this.lines.show(this.model.get("_progress_item"), this.model.get("_said"));
  }

  say(said) {
    this.lines.say(said);
  }

  // Results.

  history() {
    this.strip = make("div", { class: "vidu-strip", role: "group", "aria-label": "Results of this panel" });
    this.keptCards = make("div", { class: "vidu-strip", role: "group", "aria-label": "Kept clips" });
    this.keptNote = make("div", { class: "vidu-quiet", role: "status" });
    this.more = pushButton("More", () => this.ask({ do: "more" }), { className: "vidu-small", title: "Older clips" });
    this.kept = make("details", { class: "vidu-kept" }, make("summary", {}, "Kept clips"), this.keptNote,
      make("div", { class: "vidu-row" }, this.keptCards, this.more));
    this.kept.addEventListener("toggle", () => this.kept.open && this.ask({ do: "kept" }));
    return make("div", { class: "vidu-history" }, this.strip, this.kept);
  }

  drawHistory() {
    const { cards = [], more, note } = this.model.get("_kept");
    this.fillStrip(this.strip, this.model.get("_strip"));
    this.fillStrip(this.keptCards, cards);
    this.more.hidden = !more;
    this.keptNote.textContent = note ?? "";
  }

  // Puts cards into a strip; those that were there stay, with the focus and the ticks.
  fillStrip(strip, cards) {
    const known = new Map([...strip.children].map((card) => [card.dataset.id, card]));
    strip.replaceChildren(...cards.map((card) => known.get(card.id) ?? this.card(card)));
    strip.hidden = !cards.length;
  }

  card({ id, label, caption, prompt, poster }) {
    const picture = isOurs(poster) ? make("img", { class: "vidu-poster", src: poster, alt: "" }) : make("span", { class: "vidu-poster" });
    const words = `${caption}: ${prompt}`;
    const show = make("button", { type: "button", class: "vidu-card-button", title: words, "aria-label": `Show ${words}` },
      picture, make("span", { class: "vidu-card-label" }, label));
    show.addEventListener("click", () => this.ask({ do: "open", id }));
    const tick = make("input", { type: "checkbox", "aria-label": `Compare ${words}`, title: "Compare" });
    tick.checked = this.ticked.has(id);
    tick.addEventListener("change", () => this.compare(id, tick.checked));
    return make("div", { class: "vidu-card", "data-id": id }, show, tick);
  }

  // Ticks a result, or takes its tick away, wherever it has a card; two and more are shown side by side.
  compare(id, isTicked) {
    this.ticked[isTicked ? "add" : "delete"](id);
    const cards = [...this.root.querySelectorAll(".vidu-card")];
    for (const card of cards) card.querySelector("input").checked = this.ticked.has(card.dataset.id);
    const ids = [...new Set(cards.map((card) => card.dataset.id))].filter((one) => this.ticked.has(one));
    if (ids.length > 1) this.ask({ do: "compare", ids: ids.slice(0, 9) });
  }

  onKey(event) {
    if (event.key === "Escape") this.closeTips();
    keepKey(event);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) {
      event.preventDefault();
      event.stopPropagation(); // or JupyterLab would run the cell
      this.press("preview"); // what is missing, Python says
    }
  }

  closeTips() {
    const tips = this.root.querySelector(".vidu-tips[open]");
    if (tips) tips.open = false;
  }
}

export default {
  render({ model, el }) {
    const panel = new Panel(model, el);
    return () => panel.life.abort();
  },
};
