// What the mask explorers share: canvases with the image and masks, a status line, and controls.

class Explorer {
  constructor(model, el, className, canvases) {
    this.model = model;
    const frame = make("div", `chainer-seg-explorer ${className}`, el);
    this.stage = new Stage(frame, canvases, {
      paint: (context, number) => this.image && this.paint(context, number),
      click: (place, number) => this.click(place, number),
      hover: (place, number) => this.hover(place, number),
      step: (by) => this.step(by),
      press: () => this.press(),
    });
    this.status = make("div", "chainer-seg-status", frame);
    this.status.setAttribute("aria-live", "polite");
    this.controls = make("div", "chainer-seg-controls", frame);
    this.loads = 0;
  }

  // What subclasses need not have.
  hover() {}

  press() {}

  change(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  // How a control gets and sets a trait.
  trait(name) {
    return { get: () => this.model.get(name), set: (value) => this.change(name, value) };
  }

  // Reads the sizes and decodes the image; masks are in pixels of the image that was sent.
  loadImage() {
    [this.rows, this.columns] = this.model.get("sent_size");
    this.stage.resize(this.model.get("shown_size"));
    this.image = null;
    const turn = ++this.loads;
    createImageBitmap(new Blob([this.model.get("image_data")], { type: "image/jpeg" })).then((bitmap) => {
      if (turn !== this.loads) return; // another image has been loaded since
      this.image = bitmap;
      this.stage.draw();
    });
  }

  drawMask(context, mask, painted) {
    const { x, y, width, height } = mask;
    context.drawImage(painted, ...this.stage.place([
      y / this.rows, x / this.columns,
      (y + Math.max(height, 1)) / this.rows, (x + Math.max(width, 1)) / this.columns]));
  }

  // What is painted is kept with the mask, since moving the view draws it again.
  drawFilled(context, mask, opacity) {
    mask.filled ??= paint(mask, this.rows, mask.color, false);
    context.globalAlpha = opacity;
    this.drawMask(context, mask, mask.filled);
    context.globalAlpha = 1;
  }

  drawEdge(context, mask, color) {
    mask.edges ??= {};
    this.drawMask(context, mask, mask.edges[color] ??= paint(mask, this.rows, color, true));
  }

  // Whether a place of the image belongs to a mask.
  covers(mask, [down, across]) {
    const x = Math.floor(across * this.columns), y = Math.floor(down * this.rows);
    return x >= mask.x && x < mask.x + mask.width && y >= mask.y && y < mask.y + mask.height &&
      contains(mask.ends, x * this.rows + y);
  }

  // Brings the middle of a mask into view.
  reveal({ x, y, width, height }) {
    this.stage.reveal([(y + height / 2) / this.rows, (x + width / 2) / this.columns]);
  }
}

// Calls listeners until the function that is returned is called.
function follow(model, el, listeners) {
  const endGuard = guardCell(el);
  Object.entries(listeners).forEach(([events, listener]) => model.on(events, listener));
  return () => {
    endGuard();
    Object.entries(listeners).forEach(([events, listener]) => model.off(events, listener));
  };
}

// The item after or before ``item``, around the ends; the first or last if item is not there.
function neighbour(items, item, step) {
  const place = items.indexOf(item);
  if (place < 0) return step > 0 ? items[0] : items[items.length - 1];
  return items[(place + step + items.length) % items.length];
}
