// The bar of controls; Timeline, nearest and make stand in timeline.js.

const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];

const ICONS = {
  first: "M4 3h2v10H4zM13 3v10L6.5 8z",
  back: "M10 3v10L3 8zM11 3h2v10h-2z",
  play: "M4 2.5v11L13.5 8z",
  pause: "M3.5 3h3v10h-3zM9.5 3h3v10h-3z",
  next: "M6 3v10l7-5zM3 3h2v10H3z",
  loop:
    "M11 1.5 14 4l-3 2.5V5H5a2 2 0 0 0-2 2v1H1.5V7A3.5 3.5 0 0 1 5 3.5h6z" +
    "M5 14.5 2 12l3-2.5V11h6a2 2 0 0 0 2-2V8h1.5v1a3.5 3.5 0 0 1-3.5 3.5H5z",
};

/** A button that shows an icon and says what it does. */
function syncButton(name, label, ...children) {
  const attributes = { type: "button", class: "vidu-sync-button", "aria-label": label, title: label };
  return make("button", attributes, drawing(ICONS[name], 16), ...children);
}

/** A select and the label around it. */
function syncChoice(label, options) {
  const select = make("select", {}, ...options.map(([value, text]) => make("option", { value }, text)));
  return [select, make("label", { class: "vidu-sync-choice" }, make("span", {}, label), select)];
}

/** The bar's elements by name, not yet doing anything. */
function buildBar(labels) {
  const numbered = labels.map((label, i) => [i, label]);
  const has = {
    first: syncButton("first", "First frame"),
    back: syncButton("back", "One frame back"),
    play: syncButton("play", "Play"),
    next: syncButton("next", "One frame on"),
    time: make("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Timeline" }),
    position: make("span", { class: "vidu-sync-position" }),
    again: syncButton("loop", "Loop", "Loop", make("span", { class: "vidu-sync-mark", "aria-hidden": "true" }, "✓")),
    at: make("input", { type: "range", min: 0, max: 100, step: 0.1, value: 50, "aria-label": "Wipe position" }),
    problem: make("span", { class: "vidu-sync-problem", role: "status" }),
  };
  const choices = {};
  [has.speed, choices.speed] = syncChoice("Speed", SPEEDS.map((speed) => [speed, `${speed}×`]));
  [has.sound, choices.sound] = syncChoice("Sound", [[-1, "muted"], ...numbered]);
  [has.view, choices.view] = syncChoice("View", [["side", "side by side"], ["wipe", "wipe"]]);
  [has.a, choices.a] = syncChoice("Left", numbered);
  [has.b, choices.b] = syncChoice("Right", numbered);
  has.pair = make("div", { class: "vidu-sync-row" }, choices.a, choices.b, has.at);
  has.all = make(
    "fieldset",
    { class: "vidu-sync-all", disabled: "" },
    make("div", { class: "vidu-sync-row" }, has.first, has.back, has.play, has.next, has.time, has.position),
    make("div", { class: "vidu-sync-row" }, choices.speed, has.again, choices.sound, choices.view, has.problem),
    has.pair,
  );
  const attributes = {
    class: "vidu-sync",
    role: "group",
    "aria-label": `One timeline for ${labels.length} clips`,
    "data-lm-suppress-shortcuts": "true", // JupyterLab's own would take the arrows and the space bar
  };
  const root = make("div", attributes, has.all);
  return { root, ...has };
}

/** Shows a timeline's state in a bar. */
function showBar(bar, timeline) {
  const { frame, frames, fps, playing, settings, videos, problem } = timeline;
  const seconds = frame / fps;
  bar.time.max = frames - 1;
  bar.time.value = frame;
  bar.time.setAttribute("aria-valuetext", `${seconds.toFixed(2)} s, frame ${frame} of ${frames}`);
  bar.position.textContent = `${seconds.toFixed(3)} s · frame ${String(frame).padStart(String(frames).length, "\u2007")}`;
  bar.play.setAttribute("aria-label", playing ? "Pause" : "Play");
  bar.play.title = `${playing ? "Pause" : "Play"} (space)`;
  bar.play.querySelector("path").setAttribute("d", ICONS[playing ? "pause" : "play"]);
  bar.again.setAttribute("aria-pressed", settings.again);
  bar.speed.value = settings.speed;
  bar.sound.value = settings.sound;
  bar.view.value = settings.wipe ? "wipe" : "side";
  bar.pair.hidden = !settings.wipe;
  [bar.a.value, bar.b.value, bar.at.value] = [settings.a, settings.b, settings.at];
  bar.at.setAttribute("aria-valuetext", `${Math.round(settings.at)} %`);
  bar.view.options[1].disabled = !videos.some((_, i) => videos.some((_, j) => timeline.match(i, j)));
  for (const option of bar.a.options) option.disabled = !videos.some((_, j) => timeline.match(+option.value, j));
  for (const option of bar.b.options) option.disabled = !timeline.match(settings.a, +option.value);
  if (bar.problem.textContent !== problem) bar.problem.textContent = problem;
}

/** A pair for the wipe that starts with `a` and ends with `b` where their shapes allow it. */
function pair(timeline, a, b) {
  const all = timeline.videos.map((_, i) => i);
  const left = all.some((j) => timeline.match(a, j)) ? a : all.find((i) => all.some((j) => timeline.match(i, j)));
  return { a: left, b: timeline.match(left, b) ? b : all.find((j) => timeline.match(left, j)) };
}

/** Lets a bar's controls and keys act on the timeline that it has at that time. */
function obey(bar, current, signal) {
  const on = (one, event, act) => one.addEventListener(event, (found) => current() && act(current(), found), { signal });
  let resume = false; // dragging along the timeline is looking for a place, not stopping
  on(bar.first, "click", (timeline) => timeline.seek(0));
  on(bar.back, "click", (timeline) => timeline.seek(timeline.frame - 1));
  on(bar.play, "click", (timeline) => timeline.toggle());
  on(bar.next, "click", (timeline) => timeline.seek(timeline.frame + 1));
  on(bar.time, "input", (timeline) => {
    resume ||= timeline.playing;
    timeline.seek(+bar.time.value);
  });
  on(bar.time, "change", (timeline) => {
    if (resume) timeline.play();
    resume = false;
  });
  on(bar.again, "click", (timeline) => timeline.set({ again: !timeline.settings.again }));
  on(bar.speed, "change", (timeline) => timeline.set({ speed: +bar.speed.value }));
  on(bar.sound, "change", (timeline) => timeline.set({ sound: +bar.sound.value }));
  on(bar.view, "change", (timeline) => {
    const { a, b } = timeline.settings;
    timeline.set({ wipe: bar.view.value === "wipe", ...pair(timeline, a, b) });
  });
  for (const select of [bar.a, bar.b])
    on(select, "change", (timeline) => timeline.set(pair(timeline, +bar.a.value, +bar.b.value)));
  on(bar.at, "input", (timeline) => timeline.set({ at: +bar.at.value }));
  on(bar.root, "keydown", (timeline, event) => {
    const keys = {
      " ": () => timeline.toggle(),
      ArrowLeft: () => timeline.seek(timeline.frame - 1),
      ArrowRight: () => timeline.seek(timeline.frame + 1),
      Home: () => timeline.seek(0),
      End: () => timeline.seek(timeline.frames - 1),
    };
    const [tag, space] = [event.target.tagName, event.key === " "];
    const native = tag === "SELECT" || (tag === "BUTTON" && space) || (event.target === bar.at && !space);
    if (!keys[event.key] || native || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

/** One view of the bar; it waits for its clips, follows them when they are shown anew, and lets go at the end. */
function mountSynchroniser({ model, el }) {
  const gone = new AbortController();
  const bar = buildBar(model.get("labels"));
  let timeline = null;
  const refresh = () => showBar(bar, timeline);

  const leave = () => {
    timeline?.removeEventListener("change", refresh);
    timeline?.leave();
    timeline = null;
    bar.all.disabled = true;
    bar.problem.textContent = "No clips in sight";
  };
  const look = () => {
    const grid = el.isConnected ? nearest(el, model.get("group")) : undefined;
    if (timeline && grid === timeline.grid) return;
    const settings = timeline?.settings;
    if (timeline) leave();
    if (!grid) return;
    timeline = Timeline.of(grid, model, settings);
    timeline.addEventListener("change", refresh);
    bar.all.disabled = false;
    refresh();
  };

  leave();
  el.append(bar.root);
  obey(bar, () => timeline, gone.signal);
  let due = 0; // a page that is being built changes a thousand times for each picture of it
  const page = new MutationObserver(() => {
    due ||= requestAnimationFrame(() => {
      due = 0;
      look();
    });
  });
  page.observe(document.body, { childList: true, subtree: true });
  look();
  return () => {
    page.disconnect();
    cancelAnimationFrame(due);
    gone.abort();
    leave();
  };
}
