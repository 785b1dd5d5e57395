// Draws the image, the mask and the clicks of a ClickSurface, and sends clicks to Python.

const POSITIVE = [0, 158, 115]; // bluish green, as in chainer_seg.visualization.colors
const NEGATIVE = [213, 94, 0]; // vermilion
const RADIUS = 8; // of a drawn click, in pixels of the screen

async function decode(data, type) {
  if (!data || data.byteLength === 0) return null;
  return createImageBitmap(new Blob([data], { type }));
}

// The mask as a canvas: coloured inside, opaque white along its edge.
async function makeMask(data, threshold) {
  const bitmap = await decode(data, "image/png");
  if (!bitmap) return null;
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const picture = context.getImageData(0, 0, width, height);
  const pixels = picture.data;
  const inside = new Uint8Array(width * height);
  for (let i = 0; i < inside.length; i++) inside[i] = pixels[4 * i] > 255 * threshold ? 1 : 0;
  const edge = new ImageData(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      pixels.set(POSITIVE, 4 * i);
      pixels[4 * i + 3] = 255 * inside[i];
      const atEdge = inside[i] && ((x > 0 && !inside[i - 1]) || (x < width - 1 && !inside[i + 1]) ||
        (y > 0 && !inside[i - width]) || (y < height - 1 && !inside[i + width]));
      if (atEdge) edge.data.set([255, 255, 255, 255], 4 * i);
    }
  }
  context.putImageData(picture, 0, 0);
  const rim = new OffscreenCanvas(width, height);
  rim.getContext("2d").putImageData(edge, 0, 0);
  return { area: canvas, rim };
}

function drawClick(context, x, y, positive, pending, scale) {
  const radius = RADIUS * scale;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = `rgba(${positive ? POSITIVE : NEGATIVE}, ${pending ? 0.35 : 1})`;
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

function clamp(value, most) {
  return Math.min(Math.max(value, 0), most);
}

function render({ model, el }) {
  const frame = document.createElement("div");
  frame.className = "chainer-seg-surface";
  const canvas = document.createElement("canvas");
  const [height, width] = model.get("shown_size");
  const density = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.width = `${width}px`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Image to click on: left adds, right removes");
  const busy = document.createElement("div");
  busy.className = "chainer-seg-busy";
  frame.append(canvas, busy);
  el.append(frame);

  let image = null;
  let mask = null;
  let newest = 0; // number of the newest mask asked for; an older one that is ready later is dropped
  let tickets = 0;
  const pending = new Map();

  function draw() {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
    if (mask) {
      context.globalAlpha = model.get("opacity");
      context.drawImage(mask.area, 0, 0, canvas.width, canvas.height);
      context.globalAlpha = 1;
      context.drawImage(mask.rim, 0, 0, canvas.width, canvas.height);
    }
    const [imageHeight, imageWidth] = model.get("image_size");
    const place = ([y, x, positive], waits) => drawClick(
      context, ((x + 0.5) / imageWidth) * canvas.width, ((y + 0.5) / imageHeight) * canvas.height,
      positive, waits, density);
    model.get("clicks").forEach((click) => place(click, false));
    pending.forEach((click) => place(click, true));
    showBusy();
  }

  function showBusy() {
    const waiting = pending.size;
    frame.classList.toggle("is-busy", waiting > 0 || model.get("busy"));
    busy.textContent = waiting > 1 ? `working, ${waiting} clicks to go` : "working";
  }

  async function updateMask() {
    const number = ++newest;
    const made = await makeMask(model.get("probability_data"), model.get("threshold"));
    if (number !== newest) return;
    mask = made;
    draw();
  }

  // Image coordinates have (0, 0) at the centre of the first pixel.
  function toImage(event) {
    const box = canvas.getBoundingClientRect();
    const [imageHeight, imageWidth] = model.get("image_size");
    return [
      clamp(((event.clientY - box.top) / box.height) * imageHeight - 0.5, imageHeight - 1),
      clamp(((event.clientX - box.left) / box.width) * imageWidth - 0.5, imageWidth - 1),
    ];
  }

  function send(event, positive) {
    event.preventDefault();
    event.stopPropagation(); // keeps the notebook's own menu away
    const [y, x] = toImage(event);
    const ticket = `${Date.now()}-${++tickets}-${Math.random()}`;
    pending.set(ticket, [y, x, positive]);
    draw();
    model.send({ kind: "click", y, x, positive, ticket });
  }

  const onClick = (event) => send(event, !(event.shiftKey || model.get("negative")));
  const onMenu = (event) => send(event, false);
  const onMessage = (message) => {
    if (message.kind !== "done") return;
    pending.delete(message.ticket);
    draw();
  };
  canvas.addEventListener("click", onClick);
  canvas.addEventListener("contextmenu", onMenu);
  model.on("msg:custom", onMessage);
  model.on("change:clicks change:opacity", draw);
  model.on("change:busy", showBusy);
  model.on("change:probability_data change:threshold", updateMask);

  decode(model.get("image_data"), "image/jpeg").then((bitmap) => {
    image = bitmap;
    draw();
  });
  updateMask();

  return () => {
    model.off("msg:custom", onMessage);
    model.off("change:clicks change:opacity", draw);
    model.off("change:busy", showBusy);
    model.off("change:probability_data change:threshold", updateMask);
  };
}

export default { render };
