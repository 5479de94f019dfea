// What happens, and what came of it. Both lines stand from the beginning and change their texts once for each event, as
// screen readers pass over a line that comes with its text; the clock beside them is silent.
class StatusLines {
  constructor() {
    this.spoken = make("div", { role: "status" });
    this.wrong = make("div", { class: "vidu-problem", role: "alert" });
    this.bar = make("progress", { class: "vidu-bar", max: "1" });
    this.clock = make("span", { class: "vidu-clock" });
    this.meter = make("div", { hidden: true }, this.bar, this.clock);
    this.root = make("div", { class: "vidu-words" }, this.spoken, this.wrong, this.meter);
  }

  // Shows how far a call is; where none runs, what was said last.
  show({ stage, share, label, text }, said) {
    this.meter.hidden = !stage;
    if (!stage) return this.say(said);
    this.put("vidu-stage", stage, "");
    this.bar.value = share;
    this.bar.setAttribute("aria-label", label);
    this.clock.textContent = text;
  }

  say({ text = "", problem }) {
    this.put("vidu-note", problem ? "" : text, problem ? `⚠ ${text}` : "");
  }

  put(className, spoken, wrong) {
    this.spoken.className = className;
    write(this.spoken, spoken);
    write(this.wrong, wrong);
    this.root.title = spoken || wrong;
    if (this.root.scrollHeight > this.root.clientHeight) this.root.tabIndex = 0; // to be scrolled by keys
    else this.root.removeAttribute("tabindex");
  }
}
