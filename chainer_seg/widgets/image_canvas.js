// Draws the image, the masks and the clicks of an ImageCanvas, and sends clicks to Python.

const BRUSH_STEP = 1.25;
const FAR = 0.05, NEAR = 0.005; // steps of the crosshair, as fractions of the canvas

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
      ...zoomActions(this.view),
      help: () => this.help.classList.toggle("is-open"),
      click: () => this.set("tool", 0),
      box: () => this.set("tool", 1),
      brush: () => this.set("tool", 2),
      thinner: () => this.set("brush", Math.max(model.get("brush") / BRUSH_STEP, 1)),
      thicker: () => this.set("brush", Math.min(model.get("brush") * BRUSH_STEP, 60)),
    };
    this.crosshair = new Crosshair(this.view);
    this.drawing = null; // the box or stroke in progress
    this.hovered = null; // the place of the mouse whose preview is shown or asked for
    Object.assign(this, makeFrame(el, (action) => this.act(action),
      [...Object.keys(this.local), ...model.get("commands")]));
    this.frame.addEventListener("keydown", (event) => this.onKey(event));
    this.frame.addEventListener("keyup", (event) => event.key === " " && this.gestures.grab(false));
    this.frame.addEventListener("focusout", () => {
      this.gestures.grab(false);
      this.draw(); // without the crosshair
    });
    this.canvas.addEventListener("pointerdown", () => { this.crosshair.place = null; });
    this.gestures = new Gestures(this.frame, this.canvas, this.view, {
      rightClicks: true,
      click: (place, right) => this.click(place, this.isPositive(right)),
      moved: () => this.draw(),
      isDrawing: () => model.get("tool") !== 0,
      draw: (place, right) => this.drawTo(place, right),
      drawn: (kept) => this.endDrawing(kept),
      hover: (place) => this.hover(place),
    });
  }

  set(trait, value) {
    this.model.set(trait, value);
    this.model.save_changes();
    this.draw();
  }

  isPositive(right) {
    return !(right || this.model.get("negative"));
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
    [state.image, state.probability, state.objects, state.preview] = await Promise.all([
      this.bitmap("image_data", "image/jpeg"), this.bitmap("probability_data", "image/png"),
      this.bitmap("objects_data", "image/png"), this.bitmap("preview_data", "image/png")]);
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
    context.imageSmoothingEnabled = isSmooth(view, width, shown.image);
    drawInView(context, shown.image, view, width, height);
    if (!this.hidden) {
      const owner = owners(shown, model.get("threshold"), view, width, height);
      const overlay = (numbers, opacity) => context.drawImage(makeOverlay(
        numbers, shown.colors, opacity, width, height, Math.round(this.density)), 0, 0);
      overlay(owner, model.get("opacity"));
      if (shown.preview && this.hovered) {
        overlay(owners({ probability: shown.preview }, model.get("threshold"), view, width, height), 0.2);
      }
    }
    const mark = ([y, x, positive], isPending) => {
      const [top, left] = view.toFrame([
        (y + 0.5) / shown.imageSize[0], (x + 0.5) / shown.imageSize[1]]);
      drawClick(context, top * height, left * width, positive, isPending, this.density);
    };
    shown.clicks.forEach((click) => mark(click, false));
    for (const { kind, image, clicks } of this.outbox.pending) {
      if (image === shown.imageNumber && kind !== "hover") clicks?.forEach((click) => mark(click, true));
    }
    this.drawing?.paint(context, width, height, model.get("brush") * this.density, this.density);
    if (this.frame.contains(document.activeElement)) {
      this.crosshair.paint(context, width, height, this.density);
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
    this.set("negative", this.model.get("negative") ? 0 : 1);
  }

  // A place in pixels of the image; (0, 0) is the centre of the first pixel.
  toPixel(place) {
    return this.view.toImage(place).map((share, axis) => share * this.shown.imageSize[axis] - 0.5);
  }

  clickAt(place, positive) {
    const [y, x] = this.toPixel(place).map((pixel, axis) => clamp(
      pixel, 0, this.shown.imageSize[axis] - 1));
    return [[y, x, positive]];
  }

  click(place, positive) {
    if (!this.shown) return;
    this.hovered = null;
    this.send({ kind: "click", clicks: this.clickAt(place, positive) });
  }

  drawTo(place, right) {
    if (!this.shown) return;
    if (this.drawing) this.drawing.move(place);
    else this.drawing = new Drawing(TOOLS_BY_NUMBER[this.model.get("tool")], this.isPositive(right), place);
    this.draw();
  }

  endDrawing(kept) {
    const drawing = this.drawing;
    this.drawing = null;
    this.draw();
    if (!drawing || !kept) return;
    const onScreen = this.canvas.getBoundingClientRect().width * this.view.zoom / this.shown.imageSize[1];
    this.send(drawing.message((place) => this.toPixel(place), this.model.get("brush") / onScreen));
  }

  // Asks for a preview only while Python is free, so that no click has to wait for several.
  hover(place) {
    const asks = place && this.shown && this.model.get("tool") === 0 && this.model.get("previews");
    if (this.hovered && !asks) this.draw();
    this.hovered = asks ? place : null;
    if (asks && this.outbox.size === 0) {
      this.asked = place;
      this.send({ kind: "hover", clicks: this.clickAt(place, this.isPositive(false)) });
    }
  }

  // Enter: what the mouse does with the tool, at the crosshair.
  press() {
    const { place } = this.crosshair;
    if (!place || !this.shown) return this.crosshair.move(0, 0);
    if (this.model.get("tool") === 0) return this.click(place, this.isPositive(false));
    const endsBox = this.drawing !== null;
    this.drawTo(place, false);
    if (endsBox || this.model.get("tool") === 2) this.endDrawing(true);
    return undefined;
  }

  step(event) {
    const length = event.shiftKey ? NEAR : FAR;
    this.crosshair.move(...STEPS[keyName(event)].map((step) => step * length));
    if (this.drawing) this.drawTo(this.crosshair.place, false);
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
    if (this.hovered && this.hovered !== this.asked) this.hover(this.hovered);
    this.draw();
    this.showBusy();
  }

  act(action) {
    if (action in this.local) this.local[action]();
    else if (this.model.get("commands").includes(action)) this.send({ kind: "command", name: action });
    this.draw();
  }

  onKey(event) {
    if (event.key === "Escape") {
      this.help.classList.remove("is-open");
      this.endDrawing(false);
    }
    const action = actionOf(event);
    const pressesButton = ["grab", "press"].includes(action) && event.target instanceof HTMLButtonElement;
    if (!action || pressesButton) return;
    event.preventDefault();
    event.stopPropagation();
    if (action === "grab") this.gestures.grab(true);
    else if (action === "press") this.press();
    else if (action === "step") this.step(event);
    else if (!event.repeat || action.startsWith("zoom")) this.act(action);
    this.draw();
  }
}

function render({ model, el }) {
  const widget = new ImageCanvas(model, el);
  widget.frame.ownsKey = (event) => actionOf(event) !== null; // Ctrl+Z and the like, for notebook_cell.js
  const listeners = {
    "msg:custom": (message) => widget.onMessage(message),
    "change:opacity change:threshold change:brush change:tool": () => widget.draw(),
    "change:busy": () => widget.showBusy(),
    "change:negative": () => widget.showSign(),
    ["change:image_number change:image_data change:probability_data change:objects_data change:clicks " +
      "change:preview_data"]: () => widget.load(),
  };
  Object.entries(listeners).forEach(([events, listener]) => model.on(events, listener));
  widget.load();
  widget.showBusy();
  widget.showSign();
  return () => {
    Object.entries(listeners).forEach(([events, listener]) => model.off(events, listener));
  };
}

export default { render };
