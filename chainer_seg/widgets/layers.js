// The layers over the image: the current mask, the finished objects, and the clicks.

const POSITIVE = [0, 158, 115]; // bluish green, as in chainer_seg.colors
const NEGATIVE = [213, 94, 0]; // vermilion
const RADIUS = 8; // of a click marker, in screen pixels
const CURRENT = 256; // number of the current object; finished objects have numbers up to 255

// The pixels (RGBA) of a grey bitmap as the view shows it on a canvas of the given size.
function greys(bitmap, view, width, height, smooth) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = smooth;
  drawInView(context, bitmap, view, width, height);
  return context.getImageData(0, 0, width, height).data;
}

// The number of the object that each canvas pixel belongs to, 0 for none. The probability is resized
// before it is thresholded, so that outlines stay smooth at any zoom.
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

// Masks as a canvas: translucent inside, with an opaque edge, which is white for the current object.
function makeOverlay(owner, colors, opacity, width, height, rim) {
  const image = new ImageData(width, height);
  const pixels = image.data;
  const alpha = Math.round(255 * opacity);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const number = owner[i];
      if (number === 0) continue;
      const edge = (x >= rim && owner[i - rim] !== number) ||
        (x < width - rim && owner[i + rim] !== number) ||
        (y >= rim && owner[i - rim * width] !== number) ||
        (y < height - rim && owner[i + rim * width] !== number);
      const color = number !== CURRENT ? colors[number - 1] : edge ? [255, 255, 255] : POSITIVE;
      if (!color) continue;
      pixels[4 * i] = color[0];
      pixels[4 * i + 1] = color[1];
      pixels[4 * i + 2] = color[2];
      pixels[4 * i + 3] = edge ? 255 : alpha;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function drawClick(context, y, x, positive, isPending, scale) {
  const radius = RADIUS * scale;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = `rgba(${positive ? POSITIVE : NEGATIVE}, ${isPending ? 0.6 : 1})`;
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
