// What lies over the picture: the mask that is worked on, the finished objects, and the clicks.

const POSITIVE = [0, 158, 115]; // bluish green, as in chainer_seg.visualization.colors
const NEGATIVE = [213, 94, 0]; // vermilion
const RADIUS = 8; // of a drawn click, in pixels of the screen
const CURRENT = 256; // stands for the current object where finished ones have numbers up to 255

// The grey values of a bitmap, as the view shows it on a canvas of that size.
function greys(bitmap, view, width, height, smooth) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = smooth;
  drawThrough(context, bitmap, view, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function drawThrough(context, bitmap, view, width, height) {
  context.drawImage(
    bitmap, view.left * width, view.top * height, view.zoom * width, view.zoom * height);
}

// Which object each pixel of the canvas belongs to: 0 for none. The probability is scaled before
// it is compared, so that outlines stay smooth however far one zooms in.
function owners({ probability, objects }, threshold, view, width, height) {
  const owner = new Uint16Array(width * height);
  if (objects) {
    const numbers = greys(objects, view, width, height, false);
    for (let i = 0; i < owner.length; i++) owner[i] = numbers[4 * i];
  }
  if (probability) {
    const values = greys(probability, view, width, height, true);
    for (let i = 0; i < owner.length; i++) if (values[4 * i] > 255 * threshold) owner[i] = CURRENT;
  }
  return owner;
}

// Masks as a canvas: see-through colour inside; along the edge opaque, and white for the current.
function makeOverlay(owner, colors, opacity, width, height, rim) {
  const picture = new ImageData(width, height);
  const pixels = picture.data;
  const alpha = Math.round(255 * opacity);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const mine = owner[i];
      if (mine === 0) continue;
      const edge = (x >= rim && owner[i - rim] !== mine) ||
        (x < width - rim && owner[i + rim] !== mine) ||
        (y >= rim && owner[i - rim * width] !== mine) ||
        (y < height - rim && owner[i + rim * width] !== mine);
      const color = mine !== CURRENT ? colors[mine - 1] : edge ? [255, 255, 255] : POSITIVE;
      if (!color) continue;
      pixels[4 * i] = color[0];
      pixels[4 * i + 1] = color[1];
      pixels[4 * i + 2] = color[2];
      pixels[4 * i + 3] = edge ? 255 : alpha;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function drawClick(context, y, x, positive, waits, scale) {
  const radius = RADIUS * scale;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = `rgba(${positive ? POSITIVE : NEGATIVE}, ${waits ? 0.6 : 1})`;
  context.fill();
  context.lineWidth = 1.5 * scale;
  context.strokeStyle = "white";
  context.stroke();
  context.beginPath();
  context.moveTo(x - radius / 2, y);
  context.lineTo(x + radius / 2, y);
  if (positive) {
    context.moveTo(x, y - radius / 2);
    context.lineTo(x, y + radius / 2);
  }
  context.lineWidth = 2 * scale;
  context.stroke();
}
