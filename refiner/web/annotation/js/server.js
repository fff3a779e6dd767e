// What the page asks the server beside edits: undo, where to go on, what is right, and the joints in space.

import { Refusal, ask } from "hand-page/frames.js";

const LIFT_EVERY_MS = 80;

export const server = {
  async step(way) {
    try {
      await this.settled();
      const answer = await ask(`/${way}`, { who: this.who });
      if (answer.frame === null) { this.say(`There is nothing of ${this.who} to ${way}.`); return; }
      this.$refs.canvas.dataset.saved = answer.saved;
      this.$emit("saved", answer.saved);
      this.frames.outdated();
      this.startOver = true; // kept here: news of this very change may overtake what is loaded now
      await this.load(answer.frame, { keep: true });
      this.say(`${answer.note}, ${answer.frames > 1 ? `${answer.frames} frames` : `frame ${answer.frame}`}`);
    } catch (error) { this.say(this.explain(error)); }
  },

  // Wait until every change is committed: what is undone must be the newest.
  async settled() {
    for (let tries = 0; this.unsaved && tries < 100; tries++) await new Promise((done) => setTimeout(done, 20));
    if (this.unsaved) throw new Refusal("Changes are not saved yet. Try again when the server is back.");
  },

  async next_of(kind, nothing) {
    try {
      const { frame } = await ask(`/next/${kind}?frame=${this.frame}`);
      frame === null ? this.say(nothing) : await this.go(frame);
      return frame !== null;
    } catch (error) { this.say(this.explain(error)); return false; }
  },

  async done() {
    try {
      if (!this.given) {
        await ask("/checks", { frame: this.frame, right: true, who: this.who, seen: this.about.solved ? this.about.solved.name : null });
        this.frames.outdated();
        this.$emit("saved", 0);
        const here = this.frame, undo = `${this.keyOf("undo")} takes it back.`;
        if (await this.next_of("doubt", `Found right. No other frame is in doubt. ${undo}`)) this.say(`Frame ${here} is found right. ${undo}`);
        else this.load(this.frame, { keep: true });
        return;
      }
      await this.settled();
      const here = this.frame, { given } = this, joints = this.setup.joints.length;
      const gone = await this.next_of("work", "All chosen frames are labelled, and no frame is in doubt. Solve, or go to any frame.");
      if (gone && given < joints) this.say(`Frame ${here} has ${given} of ${joints} joints.`, [{ name: "go back", act: () => this.go(here) }]);
    } catch (error) { this.say(this.explain(error)); }
  },

  async unchecked() {
    try {
      await ask("/checks", { frame: this.frame, right: false, who: this.who });
      this.$emit("saved", 0);
      await this.refresh();
    } catch (error) { this.say(this.explain(error)); }
  },

  // Lift what is clicked, at most one request at a time; the newest labels win.
  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.lift(), this.drag ? LIFT_EVERY_MS : 0);
  },

  async lift() {
    if (this.lifting) { this.again = true; return; }
    if (!this.about || !this.given) { this.lifted = null; this.bones = []; this.pulls = []; this.showPoints(); this.redraw(); return; }
    this.lifting = true;
    const { frame } = this, labels = this.about.labels;
    try {
      const lifted = await ask("/lift", { frame, labels });
      if (frame === this.frame && this.given) {
        this.lifted = lifted;
        this.bones = lifted.bones;
        this.pulls = lifted.pulls;
        this.showPoints();
        this.redraw();
      }
    } catch (error) { if (error instanceof Refusal) this.say(error.message); }
    this.lifting = false;
    if (this.again) { this.again = false; this.lift(); }
  },
};
