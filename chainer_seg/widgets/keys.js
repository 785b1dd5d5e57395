// The keyboard: what each key does, how it is told to the user, and peace with the notebook's keys.

// [action, keys, what the help says]. "ctrl" stands for the command key, too.
const KEYS = [
  ["undo", ["z", "ctrl+z"], "take the last click back"],
  ["redo", ["y", "ctrl+y", "ctrl+shift+z"], "set the click again"],
  ["reset", ["r"], "forget the clicks on this object"],
  ["finish", ["n"], "keep this object, begin the next one"],
  ["sign", ["x"], "let clicks add or remove"],
  ["hide", ["v"], "hide or show the masks"],
  ["previous", [","], "picture before"],
  ["next", ["."], "next picture"],
  ["zoomIn", ["+", "="], "zoom in"],
  ["zoomOut", ["-"], "zoom out"],
  ["fit", ["0"], "whole picture"],
  ["help", ["?", "h"], "show or hide this help"],
];

const MOUSE = [
  [["click", "tap"], "this belongs to the object"],
  [["right click", "Shift+click"], "this does not"],
  [["wheel", "pinch"], "zoom (click first, or hold Ctrl)"],
  [["drag", "arrow keys", "middle button"], "move a picture that is zoomed in"],
];

const PANS = { arrowup: [1, 0], arrowdown: [-1, 0], arrowleft: [0, 1], arrowright: [0, -1] };

function keyName(event) {
  const control = event.ctrlKey || event.metaKey;
  return (control ? "ctrl+" : "") + (control && event.shiftKey ? "shift+" : "") +
    event.key.toLowerCase();
}

function actionOf(event) {
  if (event.altKey) return null;
  const name = keyName(event);
  const found = KEYS.find(([, keys]) => keys.includes(name));
  return found ? found[0] : name in PANS ? "pan" : name === " " ? "grab" : null;
}

// Keeps the notebook from taking keys that were meant for the picture: JupyterLab looks for this
// attribute before it runs a shortcut. Shortcuts such as Ctrl+S and Shift+Enter still reach it.
function guardKeys(frame) {
  const guard = (event) => {
    if (!event.composedPath().includes(frame)) return;
    const letter = event.key.length === 1 && !(event.ctrlKey || event.metaKey || event.altKey);
    frame.toggleAttribute("data-lm-suppress-shortcuts", letter || actionOf(event) !== null);
  };
  window.addEventListener("keydown", guard, true);
  return () => window.removeEventListener("keydown", guard, true);
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
