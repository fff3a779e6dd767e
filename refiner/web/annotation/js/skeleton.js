// Joints and bones on a 2D canvas: one colour a finger, hidden joints as rings, impossible bones in red.

import { HIDDEN, VISIBLE } from "hand-page/labels.js";

const RED = "#ff2020";

export function colourOf(setup, joint) {
  const [r, g, b] = setup.colours_of_joints[joint];
  return `rgb(${r},${g},${b})`;
}

// Draw labels. `to(u, v)` gives the place on the canvas; `look`: { lines, selected, impossible, astray, small }.
export function drawLabels(context, setup, labels, to, look) {
  const places = labels.uv.map((at) => at && to(...at));
  if (look.lines)
    setup.parents.forEach((parent, joint) => {
      if (parent < 0 || !places[parent] || !places[joint]) return;
      const wrong = look.impossible && look.impossible.has(joint);
      line(context, places[parent], places[joint], look.small ? 2 : 4.5, "rgba(0,0,0,0.55)", []);
      line(context, places[parent], places[joint], look.small ? 1.2 : wrong ? 3.5 : 2, wrong ? RED : colourOf(setup, joint),
        labels.flag[joint] === HIDDEN || labels.flag[parent] === HIDDEN ? [5, 4] : []);
    });
  if (look.lines && !look.small)
    for (const [near, far] of labels.nearer)
      if (places[near] && places[far]) nearMark(context, places[near], places[far]);
  labels.flag.forEach((flag, joint) => {
    if (places[joint]) dot(context, places[joint], look.small ? 2 : 5, colourOf(setup, joint), flag, joint === look.selected, look.astray && look.astray.has(joint));
  });
}

// Draw joints that a solver found: thin, and not as dots, so that they are not taken for labels.
export function drawPose(context, setup, uv, to, width, alpha) {
  context.save();
  context.globalAlpha = alpha;
  setup.parents.forEach((parent, joint) => {
    if (parent < 0 || !uv[parent] || !uv[joint]) return;
    line(context, to(...uv[parent]), to(...uv[joint]), width + 1.5, "rgba(0,0,0,0.6)", []);
    line(context, to(...uv[parent]), to(...uv[joint]), width, colourOf(setup, joint), []);
  });
  if (width >= 2) // joints as small squares: dots are labels
    uv.forEach((at, joint) => {
      if (!at) return;
      const [x, y] = to(...at);
      context.fillStyle = "#000000";
      context.fillRect(x - 3.5, y - 3.5, 7, 7);
      context.fillStyle = colourOf(setup, joint);
      context.fillRect(x - 2.5, y - 2.5, 5, 5);
    });
  context.restore();
}

// Draw where a joint is pulled away from its click.
export function drawPull(context, from, to) {
  line(context, from, to, 4, "rgba(0,0,0,0.7)", []);
  line(context, from, to, 2, "#ffe600", []);
}

// Draw a ring around a joint that is in doubt.
export function drawDoubt(context, [x, y]) {
  ring(context, x, y, 11, "#ff8a3c", 2.5, []);
}

function line(context, a, b, width, colour, dashes) {
  context.beginPath();
  context.setLineDash(dashes);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.moveTo(...a);
  context.lineTo(...b);
  context.stroke();
  context.setLineDash([]);
}

// A small arrowhead at the middle of a bone points to its nearer end.
function nearMark(context, near, far) {
  const angle = Math.atan2(near[1] - far[1], near[0] - far[0]);
  if (Math.hypot(near[0] - far[0], near[1] - far[1]) < 16) return;
  context.save();
  context.translate((near[0] + far[0]) / 2, (near[1] + far[1]) / 2);
  context.rotate(angle);
  context.beginPath();
  context.moveTo(6, 0);
  context.lineTo(-4, 4);
  context.lineTo(-4, -4);
  context.closePath();
  context.fillStyle = "#ffffff";
  context.strokeStyle = "#000000";
  context.lineWidth = 1;
  context.fill();
  context.stroke();
  context.restore();
}

function dot(context, [x, y], radius, colour, flag, selected, astray) {
  if (selected) ring(context, x, y, radius + 5, "#ffffff", 2, []);
  if (astray) ring(context, x, y, radius + 3, "#ffe600", 2, [3, 3]);
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  if (flag === VISIBLE) {
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = "#000000";
    context.stroke();
  } else {
    context.lineWidth = radius > 3 ? 4.5 : 2.5;
    context.strokeStyle = "#000000";
    context.stroke();
    context.lineWidth = radius > 3 ? 2.5 : 1.5;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function ring(context, x, y, radius, colour, width, dashes) {
  context.beginPath();
  context.setLineDash(dashes);
  context.arc(x, y, radius, 0, 7);
  context.lineWidth = width + 2;
  context.strokeStyle = "#000000";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
  context.setLineDash([]);
}
