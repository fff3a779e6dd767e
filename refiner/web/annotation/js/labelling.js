// What a person does to the joints of the frame that is shown.

import * as L from "hand-page/labels.js";
import { ask } from "hand-page/frames.js";

const NUDGE_PX = 0.5;

export const labelling = {
  labelsChanged() {
    const { labels } = this.about;
    this.flags = [...labels.flag];
    this.given = labels.flag.filter((flag) => flag).length;
    if (this.next < 0 || labels.flag[this.next]) this.next = this.after(-1);
    if (this.selected >= 0 && !labels.flag[this.selected] && !this.about.gone.has(this.selected)) this.selected = -1;
    this.order = this.orderOf(this.selected);
    this.badges = this.badgesOf();
    this.skipped = [...this.about.skipped].filter((joint) => !labels.flag[joint]).length;
    this.isSolved = Boolean(this.about.solved && !this.about.checked);
    const { doubt, not_believed } = this.about;
    this.doubtText = this.given || !doubt ? "" : `In doubt: ${doubt.joint}, ${doubt.why}.`;
    this.isChecked = Boolean(this.about.checked);
    this.disbelief = (this.given ? not_believed : []).slice(0, 3).map((one) => `${one.joint ?? "image"}: ${one.why}`);
    this.unkept = (this.given ? this.about.conflicts : []).slice(0, 3).map((one) => one.why);
    if (this.pointerAt) this.hover(...this.pointerAt);
    this.redraw();
    this.soon();
  },

  // Return the first joint after one that has no place and was not skipped, -1 without any.
  after(joint) {
    const { labels, skipped } = this.about, count = labels.flag.length;
    for (let step = 1; step <= count; step++) {
      const k = (joint + step + count) % count;
      if (!labels.flag[k] && !skipped.has(k)) return k;
    }
    return -1;
  },

  badgesOf() {
    const { about } = this, badges = [];
    const joints = this.setup.joints.length, share = this.given < joints ? `${this.given} of ${joints} ` : "";
    if (this.given) badges.push({ kind: "labelled", text: `${share}labelled${about.who ? ` by ${about.who}` : ""}` });
    if (about.chosen && !this.given) badges.push({ kind: "chosen", text: "worth labelling" });
    if (about.solved) badges.push({ kind: "solved", text: `solved${about.solved.stale ? " before the newest labels" : ""}` });
    if (about.checked) badges.push({ kind: "checked", text: `found right by ${about.checked.who}` });
    else if (about.doubt) badges.push({ kind: "doubt", text: `in doubt: ${about.doubt.joint}` });
    const { conflicts } = about;
    if (conflicts.length && this.given) badges.push({ kind: "doubt", text: `${conflicts[0].joint}: label not kept${conflicts.length > 1 ? `, and ${conflicts.length - 1} more` : ""}` });
    const wrong = about.not_believed;
    if (wrong.length && this.given) badges.push({ kind: "doubt", text: wrong[0].joint ? `${wrong.length} ${wrong.length > 1 ? "labels make" : "label makes"} no sense` : "the labels do not fit the map" });
    return badges;
  },

  change(labels, moved, note, quiet = false) {
    if (this.message && !this.message.stays && !quiet) this.message = null;
    this.frames.change(this.frame, labels, moved, note);
    this.remember();
  },

  put(joint, u, v, flag) {
    this.change(L.place(this.about.labels, joint, u, v, flag, this.setup.size), [joint], `${this.setup.joints[joint]} placed`);
    this.selected = joint;
    this.next = this.after(joint);
    this.labelsChanged();
    this.remember();
  },

  flagTo(flag) {
    const joint = this.selected >= 0 ? this.selected : this.next, name = this.setup.joints[joint];
    if (joint < 0) return;
    const gone = this.about.gone.get(joint);
    if (!this.about.labels.flag[joint]) {
      if (gone && joint === this.selected) this.change(L.place(this.about.labels, joint, ...gone, flag || L.VISIBLE, this.setup.size), [joint], `${name} ${L.FLAG_NAMES[flag || L.VISIBLE]}`);
      else if (flag === L.ABSENT) this.skip();
      else this.say(`${name} has no place yet: click it first, or right click where it is hidden.`);
      return;
    }
    if (flag === L.ABSENT) { this.about.skipped.add(joint); this.about.gone.set(joint, this.about.labels.uv[joint]); }
    this.change(L.setFlag(this.about.labels, joint, flag), [joint], `${name} ${L.FLAG_NAMES[flag]}`);
  },

  skip() {
    if (this.next < 0) return;
    this.about.skipped.add(this.next);
    this.selected = -1;
    this.next = this.after(this.next);
    this.labelsChanged();
    this.remember();
  },

  choose(joint) {
    this.about.skipped.delete(joint);
    if (this.about.labels.flag[joint]) this.selected = this.selected === joint ? -1 : joint;
    else { this.next = joint; this.selected = -1; }
    this.order = this.orderOf(this.selected);
    this.remember();
    this.redraw();
  },

  orderOf(joint) {
    const parent = joint < 0 ? -1 : this.setup.parents[joint];
    if (parent < 0 || !this.about.labels.flag[parent]) return "";
    const pair = L.pairOf(this.about.labels, joint, parent), name = this.setup.joints[parent];
    return pair ? `${pair[0] === joint ? "nearer" : "farther"} than ${name}` : `nearer or farther than ${name}?`;
  },

  flip() {
    const joint = this.selected, parent = joint < 0 ? -1 : this.setup.parents[joint];
    if (parent < 0 || !this.about.labels.flag[parent]) { this.say("Choose a joint whose bone has both ends placed: nearer and farther is said of a bone."); return; }
    this.change(L.flip(this.about.labels, joint, parent), [], `order of ${this.setup.joints[joint]} and ${this.setup.joints[parent]}`);
  },

  nudge(du, dv) {
    const joint = this.selected, at = joint >= 0 && this.about.labels.uv[joint];
    if (at) this.change(L.place(this.about.labels, joint, at[0] + du, at[1] + dv, this.about.labels.flag[joint], this.setup.size), [joint], `${this.setup.joints[joint]} moved`);
  },

  async startFrom(kind, source, name) {
    if (source === null) { this.say(`There is no ${name} to start from.`); return; }
    const here = this.frame;
    try {
      const labels = await ask(`/pose?frame=${here}&source=${source}&kind=${kind}`);
      if (here !== this.frame) return;
      this.selected = -1;
      if (this.given) this.say(`The labels of this frame are replaced by the pose of frame ${source}.`, [this.undoing()]);
      this.change(labels, [], `pose of frame ${source}`, true);
      this.labelsChanged();
    } catch (error) { this.say(this.explain(error)); }
  },

  undoing() {
    return { name: "undo", act: () => { this.message = null; this.step("undo"); } };
  },

  clear() {
    if (!this.given) return;
    this.about.skipped.clear();
    this.selected = this.next = -1;
    this.change(L.empty(this.setup.joints.length), [], "labels removed");
    this.say("The labels of this frame are removed.", [this.undoing()]);
  },
};
