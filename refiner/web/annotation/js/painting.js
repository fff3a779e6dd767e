// How the map, its joints and what is beside them are drawn, once for each frame of the screen at most.

import { places } from "hand-page/hand_drawing.js";
import { fit } from "hand-page/screen.js";
import { colourOf, drawDoubt, drawLabels, drawPose, drawPull } from "hand-page/skeleton.js";

export const painting = {
  style() {
    return { tables: this.colours, colours: this.look.colours, relief: this.look.relief, level: this.level, width: this.width };
  },

  pixel(about) {
    return about.cube_mm / this.setup.size / this.setup.unit_mm;
  },

  colour(joint) { return colourOf(this.setup, joint); },

  keyOf(action) {
    const found = this.actions.find((one) => one.action === action);
    return found && found.keys.length ? found.keys[0] : "";
  },

  drawHand() {
    const at = places(this.setup), bones = [];
    this.setup.parents.forEach((parent, k) => {
      if (parent >= 0) bones.push({ x1: at[parent][0], y1: at[parent][1], x2: at[k][0], y2: at[k][1], stroke: colourOf(this.setup, k) });
    });
    return { places: at, bones };
  },

  jointClass(joint) {
    const { flags, next, selected } = this; // not "hidden": that word hides things in Quasar's styles
    return { joint: true, upcoming: joint === next, chosen: joint === selected, behind: flags[joint] === 1, unplaced: !flags[joint] };
  },

  redrawAll() {
    this.redraw();
    this.showPoints();
    this.thumbs.forEach((thumb, k) => this.drawThumb(k, thumb.frame));
  },

  redraw() {
    if (this.drawing_soon) return;
    this.drawing_soon = true;
    requestAnimationFrame(() => { this.drawing_soon = false; this.paint(); });
  },

  paint() {
    const { canvas } = this.$refs;
    if (!canvas) return;
    const { context, ratio } = fit(canvas), width = canvas.clientWidth, height = canvas.clientHeight, { view } = this;
    if (!view.own) view.fit(width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#15171c";
    context.fillRect(0, 0, width, height);
    if (this.image) {
      const side = view.scale * this.setup.size, [x, y] = view.to(-0.5, -0.5);
      context.imageSmoothingEnabled = false;
      context.drawImage(this.image.paint(this.style(), this.pixel(this.about)), x, y, side, side);
      this.paintJoints(context);
    }
    this.describe(canvas);
  },

  paintJoints(context) {
    const { view, about, setup } = this, { labels } = about, { to } = view;
    if (this.lines && !this.given && about.solved) {
      drawPose(context, setup, about.solved.uv, to, 2, 0.85);
      const doubted = about.doubt ? setup.joints.indexOf(about.doubt.joint) : -1;
      if (doubted >= 0) drawDoubt(context, to(...about.solved.uv[doubted]));
    }
    const wrong = new Set(this.bones.filter((bone) => bone.impossible).map((bone) => bone.joint));
    const astray = new Set(this.lifted ? this.lifted.astray : []);
    if (this.lines || this.drag) drawLabels(context, setup, labels, to, { lines: this.lines, selected: this.selected, impossible: wrong, astray });
    if (this.lines && this.lifted && this.lifted.uv)
      for (const joint of this.lifted.missed)
        if (labels.uv[joint]) drawPull(context, to(...labels.uv[joint]), to(...this.lifted.uv[joint]));
  },

  // What tests and scripts read.
  describe(canvas) {
    const joints = {};
    if (this.about) this.about.labels.flag.forEach((flag, k) => { if (flag) joints[this.setup.joints[k]] = [...this.about.labels.uv[k], flag]; });
    const said = { frame: this.frame, nextJoint: this.next >= 0 ? this.setup.joints[this.next] : "", joints: JSON.stringify(joints), view: this.view.text() };
    if (!("saved" in canvas.dataset)) said.saved = this.setup.saved;
    for (const [name, value] of Object.entries(said)) if (canvas.dataset[name] !== String(value)) canvas.dataset[name] = value;
  },

  showPoints() {
    if (!this.image) return;
    const { about } = this, solved = about.solved && !this.given ? about.solved.joints_mm : null;
    // Of a lift only the joints that have a place: where the others are nobody has said.
    const lifted = this.lifted && this.lifted.joints_mm ? this.lifted.joints_mm.map((at, k) => (this.flags[k] ? at : null)) : null;
    const joints = lifted || solved;
    this.spaceTitle = `${joints ? (solved ? "as solved · " : "as lifted · ") : ""}drag to turn, double click: from the front`;
    this.points.show({ setup: this.setup, image: this.image, camera: about.camera, centre: about.centre_mm, cube: about.cube_mm,
      unit: this.setup.unit_mm, look: this.style(), joints, lines: this.lines });
  },
};
