// Buttons that copy a text each, wherever the browser's own clipboard is out of reach as well.

const TOLD = 2000; // ms that a button says "Copied"
const COPY = "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3";
const TICK = "M3 8.5 6.5 12 13 4.5";

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** A label and "Copied" in the same place, so that the button is always as wide as the wider one. */
function button(label) {
  const said = (path, text) => element("span", { class: "vidu-copier-label" }, icon(path), text);
  return element("button", { type: "button", class: "vidu-copier-button" }, said(COPY, label), said(TICK, "Copied"));
}

/** The text in a box, for browsers that let a page copy only what is selected, and for people where not even that. */
function box() {
  const keys = navigator.platform.startsWith("Mac") ? "⌘C" : "Ctrl+C";
  const area = element("textarea", { readonly: "", rows: 8, spellcheck: "false", class: "vidu-copier-text" });
  const close = element("button", { type: "button", class: "vidu-copier-button" }, "Close");
  const hint = element("span", { class: "vidu-copier-hint" }, `Press ${keys} to copy the selected text.`);
  // JupyterLab takes letters in a read-only field for commands: X would cut the cell.
  area.setAttribute("data-lm-suppress-shortcuts", "true");
  const root = element("div", { class: "vidu-copier-box", hidden: "" });
  root.append(element("div", { class: "vidu-copier-head" }, hint, close), area);
  return { root, area, close, hint: hint.textContent };
}

function render({ model, el }) {
  const gone = new AbortController();
  const on = (target, name, act) => target.addEventListener(name, act, { signal: gone.signal });
  const row = element("div", { class: "vidu-copier-row", role: "group", "aria-label": "Copy as code" });
  const status = element("span", { class: "vidu-copier-status", role: "status", "aria-live": "polite" });
  const fallback = box();
  const timers = new Map();
  let asked = null; // the button whose text the box shows

  function say(one, label) {
    one.classList.add("vidu-copier-copied");
    const told = (status.textContent = `${label}: copied`);
    clearTimeout(timers.get(one));
    timers.set(one, setTimeout(() => {
      one.classList.remove("vidu-copier-copied");
      if (status.textContent === told) status.textContent = "";
    }, TOLD));
  }

  function hide() {
    const held = fallback.root.contains(document.activeElement);
    fallback.root.hidden = true;
    if (held) asked?.one.focus();
    asked = null;
  }

  function copySelected(one, label, text) {
    asked = { one, label };
    fallback.area.value = text;
    fallback.area.setAttribute("aria-label", `${label}. ${fallback.hint}`);
    fallback.root.classList.add("vidu-copier-away"); // nothing moves unless a person is needed
    fallback.root.hidden = false;
    fallback.area.focus({ preventScroll: true });
    fallback.area.select();
    if (document.execCommand("copy")) return done();
    fallback.root.classList.remove("vidu-copier-away");
    fallback.root.scrollIntoView({ block: "nearest" });
    status.textContent = fallback.hint;
  }

  function done() {
    if (!asked) return;
    say(asked.one, asked.label);
    hide();
  }

  async function copy(one, label, text) {
    if (asked) hide();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Refused, or no clipboard at all where the page is not https: the old way asks nobody.
      if (!gone.signal.aborted) copySelected(one, label, text);
      return;
    }
    if (!gone.signal.aborted) say(one, label);
  }

  function draw() {
    const at = [...row.children].indexOf(document.activeElement);
    hide();
    row.replaceChildren(
      ...model.get("snippets").map(([label, text]) => {
        const one = button(label);
        on(one, "click", () => copy(one, label, text));
        return one;
      }),
    );
    row.children[at]?.focus();
  }

  on(fallback.area, "copy", () => setTimeout(done)); // after the browser took the text, which it does next
  on(fallback.close, "click", hide);
  on(fallback.root, "keydown", (event) => event.key === "Escape" && hide());

  el.classList.add("vidu-copier");
  el.append(row, fallback.root, status);
  draw();
  model.on("change:snippets", draw);
  return () => {
    gone.abort();
    model.off("change:snippets", draw);
    timers.forEach(clearTimeout);
  };
}

export default { render };
