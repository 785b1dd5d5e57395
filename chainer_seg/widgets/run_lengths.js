// Shared by the mask explorers: decoding and painting of run-length encoded masks, layout, and sliders.

// A binary trait as a typed array; copied, because the view into a message may be unaligned.
function numbers(data, Type) {
  if (!data || data.byteLength === 0) return new Type(0);
  return new Type(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

// The masks of a widget: the ends of their runs, their boxes in the displayed image, and their colours.
function readMasks(model) {
  const ends = numbers(model.get("ends_data"), Uint32Array);
  const places = numbers(model.get("places_data"), Uint32Array);
  const colors = numbers(model.get("colors_data"), Uint8Array);
  return Array.from({ length: places.length / 6 }, (_, i) => {
    const [start, length, x, y, width, height] = places.subarray(6 * i, 6 * i + 6);
    return { number: i, ends: ends.subarray(start, start + length), x, y, width, height,
      color: colors.subarray(3 * i, 3 * i + 3) };
  });
}

// Whether the pixel at ``index`` in column-major order belongs to the mask.
function contains(ends, index) {
  let low = 0, high = ends.length; // the number of runs that end at or before index
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle] <= index) low = middle + 1;
    else high = middle;
  }
  return low % 2 === 1;
}

// The mask within its box, row-major, with a border of zeros.
function fill({ ends, x, y, width, height }, rows) {
  const stride = width + 2;
  const inside = new Uint8Array(stride * (height + 2));
  for (let run = 1; run < ends.length; run += 2) {
    for (let index = ends[run - 1]; index < ends[run]; index++) {
      inside[(index % rows - y + 1) * stride + Math.floor(index / rows) - x + 1] = 1;
    }
  }
  return inside;
}

// A canvas of the size of the box with the mask, or only its edge, in ``color``.
function paint(mask, rows, color, edgeOnly) {
  const { width, height } = mask;
  const inside = fill(mask, rows);
  const canvas = new OffscreenCanvas(Math.max(width, 1), Math.max(height, 1));
  const image = new ImageData(canvas.width, canvas.height);
  const stride = width + 2;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = (row + 1) * stride + column + 1;
      if (!inside[at]) continue;
      const within = inside[at - 1] && inside[at + 1] && inside[at - stride] && inside[at + stride];
      if (!edgeOnly || !within) image.data.set([...color, 255], 4 * (row * width + column));
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Adds a canvas, a status line below it, and a container for controls to ``el``.
function addFrame(el, className, label) {
  const frame = document.createElement("div");
  frame.className = className;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.tabIndex = 0;
  const status = document.createElement("div");
  status.className = "chainer-seg-status";
  status.setAttribute("aria-live", "polite");
  const controls = document.createElement("div");
  controls.className = "chainer-seg-controls";
  frame.append(canvas, status, controls);
  el.append(frame);
  return { canvas, status, controls };
}

// Calls step(1 or -1) for the arrow keys, and enter() for Enter, on a focused canvas.
function onKeys(canvas, step, enter = () => {}) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) enter();
    else if (event.key in steps) step(steps[event.key]);
    else return;
    event.preventDefault();
  });
}

// The item after or before ``item``, around the ends; the first or last if item is not there.
function neighbour(items, item, step) {
  const place = items.indexOf(item);
  if (place < 0) return step > 0 ? items[0] : items[items.length - 1];
  return items[(place + step + items.length) % items.length];
}

function addSlider(controls, text, { min, max, step, get, set, show }) {
  const label = document.createElement("label");
  label.textContent = text;
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min, max, step });
  input.setAttribute("aria-label", text);
  const output = document.createElement("output");
  controls.append(label, input, output);
  input.addEventListener("input", () => set(Number(input.value)));
  return () => {
    input.value = get();
    output.textContent = show(get());
  };
}
