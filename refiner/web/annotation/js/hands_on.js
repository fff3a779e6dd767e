// The pointer and the keys.

import * as L from "hand-page/labels.js";
import { isElsewhere, nameOf } from "hand-page/keys.js";

const GRAB_PX = 9, STILL_PX = 3, LIFT_EVERY_MS = 80, NUDGE_PX = 0.5;

export const handsOn = {
  listen() {
    this.stop = new AbortController();
    const { signal } = this.stop, { canvas } = this.$refs, on = (target, name, act, more) => target.addEventListener(name, act, { signal, ...more });
    on(canvas, "pointerdown", (event) => this.down(event));
    on(canvas, "pointermove", (event) => this.move(event));
    on(canvas, "pointerup", (event) => this.up(event));
    on(canvas, "pointercancel", () => this.cancel());
    on(canvas, "contextmenu", (event) => event.preventDefault());
    on(canvas, "pointerleave", () => { this.pointerAt = null; this.under = ""; });
    on(canvas, "wheel", (event) => {
      event.preventDefault();
      this.view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...this.at(event));
      this.redraw();
      clearTimeout(this.kept);
      this.kept = setTimeout(() => this.remember(), 200);
    }, { passive: false });
    on(window, "keydown", (event) => this.key(event));
    on(window, "beforeunload", (event) => { if (this.unsaved) event.preventDefault(); });
    // A button that was clicked must not keep the keyboard.
    on(document, "click", () => { const at = document.activeElement; if (at && at.closest && at.closest("button") && !at.closest(".q-dialog, .q-menu")) at.blur(); });
    this.observer = new ResizeObserver(() => { this.redraw(); this.points.draw(); });
    this.observer.observe(this.$refs.stage);
  },

  at(event) {
    const box = this.$refs.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  },

  hit(x, y) {
    let best = -1, least = GRAB_PX;
    this.about.labels.uv.forEach((at, k) => {
      if (!at) return;
      const [a, b] = this.view.to(...at), away = Math.hypot(a - x, b - y) - (k === this.selected ? 1 : 0);
      if (away < least) { least = away; best = k; }
    });
    return best;
  },

  down(event) {
    if (this.drag || !this.image) return;
    const [x, y] = this.at(event), [u, v] = this.view.from(x, y), base = { x, y, moved: false, button: event.button };
    const inside = u >= -0.5 && v >= -0.5 && u <= this.setup.size - 0.5 && v <= this.setup.size - 0.5;
    const hit = this.hit(x, y);
    this.$refs.canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.button === 1) this.drag = { ...base, kind: "pan" };
    else if (hit >= 0 && event.button !== 1) {
      const [a, b] = this.about.labels.uv[hit], flag = event.button === 2 ? L.HIDDEN : this.about.labels.flag[hit];
      this.drag = { ...base, kind: "joint", joint: hit, off: [a - u, b - v], flag, choose: event.ctrlKey };
    } else if (event.button === 2) this.drag = { ...base, kind: "window", level: this.level, width: this.width };
    else if (event.button === 0 && this.next >= 0 && inside)
      this.drag = { ...base, kind: "place", joint: this.next, flag: event.shiftKey ? L.HIDDEN : L.VISIBLE };
    else if (event.button === 0) this.drag = { ...base, kind: "pan" };
  },

  move(event) {
    const [x, y] = this.at(event), { drag } = this;
    if (!drag) { this.hover(x, y); return; }
    this.pointerAt = [x, y];
    const dx = x - drag.x, dy = y - drag.y;
    drag.moved ||= Math.hypot(dx, dy) >= STILL_PX;
    if (!drag.moved) return;
    if (drag.kind === "pan") { this.view.pan(x - (drag.lastX ?? drag.x), y - (drag.lastY ?? drag.y)); [drag.lastX, drag.lastY] = [x, y]; }
    else if (drag.kind === "window") {
      this.width = Math.max(0.05, Math.min(8, drag.width * Math.exp(dx * 0.006)));
      this.level = drag.level - dy * 0.004;
      this.showPoints();
    } else {
      const [u, v] = this.view.from(x, y), [a, b] = drag.off || [0, 0];
      drag.was ||= this.about.labels;
      this.about.labels = L.place(this.about.labels, drag.joint, u + a, v + b, drag.flag, this.setup.size);
      this.selected = drag.joint;
      this.given = this.about.labels.flag.filter((flag) => flag).length;
      this.bonesSoon();
    }
    this.redraw();
  },

  // While a joint is dragged its bones are measured, but at most so often.
  bonesSoon() {
    const now = performance.now();
    if (now - (this.measured || 0) < LIFT_EVERY_MS) return;
    this.measured = now;
    this.lift();
  },

  up(event) {
    const { drag } = this, [x, y] = this.at(event), [u, v] = this.view.from(x, y);
    if (!drag || event.button !== drag.button) return;
    this.drag = null;
    const inside = u >= -0.5 && v >= -0.5 && u <= this.setup.size - 0.5 && v <= this.setup.size - 0.5;
    if (drag.kind === "pan") drag.moved ? this.remember() : this.choose_none();
    else if (drag.kind === "window" && !drag.moved) { if (this.next >= 0 && inside) this.put(this.next, u, v, L.HIDDEN); }
    else if (drag.kind === "window") this.redrawAll();
    else if (drag.kind === "place") this.put(drag.joint, u, v, drag.flag);
    else if (!drag.moved) this.clicked(drag, u, v);
    else {
      const labels = L.place(this.about.labels, drag.joint, u + drag.off[0], v + drag.off[1], drag.flag, this.setup.size);
      this.change(labels, [drag.joint], `${this.setup.joints[drag.joint]} moved`);
    }
    this.hover(x, y);
  },

  // The system took the pointer away: the joint goes back.
  cancel() {
    const { drag } = this;
    this.drag = null;
    if (drag && drag.was) {
      const { labels } = this.about, at = drag.was.uv[drag.joint];
      this.about.labels = at ? L.place(labels, drag.joint, ...at, drag.flag, this.setup.size) : L.setFlag(labels, drag.joint, L.ABSENT);
      this.labelsChanged();
    }
  },

  // A click on a joint. As long as another one is next it is for that one: joints of a fist lie upon each other.
  clicked({ joint, button, choose }, u, v) {
    if (this.next >= 0 && !choose) this.put(this.next, u, v, button === 2 ? L.HIDDEN : L.VISIBLE);
    else if (button === 0) this.choose(joint);
    else {
      this.selected = joint;
      this.flagTo(this.about.labels.flag[joint] === L.HIDDEN ? L.VISIBLE : L.HIDDEN);
    }
  },

  choose_none() {
    this.selected = -1;
    this.order = "";
    this.redraw();
  },

  hover(x, y) {
    this.pointerAt = [x, y];
    if (!this.image || !this.about) return;
    const [u, v] = this.view.from(x, y), hit = this.hit(x, y), depth = this.image.depthAt(u, v);
    this.$refs.canvas.style.cursor = hit >= 0 ? "grab" : this.next >= 0 ? "crosshair" : "default";
    const place = `${u.toFixed(1)}, ${v.toFixed(1)} px · ${depth ? `${(depth * this.setup.unit_mm).toFixed(0)} mm` : "no reading"}`;
    this.under = hit >= 0 ? `${this.setup.joints[hit]} · ${L.FLAG_NAMES[this.about.labels.flag[hit]]} · ${place}` : place;
  },

  key(event) {
    const action = this.table.get(nameOf(event));
    if (!action || isElsewhere(event)) return;
    event.preventDefault();
    if (event.repeat && ["undo", "redo", "done", "solve", "clear"].includes(action)) return;
    this.act(action);
  },

  // Carry out an action by its name in /keys.json; what is not this canvas's own goes to the page.
  act(action) {
    const beside = this.about ? this.about.beside : {};
    const centre = [this.$refs.canvas.clientWidth / 2, this.$refs.canvas.clientHeight / 2];
    const acts = {
      previous_frame: () => this.go(this.frame - 1), next_frame: () => this.go(this.frame + 1),
      next_reference: () => this.next_of("reference", "No chosen frame waits for labels."),
      next_doubt: () => this.next_of("doubt", "No frame is in doubt."),
      next_unlabelled: () => this.next_of("unlabelled", "Every frame is labelled."),
      last_edited: () => this.next_of("edited", "No other frame was edited yet."),
      fit: () => { this.view.own = false; this.remember(); this.redraw(); },
      zoom_in: () => { this.view.zoom(1.25, ...centre); this.redraw(); },
      zoom_out: () => { this.view.zoom(0.8, ...centre); this.redraw(); },
      lines: () => { this.lines = !this.lines; this.redrawAll(); },
      window: () => { this.level = 0; this.width = 1; this.redrawAll(); },
      undo: () => this.step("undo"), redo: () => this.step("redo"),
    };
    const onFrame = {
      skip: () => this.skip(), flip: () => this.flip(), clear: () => this.clear(), done: () => this.done(), unchecked: () => this.unchecked(),
      previous_joint: () => this.selectStep(-1), next_joint: () => this.selectStep(1),
      visibility: () => this.flagTo(((this.flags[this.selected] ?? 0) + 2) % 3),
      visible: () => this.flagTo(L.VISIBLE), hidden: () => this.flagTo(L.HIDDEN), absent: () => this.flagTo(L.ABSENT),
      left: () => this.nudge(-NUDGE_PX, 0), right: () => this.nudge(NUDGE_PX, 0), up: () => this.nudge(0, -NUDGE_PX), down: () => this.nudge(0, NUDGE_PX),
      copy_previous: () => this.startFrom("labels", this.frame > 0 ? this.frame - 1 : null, "frame before"),
      copy_reference: () => this.startFrom("labels", beside.reference, "labelled frame"),
      copy_solved: () => this.startFrom("solved", this.frame, "solved pose"),
    };
    if (acts[action]) acts[action]();
    else if (onFrame[action]) { if (this.about) onFrame[action](); }
    else this.$emit("act", { action, frame: this.frame });
  },

  selectStep(step) {
    const placed = this.flags.flatMap((flag, k) => (flag ? [k] : []));
    if (!placed.length) return;
    const at = placed.indexOf(this.selected);
    this.selected = placed[(at < 0 ? (step > 0 ? 0 : placed.length - 1) : at + step + placed.length) % placed.length];
    this.order = this.orderOf(this.selected);
    this.redraw();
  },
};
