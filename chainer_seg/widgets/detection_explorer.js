// The view of a DetectionExplorer: filters objects by score and class, draws them, and describes the
// selected one; beside it or over it, the true objects.

const SELECTED = [255, 255, 255];
const TRUE = [255, 255, 255]; // edges of the true objects over the detected ones
const [TRUTH, DETECTIONS] = [0, 1]; // canvases
const COLUMNS = 9; // figures of an object

// The objects of the widget, the true ones after the detected ones: mask, score, label, area, box (y_min,
// x_min, y_max, x_max), and the IoU with the object of the other kind, ``partner``, that agrees with it most.
function readObjects(model) {
  const figures = numbers(model.get("figures_data"), Float64Array);
  const points = numbers(model.get("keypoints_data"), Float32Array);
  const masks = readMasks(model);
  const stride = masks.length ? points.length / masks.length : 0;
  return masks.map((mask, i) => {
    const [score, label, area, ...rest] = figures.subarray(COLUMNS * i, COLUMNS * (i + 1));
    const own = points.subarray(stride * i, stride * (i + 1));
    return { ...mask, score, label, area, box: rest.slice(0, 4), partner: rest[4], iou: rest[5],
      keypoints: Array.from({ length: stride / 3 }, (_, k) => own.subarray(3 * k, 3 * k + 3)) };
  });
}

class DetectionView extends Explorer {
  constructor(model, el) {
    super(model, el, "chainer-seg-detections", [
      ["truth", "Image with the true objects"],
      ["detections", "Image with objects; click one for details, or go through them with the arrow keys; " +
        "zoom with + and -"]]);
    this.objects = [];
    this.truths = [];
    this.shown = { [TRUTH]: [], [DETECTIONS]: [] };
    this.refreshers = [
      addSlider(this.controls, "Minimum score", {
        min: 0, max: 1, step: "any", show: (value) => value.toFixed(2), ...this.trait("score_threshold") }),
      addChoice(this.controls, "Draw", ["masks", "contours", "nothing"].map((style) => [style, style]),
        this.trait("style")),
    ];
    const views = [["beside the detections", "beside"], ["as white outlines", "over"], ["hidden", "hidden"]];
    this.refreshTruth = addChoice(this.controls, "Truth", views, this.trait("truth_view"));
    this.toggles = addRow(this.controls, "Show");
    for (const name of ["boxes", "names", "keypoints"]) {
      this.refreshers.push(addBox(this.toggles, name, this.trait(name)));
    }
    this.classes = addRow(this.controls, "Classes");
    this.load();
  }

  load() {
    const all = readObjects(this.model), count = all.length - this.model.get("truths");
    [this.objects, this.truths] = [all.slice(0, count), all.slice(count)];
    this.classes.replaceChildren();
    this.toggles.lastChild.hidden = all.every(({ keypoints }) => keypoints.length === 0);
    this.classRefreshers = this.listClasses();
    this.loadImage();
    this.filter();
  }

  listClasses() {
    const { model } = this;
    const counts = new Map();
    this.objects.forEach(({ label }) => counts.set(label, (counts.get(label) || 0) + 1));
    this.truths.forEach(({ label }) => counts.set(label, counts.get(label) || 0));
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([label, count]) => (
      addBox(this.classes, `${this.nameOf(label)} (${count})`, {
        get: () => !model.get("hidden").includes(label),
        set: (on) => {
          const others = model.get("hidden").filter((each) => each !== label);
          this.change("hidden", on ? others : [...others, label]);
        } })));
  }

  nameOf(label) {
    return this.model.get("class_names")[label] ?? `${label}`;
  }

  filter() {
    const hidden = this.model.get("hidden"), threshold = this.model.get("score_threshold");
    // Small ones last, so that large ones do not hide them.
    const sorted = (objects) => objects.filter(({ label }) => !hidden.includes(label))
      .sort((a, b) => b.area - a.area);
    this.shown = { [TRUTH]: sorted(this.truths),
      [DETECTIONS]: sorted(this.objects.filter(({ score }) => score >= threshold)) };
    this.draw();
  }

  get selected() {
    return this.shown[DETECTIONS].find(({ number }) => number === this.model.get("selected")) || null;
  }

  draw() {
    const hasTruth = this.truths.length > 0;
    const isBeside = hasTruth && this.model.get("truth_view") === "beside";
    this.stage.show(TRUTH, isBeside);
    this.stage.canvases.forEach((canvas) => { canvas.nextSibling.hidden = !isBeside; });
    this.status.textContent = this.describe();
    [...this.refreshers, ...this.classRefreshers].forEach((refresh) => refresh());
    this.refreshTruth(hasTruth);
    this.stage.draw();
  }

  paint(context, canvas) {
    const { model } = this;
    const painter = new ObjectPainter(context, this.stage, model.get("image_size"));
    const shown = this.shown[canvas], style = model.get("style");
    this.stage.drawImage(context, this.image);
    shown.forEach((each) => {
      if (style === "masks") this.drawFilled(context, each, model.get("opacity"));
      if (style !== "nothing") this.drawEdge(context, each, each.color);
    });
    if (canvas === DETECTIONS && model.get("truth_view") === "over") {
      this.shown[TRUTH].forEach((each) => this.drawEdge(context, each, TRUE));
    }
    if (model.get("boxes")) shown.forEach((each) => painter.drawBox(each, each.color, 1.5));
    if (model.get("keypoints")) {
      shown.forEach((each) => painter.drawKeypoints(each, model.get("skeleton")));
    }
    if (model.get("names")) shown.forEach((each) => painter.drawName(each, this.title(each, canvas)));
    if (canvas === DETECTIONS && this.selected) this.drawSelected(context, painter);
  }

  title({ label, score }, canvas) {
    const hasScore = canvas === DETECTIONS && this.model.get("with_scores");
    return hasScore ? `${this.nameOf(label)} ${score.toFixed(2)}` : this.nameOf(label);
  }

  drawSelected(context, painter) {
    this.drawEdge(context, this.selected, SELECTED);
    painter.drawBox(this.selected, SELECTED, 2.5);
  }

  describe() {
    const one = this.selected;
    if (!one) {
      const count = `${this.shown[DETECTIONS].length} of ${this.objects.length} objects shown`;
      const truth = this.truths.length ? `, ${this.truths.length} true objects` : "";
      return `${count}${truth}; click one for details.`;
    }
    const [yMin, xMin, yMax, xMax] = one.box.map((value) => value.toFixed(1));
    return `Object ${one.number}: ${this.nameOf(one.label)}, score ${one.score.toFixed(3)}, ` +
      `box x ${xMin} to ${xMax}, y ${yMin} to ${yMax}, ${one.area} pixels${this.agreement(one)}.`;
  }

  // How well an object agrees with the truth, if that is known.
  agreement({ partner, iou }) {
    if (this.truths.length === 0) return "";
    if (iou === 0) return ", no true object there";
    return `, IoU ${iou.toFixed(2)} with a true ${this.nameOf(this.truths[partner].label)}`;
  }

  // The smallest shown object at a place; if there is no mask, the smallest box.
  find(place, canvas) {
    const [height, width] = this.model.get("image_size");
    const [y, x] = [place[0] * height, place[1] * width];
    const smallestFirst = [...this.shown[canvas]].reverse();
    return smallestFirst.find((each) => this.covers(each, place)) ||
      smallestFirst.find(({ box: [yMin, xMin, yMax, xMax] }) => (
        y >= yMin && y < yMax && x >= xMin && x < xMax));
  }

  // A click on a true object selects the detected one that agrees with it most.
  click(place, canvas) {
    const found = this.find(place, canvas);
    const number = canvas === TRUTH && found ? found.partner : found?.number;
    this.change("selected", number !== undefined && number !== this.model.get("selected") ? number : -1);
  }

  step(by) {
    const order = [...this.shown[DETECTIONS]].sort((a, b) => a.number - b.number);
    if (!order.length) return;
    const next = neighbour(order, this.selected, by);
    this.reveal(next);
    this.change("selected", next.number);
  }
}

function render({ model, el }) {
  const view = new DetectionView(model, el);
  return follow(model, el, {
    "change:version": () => view.load(),
    "change:score_threshold change:hidden": () => view.filter(),
    ["change:style change:boxes change:names change:keypoints change:opacity change:selected " +
      "change:truth_view"]: () => view.draw(),
  });
}

export default { render };
