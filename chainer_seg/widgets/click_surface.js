// Draws the picture, the masks and the clicks of a ClickSurface, and sends clicks to Python.

const TOOLS = [
  ["zoomOut", "−", "Zoom out (-)"],
  ["zoomIn", "+", "Zoom in (+)"],
  ["fit", "Fit", "Whole picture (0)"],
  ["help", "?", "Mouse and keys (H)"],
];
const ZOOM_STEP = 1.5;

function make(tag, name, parent, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

class Surface {
  constructor(model, el) {
    this.model = model;
    this.view = new View();
    this.density = Math.min(window.devicePixelRatio || 1, 2);
    this.shown = null; // all that belongs to one picture, taken from the model at one moment
    this.newest = 0; // number of the newest state asked for; an older one ready later is dropped
    this.painted = 0; // number of the state that is on the screen
    this.pending = new Map(); // what Python has not answered: ticket -> {picture, click or null}
    this.bitmaps = new Map(); // decoded traits: name -> {data, bitmap}
    this.hidden = false; // the masks
    this.local = { // what needs no Python
      sign: () => this.turnSign(),
      hide: () => { this.hidden = !this.hidden; },
      zoomIn: () => this.view.zoomBy(ZOOM_STEP),
      zoomOut: () => this.view.zoomBy(1 / ZOOM_STEP),
      fit: () => this.view.fit(),
      help: () => this.help.classList.toggle("is-open"),
    };
    this.build(el);
    this.gestures = new Gestures(this.frame, this.canvas, this.view, {
      click: (place, right) => this.click(place, !(right || model.get("negative"))),
      moved: () => this.draw(),
    });
  }

  build(el) {
    this.frame = make("div", "chainer-seg-surface", el);
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "application");
    this.frame.setAttribute("aria-label",
      "Picture to click on: left adds to the object, right takes away; press H for help");
    this.canvas = make("canvas", "", this.frame);
    make("div", "chainer-seg-bar", this.frame);
    this.busy = make("div", "chainer-seg-badge chainer-seg-busy", this.frame);
    make("div", "chainer-seg-badge chainer-seg-sign", this.frame, "− clicks remove");
    const tools = make("div", "chainer-seg-tools", this.frame);
    for (const [action, text, title] of TOOLS) {
      const button = make("button", `chainer-seg-${action}`, tools, text);
      button.type = "button";
      button.title = title;
      button.addEventListener("click", () => {
        this.frame.focus({ preventScroll: true });
        this.act(action);
      });
    }
    this.help = makeHelp([...Object.keys(this.local), ...this.model.get("commands")]);
    this.help.addEventListener("click", () => this.act("help"));
    this.frame.append(this.help);
    this.frame.addEventListener("keydown", (event) => this.onKey(event));
    this.frame.addEventListener("keyup", (event) => event.key === " " && this.gestures.grab(false));
    this.frame.addEventListener("focusout", () => this.gestures.grab(false));
  }

  async bitmap(trait, type) {
    const data = this.model.get(trait);
    if (this.bitmaps.get(trait)?.data !== data) {
      const bitmap = !data || data.byteLength === 0 ? null
        : createImageBitmap(new Blob([data], { type }), { colorSpaceConversion: "none" });
      this.bitmaps.set(trait, { data, bitmap });
    }
    return this.bitmaps.get(trait).bitmap;
  }

  // Decoding takes a while, so what belongs together is taken from the model at once.
  async load() {
    const number = ++this.newest;
    this.showBusy();
    const get = (trait) => this.model.get(trait);
    const state = {
      number,
      picture: get("picture"), imageSize: get("image_size"), shownSize: get("shown_size"),
      clicks: get("clicks"), colors: get("object_colors"),
    };
    [state.image, state.probability, state.objects] = await Promise.all([
      this.bitmap("image_data", "image/jpeg"), this.bitmap("probability_data", "image/png"),
      this.bitmap("objects_data", "image/png")]);
    if (number !== this.newest) return;
    if (this.shown?.picture !== state.picture) this.fitTo(state.shownSize);
    this.shown = state;
    this.draw();
  }

  fitTo([height, width]) {
    this.canvas.width = Math.round(width * this.density);
    this.canvas.height = Math.round(height * this.density);
    this.canvas.style.width = `${width}px`;
    this.view.fit();
  }

  // Many changes at once are drawn once.
  draw() {
    cancelAnimationFrame(this.frameRequest);
    this.frameRequest = requestAnimationFrame(() => this.shown?.image && this.paint());
  }

  paint() {
    const { shown, view, model } = this;
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    // Close up, single pixels can be told apart.
    context.imageSmoothingEnabled = (view.zoom * width) / shown.image.width < 4;
    drawThrough(context, shown.image, view, width, height);
    if (!this.hidden) {
      const owner = owners(shown, model.get("threshold"), view, width, height);
      context.drawImage(makeOverlay(
        owner, shown.colors, model.get("opacity"), width, height, Math.round(this.density)), 0, 0);
    }
    const place = ([y, x, positive], waits) => {
      const [top, left] = view.toFrame([
        (y + 0.5) / shown.imageSize[0], (x + 0.5) / shown.imageSize[1]]);
      drawClick(context, top * height, left * width, positive, waits, this.density);
    };
    shown.clicks.forEach((click) => place(click, false));
    for (const { picture, click } of this.pending.values()) {
      if (click && picture === shown.picture) place(click, true);
    }
    this.frame.classList.toggle("is-zoomed", view.zoom > 1);
    this.painted = shown.number;
    this.showBusy();
  }

  showBusy() {
    const waiting = this.pending.size;
    this.frame.classList.toggle(
      "is-busy", waiting > 0 || this.model.get("busy") || this.painted !== this.newest);
    this.busy.textContent = waiting > 1 ? `computing, ${waiting} to go` : "computing";
  }

  showSign() {
    this.frame.classList.toggle("is-negative", Boolean(this.model.get("negative")));
  }

  turnSign() {
    this.model.set("negative", this.model.get("negative") ? 0 : 1);
    this.model.save_changes();
  }

  click(place, positive) {
    if (!this.shown) return;
    // In pixels of the image; (0, 0) is the centre of the first one.
    const [y, x] = this.view.toPicture(place).map((share, axis) => clamp(
      share * this.shown.imageSize[axis] - 0.5, 0, this.shown.imageSize[axis] - 1));
    this.tell({ kind: "click", y, x, positive }, [y, x, positive]);
  }

  // Python learns which picture was seen: another may be current when the message gets there.
  tell(message, click = null) {
    if (!this.shown) return;
    const { picture } = this.shown;
    const ticket = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.pending.set(ticket, { picture, click });
    this.model.send({ ...message, picture, ticket });
    this.draw();
    this.showBusy();
  }

  answered({ kind, ticket }) {
    if (kind !== "done") return;
    this.pending.delete(ticket);
    this.draw();
    this.showBusy();
  }

  act(action) {
    if (action in this.local) this.local[action]();
    else if (this.model.get("commands").includes(action)) this.tell({ kind: "command", name: action });
    this.draw();
  }

  onKey(event) {
    if (event.key === "Escape") this.help.classList.remove("is-open");
    const action = actionOf(event);
    const presses = action === "grab" && event.target instanceof HTMLButtonElement;
    if (!action || presses) return;
    event.preventDefault();
    event.stopPropagation();
    if (action === "grab") this.gestures.grab(true);
    else if (action === "pan") this.view.pan(...PANS[keyName(event)].map((step) => step / 10));
    else if (!event.repeat || action.startsWith("zoom")) this.act(action);
    this.draw();
  }
}

function render({ model, el }) {
  const surface = new Surface(model, el);
  const unguard = guardKeys(surface.frame);
  const listeners = {
    "msg:custom": (message) => surface.answered(message),
    "change:opacity change:threshold": () => surface.draw(),
    "change:busy": () => surface.showBusy(),
    "change:negative": () => surface.showSign(),
    "change:picture change:image_data change:probability_data change:objects_data change:clicks":
      () => surface.load(),
  };
  Object.entries(listeners).forEach(([events, listener]) => model.on(events, listener));
  surface.load();
  surface.showBusy();
  surface.showSign();
  return () => {
    unguard();
    Object.entries(listeners).forEach(([events, listener]) => model.off(events, listener));
  };
}

export default { render };
