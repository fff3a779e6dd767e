// Where the crop lies on the canvas: a point (u, v) is drawn at (x + scale u, y + scale v) in CSS pixels.

const LEAST = 0.5, MOST = 80;

export class View {
  constructor(size) {
    this.size = size;
    this.scale = 1;
    this.x = this.y = 0;
    this.own = false; // whether the person chose it
  }

  // Show the whole crop; pixel centres are at integers, so it spans -0.5 to size - 0.5.
  fit(width, height) {
    this.scale = Math.min(width, height) / this.size;
    this.x = (width - this.scale * (this.size - 1)) / 2;
    this.y = (height - this.scale * (this.size - 1)) / 2;
    this.own = false;
  }

  to = (u, v) => [this.x + this.scale * u, this.y + this.scale * v];

  from(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  // Zoom so that what is under (x, y) stays there.
  zoom(factor, x, y) {
    const [u, v] = this.from(x, y);
    this.scale = Math.max(LEAST, Math.min(MOST, this.scale * factor));
    this.x = x - this.scale * u;
    this.y = y - this.scale * v;
    this.own = true;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.own = true;
  }

  text() {
    return JSON.stringify({ scale: this.scale, x: this.x, y: this.y });
  }
}
