// A depth map in colours, made in the browser from the stored 16 bits: window, level, colour map and relief cost no
// request. Depths are in the store's units; 0 is no reading.

const NO_READING = [22, 28, 44]; // blue, so that it is no grey of the map
const LIGHT = [0.5, 0.5, 0.7071]; // slopes that face the upper left, and the camera

export class DepthImage {
  constructor(raw, size) {
    this.raw = raw;
    this.size = size;
    this.canvas = new OffscreenCanvas(size, size);
    this.painted = ""; // the look that the canvas has
    this.range = stretch(raw);
  }

  // Return the depth of the middle reading of the 3 x 3 pixels around a place, 0 without one.
  depthAt(u, v) {
    const found = [];
    for (let y = Math.round(v) - 1; y <= Math.round(v) + 1; y++)
      for (let x = Math.round(u) - 1; x <= Math.round(u) + 1; x++)
        if (x >= 0 && y >= 0 && x < this.size && y < this.size && this.raw[y * this.size + x])
          found.push(this.raw[y * this.size + x]);
    return found.length ? found.sort((a, b) => a - b)[found.length >> 1] : 0;
  }

  // Return the window that is drawn: the hand's own, moved and widened as the person wants all frames.
  window(look) {
    const [near, far] = this.range;
    const middle = (near + far) / 2 + look.level * (far - near), half = ((far - near) / 2) * look.width;
    return [middle - half, middle + half];
  }

  paint(look, pixel) {
    const name = `${look.colours} ${look.relief} ${look.level} ${look.width}`;
    if (name === this.painted) return this.canvas;
    this.painted = name;
    const { size, raw } = this, table = look.tables[look.colours], [near, far] = this.window(look);
    const image = new ImageData(size, size), out = image.data, scale = 255 / Math.max(far - near, 1e-6);
    for (let at = 0; at < raw.length; at++) {
      const to = 4 * at, depth = raw[at];
      out[to + 3] = 255;
      if (!depth) {
        out[to] = NO_READING[0]; out[to + 1] = NO_READING[1]; out[to + 2] = NO_READING[2];
        continue;
      }
      const entry = 3 * (255 - Math.max(0, Math.min(255, Math.round((depth - near) * scale))));
      const bright = look.relief ? shade(raw, at, size, pixel) : 1;
      out[to] = table[entry] * bright; out[to + 1] = table[entry + 1] * bright; out[to + 2] = table[entry + 2] * bright;
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    return this.canvas;
  }
}

// Return the range of the readings without the outermost hundredth at each end: a flying pixel must not flatten a hand.
function stretch(raw) {
  const readings = raw.filter((depth) => depth > 0).sort();
  if (!readings.length) return [0, 1];
  const near = readings[Math.floor(0.01 * (readings.length - 1))], far = readings[Math.ceil(0.99 * (readings.length - 1))];
  const margin = Math.max(0.05 * (far - near), 1);
  return [near - margin, far + margin];
}

// Return the brightness of a surface that is lit from the upper left; `pixel` is the side of a pixel in depth units.
function shade(raw, at, size, pixel) {
  const x = at % size, here = raw[at];
  const reading = (to) => (raw[to] ? raw[to] : here);
  // Over two pixels each way, since noise differs from pixel to pixel; an edge between two surfaces has no slope.
  const slope = (step, before, after) => {
    const back = Math.min(2, before), on = Math.min(2, after);
    return Math.max(-2, Math.min(2, (reading(at + on * step) - reading(at - back * step)) / (Math.max(1, back + on) * pixel)));
  };
  const dx = slope(1, x, size - 1 - x), y = (at - x) / size, dy = slope(size, y, size - 1 - y);
  const lit = (LIGHT[0] * dx + LIGHT[1] * dy + LIGHT[2]) / Math.hypot(dx, dy, 1);
  return 0.3 + 0.8 * Math.max(0, lit);
}
