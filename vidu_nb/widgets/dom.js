// Elements. Every text from a user, a file or a service goes through textContent or setAttribute: none becomes HTML.

// An element with attributes and children; strings become text. An attribute that is null or false is left out.
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  // JupyterLab's shortcuts for a cell, "d d" to delete it, look at what has the focus: around it would not do.
  if (["button", "input", "select", "textarea", "summary"].includes(tag) || "tabindex" in attributes)
    made.dataset.lmSuppressShortcuts = "true";
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// Changes a text, where it is another: a screen reader would say it again.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A drawing of one path.
function drawing(path, size, name) {
  const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const attributes = { viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true", ...(name ? { class: name } : {}) };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

// Not `disabled`: a button that has the focus would lose it.
function disable(button, on) {
  button.setAttribute("aria-disabled", String(Boolean(on)));
}

// Keeps the keys of a field from JupyterLab's notebook, in which undo would do nothing.
function keepKey(event) {
  if (event.target.matches?.("input, textarea")) event.stopPropagation();
}

// A picture from Python; no other address, since showing it would fetch it.
const isOurs = (address) => /^data:image\/(jpeg|webp|png|gif);base64,/.test(address ?? "");

// Calls `act` after a change of each of several traits; one name at a time, as marimo's models know it.
function onChange(model, names, act) {
  for (const name of names.split(" ")) model.on(`change:${name}`, act);
}

// Sends one message and resolves to Python's answer, an object with `message`, `refused` and perhaps `bytes`.
// Where none comes within some seconds `onSilence` is called; the answer may come all the same.
function askPython(model, content, { buffers = [], seconds = 20, onSilence = () => {} } = {}) {
  const token = Math.random().toString(36).slice(2);
  return new Promise((answer) => {
    const late = setTimeout(onSilence, seconds * 1000);
    const hear = (reply, sent) => {
      if (reply?.token !== token) return; // to another question, perhaps another view's
      model.off("msg:custom", hear);
      clearTimeout(late);
      answer({ ...reply, bytes: sent?.[0] });
    };
    model.on("msg:custom", hear);
    try {
      model.send({ ...content, token }, undefined, buffers);
    } catch { // the kernel is gone or was started anew, and the page knows it
      clearTimeout(late);
      onSilence();
    }
  });
}

// A line that tells how far a call is, or what came of it.
class Status {
  constructor() {
    this.root = make("div", { class: "vidu-status" });
  }

  // Shows the progress while there is some, else what was said last.
  draw(progress, message) {
    if (!progress.stage) return this.say(message);
    if (!this.bar?.isConnected) {
      this.stage = make("div", { class: "vidu-stage", role: "status" });
      this.bar = make("progress", { class: "vidu-bar", max: "1" });
      this.clock = make("span", { class: "vidu-clock" });
      this.root.replaceChildren(this.stage, make("div", {}, this.bar, this.clock));
    }
    if (this.stage.textContent !== progress.stage) this.stage.textContent = progress.stage;
    this.bar.value = progress.share;
    this.bar.setAttribute("aria-label", progress.label);
    this.clock.textContent = progress.text;
  }

  say({ text, problem }) {
    if (!text) return this.root.replaceChildren();
    const kind = problem ? "vidu-problem" : "vidu-note";
    this.root.replaceChildren(make("div", { class: kind, role: problem ? "alert" : "status" }, `${problem ? "⚠ " : ""}${text}`));
  }
}
