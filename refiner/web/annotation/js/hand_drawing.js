// A small drawing of a hand that says which joint is next and which are done; a click on a joint chooses it.

const HAND = {
  wrist: [50, 110], thumb_cmc: [34, 97], thumb_mcp: [22, 83], thumb_ip: [13, 71], thumb_tip: [5, 60],
  index_mcp: [34, 63], index_pip: [30, 43], index_dip: [28, 30], index_tip: [26, 18],
  middle_mcp: [48, 59], middle_pip: [47, 36], middle_dip: [46, 22], middle_tip: [46, 8],
  ring_mcp: [60, 62], ring_pip: [63, 41], ring_dip: [65, 28], ring_tip: [66, 16],
  little_mcp: [71, 69], little_pip: [77, 54], little_dip: [80, 44], little_tip: [83, 34],
};

// Return the place of each joint in a drawing of 100 x 120; joints that are not of hand21 stand in rows.
export function places(setup) {
  if (setup.joints.every((name) => name in HAND))
    return setup.joints.map((name) => (setup.left ? [100 - HAND[name][0], HAND[name][1]] : HAND[name]));
  const columns = Math.ceil(Math.sqrt(setup.joints.length));
  return setup.joints.map((_, k) => [12 + (76 * (k % columns)) / Math.max(1, columns - 1), 14 + 18 * Math.floor(k / columns)]);
}
