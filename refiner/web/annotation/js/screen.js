// A canvas as large as its box, in the pixels of the screen, and painted once a picture.

export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { context: canvas.getContext("2d"), width, height, ratio };
}

// Call the view's `paint` with the next picture of the screen, however often it is asked for until then.
export function paintSoon(view) {
  if (view.waiting) return;
  view.waiting = true;
  requestAnimationFrame(() => { view.waiting = false; view.paint(); });
}
