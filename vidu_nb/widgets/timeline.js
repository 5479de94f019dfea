// One timeline for players that stand elsewhere in the page as ordinary output, and how they are found by their group.
// synchroniser.py joins this file with synchroniser.js, the bar of controls: the browser gets one module.

const READY = 8000; // ms that clips wait for one that has no picture yet; then they go on without it
const NEAR = 0.005; // s, apart by less than this counts as together
const FAR = 0.25; // s, apart by more than this, all are set anew

/** Resolves when a clip can play from where it is; true if it can, false after too long. */
function ready(video) {
  const good = () => video.error !== null || (!video.seeking && video.readyState >= 3);
  if (good()) return Promise.resolve(true);
  return new Promise((done) => {
    const waiting = new AbortController();
    const end = () => (clearTimeout(late), waiting.abort(), done(good()));
    const late = setTimeout(end, READY);
    for (const name of ["seeked", "canplay", "error"])
      video.addEventListener(name, () => good() && end(), { signal: waiting.signal });
  });
}

/** By how much a clip that is ahead by some seconds runs slower; in few steps, as each costs the browser work. */
function nudge(apart) {
  const wanted = Math.abs(apart) < NEAR ? 0 : Math.round(apart * 6 * 32) / 32;
  return Math.min(Math.max(wanted, -0.25), 0.25);
}

/** One timeline for the clips of one grid. Bars show it and tell it what to do; it says "change". */
class Timeline extends EventTarget {
  frame = 0;
  playing = false;
  problem = "";
  bars = 0;
  #turn = 0; // counts commands, so that one that waited knows that a later one has come
  #loop = 0;
  #late = new Set(); // clips that the others no longer wait for
  #gone = new AbortController();

  /** The grid's timeline: bars of the same grid share it, even where each was loaded as a module of its own. */
  static of(grid, model, settings) {
    grid.viduTimeline ??= new Timeline(grid, model, settings);
    grid.viduTimeline.bars++;
    return grid.viduTimeline;
  }

  constructor(grid, model, settings) {
    super();
    Object.assign(this, { grid, fps: model.get("fps"), frames: model.get("frames") });
    this.figures = [...grid.children].filter((one) => one.querySelector("video"));
    this.videos = this.figures.map((one) => one.querySelector("video"));
    this.settings = { speed: 1, again: false, sound: -1, wipe: false, a: 0, b: 1, at: 50, ...settings };
    this.before = this.videos.map(({ controls, muted, preload }) => ({ controls, muted, preload }));
    const { signal } = this.#gone;
    for (const video of this.videos) {
      video.controls = false; // they would pull each clip its own way
      video.addEventListener("click", () => !this.settings.wipe && this.toggle(), { signal });
      video.addEventListener("error", () => this.tell(), { signal });
      video.addEventListener("loadedmetadata", () => this.tell(), { signal });
    }
    document.addEventListener("visibilitychange", () => this.#follow(), { signal });
    grid.append((this.handle = wipeHandle(this, model.get("labels"))));
    grid.style.setProperty("--vidu-wipe-width", `calc(2 * ${this.figures[0]?.style.width || "320px"})`);
    this.set({});
  }

  /** A bar goes; with the last one, the players become again what they were. */
  leave() {
    if (--this.bars > 0) return;
    delete this.grid.viduTimeline;
    this.handle.remove();
    this.playing = false;
    this.#turn++;
    this.#gone.abort();
    cancelAnimationFrame(this.#loop);
    this.#lay({ wipe: false });
    for (const name of ["--vidu-wipe", "--vidu-wipe-width"]) this.grid.style.removeProperty(name);
    this.videos.forEach((video, i) => {
      video.pause();
      Object.assign(video, this.before[i], { playbackRate: 1 });
    });
  }

  /** Says what clips can't be played, and that something has changed. */
  tell() {
    const broken = this.videos.filter((video) => video.error || this.#late.has(video)).length;
    this.problem = broken ? `${broken} of ${this.videos.length} clips can't be played here` : "";
    this.dispatchEvent(new Event("change"));
  }

  /** Changes some settings. */
  set(settings) {
    Object.assign(this.settings, settings);
    this.videos.forEach((video, i) => {
      video.muted = i !== this.settings.sound; // several sound tracks at once are noise
      video.playbackRate = this.settings.speed;
    });
    this.#lay(this.settings);
    this.tell();
  }

  /** Side by side, or two over each other; the style sheet does it, as players that are moved would start anew. */
  #lay({ wipe, a, b, at }) {
    this.grid.classList.toggle("vidu-wiping", wipe);
    this.grid.style.setProperty("--vidu-wipe", `${at}%`);
    this.figures.forEach((one, i) => {
      one.classList.toggle("vidu-wipe-a", wipe && i === a);
      one.classList.toggle("vidu-wipe-b", wipe && i === b);
    });
  }

  /** True where two clips have the same shape, so that one can lie over the other. */
  match(i, j) {
    const shape = ({ videoWidth, videoHeight, width, height }) => (videoWidth || width) / (videoHeight || height);
    return i !== j && Math.abs(shape(this.videos[i]) / shape(this.videos[j]) - 1) < 0.01;
  }

  /** Play or pause. */
  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Pauses all on the frame that the leader has reached. */
  pause() {
    this.seek(this.frame);
  }

  /** Pauses on a frame; the middle of its time is what every browser takes for that frame. */
  seek(frame) {
    this.#turn++;
    this.#late.clear();
    this.playing = false;
    this.frame = Math.min(Math.max(frame, 0), this.frames - 1);
    for (const video of this.videos) {
      video.pause();
      const at = Math.min((this.frame + 0.5) / this.fps, (video.duration || Infinity) - 0.5 / this.fps);
      if (Math.abs(video.currentTime - at) > 1e-4) video.currentTime = at;
    }
    this.tell();
  }

  /** Sets all to the same frame and lets them go. */
  play(from = this.frame < this.frames - 1 ? this.frame : 0) {
    for (const video of this.videos) video.preload = "auto";
    this.seek(from);
    this.playing = true;
    this.tell();
    this.#start();
  }

  /** Lets all go at the same moment, once each has a picture. */
  async #start() {
    const turn = ++this.#turn;
    const going = this.#going();
    for (const video of going) video.pause();
    const good = await Promise.all(going.map(ready));
    if (turn !== this.#turn) return;
    going.forEach((video, i) => good[i] || this.#late.add(video));
    await Promise.allSettled(this.#going().map((video) => video.play()));
    if (turn === this.#turn) this.#follow();
  }

  /** The clips that have not reached their ends. The first leads: the one that is heard, as sound shows each nudge. */
  #going() {
    const rank = (video) => (video.muted ? 0 : 1e6) + video.duration;
    return this.videos
      .filter((video) => !video.error && !this.#late.has(video) && !video.ended)
      .filter((video) => !(video.currentTime >= video.duration - 0.6 / this.fps))
      .sort((one, other) => rank(other) - rank(one));
  }

  /** Looks at all clips before each picture of the screen, while they play and somebody can see it. */
  #follow() {
    cancelAnimationFrame(this.#loop);
    if (this.playing && !document.hidden) this.#loop = requestAnimationFrame(() => this.#look());
  }

  /** Follows the leader; the others run a little faster or slower until they are in step. */
  #look() {
    if (!this.playing) return;
    const [leader, ...others] = this.#going();
    if (!leader) return this.settings.again ? this.play(0) : this.seek(this.frames - 1);
    if (leader.paused) return this.pause(); // by a media key, or by the browser
    const frame = Math.min(Math.floor(leader.currentTime * this.fps + 0.01), this.frames - 1);
    if (frame !== this.frame) {
      this.frame = frame;
      this.tell();
    }
    if ([leader, ...others].some((video) => video.readyState < 3)) return this.#start(); // all wait for one
    const apart = others.map((video) => video.currentTime - leader.currentTime);
    if (apart.some((time) => Math.abs(time) > FAR)) return this.play();
    others.forEach((video, i) => {
      const rate = this.settings.speed * (1 - nudge(apart[i]));
      if (video.playbackRate !== rate) video.playbackRate = rate;
    });
    this.#follow();
  }
}

/** The handle between two clips that lie over each other, and their names in the corners. */
function wipeHandle(timeline, labels) {
  const corners = ["a", "b"].map((side) => make("span", { class: `vidu-wipe-name vidu-wipe-name-${side}` }));
  const line = make("div", { class: "vidu-wipe-line" });
  const layer = make("div", { class: "vidu-wipe-layer", "aria-hidden": "true" }, line, ...corners);
  const move = (event) => {
    const { left, width } = layer.getBoundingClientRect();
    timeline.set({ at: Math.round(Math.min(Math.max((event.clientX - left) / width, 0), 1) * 1000) / 10 });
  };
  layer.addEventListener("pointerdown", (event) => {
    layer.setPointerCapture(event.pointerId);
    move(event);
  });
  layer.addEventListener("pointermove", (event) => layer.hasPointerCapture(event.pointerId) && move(event));
  timeline.addEventListener("change", ({ target: { settings } }) => {
    [corners[0].textContent, corners[1].textContent] = [labels[settings.a], labels[settings.b]];
  });
  return layer;
}

/** The grid of a group that is nearest to a place in the page: in the same output, then cell, then notebook. */
function nearest(place, group) {
  const far = (grid) => {
    let [here, steps] = [place, 0];
    for (; !here.parentNode.contains(grid); here = here.parentNode) steps++;
    const row = [...here.parentNode.children];
    const apart = row.findIndex((one) => one.contains(grid)) - row.indexOf(here);
    return steps * 1000 + Math.abs(apart) + (apart > 0 ? 0.5 : 0);
  };
  const grids = [...place.getRootNode().querySelectorAll(`.vidu-group-${CSS.escape(group)}`)];
  return grids.map((grid) => [far(grid), grid]).sort(([one], [other]) => one - other)[0]?.[1];
}
