// The bench of the annotation page: the map with its joints, the view in space, the frames beside it and the hand's
// drawing. What a person does to joints happens here; menus, dialogs and tables are NiceGUI's.

import { Frames } from "hand-page/frames.js";
import { going } from "hand-page/going.js";
import { handsOn } from "hand-page/hands_on.js";
import { tableOf } from "hand-page/keys.js";
import { FLAG_NAMES } from "hand-page/labels.js";
import { labelling } from "hand-page/labelling.js";
import { painting } from "hand-page/painting.js";
import { PointView } from "hand-page/point_view.js";
import { server } from "hand-page/server.js";
import { View } from "hand-page/view.js";

export default {
  template: `
  <div class="bench">
    <div class="stage" ref="stage">
      <canvas ref="canvas" class="main-canvas" aria-label="Depth map with joints"></canvas>
      <div class="strip top">
        <b>frame {{ frame }}</b><span class="of">({{ setup.frames }} frames)</span>
        <span v-for="badge in badges" class="badge" :class="badge.kind">{{ badge.text }}</span>
        <span class="grow"></span>
        <span v-if="unsaved" class="badge unsaved" role="status">{{ unsaved }} not saved yet, kept in this browser</span>
      </div>
      <div class="strip bottom">
        <span v-if="isChecked && !given">found right<small> · {{ keyOf("unchecked") }}: it is not</small></span>
        <span v-if="next >= 0">{{ isChecked && !given ? "or click" : "click" }} <b class="next-name">{{ setup.joints[next] }}</b>&ensp;
          <small>right click: it is hidden · {{ keyOf("skip") }}: skip</small></span>
        <span v-else-if="skipped">{{ skipped }} skipped: click one in the drawing to place it
          <small>· {{ keyOf("done") }}: go on</small></span>
        <span v-else-if="given">every joint has its place<small> · {{ keyOf("done") }}: go on</small></span>
        <small v-if="!given && isSolved">or {{ keyOf("done") }}: the solved joints are right · {{ keyOf("copy_solved") }}: start from them</small>
        <small v-else-if="!given && canCopy && !isChecked">or {{ keyOf("copy_previous") }}: start from the frame before</small>
        <small v-if="!given && thumbs[2].frame !== null && !isSolved && !isChecked">or {{ keyOf("copy_reference") }}: from the frame most like it</small>
        <span class="grow"></span><span class="under">{{ under }}</span>
      </div>
      <div v-if="message" class="message" role="alert">{{ message.text }}
        <button v-for="way in message.ways" @click="way.act()">{{ way.name }}</button>
        <button @click="message = null" aria-label="close">×</button></div>
    </div>
    <aside class="side">
      <div class="space"><canvas ref="points" aria-label="The map as points in space; drag to turn"></canvas>
        <small>{{ spaceTitle }}</small></div>
      <div class="thumbs">
        <figure v-for="(thumb, k) in thumbs" :class="{ none: thumb.frame === null }" @click="thumb.frame !== null && go(thumb.frame)">
          <canvas :ref="'thumb' + k" width="108" height="108"></canvas><figcaption>{{ thumb.title }}</figcaption></figure>
      </div>
      <div class="joints">
        <svg class="hand" viewBox="-2 0 104 120" role="group" aria-label="The hand's joints">
          <line v-for="bone in drawing.bones" v-bind="bone" class="bone" />
          <circle v-for="(at, k) in drawing.places" :cx="at[0]" :cy="at[1]" :r="k === next ? 4.6 : 3.4" :class="jointClass(k)"
            :style="{ stroke: colour(k), fill: flags[k] === 2 ? colour(k) : '' }" @click="choose(k)"><title>{{ setup.joints[k] }}</title></circle>
        </svg>
        <div class="about">
          <div class="chosen" v-if="selected >= 0"><b>{{ setup.joints[selected] }}</b> {{ flagName }}
            <div v-if="order" class="order">{{ order }} <kbd>{{ keyOf("flip") }}</kbd></div></div>
          <div class="chosen" v-else><span class="quiet">{{ given }} of {{ setup.joints.length }} joints</span></div>
          <table class="bones" v-if="shownBones.length"><tr class="quiet"><td>bone to</td><td class="number">clicks</td><td class="number" v-if="knowsBones">known</td></tr>
            <tr v-for="bone in shownBones" :class="{ wrong: bone.impossible }">
            <td>{{ bone.name }}</td><td class="number">{{ bone.found }}</td><td class="number quiet" v-if="knowsBones">{{ bone.known }}</td></tr></table>
          <div class="pulls" v-if="pulls.length"><b>Clicks and bone lengths disagree</b><div v-for="one in pulls.slice(0, 4)">{{ one }}</div>
            <div v-if="pulls.length > 4">and {{ pulls.length - 4 }} more</div></div>
          <div class="pulls" v-if="unkept.length"><b>Could not be kept by the last solve</b><div v-for="one in unkept">{{ one }}</div></div>
          <div class="pulls" v-if="disbelief.length"><b>Makes no sense; not used by the solver</b><div v-for="one in disbelief">{{ one }}</div></div>
          <div class="pulls" v-if="doubtText">{{ doubtText }}</div>
        </div>
      </div>
    </aside>
  </div>`,

  props: { setup: Object, actions: Array, who: String, look: Object },
  emits: ["moved", "act", "saved"],

  data() {
    return {
      frame: 0, next: -1, selected: -1, given: 0, skipped: 0, isSolved: false, isChecked: false, canCopy: false, doubtText: "", disbelief: [], unkept: [], flags: [], badges: [], unsaved: 0, message: null, under: "", order: "",
      bones: [], pulls: [], thumbs: ["before", "after", "most like it"].map((title) => ({ title, frame: null })),
      spaceTitle: "drag to turn", drawing: { places: [], bones: [] },
    };
  },

  computed: {
    flagName() {
      return FLAG_NAMES[this.flags[this.selected] || 0];
    },
    knowsBones() { return this.bones.some((bone) => bone.known_mm !== null); },
    // The bones of the chosen joint, and all that no hand has.
    shownBones() {
      const { parents, joints } = this.setup, near = (joint) => joint === this.selected || parents[joint] === this.selected;
      return this.bones.filter((bone) => bone.impossible || near(bone.joint)).slice(0, 6).map((bone) => ({
        name: joints[bone.joint], impossible: bone.impossible,
        found: `${bone.exact ? "" : "≥ "}${bone.found_mm.toFixed(0)}${this.knowsBones ? "" : " mm"}`,
        known: bone.known_mm === null ? "?" : `${bone.known_mm.toFixed(0)} mm`,
      }));
    },
  },

  watch: {
    actions() { this.table = tableOf(this.actions); },
    who() { localStorage.setItem("refiner-who", this.who); },
    look: { deep: true, handler() { localStorage.setItem("refiner-look", JSON.stringify(this.look)); this.redrawAll(); } },
  },

  async mounted() {
    this.table = tableOf(this.actions);
    this.view = new View(this.setup.size);
    this.colours = Object.fromEntries(Object.entries(this.setup.tables).map(([name, text]) => [name, Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
    this.level = 0;
    this.width = 1;
    this.lines = true;
    this.flags = Array(this.setup.joints.length).fill(0);
    this.drawing = this.drawHand();
    this.frames = new Frames(this.setup, () => this.who, {
      changed: (frame, anew) => {
        if (frame !== this.frame) return;
        if (anew) this.load(frame, { keep: true });
        else this.labelsChanged();
      },
      saved: (number) => { this.$refs.canvas.dataset.saved = number; this.$emit("saved", number); },
      unsaved: (count) => { this.unsaved = count; },
      refused: (text) => this.say(text),
      conflict: (frame, wanted) => this.say(`${wanted.text} That is shown now; your change was not kept.`, [
        { name: "put mine over it", act: async () => { this.message = null; await this.frames.insist(frame, wanted); this.load(frame, { keep: true }); } },
        { name: "leave it", act: () => { this.message = null; } },
      ], true),
    });
    this.points = new PointView(this.$refs.points);
    this.listen();
    const asked = new URLSearchParams(location.search), frame = Number(asked.get("frame") ?? this.setup.start);
    const joint = this.setup.joints.indexOf(asked.get("joint"));
    await this.load(Number.isInteger(frame) && frame >= 0 && frame < this.setup.frames ? frame : 0, { next: joint });
    const view = (asked.get("view") || "").split(",").map(Number);
    if (view.length === 3 && view.every(Number.isFinite) && view[0] > 0) {
      Object.assign(this.view, { scale: view[0], x: view[1], y: view[2], own: true });
      this.redraw();
    }
    this.frames.flush();
    const name = localStorage.getItem("refiner-who");
    if (name && name !== this.who) this.$emit("act", { action: "be", frame: this.frame, who: name });
    const look = JSON.parse(localStorage.getItem("refiner-look") || "null");
    if (look) this.$emit("act", { action: "look", frame: this.frame, look });
    if (!name && this.setup.ask_who) this.$emit("act", { action: "who", frame: this.frame });
  },

  beforeUnmount() {
    this.stop.abort();
    this.observer.disconnect();
  },

  methods: {
    ...going, ...labelling, ...server, ...painting, ...handsOn,

    // Tell the person something; `ways` are buttons, { name, act }. It goes after a while unless it `stays`.
    say(text, ways = [], stays = false) {
      this.message = { text, ways, stays };
      clearTimeout(this.quiet);
      if (!stays) this.quiet = setTimeout(() => { this.message = null; }, 6000);
    },
  },
};
