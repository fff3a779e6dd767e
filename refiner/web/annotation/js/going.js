// Which frame is shown, what is beside it, and how the page comes back to where it was.

import { Refusal } from "hand-page/frames.js";
import { drawLabels, drawPose } from "hand-page/skeleton.js";

export const going = {
  async load(frame, { keep = false, next = -1 } = {}) {
    const wanted = (this.wanted = Symbol(frame));
    let image, about;
    try {
      [image, about] = await Promise.all([this.frames.image(frame), this.frames.about(frame, true)]);
    } catch (error) {
      if (wanted === this.wanted) { this.blank(frame); this.say(this.explain(error)); }
      return;
    }
    if (wanted !== this.wanted) return; // the person has gone on
    const other = this.frame !== frame || !this.image, shown = this.next;
    Object.assign(this, { frame, image, about });
    if (other) {
      Object.assign(this, { selected: -1, lifted: null, bones: [], pulls: [] });
      if (this.message && !this.message.stays) this.message = null;
    }
    const again = other || this.startOver; // begin with the first joint that has no place
    if (again) this.next = -1;
    this.startOver = false;
    this.labelsChanged();
    if (next >= 0 && !this.about.labels.flag[next]) this.next = next;
    else if (keep && !again && shown >= 0 && !this.about.labels.flag[shown]) this.next = shown;
    this.remember();
    this.showPoints();
    this.redraw();
    this.$emit("moved", { frame, labelled: this.given > 0 });
    this.showNeighbours();
    this.lift();
  },

  blank(frame) {
    Object.assign(this, { frame, image: null, about: null, next: -1, selected: -1, given: 0, badges: [] });
    this.remember();
    this.redraw();
    this.$emit("moved", { frame, labelled: false });
  },

  explain(error) {
    return error instanceof Refusal ? error.message : "The server does not answer. What you did is kept; this page goes on when it is back.";
  },

  async go(frame, joint = "") {
    if (frame === null || frame < 0 || frame >= this.setup.frames) return;
    await this.load(frame);
    const named = this.setup.joints.indexOf(joint);
    if (named >= 0 && this.flags[named]) this.choose(named);
  },

  async showNeighbours() {
    const { before, after, reference } = this.about.beside, { about } = this;
    const titles = [`before: ${before ?? "none"}`, `after: ${after ?? "none"}`, `most like it: ${reference ?? "none"}`];
    this.thumbs = [before, after, reference].map((frame, k) => ({ frame, title: titles[k] }));
    for (const [k, thumb] of this.thumbs.entries()) this.drawThumb(k, thumb.frame);
    const previous = before === null ? null : await this.frames.about(before).catch(() => null);
    if (about === this.about) this.canCopy = Boolean(previous && (previous.solved || previous.labels.flag.some((flag) => flag)));
    for (const step of [1, -1, 2]) {
      const frame = this.frame + step; // what is likely to be wanted next
      if (frame >= 0 && frame < this.setup.frames) this.frames.image(frame).catch(() => {});
    }
  },

  async drawThumb(k, frame) {
    const found = this.$refs[`thumb${k}`], canvas = Array.isArray(found) ? found[0] : found;
    if (!canvas) return;
    const context = canvas.getContext("2d"), scale = canvas.width / this.setup.size;
    if (frame === null) { context.fillStyle = "#23262d"; context.fillRect(0, 0, canvas.width, canvas.height); return; }
    try {
      const [image, about] = await Promise.all([this.frames.image(frame), this.frames.about(frame)]);
      if (this.thumbs[k].frame !== frame) return;
      context.imageSmoothingEnabled = false;
      context.drawImage(image.paint(this.style(), this.pixel(about)), 0, 0, canvas.width, canvas.height);
      if (!this.lines) return;
      const to = (u, v) => [(u + 0.5) * scale, (v + 0.5) * scale];
      if (about.labels.flag.some((flag) => flag)) drawLabels(context, this.setup, about.labels, to, { lines: true, small: true });
      else if (about.solved) drawPose(context, this.setup, about.solved.uv, to, 1.2, 0.9);
    } catch { /* the frame says itself what is wrong with it where it is opened */ }
  },

  // Somebody else, or a solve, has changed the session.
  async refresh() {
    this.frames.outdated();
    await this.load(this.frame, { keep: true });
  },

  remember() {
    const asked = new URLSearchParams(location.search);
    asked.set("frame", this.frame);
    this.next >= 0 ? asked.set("joint", this.setup.joints[this.next]) : asked.delete("joint");
    const { scale, x, y, own } = this.view;
    own ? asked.set("view", [scale, x, y].map((value) => value.toFixed(2)).join(",")) : asked.delete("view");
    history.replaceState(history.state, "", `?${asked}`);
  },
};
