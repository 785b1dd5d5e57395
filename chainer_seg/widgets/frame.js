// The elements of an ImageCanvas: the canvas itself, a bar of badges and buttons below it, and the help over it.

const BUTTONS = [...ZOOM_BUTTONS, ["help", "?", "Mouse and keyboard help (H)"]];

// Adds the elements to el; buttons call act(action), and the help lists these actions.
function makeFrame(el, act, actions) {
  const frame = make("div", "chainer-seg-canvas", el);
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Image to annotate: click, or move the crosshair with the arrow keys and " +
    "press Enter, to add to the object; X switches to removing; press H for help");
  const canvas = make("canvas", "", frame);
  make("div", "chainer-seg-bar", frame);
  const tools = addTools(frame, BUTTONS, (action) => {
    frame.focus({ preventScroll: true });
    act(action);
  });
  const badges = document.createElement("div");
  badges.className = "chainer-seg-badges";
  tools.prepend(badges);
  make("span", "chainer-seg-badge chainer-seg-sign", badges, "− removing");
  const busy = make("span", "chainer-seg-badge chainer-seg-busy", badges);
  const help = makeHelp(actions);
  help.addEventListener("click", () => act("help"));
  frame.append(help);
  return { frame, canvas, busy, help };
}
