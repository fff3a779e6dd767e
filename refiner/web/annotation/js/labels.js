// The labels of one frame as plain values: uv[k] = [u, v] or null, flag[k] 0 absent, 1 hidden, 2 visible, nearer pairs.
// Functions return new labels; nothing is changed in place.

export const ABSENT = 0, HIDDEN = 1, VISIBLE = 2, FLAG_NAMES = ["absent", "hidden", "visible"];

export function empty(joints) {
  return { uv: Array(joints).fill(null), flag: Array(joints).fill(ABSENT), nearer: [] };
}

export function copy(labels) {
  return { uv: labels.uv.map((at) => at && [...at]), flag: [...labels.flag], nearer: labels.nearer.map((pair) => [...pair]) };
}

export function place(labels, joint, u, v, flag, size) {
  const made = copy(labels), inside = (value) => Math.max(-0.5, Math.min(size - 0.5, value));
  made.uv[joint] = [inside(u), inside(v)];
  made.flag[joint] = flag;
  return made;
}

export function setFlag(labels, joint, flag) {
  const made = copy(labels);
  made.flag[joint] = flag;
  if (flag === ABSENT) {
    made.uv[joint] = null;
    made.nearer = made.nearer.filter((pair) => !pair.includes(joint));
  }
  return made;
}

export function pairOf(labels, joint, parent) {
  return labels.nearer.find((pair) => pair.includes(joint) && pair.includes(parent));
}

// Say the opposite of what is said of a bone; of one of which nothing is said, that its outer joint is nearer.
export function flip(labels, joint, parent) {
  const made = copy(labels), pair = pairOf(made, joint, parent);
  made.nearer = made.nearer.filter((one) => one !== pair);
  made.nearer.push(pair && pair[0] === joint ? [parent, joint] : [joint, parent]);
  return made;
}

export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

// Carry changes that were made since `sent` over to what the server made of it.
export function rebase(sent, local, answer) {
  const made = copy(answer);
  local.uv.forEach((at, k) => {
    if (!same(at, sent.uv[k]) || local.flag[k] !== sent.flag[k]) {
      made.uv[k] = at && [...at];
      made.flag[k] = local.flag[k];
    }
  });
  const has = (pairs, pair) => pairs.some((one) => same(one, pair));
  const added = local.nearer.filter((pair) => !has(sent.nearer, pair)), removed = sent.nearer.filter((pair) => !has(local.nearer, pair));
  const stays = (pair) => !has(removed, pair) && !has(added, [pair[1], pair[0]]) && !has(added, pair);
  made.nearer = [...made.nearer.filter(stays), ...added].filter(([a, b]) => made.flag[a] && made.flag[b]).map((pair) => [...pair]);
  return made;
}
