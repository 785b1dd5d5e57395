// Mouse, pen and touch input on a canvas: clicks and drawing are passed on, drags, pinches and the wheel move
// the view.

const CLICK_TOLERANCE = 5; // pixels a pointer may move between the press and release of a click

class Gestures {
  // Calls click(place, right), moved() and hover(place or null); and, where isDrawing() says that the next
  // drag draws, draw(place, right) and drawn(whether it is to be kept). A place is [y, x] as fractions.
  // Unless rightClicks, a right click opens the menu of the page, as everywhere else.
  constructor(frame, canvas, view, actions) {
    Object.assign(this, { frame, canvas, view, rightClicks: false, isDrawing: () => false }, actions);
    this.pointers = new Map(); // pressed pointers: id -> place
    this.kind = null; // "click", "draw", "pan" or "pinch"
    this.grabbing = false; // whether the next drag pans
    const on = (name, listener, options) => canvas.addEventListener(
      name, listener.bind(this), options);
    on("pointerdown", this.onDown);
    on("pointermove", this.onMove);
    on("pointerup", this.onUp);
    on("pointercancel", this.onUp);
    on("pointerleave", () => this.hover(null));
    on("contextmenu", this.onMenu);
    on("wheel", this.onWheel, { passive: false });
  }

  grab(grabbing) {
    this.grabbing = grabbing;
    this.frame.classList.toggle("is-grabbing", grabbing);
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  }

  // Distance in screen pixels.
  distance([y, x], [otherY, otherX]) {
    const box = this.canvas.getBoundingClientRect();
    return Math.hypot((y - otherY) * box.height, (x - otherX) * box.width);
  }

  begin(kind) {
    this.kind = kind;
    this.frame.classList.toggle("is-panning", kind === "pan");
  }

  onDown(event) {
    this.frame.focus({ preventScroll: true });
    this.start = this.placeOf(event);
    this.shift = event.shiftKey;
    this.pointers.set(event.pointerId, this.start);
    if (this.pointers.size === 2) {
      if (this.kind === "draw") this.drawn(false);
      this.begin("pinch");
    }
    else if (event.button === 1 || (event.button === 0 && this.grabbing)) this.begin("pan");
    else if (event.button !== 1 && this.isDrawing()) {
      this.begin("draw");
      this.draw(this.start, event.button === 2 || this.shift);
    } else if (event.button === 0) this.begin("click");
    if (event.button === 1) event.preventDefault(); // prevents the browser's autoscroll
    this.canvas.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    if (this.pointers.size === 0) this.hover(this.placeOf(event));
    if (!this.pointers.has(event.pointerId)) return;
    const before = [...this.pointers.values()];
    this.pointers.set(event.pointerId, this.placeOf(event));
    const after = [...this.pointers.values()];
    if (this.kind === "pinch" && after.length === 2) this.pinch(before, after);
    if (this.kind === "pan") this.pan(before[0], after[0]);
    if (this.kind === "draw") this.draw(after[0]);
    if (this.kind === "click" && this.view.zoom > 1 && this.distance(this.start, after[0]) > CLICK_TOLERANCE) {
      this.begin("pan");
      this.pan(this.start, after[0]);
    }
  }

  pan(from, to) {
    this.view.pan(to[0] - from[0], to[1] - from[1]);
    this.moved();
  }

  pinch(before, after) {
    const middle = (places) => [0, 1].map((axis) => (places[0][axis] + places[1][axis]) / 2);
    const growth = this.distance(...after) / Math.max(this.distance(...before), 1);
    this.view.zoomBy(growth, middle(before));
    this.pan(middle(before), middle(after));
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
    const clicked = this.kind === "click" && event.type === "pointerup";
    if (this.kind === "draw") this.drawn(event.type === "pointerup");
    if (this.pointers.size === 0) this.begin(null);
    if (clicked) this.click(this.start, this.shift);
  }

  onMenu(event) {
    if (!this.rightClicks) return;
    event.preventDefault();
    event.stopPropagation(); // suppresses the notebook's own menu
    if (this.kind === "draw" || this.isDrawing()) return;
    this.begin(null); // a long press must not count as a tap, too
    this.click(this.placeOf(event), true);
  }

  // Over an image without focus the wheel scrolls the page, as everywhere else.
  onWheel(event) {
    const pinched = event.ctrlKey || event.metaKey; // browsers report a touchpad pinch as Ctrl+wheel
    if (!pinched && !this.frame.contains(document.activeElement)) return;
    if (!pinched && this.view.zoom === 1 && event.deltaY > 0) return;
    event.preventDefault();
    event.stopPropagation();
    const delta = clamp(event.deltaY, -100, 100);
    this.view.zoomBy(Math.exp(-delta * (pinched ? 0.01 : 0.003)), this.placeOf(event));
    this.moved();
  }
}
