// Completes "@na" in a text field with the names of a cast: a list at the caret, for keyboard and mouse. What is typed
// stays the field's own; a name that is chosen is put in as if it had been typed, so that undo takes it back.

const MENTION = /(?:^|[^A-Za-z0-9_@])@([\p{L}\p{M}\p{N}_-]*)$/u; // what stands before the caret
const MOST_NAMES = 8; // in the list

// A picture from Python; no other address, since showing it would fetch it.
function face(member, className) {
  const { name, thumbnail } = member;
  if (isOurs(thumbnail)) return make("img", { class: className, src: thumbnail, alt: "" });
  return make("span", { class: className, "aria-hidden": "true" }, [...name][0].toUpperCase());
}

// Puts text in the place of a part of the field's.
function replaceText(area, from, to, text) {
  area.focus({ preventScroll: true });
  area.setSelectionRange(from, to);
  if (document.execCommand("insertText", false, text)) return; // deprecated, and the only way that undo knows of
  area.setRangeText(text, from, to, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// Puts a mention where the caret is, with a space on either side where there is none.
function insertMention(area, name) {
  const [from, to] = [area.selectionStart, area.selectionEnd];
  const before = /(^|\s)$/.test(area.value.slice(0, from)) ? "" : " ";
  const after = /^[\s.,;:!?)]/.test(area.value.slice(to)) ? "" : " ";
  replaceText(area, from, to, `${before}@${name}${after}`);
}

// Where the caret is in the window: a copy of the field, up to the caret, is laid out as the field is.
function caretBox(area, at) {
  const copy = make("div");
  const style = getComputedStyle(area);
  for (const name of ["font", "letterSpacing", "padding", "border", "boxSizing", "lineHeight", "wordSpacing"])
    copy.style[name] = style[name];
  Object.assign(copy.style, { position: "fixed", visibility: "hidden", whiteSpace: "pre-wrap", overflowWrap: "break-word",
    top: 0, left: 0, width: `${area.offsetWidth}px` });
  const mark = make("span", {}, "@");
  copy.append(area.value.slice(0, at), mark);
  document.body.append(copy);
  const [box, inside] = [area.getBoundingClientRect(), mark.getBoundingClientRect()];
  copy.remove();
  const top = Math.min(box.top + inside.top - area.scrollTop, box.bottom - inside.height);
  return { left: box.left + inside.left, top, bottom: top + inside.height };
}

class Mentions {
  constructor(area, members, signal) {
    this.area = area;
    this.members = members; // gives them
    this.id = `vidu-mentions-${Math.random().toString(36).slice(2)}`;
    this.list = make("ul", { class: "vidu-mentions", id: this.id, role: "listbox", "aria-label": "Names in the cast" });
    this.status = make("span", { class: "vidu-mentions-status", role: "status" });
    this.found = [];
    const on = (type, handler, options) => area.addEventListener(type, handler.bind(this), { ...options, signal });
    on("input", this.look);
    on("click", this.look);
    on("keyup", (event) => ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && this.look());
    on("keydown", this.onKey, { capture: true });
    on("blur", this.close);
    window.addEventListener("scroll", () => this.close(), { capture: true, passive: true, signal });
    signal.addEventListener("abort", () => this.close());
    area.setAttribute("aria-autocomplete", "list");
    area.dataset.viduMentions = this.id;
  }

  // Looks for a mention that is being typed, and shows who may be meant.
  look() {
    const { selectionStart: caret, selectionEnd: end, value } = this.area;
    const typed = caret === end && MENTION.exec(value.slice(0, caret))?.[1];
    if (typeof typed !== "string" || this.area.getRootNode().activeElement !== this.area) return this.close();
    const plain = (text) => text.normalize("NFC").toLowerCase();
    const start = plain(typed);
    if (this.members().some((one) => plain(one.name) === start)) return this.close(); // it is all there
    const names = this.members().filter((one) => plain(one.name).includes(start));
    names.sort((a, b) => plain(b.name).startsWith(start) - plain(a.name).startsWith(start)); // the order stays otherwise
    this.from = caret - typed.length - 1;
    this.show(names.slice(0, MOST_NAMES));
  }

  show(found) {
    if (!found.length) return this.close();
    this.found = found;
    this.list.replaceChildren(...found.map((member, place) => this.option(member, place)));
    const box = caretBox(this.area, this.from);
    this.list.style.left = `${Math.max(4, Math.min(box.left, window.innerWidth - 240))}px`;
    this.list.style.top = `${box.bottom + 4}px`;
    const root = this.area.getRootNode(); // in marimo a widget's own, with its styles
    (root === document ? document.body : root).append(this.list, this.status);
    const over = this.list.getBoundingClientRect().bottom > window.innerHeight;
    if (over) this.list.style.top = `${Math.max(4, box.top - 4 - this.list.offsetHeight)}px`;
    this.area.setAttribute("aria-controls", this.id);
    this.status.textContent = `${found.length} name${found.length === 1 ? "" : "s"}: arrow keys choose, Enter takes one`;
    this.choose(0);
  }

  option(member, place) {
    const made = make("li", { role: "option", id: `${this.id}-${place}`, class: "vidu-mention" },
      face(member, "vidu-mention-face"), make("span", {}, `@${member.name}`),
      make("span", { class: "vidu-mention-note" }, member.note ?? ""));
    made.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the focus stays in the field
      this.take(place);
    });
    made.addEventListener("mousemove", () => this.choose(place));
    return made;
  }

  choose(place) {
    this.place = (place + this.found.length) % this.found.length;
    [...this.list.children].forEach((one, at) => one.setAttribute("aria-selected", at === this.place));
    this.list.children[this.place].scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", `${this.id}-${this.place}`);
  }

  take(place) {
    const { name } = this.found[place];
    const to = this.area.selectionStart;
    const after = /^[\s.,;:!?)'-]/.test(this.area.value.slice(to)) ? "" : " ";
    this.close();
    replaceText(this.area, this.from, to, `@${name}${after}`);
    this.close(); // what was put in is a mention that is done
  }

  onKey(event) {
    if (!this.list.isConnected || event.isComposing) return;
    if (event.ctrlKey || event.metaKey) return; // for the panel
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.choose(this.place + step);
    else if (event.key === "Enter" || event.key === "Tab") this.take(this.place);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  close() {
    this.list.remove();
    this.status.remove();
    for (const name of ["aria-controls", "aria-activedescendant"]) this.area.removeAttribute(name);
  }
}
