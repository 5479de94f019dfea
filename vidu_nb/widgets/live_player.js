// Players whose files come from the kernel: poster and text at once, the file itself when it comes into view.

class LivePlayer {
  constructor(model, el, signal) {
    Object.assign(this, { model, signal, urls: [], waiting: Promise.resolve() });
    const players = make("div", { class: "vidu-live-player" });
    players.innerHTML = model.get("_html"); // Python escapes every text in it, as in an ordinary output
    const bar = make("div");
    el.append(players, bar);
    const seen = new IntersectionObserver((found) => found.filter((one) => one.isIntersecting).forEach(({ target }) => {
      seen.unobserve(target);
      this.waiting = this.waiting.then(() => this.load(target)); // one after another: the first plays soon
    }), { rootMargin: "300px" });
    players.querySelectorAll("[data-vidu-file]").forEach((one) => seen.observe(one));
    const timeline = new Map(Object.entries(model.get("_bar")));
    const unmount = timeline.size ? mountSynchroniser({ model: timeline, el: bar }) : () => {};
    signal.addEventListener("abort", () => {
      seen.disconnect();
      unmount();
      this.urls.forEach((url) => URL.revokeObjectURL(url));
    });
  }

  async load(medium) {
    const { viduFile: file, viduType: type } = medium.dataset;
    const { blob, problem } = await fetchFile(this.model, { file }, type, { isWanted: () => !this.signal.aborted });
    if (problem) medium.after(make("div", { role: "alert" }, `⚠ ${problem}`));
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    this.urls.push(url);
    medium.src = url;
  }
}

export default {
  render({ model, el }) {
    const life = new AbortController();
    new LivePlayer(model, el, life.signal);
    return () => life.abort();
  },
};
