"""The published objectives (Oberweger et al. 2016, eq. 4 to 6), term by term: what `--exact-paper` minimises.

Eq. 4, frames that a person labelled, each by itself:

    sum_k v_k |proj(L_k) - l_k|^2      a click on a hidden joint (v_k = 0) costs nothing; squares of pixels
    |L_k - L_p(k)| = d_k               exact in the fast solver, a growing penalty and then exact in SLSQP
    v_k = 1: D[l_k] < z < D[l_k] + 15 mm,  v_k = 0: z > D[l_k]
                                       D at the click, and not where the joint projects; no offset below the skin
    v_k = 1: (L_k - L_p(k)) . c_k > 0  for pairs of a joint and its parent. The printed c_k is (0, 0, 1) for a joint
                                       nearer than its parent, which with z away from the camera, as in the line above,
                                       says the opposite: here the nearer one has the smaller z

Eq. 5, every other frame c from one, a, that is solved: sum_k ds(D_c, proj(L_ck); D_a, l_ak)^2 under the lengths.

Eq. 6, all at once: sum over frames without labels of ds(D_i, proj(L_ik); D_i^, l_i^k)^2, plus
lambda_M sum |L_ik - L_i+1,k|^2 plus lambda_P sum over labelled frames of v_rk |proj(L_rk) - l_rk|^2, under the lengths
alone: no depth, no order. lambda_M = 1, lambda_P = 100. ds = 1 - NCC; l of a labelled frame is its click, of another
where its joint projects.

What the equations leave open, and what is done:

- How inequalities are kept. SLSQP keeps them; the fast solver charges max(0, by how much)^2 / (2 mm)^2 for depth, going
  on straight from 10 mm, and / (0.3 mm)^2 for order.
- Units of eq. 6, without which the lambdas mean nothing. In mm and px one millimetre would weigh as much as ds = 1, and
  motion would leave nothing to the images. Joints are counted in halves of the cube and pixels in halves of the crop,
  as the authors' code does: lambda_M is a deviation of half a cube (130 mm), lambda_P one of a tenth of half a crop
  (6.4 px).
- Joints nobody clicked have no terms of their own, and clicks without a reading near no depth (`Terms.lost`).
- ds beyond the window that is searched round the start is that of its border. Starts, the order of frames, and the
  search are this project's; so is optical flow instead of SIFTFlow.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.solver.chain import Tree
from refiner.annotate.solver.costs import depth_at
from refiner.annotate.solver.terms import Terms, Weights

EPS_MM = 15.0
LAMBDA_M, LAMBDA_P = 1.0, 100.0

_NOTHING = Weights(occluded_click_px=np.inf, depth_mm=0.0, pull_mm=np.inf, outside_px=0.0)
"""Clicks on visible joints, and order without a margin once it is asked for."""

LIFT_WEIGHTS = _NOTHING._replace(range_mm=2.0, nearer_mm=0.0)
PROPAGATE_WEIGHTS = _NOTHING._replace(appearance_square=1.0)


def optimize_weights(cube_mm: float, size_px: int) -> Weights:
    """Return the weights of eq. 6 for crops of cubes of a side, so many pixels wide."""
    return _NOTHING._replace(
        appearance_square=1.0,
        smooth_mm=cube_mm / 2 / LAMBDA_M**0.5,
        visible_click_px=size_px / 2 / LAMBDA_P**0.5,
        nearer_sigma_mm=np.inf,
    )


def lift_terms(tree: Tree, terms: Terms) -> Terms:
    """Return the data of eq. 4: ranges of depth at clicks, no offsets, the order of visible joints and parents."""
    range_mm, kept = terms.range_mm.copy(), np.zeros(len(terms.pairs), dtype=bool)
    for n, k in zip(*np.nonzero((terms.click > 0) & ~terms.lost), strict=True):
        over = depth_at(terms.surface[n], terms.surface_unit_mm, *terms.click_uv_px[n, k])[0]
        if over > 0:
            range_mm[n, k] = over, over + EPS_MM if terms.click[n, k] == 2 else np.inf
    frame_of = np.repeat(np.arange(len(terms.click)), np.diff(terms.pair_start))
    for m, (near, far) in enumerate(terms.pairs):
        child = near if tree.parents[near] == far else far
        kept[m] = tree.parents[child] == (far if child == near else near) and terms.click[frame_of[m], child] == 2
    starts = np.concatenate([[0], np.cumsum(np.bincount(frame_of[kept], minlength=len(terms.click)))]).astype(np.int64)
    return terms._replace(
        offset_mm=np.zeros_like(terms.offset_mm),
        lost=terms.lost | (terms.click == 0),
        range_mm=range_mm,
        pair_start=starts,
        pairs=terms.pairs[kept],
    )


def clicked_px(labels: FrameLabels, uv_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the joints (J, 2) of a labelled frame are seen: at their clicks, else where they project."""
    return np.where(labels.flag[:, None] > 0, labels.uv_px, uv_px)
