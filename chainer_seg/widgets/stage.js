// Canvases side by side that show the same part of one image: zoom and pan move all of them.

class Stage {
  // For each canvas, names has what it shows: [caption, name for screen readers]; captions may be empty.
  // Calls paint(context, number) to draw a canvas; and, where given, click(place, number) and hover(place or
  // null, number), with places [y, x] as fractions of the image, step(1 or -1) for arrow keys, and press()
  // for Enter.
  constructor(parent, names, actions) {
    Object.assign(this, { click: () => {}, hover: () => {}, press: () => {} }, actions);
    this.view = new View();
    this.density = Math.min(window.devicePixelRatio || 1, 2);
    const frame = make("div", "chainer-seg-stage", parent);
    const row = make("div", "chainer-seg-canvases", frame);
    this.canvases = names.map(([caption, name], number) => this.addCanvas(row, caption, name, number));
    this.zoom = zoomActions(this.view);
    addTools(frame, ZOOM_BUTTONS, (action) => this.act(action));
  }

  addCanvas(row, caption, name, number) {
    const figure = make("figure", "", row);
    const canvas = make("canvas", "", figure);
    if (caption) make("figcaption", "", figure, caption);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name);
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    new Gestures(canvas, canvas, this.view, {
      click: (place) => this.click(this.view.toImage(place), number),
      hover: (place) => this.hover(place && this.view.toImage(place), number),
      moved: () => this.draw(),
    });
    return canvas;
  }

  onKey(event) {
    const action = actionOf(event);
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (action in this.zoom) this.act(action);
    else if (action === "step" && this.step) this.step(steps[event.key]);
    else if (action === "press") this.press();
    else return;
    event.preventDefault();
  }

  act(action) {
    this.zoom[action]();
    this.draw();
  }

  // Whether a canvas is shown.
  show(number, isShown) {
    this.canvases[number].parentElement.hidden = !isShown;
  }

  resize([height, width]) {
    for (const canvas of this.canvases) {
      canvas.width = Math.round(width * this.density);
      canvas.height = Math.round(height * this.density);
      canvas.style.width = `${width}px`;
    }
    this.view.fit();
  }

  // Where a box of the image, [top, left, bottom, right] as fractions, is on a canvas: x, y, width, height.
  place([top, left, bottom, right]) {
    const [{ width, height }] = this.canvases;
    const [y, x] = this.view.toFrame([top, left]);
    return [x * width, y * height, (right - left) * this.view.zoom * width,
      (bottom - top) * this.view.zoom * height];
  }

  // Moves the image so that a place of it is seen.
  reveal(place) {
    const moves = this.view.toFrame(place).map((at) => (at < 0 || at > 1 ? 0.5 - at : 0));
    this.view.pan(...moves);
  }

  drawImage(context, image) {
    const { width, height } = context.canvas;
    context.imageSmoothingEnabled = isSmooth(this.view, width, image);
    drawInView(context, image, this.view, width, height);
  }

  // Coalesces simultaneous changes into one drawing.
  draw() {
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame(() => this.canvases.forEach((canvas, number) => {
      if (canvas.parentElement.hidden) return;
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      this.paint(context, number);
      canvas.classList.toggle("is-zoomed", this.view.zoom > 1);
    }));
  }
}
