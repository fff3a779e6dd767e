// The readings of a map as points in space that turn, with a skeleton among them. It is drawn when something changes,
// by a depth buffer of its own: a 3D engine repaints for ever and wants every point as text.

import { fit, paintSoon } from "hand-page/screen.js";
import { colourOf } from "hand-page/skeleton.js";

const GROUND = 0xff1c1715; // #15171c, the bytes of a pixel in their order in memory
const DOT = 1; // half the side of a point's square, in device pixels

export class PointView {
  constructor(canvas) {
    this.canvas = canvas;
    this.reset();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.from = [event.clientX, event.clientY, this.yaw, this.pitch];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.from) return;
      this.yaw = this.from[2] + (event.clientX - this.from[0]) * 0.01;
      this.pitch = Math.max(-1.6, Math.min(1.6, this.from[3] + (event.clientY - this.from[1]) * 0.01));
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { this.from = null; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom = Math.max(0.5, Math.min(6, this.zoom * Math.exp(-event.deltaY * 0.0012)));
      this.draw();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => { this.reset(); this.yaw = this.pitch = 0; this.draw(); });
  }

  reset() {
    this.yaw = -0.9;
    this.pitch = 0.35;
    this.zoom = 1;
  }

  show(scene) {
    this.scene = scene;
    this.draw();
  }

  draw() { paintSoon(this); }

  paint() {
    const { context, width, height, ratio } = fit(this.canvas), { scene } = this;
    const image = new ImageData(width, height);
    new Uint32Array(image.data.buffer).fill(GROUND);
    if (!scene) { context.putImageData(image, 0, 0); return; }
    const to = this.projection(scene, width, height);
    const buffer = new Float32Array(width * height).fill(Infinity), table = scene.look.tables[scene.look.colours];
    const { image: map, camera, unit } = scene, [fx, fy, cx, cy] = camera, [near, far] = map.window(scene.look);
    for (let v = 0; v < map.size; v++)
      for (let u = 0; u < map.size; u++) {
        const depth = map.raw[v * map.size + u];
        if (!depth) continue;
        const z = depth * unit, [x, y, away] = to(((u - cx) / fx) * z, ((v - cy) / fy) * z, z);
        const entry = 3 * (255 - Math.max(0, Math.min(255, Math.round((255 * (depth - near)) / (far - near)))));
        this.point(image.data, buffer, width, height, Math.round(x), Math.round(y), away, table, entry);
      }
    context.putImageData(image, 0, 0);
    if (scene.joints && scene.lines) this.bones(context, scene, to, ratio);
  }

  point(out, buffer, width, height, x, y, away, table, entry) {
    for (let j = Math.max(0, y - DOT); j <= Math.min(height - 1, y + DOT); j++)
      for (let i = Math.max(0, x - DOT); i <= Math.min(width - 1, x + DOT); i++) {
        const at = j * width + i;
        if (away >= buffer[at]) continue;
        buffer[at] = away;
        out[4 * at] = table[entry] * 0.75; out[4 * at + 1] = table[entry + 1] * 0.75; out[4 * at + 2] = table[entry + 2] * 0.75;
      }
  }

  // Return the function from camera coordinates in mm to [x, y, distance] on the canvas.
  projection(scene, width, height) {
    const [mx, my, mz] = scene.centre, scale = (this.zoom * 0.72 * Math.min(width, height)) / scene.cube;
    const [cosY, sinY, cosP, sinP] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return (x, y, z) => {
      const a = x - mx, b = y - my, c = z - mz;
      const right = cosY * a + sinY * c, back = -sinY * a + cosY * c;
      return [width / 2 + scale * right, height / 2 + scale * (cosP * b + sinP * back), -sinP * b + cosP * back];
    };
  }

  bones(context, scene, to, ratio) {
    const { setup, joints } = scene, places = joints.map((at) => at && to(...at));
    context.lineCap = "round";
    setup.parents.forEach((parent, joint) => {
      if (parent < 0 || !places[parent] || !places[joint]) return;
      for (const [width, colour] of [[5, "#000000"], [2.5, colourOf(setup, joint)]]) {
        context.beginPath();
        context.lineWidth = width * ratio;
        context.strokeStyle = colour;
        context.moveTo(places[parent][0], places[parent][1]);
        context.lineTo(places[joint][0], places[joint][1]);
        context.stroke();
      }
    });
  }
}
