// Draws the image, the masks and the clicks of an ImageCanvas, and sends clicks to Python.

const TOOLS = [
  ["zoomOut", "−", "Zoom out (-)"],
  ["zoomIn", "+", "Zoom in (+)"],
  ["fit", "Fit", "Fit the image to the view (0)"],
  ["help", "?", "Mouse and keyboard help (H)"],
];
const ZOOM_STEP = 1.5;

function make(tag, name, parent, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

class ImageCanvas {
  constructor(model, el) {
    this.model = model;
    this.view = new View();
    this.density = Math.min(window.devicePixelRatio || 1, 2);
    this.shown = null; // the state of one image, read from the model at one moment
    this.newest = 0; // number of the latest state requested; older ones that arrive later are dropped
    this.painted = 0; // number of the state on the screen
    this.outbox = new Outbox((message) => model.send(message));
    this.bitmaps = new Map(); // decoded traits: name -> {data, bitmap}
    this.hidden = false; // whether the masks are hidden
    this.local = { // actions that do not need Python
      sign: () => this.toggleSign(),
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
    this.frame = make("div", "chainer-seg-canvas", el);
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "application");
    this.frame.setAttribute("aria-label",
      "Image to annotate: left click adds to the object, right click removes; press H for help");
    this.canvas = make("canvas", "", this.frame);
    make("div", "chainer-seg-bar", this.frame);
    this.busy = make("div", "chainer-seg-badge chainer-seg-busy", this.frame);
    make("div", "chainer-seg-badge chainer-seg-sign", this.frame, "− removing");
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

  // Decoding is asynchronous, so everything that belongs together is read from the model first.
  async load() {
    const number = ++this.newest;
    this.showBusy();
    const get = (trait) => this.model.get(trait);
    const state = {
      number,
      imageNumber: get("image_number"), imageSize: get("image_size"), shownSize: get("shown_size"),
      clicks: get("clicks"), colors: get("object_colors"),
    };
    [state.image, state.probability, state.objects] = await Promise.all([
      this.bitmap("image_data", "image/jpeg"), this.bitmap("probability_data", "image/png"),
      this.bitmap("objects_data", "image/png")]);
    if (number !== this.newest) return;
    if (this.shown?.imageNumber !== state.imageNumber) this.fitTo(state.shownSize);
    this.shown = state;
    this.draw();
  }

  fitTo([height, width]) {
    this.canvas.width = Math.round(width * this.density);
    this.canvas.height = Math.round(height * this.density);
    this.canvas.style.width = `${width}px`;
    this.view.fit();
  }

  // Coalesces simultaneous changes into one redraw.
  draw() {
    cancelAnimationFrame(this.frameRequest);
    this.frameRequest = requestAnimationFrame(() => this.shown?.image && this.paint());
  }

  paint() {
    const { shown, view, model } = this;
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    // At high zoom, show individual pixels.
    context.imageSmoothingEnabled = (view.zoom * width) / shown.image.width < 4;
    drawInView(context, shown.image, view, width, height);
    if (!this.hidden) {
      const owner = owners(shown, model.get("threshold"), view, width, height);
      context.drawImage(makeOverlay(
        owner, shown.colors, model.get("opacity"), width, height, Math.round(this.density)), 0, 0);
    }
    const mark = ([y, x, positive], isPending) => {
      const [top, left] = view.toFrame([
        (y + 0.5) / shown.imageSize[0], (x + 0.5) / shown.imageSize[1]]);
      drawClick(context, top * height, left * width, positive, isPending, this.density);
    };
    shown.clicks.forEach((click) => mark(click, false));
    for (const { image, clicks } of this.outbox.pending) {
      if (image === shown.imageNumber) clicks?.forEach((click) => mark(click, true));
    }
    this.frame.classList.toggle("is-zoomed", view.zoom > 1);
    this.painted = shown.number;
    this.showBusy();
  }

  showBusy() {
    const waiting = this.outbox.size, computing = this.model.get("busy");
    this.frame.classList.toggle("is-busy", waiting > 0 || computing || this.painted !== this.newest);
    this.frame.classList.toggle("is-computing", computing);
    this.frame.classList.toggle("is-waiting", waiting > 0 && !computing);
    const what = computing ? "Computing…" : "Waiting for Python…";
    this.busy.textContent = waiting > 1 ? `${what} (${waiting} pending)` : what;
  }

  showSign() {
    this.frame.classList.toggle("is-negative", Boolean(this.model.get("negative")));
  }

  toggleSign() {
    this.model.set("negative", this.model.get("negative") ? 0 : 1);
    this.model.save_changes();
  }

  click(place, positive) {
    if (!this.shown) return;
    // In image pixels; (0, 0) is the centre of the first pixel.
    const [y, x] = this.view.toImage(place).map((share, axis) => clamp(
      share * this.shown.imageSize[axis] - 0.5, 0, this.shown.imageSize[axis] - 1));
    this.send({ kind: "click", clicks: [[y, x, positive]] });
  }

  // Tells Python which image the user saw: another may be current when the message arrives.
  send(message) {
    if (!this.shown) return;
    this.outbox.add({ ...message, image: this.shown.imageNumber });
    this.draw();
    this.showBusy();
  }

  onMessage({ kind, ticket }) {
    if (kind !== "done" || !this.outbox.answer(ticket)) return;
    this.draw();
    this.showBusy();
  }

  act(action) {
    if (action in this.local) this.local[action]();
    else if (this.model.get("commands").includes(action)) this.send({ kind: "command", name: action });
    this.draw();
  }

  onKey(event) {
    if (event.key === "Escape") this.help.classList.remove("is-open");
    const action = actionOf(event);
    const pressesButton = action === "grab" && event.target instanceof HTMLButtonElement;
    if (!action || pressesButton) return;
    event.preventDefault();
    event.stopPropagation();
    if (action === "grab") this.gestures.grab(true);
    else if (action === "pan") this.widget.pan(...PANS[keyName(event)].map((step) => step / 10));
    else if (!event.repeat || action.startsWith("zoom")) this.act(action);
    this.draw();
  }
}

function render({ model, el }) {
  const widget = new ImageCanvas(model, el);
  const unguard = guardKeys(widget.frame);
  const listeners = {
    "msg:custom": (message) => widget.onMessage(message),
    "change:opacity change:threshold": () => widget.draw(),
    "change:busy": () => widget.showBusy(),
    "change:negative": () => widget.showSign(),
    "change:image_number change:image_data change:probability_data change:objects_data change:clicks":
      () => widget.load(),
  };
  Object.entries(listeners).forEach(([events, listener]) => model.on(events, listener));
  widget.load();
  widget.showBusy();
  widget.showSign();
  return () => {
    unguard();
    Object.entries(listeners).forEach(([events, listener]) => model.off(events, listener));
  };
}

export default { render };
