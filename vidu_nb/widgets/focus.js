// The focus stays in a part of the page, whatever is drawn anew there, and the keys that are pressed there stay too.

const canHaveFocus = (one) => one.isConnected && one.checkVisibility() && !one.disabled;
const focusable = (root) => [...root.querySelectorAll("*")].filter((one) => one.tabIndex >= 0 && canHaveFocus(one));

// What tells an element from others when it is made anew, with other ids.
const nameOf = (one) =>
  one.tagName + (one.getAttribute("aria-label") || [...(one.labels ?? [])].map((label) => label.textContent).join() || one.textContent);

// Keeps the document in the order of the eye, which Tab and screen readers follow: where what is asked and what is made
// have no place side by side, what is made stands first.
function followTheEye(root, signal) {
  const [ask, got] = [".vidu-ask", ".vidu-got"].map((name) => root.querySelector(name));
  const observer = new ResizeObserver(() => {
    if (!root.offsetWidth) return; // hidden: nothing has a place
    const stacks = getComputedStyle(ask.parentElement).gridTemplateColumns.split(" ").length === 1;
    if (stacks === Boolean(got.compareDocumentPosition(ask) & Node.DOCUMENT_POSITION_FOLLOWING)) return;
    // What has the focus stays where it is, with its caret; a clip that moves within one task plays on.
    if (ask.contains(root.getRootNode().activeElement)) ask[stacks ? "before" : "after"](got);
    else got[stacks ? "after" : "before"](ask);
  });
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
}

class FocusKeeper {
  constructor(root, signal) {
    Object.assign(this, { root, held: null, order: [] });
    root.tabIndex = -1; // a click beside the controls leaves the focus here
    const first = { capture: true, signal }; // the observer looks after each listener, also between two of one event
    root.addEventListener("focusin", (event) => this.note(event.target), first);
    root.addEventListener("focusout", (event) => event.relatedTarget && (this.held = null), first); // on its way
    for (const type of ["focusin", "pointerdown"])
      document.addEventListener(type, (event) => event.composedPath().includes(root) || (this.held = null), first);
    window.addEventListener("keydown", (event) => this.letSave(event), first); // JupyterLab hears keys after the window
    const observer = new MutationObserver(() => this.look());
    observer.observe(root, { childList: true, subtree: true, attributeFilter: ["hidden", "disabled", "open"] });
    signal.addEventListener("abort", () => observer.disconnect());
  }

  note(target) {
    // JupyterLab's shortcuts for a cell, "d d" to delete it, look at what has the focus: around it would not do.
    target.dataset.lmSuppressShortcuts = "true";
    this.held = target;
    this.name = nameOf(target);
    this.order = focusable(this.root);
  }

  // Ctrl+S, or Cmd+S, goes through to JupyterLab: the browser would save the page.
  letSave(event) {
    const path = event.composedPath();
    if (!isSaving(event) || !path.includes(this.root)) return;
    const kept = path.filter((one) => one.dataset?.lmSuppressShortcuts);
    kept.forEach((one) => delete one.dataset.lmSuppressShortcuts);
    setTimeout(() => kept.forEach((one) => (one.dataset.lmSuppressShortcuts = "true"))); // once all have heard it
  }

  // Puts the focus back where what had it went, was hidden or was moved.
  look() {
    const { held, root } = this;
    const page = root.getRootNode();
    const now = page.activeElement;
    if (!held || !root.isConnected || (now && now !== document.body && now !== held)) return;
    if (now === held && canHaveFocus(held)) return;
    const next = this.instead();
    next.focus({ preventScroll: true });
    if (next !== held && next.tagName === "TEXTAREA" && held.tagName === "TEXTAREA") // the caret stays, too
      next.setSelectionRange(held.selectionStart, held.selectionEnd);
  }

  // The element itself, its like, the nearest one in the order of before, at last the first of all.
  instead() {
    const { held, root } = this;
    if (canHaveFocus(held)) return held;
    const all = focusable(root);
    const like = all.find((one) => nameOf(one) === this.name) ?? all.find((one) => one.className && one.className === held.className);
    if (like) return like;
    const place = this.order.indexOf(held);
    const near = [...this.order.slice(place + 1), ...this.order.slice(0, Math.max(0, place)).reverse()];
    return near.find((one) => root.contains(one) && canHaveFocus(one)) ?? all[0] ?? root;
  }
}
