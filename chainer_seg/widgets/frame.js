// The elements of an ImageCanvas: the canvas itself, badges, buttons and the help over it.

const BUTTONS = [
  ["zoomOut", "−", "Zoom out (-)"],
  ["zoomIn", "+", "Zoom in (+)"],
  ["fit", "Fit", "Fit the image to the view (0)"],
  ["help", "?", "Mouse and keyboard help (H)"],
];

function make(tag, name, parent, text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  parent.append(element);
  return element;
}

// Adds the elements to el; buttons call act(action), and the help lists these actions.
function makeFrame(el, act, actions) {
  const frame = make("div", "chainer-seg-canvas", el);
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Image to annotate: click, or move the crosshair with the arrow keys and " +
    "press Enter, to add to the object; X switches to removing; press H for help");
  const canvas = make("canvas", "", frame);
  make("div", "chainer-seg-bar", frame);
  const busy = make("div", "chainer-seg-badge chainer-seg-busy", frame);
  make("div", "chainer-seg-badge chainer-seg-sign", frame, "− removing");
  const tools = make("div", "chainer-seg-tools", frame);
  for (const [action, text, title] of BUTTONS) {
    const button = make("button", `chainer-seg-${action}`, tools, text);
    button.type = "button";
    button.title = title;
    button.addEventListener("click", () => {
      frame.focus({ preventScroll: true });
      act(action);
    });
  }
  const help = makeHelp(actions);
  help.addEventListener("click", () => act("help"));
  frame.append(help);
  return { frame, canvas, busy, help };
}
