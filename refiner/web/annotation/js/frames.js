// What the page knows of frames: fetched once, changed here first, and committed to the server at once. What could not
// be committed yet stays in the browser's session storage, so that neither a reload nor a server that is gone loses it.

import { empty, rebase, same } from "hand-page/labels.js";
import { DepthImage } from "hand-page/depth_image.js";

const KEPT = 200, AGAIN_MS = 1000, STASH = "refiner-unsaved";

export class Refusal extends Error {} // the server understood, and says why not

export async function ask(path, body, method) {
  const options = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const reply = await fetch(path, { method: method || (body === undefined ? "GET" : "POST"), cache: "no-store", ...options });
  const type = reply.headers.get("Content-Type") || "";
  const content = type.startsWith("application/json") ? await reply.json() : { error: await reply.text() };
  if (!reply.ok) throw Object.assign(new Refusal(content.error || `status ${reply.status}`), { content, status: reply.status });
  return content;
}

export class Frames {
  constructor(setup, who, on) {
    this.setup = setup;
    this.who = who;
    this.on = on; // { changed(frame), saved(number), unsaved(count), conflict(frame, answer), refused(text) }
    this.depth = new Map();
    this.known = new Map();
    this.stash = JSON.parse(sessionStorage.getItem(this.place()) || "{}");
  }

  place() {
    return `${STASH} ${this.setup.digest} ${this.setup.session}`;
  }

  async image(frame) {
    if (!this.depth.has(frame)) {
      const { size, digest } = this.setup;
      const wanted = fetch(`/depth/${frame}?of=${digest}`).then(async (reply) => {
        if (!reply.ok) throw new Refusal((await reply.json()).error);
        return new DepthImage(new Uint16Array(await reply.arrayBuffer()), size);
      });
      this.depth.set(frame, wanted);
      wanted.catch(() => this.depth.delete(frame));
      forget(this.depth, KEPT, () => true);
    }
    return this.depth.get(frame);
  }

  // Return what is known of a frame: { labels, base, solved, ... }; `anew` asks the server again.
  async about(frame, anew = false) {
    const there = this.known.get(frame);
    if (there && ((!anew && !there.old) || there.queue.length)) return there;
    const changes = there ? there.changes : 0, found = await ask(`/frames/${frame}`), before = this.known.get(frame);
    if (before && before.changes !== changes) return before; // changed here while the answer was on its way
    const { skipped, gone } = before || { skipped: new Set(), gone: new Map() };
    const labels = found.labels || empty(this.setup.joints.length);
    const about = { ...found, labels, base: found.edit, changes, old: false, queue: [], sending: false, skipped, gone };
    const unsaved = this.stash[frame];
    if (unsaved) Object.assign(about, { base: unsaved.base, queue: unsaved.queue, labels: unsaved.queue.at(-1).labels });
    this.known.set(frame, about);
    forget(this.known, KEPT, (one) => !one.queue.length);
    if (unsaved) this.send(frame);
    return about;
  }

  // What is known may have changed elsewhere: ask again when it is wanted.
  outdated() {
    for (const about of this.known.values()) about.old = true;
  }

  // Change a frame; each change is an edit of its own, so that it can be undone by itself.
  change(frame, labels, moved, note, more = {}) {
    const about = this.known.get(frame);
    about.labels = labels;
    about.changes += 1;
    about.queue.push({ labels, moved, note, force: false, ...more });
    this.keep(frame, about);
    this.on.changed(frame);
    this.send(frame);
  }

  keep(frame, about) {
    if (about.queue.length) this.stash[frame] = { base: about.base, queue: about.queue };
    else delete this.stash[frame];
    sessionStorage.setItem(this.place(), JSON.stringify(this.stash));
    this.on.unsaved(Object.values(this.stash).reduce((sum, one) => sum + one.queue.length, 0));
  }

  // Commit the changes of a frame, one after another.
  async send(frame) {
    const about = this.known.get(frame);
    if (!about.queue.length || about.sending) return;
    about.sending = true;
    const [edit] = about.queue;
    try {
      const { labels, moved, note, force } = edit, base = edit.base ?? about.base;
      this.adopt(frame, about, labels, await ask("/edits", { frame, labels, base, moved, note, force, who: this.who() }));
    } catch (error) {
      if (!(error instanceof Refusal) || error.status >= 500) {
        setTimeout(() => { about.sending = false; this.send(frame); }, AGAIN_MS);
        return;
      }
      about.sending = false;
      const wanted = about.queue.splice(0), { base } = about;
      about.changes += 1;
      this.keep(frame, about);
      if (error.status === 409) this.on.conflict(frame, { ...wanted.at(-1), moved: wanted.flatMap((one) => one.moved), base, text: error.message });
      else this.on.refused(error.message);
      this.on.changed(frame, true);
    }
  }

  // Take over what the server made of an edit; what was changed since stays changed.
  adopt(frame, about, sent, answer) {
    const labels = answer.labels || empty(this.setup.joints.length);
    about.sending = false;
    about.queue.shift();
    for (const edit of about.queue) edit.labels = rebase(sent, edit.labels, labels);
    about.labels = same(about.labels, sent) ? labels : rebase(sent, about.labels, labels);
    Object.assign(about, { base: answer.edit, who: answer.who, when: answer.when });
    this.keep(frame, about);
    this.on.saved(answer.saved);
    this.on.changed(frame);
    this.send(frame);
  }

  // Put what this page wanted over what somebody else made of a frame: only where the person says so.
  async insist(frame, wanted) {
    await this.about(frame, true);
    const { labels, moved, note, base } = wanted; // made from what the frame held before the other one's change
    this.change(frame, labels, moved, note, { force: true, base });
  }

  // Send what an earlier page could not.
  async flush() {
    for (const frame of Object.keys(this.stash)) await this.about(Number(frame));
  }
}

function forget(map, most, allowed) {
  for (const [key, value] of map) {
    if (map.size <= most) return;
    if (allowed(value)) map.delete(key);
  }
}
