// The keyboard: shortcuts, their help texts, and coexistence with the notebook's own shortcuts.

// [action, keys, help text]. "ctrl" also stands for the Command key.
const KEYS = [
  ["undo", ["z", "ctrl+z"], "undo the last click"],
  ["redo", ["y", "ctrl+y", "ctrl+shift+z"], "redo"],
  ["reset", ["r"], "clear the clicks on this object"],
  ["finish", ["n"], "finish this object and start the next one"],
  ["sign", ["x"], "switch between adding and removing"],
  ["click", ["c"], "clicks"],
  ["box", ["b"], "box: drag it around the object"],
  ["brush", ["p"], "brush: paint parts of the object, or erase them while removing"],
  ["thinner", ["["], "smaller brush"],
  ["thicker", ["]"], "larger brush"],
  ["hide", ["v"], "hide or show the masks"],
  ["previous", [","], "previous image"],
  ["next", ["."], "next image"],
  ["zoomIn", ["+", "="], "zoom in"],
  ["zoomOut", ["-"], "zoom out"],
  ["fit", ["0"], "fit the image to the view"],
  ["help", ["?", "h"], "show or hide this help"],
];

const MOUSE = [
  [["click", "tap"], "add to the object"],
  [["right click", "Shift+click"], "remove from the object"],
  [["wheel", "pinch"], "zoom (click the image first, or hold Ctrl)"],
  [["drag", "middle button", "Space+drag"], "pan when zoomed in"],
  [["arrow keys", "Shift+arrow keys"], "move the crosshair, far or near"],
  [["Enter"], "click, begin or end a box, or dab with the brush at the crosshair"],
];

// [down, right]
const STEPS = { arrowup: [-1, 0], arrowdown: [1, 0], arrowleft: [0, -1], arrowright: [0, 1] };

function keyName(event) {
  const control = event.ctrlKey || event.metaKey;
  return (control ? "ctrl+" : "") + (control && event.shiftKey ? "shift+" : "") +
    event.key.toLowerCase();
}

function actionOf(event) {
  if (event.altKey) return null;
  const name = keyName(event);
  const found = KEYS.find(([, keys]) => keys.includes(name));
  if (found) return found[0];
  if (name === "enter") return event.shiftKey ? null : "press"; // Shift+Enter runs the cell
  return name in STEPS ? "step" : name === " " ? "grab" : null;
}

function makeHelp(actions) {
  const help = document.createElement("div");
  help.className = "chainer-seg-guide";
  const table = document.createElement("table");
  const shown = KEYS.filter(([action]) => actions.includes(action))
    .map(([, keys, text]) => [keys.map((key) => key.toUpperCase().replace("CTRL", "Ctrl")
      .replace("SHIFT", "Shift")), text]);
  for (const [keys, text] of [...MOUSE, ...shown]) {
    const row = table.insertRow();
    const cell = row.insertCell();
    keys.forEach((key) => {
      const element = document.createElement("kbd");
      element.textContent = key;
      cell.append(element, " ");
    });
    row.insertCell().textContent = text;
  }
  help.append(table);
  return help;
}
