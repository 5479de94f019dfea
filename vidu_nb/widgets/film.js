// The film's panel: its scenes on one side, what is made of them on the other. Python decides; this shows and asks.

class FilmStage extends Stage {
  hide() {
    super.hide(true); // also where nothing is made yet: the storyboard stands there
  }

  invitation(isElsewhere) {
    if (isElsewhere) return super.invitation(isElsewhere);
    return make("div", { class: "vidu-invitation" }, drawing("M4 5h16v14H4zM10 9l5 3-5 3z", 24, "vidu-glyph-large"),
      make("div", {}, "The film plays here."), make("div", { class: "vidu-quiet" }, "Previews are free: of all scenes, or of one."));
  }
}

class FilmTools extends Tools {
  draw() {
    const { name, endings } = this.model.get("_tools");
    this.root.hidden = !name;
    this.close();
    this.root.replaceChildren(pushButton("Save a copy", () => this.save(name, endings), { className: "vidu-small" }));
  }
}

class FilmPanel {
  constructor(model, el) {
    this.model = model;
    this.life = new AbortController();
    const { signal } = this.life;
    this.status = new StatusLines();
    this.edits = new Edits(model, () => this.scenes && this.drawScenes());
    this.scenes = new SceneList(model, this.edits, (content) => this.ask(content), signal);
    this.stage = new FilmStage(model, this.edits, signal);
    this.tools = new FilmTools(model, this.edits, (text, problem) => this.status.say({ text, problem }));
    this.root = make("div", { class: "vidu-panel vidu-film-panel", role: "group", "aria-label": "Film panel" },
      this.head(),
      make("div", { class: "vidu-columns" },
        make("div", { class: "vidu-ask" }, this.scenes.root, this.foot()),
        make("div", { class: "vidu-got" }, this.stage.root, this.tools.root, this.tools.sheet, this.actions())));
    el.append(this.root);
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    new FocusKeeper(this.root, signal);
    for (const [names, draw] of [["_head", this.drawHead], ["_offer _running_call", this.drawOffer],
      ["_scenes _posters _members _offer", this.drawScenes], ["_said _progress_item", this.drawStatus]]) {
      onChange(model, names, () => draw.call(this));
      draw.call(this);
    }
    echoChanges(model);
  }

  async ask(content) {
    const reply = await this.edits.ask(content, { onSilence: () => this.status.say({ problem: true,
      text: NO_ANSWER }) });
    if (reply.refused) this.status.say({ text: reply.message, problem: true });
    return reply;
  }

  // What counts for all scenes.

  head() {
    const typed = (name, field) => field.addEventListener("input", () => this.edits.changed("film", name, () => field.value));
    this.title = make("input", { class: "vidu-film-title", type: "text", placeholder: "Title of the film", maxlength: "200", "aria-label": "Title of the film", autocomplete: "off" });
    this.headline = make("div", { class: "vidu-quiet vidu-film-headline" });
    this.problem = make("div", { class: "vidu-problem", role: "alert" });
    this.music = make("select", { id: freshId("music") });
    this.dissolve = make("input", { id: freshId("dissolve"), type: "text", inputmode: "decimal", class: "vidu-number" });
    for (const name of ["title", "music", "dissolve"]) typed(name, this[name]);
    this.knobs = new Knobs(this.edits, "film");
    const knob = (label, field) => make("div", { class: "vidu-knob" }, make("label", { for: field.id }, label), field);
    this.all = make("details", { class: "vidu-film-all" }, make("summary", {}, "All scenes: format, music, dissolves"),
      make("div", { class: "vidu-film-sheet" }, this.knobs.root,
        make("div", { class: "vidu-knobs" }, knob("Music", this.music), knob("Dissolve, seconds", this.dissolve))));
    this.all.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.all.open) return;
      event.stopPropagation();
      this.all.open = false;
      this.all.querySelector("summary").focus();
    });
    return make("div", { class: "vidu-film-head" }, make("div", { class: "vidu-row" }, this.title, this.all), this.headline, this.problem);
  }

  drawHead() {
    const head = this.model.get("_head");
    if (this.music.options.length !== head.musics.length)
      this.music.replaceChildren(...head.musics.map(([value, label]) => make("option", { value }, label)));
    for (const name of ["title", "music", "dissolve"])
      if (!this.edits.has("film", name) && this[name].value !== head[name]) this[name].value = head[name];
    this.headline.textContent = head.headline;
    this.headline.title = head.headline;
    this.problem.textContent = head.problem ? `⚠ ${head.problem}` : "";
    this.knobs.show(head.controls);
    this.restore.hidden = !head.can_restore;
  }

  foot() {
    this.add = pushButton("Add a scene", () => this.scenes.ask({ do: "add" }));
    this.add.prepend(drawing(SIGNS.plus, 24, "vidu-scene-sign"));
    this.restore = pushButton("Bring the removed scene back", () => this.scenes.ask({ do: "restore" }));
    return make("div", { class: "vidu-row vidu-film-foot" }, this.add, this.restore);
  }

  drawScenes() {
    this.scenes.draw();
    this.drawHead();
  }

  // The buttons, and how far a call is.

  actions() {
    const preview = (quality) => () => this.ask({ do: "preview", quality });
    this.draft = pushButton("Draft preview (free)", preview("draft"), { title: "The whole film as a moving storyboard, small, in a third of a preview's time" });
    this.preview = pushButton("Preview (free)", preview("full"), { className: "vidu-info", title: "The whole film as a moving storyboard, made on this machine (Ctrl+Enter)" });
    this.shoot = pushButton("Shoot", () => this.ask({ do: "shoot", price: this.shown.price }), { className: "vidu-strong", title: "Pay for the scenes that are not kept" });
    this.cancel = pushButton("Cancel", () => (disable(this.cancel, true), this.ask({ do: "cancel", leaves: this.shown.leaves })));
    this.budget = make("input", { id: freshId("budget"), type: "text", inputmode: "decimal", class: "vidu-number", placeholder: "no limit", autocomplete: "off",
      title: "What this film may cost in all, however often it is shot" });
    this.budget.addEventListener("input", () => this.edits.changed("film", "budget", () => this.budget.value));
    this.reason = make("div", { class: "vidu-reason" });
    return make("div", { class: "vidu-actions" },
      make("div", { class: "vidu-row" }, this.preview, this.draft, this.cancel),
      make("div", { class: "vidu-row" }, this.shoot, make("label", { for: this.budget.id }, "Budget US$"), this.budget), this.reason,
      make("div", { class: "vidu-status" }, this.status.root));
  }

  drawOffer() {
    const offer = (this.shown = this.model.get("_offer")); // what a person reads is what a click says
    const running = this.model.get("_running_call");
    if (this.shoot.textContent !== offer.shoot) this.shoot.textContent = offer.shoot;
    disable(this.shoot, !offer.can_shoot);
    for (const one of [this.preview, this.draft]) disable(one, !offer.can_preview);
    disable(this.cancel, !running);
    this.cancel.hidden = !running;
    this.cancel.textContent = offer.leaves ? "Leave those in flight" : "Cancel";
    this.reason.textContent = offer.reason || "\u00a0";
    this.reason.title = offer.reason;
    if (!this.edits.has("film", "budget") && this.budget.value !== offer.budget) this.budget.value = offer.budget;
  }

  drawStatus() {
    this.status.show(this.model.get("_progress_item"), this.model.get("_said"));
  }

  onKey(event) {
    keepKey(event);
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation(); // or JupyterLab would run the cell
    this.ask({ do: "preview", quality: "full" });
  }
}

export default {
  render({ model, el }) {
    const panel = new FilmPanel(model, el);
    return () => panel.life.abort();
  },
};
