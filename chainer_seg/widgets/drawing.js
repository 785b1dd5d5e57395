// What is drawn with the box and the brush, and the crosshair of the keyboard. Places are [y, x] as fractions
// of the canvas.

const TOOLS_BY_NUMBER = ["click", "box", "brush"];

// A box or a stroke in progress.
class Drawing {
  constructor(tool, positive, place) {
    Object.assign(this, { tool, positive, places: [place] });
  }

  move(place) {
    if (this.tool === "box") this.places[1] = place;
    else this.places.push(place);
  }

  // What Python is told; toImage turns places into pixels of the image, and radius is in such pixels.
  message(toImage, radius) {
    const points = this.places.map(toImage);
    if (this.tool === "brush") return { kind: "stroke", points, radius, positive: this.positive };
    const ends = (axis) => points.map((point) => point[axis] + 0.5).sort((a, b) => a - b);
    const [[top, bottom], [left, right]] = [ends(0), ends(1)];
    return { kind: "box", box: [top, left, bottom ?? top, right ?? left] };
  }

  // ``radius`` of the brush is in pixels of the canvas.
  paint(context, width, height, radius, scale) {
    const points = this.places.map(([y, x]) => [x * width, y * height]);
    context.beginPath();
    if (this.tool === "box") {
      const [[left, top], [right, bottom] = points[0]] = points;
      context.rect(left, top, right - left, bottom - top);
      outline(context, scale);
      return;
    }
    context.moveTo(...points[0]);
    points.forEach((point) => context.lineTo(...point));
    context.lineWidth = 2 * radius;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = `rgba(${this.positive ? POSITIVE : NEGATIVE}, 0.6)`;
    context.stroke();
  }
}

// A white line on a dark one, which is visible on any image.
function outline(context, scale) {
  context.lineWidth = 3 * scale;
  context.strokeStyle = "rgba(20, 20, 20, 0.8)";
  context.stroke();
  context.lineWidth = 1.25 * scale;
  context.strokeStyle = "white";
  context.stroke();
}

// The place that the keyboard points at.
class Crosshair {
  constructor(view) {
    this.view = view;
    this.place = null; // null until an arrow key is pressed
  }

  // Moves by fractions of the canvas; at its edge the image moves instead.
  move(down, right) {
    const [y, x] = this.place ?? [0.5, 0.5];
    this.place = this.place ? [clamp(y + down, 0, 1), clamp(x + right, 0, 1)] : [y, x];
    this.view.pan(this.place[0] - y - down, this.place[1] - x - right);
  }

  paint(context, width, height, scale) {
    if (!this.place) return;
    const [y, x] = [this.place[0] * height, this.place[1] * width];
    const near = 5 * scale, far = 22 * scale;
    context.beginPath();
    for (const [dy, dx] of [[0, 1], [0, -1], [1, 0], [-1, 0]]) {
      context.moveTo(x + near * dx, y + near * dy);
      context.lineTo(x + far * dx, y + far * dy);
    }
    outline(context, scale);
  }
}
