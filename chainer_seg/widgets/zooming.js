// Zooming by buttons and keys, which all canvases share; gestures.js adds the wheel and pinching.

const ZOOM_STEP = 1.5;
// [action, text, help text]
const ZOOM_BUTTONS = [
  ["zoomOut", "−", "Zoom out (-)"],
  ["zoomIn", "+", "Zoom in (+)"],
  ["fit", "Fit", "Fit the image to the view (0)"],
];

function zoomActions(view) {
  return {
    zoomIn: () => view.zoomBy(ZOOM_STEP),
    zoomOut: () => view.zoomBy(1 / ZOOM_STEP),
    fit: () => view.fit(),
  };
}

function make(tag, name, parent, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

// Adds a bar with buttons that call act(action).
function addTools(parent, buttons, act) {
  const tools = make("div", "chainer-seg-tools", parent);
  for (const [action, text, title] of buttons) {
    const button = make("button", `chainer-seg-${action}`, tools, text);
    button.type = "button";
    button.title = title;
    button.addEventListener("click", () => act(action));
  }
  return tools;
}

// Above this, single pixels of the image are seen as squares.
function isSmooth(view, width, image) {
  return (view.zoom * width) / image.width < 4;
}

function drawInView(context, bitmap, view, width, height) {
  context.drawImage(
    bitmap, view.left * width, view.top * height, view.zoom * width, view.zoom * height);
}
