// Decoding and painting of run-length encoded masks.

// A binary trait as a typed array; copied, because the view into a message may be unaligned.
function numbers(data, Type) {
  if (!data || data.byteLength === 0) return new Type(0);
  return new Type(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

// The masks of a widget: the ends of their runs, their boxes in the image that was sent, and their colours.
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
