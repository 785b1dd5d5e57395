// What every widget needs in a notebook: its keys stay with it, and screen readers can name its parts.

const WIDGET = ".chainer-seg-widget";
const HEADER = ".jupyter-widget-Collapse-header";
const NAMELESS = "input, select, textarea, img, .noUi-handle";

// JupyterLab runs no shortcut for a key pressed in an element with this attribute. It must be the element
// itself: shortcuts of the focused element are found before those of the elements around it.
const SUPPRESS = "data-lm-suppress-shortcuts";

// Keys that belong to the notebook also while a widget has the focus: Ctrl+S, Shift+Enter, Escape, Tab.
function isForNotebook(event) {
  return event.ctrlKey || event.metaKey || event.altKey || ["Escape", "Tab"].includes(event.key) ||
    (event.shiftKey && event.key === "Enter");
}

// ipywidgets writes the title "null" where there is none.
const TITLED = "[title]:not([title=''], [title='null'])";

function nameOf(element) {
  const widget = element.closest(".jupyter-widgets");
  return element.placeholder || widget?.querySelector(".widget-label, label")?.textContent.trim() ||
    element.closest(TITLED)?.title || widget?.querySelector(TITLED)?.title;
}

// A label that is empty or hidden names nothing.
function isLabelled(element) {
  return [...element.labels ?? []].some((label) => label.offsetParent && label.textContent.trim());
}

// Headers of an accordion are plain elements, which Tab and screen readers pass over.
function openByKeys(header) {
  header.tabIndex = 0;
  header.setAttribute("role", "button");
  header.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    header.click();
  });
}

function nameParts(root) {
  root.querySelectorAll(`${HEADER}:not([role])`).forEach(openByKeys);
  for (const element of root.querySelectorAll(NAMELESS)) {
    if (element.hasAttribute("aria-label") || isLabelled(element)) continue;
    if (element instanceof HTMLImageElement) element.alt ||= nameOf(element) || "Image";
    else if (nameOf(element)) element.setAttribute("aria-label", nameOf(element));
  }
  for (const line of root.querySelectorAll(".chainer-seg-status:not([aria-live])")) {
    line.setAttribute("role", "status");
    line.setAttribute("aria-live", "polite");
  }
}

// Guards the widget around an element; returns a function that ends it.
function guardCell(el) {
  const guard = (event) => {
    const path = event.composedPath();
    if (!path.includes(el.closest(WIDGET))) return;
    // An element may own keys that are else the notebook's.
    const isOwned = path.some((each) => each.ownsKey?.(event));
    path[0].toggleAttribute(SUPPRESS, isOwned || !isForNotebook(event));
  };
  window.addEventListener("keydown", guard, true);
  const observer = new MutationObserver(([{ target }]) => nameParts(target.closest(WIDGET)));
  // The element is attached to its widget after it has been rendered.
  const begin = requestAnimationFrame(function attach() {
    const root = el.closest(WIDGET);
    if (!root) return requestAnimationFrame(attach);
    nameParts(root);
    return observer.observe(root, { childList: true, subtree: true });
  });
  return () => {
    cancelAnimationFrame(begin);
    observer.disconnect();
    window.removeEventListener("keydown", guard, true);
  };
}
