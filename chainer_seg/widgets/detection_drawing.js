// How a DetectionExplorer draws objects: boxes, names and keypoints over their masks.

// Draws on one canvas; ``stage`` tells where places of the image are there.
class ObjectPainter {
  constructor(context, stage, [height, width]) {
    Object.assign(this, { context, stage, height, width, placed: [] });
  }

  // A box in image pixels as x, y, width and height on the canvas.
  onCanvas([yMin, xMin, yMax, xMax]) {
    return this.stage.place([yMin / this.height, xMin / this.width, yMax / this.height, xMax / this.width]);
  }

  drawBox({ box }, color, thickness) {
    this.context.lineWidth = thickness * this.stage.density;
    this.context.strokeStyle = `rgb(${color.join()})`;
    this.context.strokeRect(...this.onCanvas(box));
  }

  drawKeypoints({ keypoints, color }, skeleton) {
    const { context, stage: { density } } = this;
    const places = keypoints.map(([y, x]) => this.onCanvas([y, x, y, x]));
    const known = (k) => keypoints[k] && keypoints[k][2] > 0;
    context.lineWidth = 2 * density;
    context.strokeStyle = context.fillStyle = `rgb(${color.join()})`;
    skeleton.filter(([a, b]) => known(a) && known(b)).forEach(([a, b]) => {
      context.beginPath();
      context.moveTo(places[a][0], places[a][1]);
      context.lineTo(places[b][0], places[b][1]);
      context.stroke();
    });
    places.filter((_, k) => known(k)).forEach(([x, y]) => {
      context.beginPath();
      context.arc(x, y, 3 * density, 0, 2 * Math.PI);
      context.fill();
    });
  }

  // Names that would cover one of those already placed move down; objects outside the view need none.
  drawName({ box, color }, text) {
    const { context, placed, stage: { density } } = this;
    const { width: right, height: bottom } = context.canvas;
    const [x, y, boxWidth, boxHeight] = this.onCanvas(box);
    if (x > right || y > bottom || x + boxWidth < 0 || y + boxHeight < 0) return;
    context.font = `${12 * density}px sans-serif`;
    const width = context.measureText(text).width + 6 * density;
    const left = Math.max(Math.min(x, right - width), 0);
    const step = 17 * density;
    let top = Math.max(y - step, 0);
    const covers = (other) => Math.abs(other.top - top) < step && left < other.right &&
      other.left < left + width;
    while (placed.some(covers) && top + 2 * step < bottom) top += step;
    placed.push({ top, left, right: left + width });
    context.fillStyle = `rgb(${color.join()})`;
    context.fillRect(left, top, width, 16 * density);
    const [red, green, blue] = color;
    context.fillStyle = 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "black" : "white";
    context.fillText(text, left + 3 * density, top + 12 * density);
  }
}
