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

// Whether keys save the notebook, which they do from everywhere; on any keyboard, as JupyterLab reads it.
const isSaving = (event) =>
  (event.code === "KeyS" || event.key === "s") && event.ctrlKey !== event.metaKey && !event.altKey && !event.shiftKey;

// Keeps the keys of a field from JupyterLab's notebook, in which undo would do nothing.
function keepKey(event) {
  if (event.target.matches?.("input, textarea") && !isSaving(event)) event.stopPropagation();
}

// A picture from Python; no other address, since showing it would fetch it.
const isOurs = (address) => /^data:image\/(jpeg|webp|png|gif);base64,/.test(address ?? "");

// Calls `act` after a change of each of several traits; one name at a time, as marimo's models know it.
function onChange(model, names, act) {
  for (const name of names.split(" ")) model.on(`change:${name}`, act);
}

// Writes back how often something has changed: marimo runs the cells that read a wrapped panel again for that.
function echoChanges(model) {
  onChange(model, "_changes", () => {
    model.set("_heard", model.get("_changes"));
    model.save_changes();
  });
}

const NO_ANSWER = "No answer from Python: it is busy with a cell, or the kernel is gone. Nothing that you wrote is lost.";

// Sends one message and resolves to Python's answer, an object with `message`, `refused` and perhaps `bytes`.
// Where none comes within some seconds `onSilence` is called; the answer may come all the same. Where none can come the
// answer has `isGone`.
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
    } catch { // the kernel has ended or was started anew, and the page knows it
      clearTimeout(late);
      model.off("msg:custom", hear);
      answer({ message: NO_ANSWER, refused: true, isGone: true });
    }
  });
}
