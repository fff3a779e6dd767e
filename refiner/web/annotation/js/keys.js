// Keys as they are written in /keys.json: "a", "Shift+c", "Ctrl+z", "ArrowLeft", "Space", "?".

const NAMED = { " ": "Space" };

export function nameOf(event) {
  const key = NAMED[event.key] || event.key;
  if (["Control", "Shift", "Alt", "Meta", "Dead", "Process"].includes(key)) return "";
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  const shift = event.shiftKey && (letter || key.length > 1); // the shift of "?" is part of it
  const held = (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + (shift ? "Shift+" : "");
  return held + (letter ? key.toLowerCase() : key);
}

export function tableOf(actions) {
  const table = new Map();
  for (const { action, keys } of actions) for (const key of keys) table.set(key, action);
  return table;
}

// Return whether a key belongs to what has the focus: a field, a dialog, or a button that the keyboard went to.
export function isElsewhere(event) {
  if (document.querySelector(".q-dialog")) return true; // also where it has no focus yet
  const at = event.target;
  if (at.closest("input, textarea, select, [contenteditable=true], .q-menu")) return true;
  const button = at.closest("button, a, [role=button]");
  return Boolean(button && button.matches(":focus-visible") && ["Enter", " "].includes(event.key));
}
