// All frames in a row, coloured by their state, quick at 100,000: each column of pixels shows what most needs a person
// among its frames. The wheel zooms, a drag goes through the frames.

import { fit, paintSoon } from "hand-page/screen.js";

const LABELLED = 1, SOLVED = 2, DOUBT = 4, CHECKED = 8, CHOSEN = 16, PARTLY = 32;
const KINDS = [
  { name: "worth labelling", colour: "#f2c230", is: (s) => (s & (CHOSEN | LABELLED)) === CHOSEN },
  { name: "in doubt", colour: "#e8622c", is: (s) => s & DOUBT },
  { name: "partly labelled", colour: "#a9c9ff", is: (s) => s & PARTLY },
  { name: "labelled", colour: "#3f8cff", is: (s) => s & LABELLED },
  { name: "found right", colour: "#37b26c", is: (s) => s & CHECKED },
  { name: "only solved", colour: "#8b93a3", is: (s) => s & SOLVED },
  { name: "nothing yet", colour: "#3a3f4a", is: () => true },
];
const KIND_OF = new Uint8Array(256).map((_, state) => KINDS.findIndex((kind) => kind.is(state)));

export default {
  template: `
  <div class="timeline">
    <canvas ref="canvas" aria-label="All frames; click to go to one, wheel to zoom"></canvas>
    <div class="legend" title="Each frame is counted once: as the first of these that it is."><span v-for="(kind, k) in kinds"><i :style="{ background: kind.colour }"></i>{{ kind.name }} {{ counts[k] }}</span>
      <span class="grow"></span><span>{{ under || told }}</span></div>
  </div>`,
  props: { frames: Number, told: String },
  emits: ["go"],
  data: () => ({ kinds: KINDS, counts: KINDS.map(() => 0), under: "" }),

  mounted() {
    this.states = new Uint8Array(this.frames);
    [this.first, this.after, this.frame] = [0, this.frames, 0];
    const { canvas } = this.$refs;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.held = true; this.go(event); });
    canvas.addEventListener("pointermove", (event) => {
      this.under = `pointer at frame ${this.frameAt(event)}`;
      if (this.held) this.go(event);
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { this.held = false; });
    canvas.addEventListener("pointerleave", () => { this.under = ""; });
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event); }, { passive: false });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
    this.refresh();
  },

  beforeUnmount() { this.observer.disconnect(); },

  methods: {
    async refresh() {
      const reply = await fetch("/states", { cache: "no-store" });
      if (!reply.ok) return;
      this.states = new Uint8Array(await reply.arrayBuffer());
      const counts = KINDS.map(() => 0);
      for (const state of this.states) counts[KIND_OF[state]]++; // each once, as it is coloured
      this.counts = counts;
      this.draw();
    },

    show(frame) {
      this.frame = frame;
      if (frame < this.first || frame >= this.after) {
        const span = this.after - this.first;
        this.first = Math.max(0, Math.min(this.frames - span, Math.round(frame - span / 2)));
        this.after = this.first + span;
      }
      this.draw();
    },

    frameAt(event) {
      const box = this.$refs.canvas.getBoundingClientRect(), share = (event.clientX - box.left) / Math.max(1, box.width);
      return Math.max(0, Math.min(this.frames - 1, Math.floor(this.first + share * (this.after - this.first))));
    },

    go(event) {
      const frame = this.frameAt(event);
      if (frame === this.frame) return;
      this.show(frame);
      this.$emit("go", frame);
    },

    zoom(event) {
      const at = this.frameAt(event), span = this.after - this.first;
      const wanted = Math.max(Math.min(20, this.frames), Math.min(this.frames, Math.round(span * Math.exp(event.deltaY * 0.002))));
      this.first = Math.max(0, Math.min(this.frames - wanted, Math.round(at - (wanted * (at - this.first)) / span)));
      this.after = this.first + wanted;
      this.draw();
    },

    draw() { paintSoon(this); },

    paint() {
      if (!this.$refs.canvas) return;
      const { context, width, height, ratio } = fit(this.$refs.canvas), span = this.after - this.first;
      context.clearRect(0, 0, width, height);
      for (let x = 0; x < width; x++) {
        const from = this.first + Math.floor((x * span) / width), to = Math.max(from + 1, this.first + Math.floor(((x + 1) * span) / width));
        let kind = KINDS.length - 1;
        for (let frame = from; frame < to; frame++) kind = Math.min(kind, KIND_OF[this.states[frame] ?? 0]);
        context.fillStyle = KINDS[kind].colour;
        context.fillRect(x, kind < 3 ? 0 : height * 0.2, 1, height);
      }
      const x = ((this.frame + 0.5 - this.first) / span) * width;
      context.fillStyle = "#ffffff";
      context.fillRect(Math.round(x) - ratio, 0, 2 * ratio, height);
    },
  },
};
