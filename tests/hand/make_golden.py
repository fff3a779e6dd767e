"""Write `golden.npz`, what the hand model gave when a person last looked at it: `python tests/hand/make_golden.py`."""

from pathlib import Path

import numpy as np
from hand_poses import POSES

from refiner.hand.model import load_hand, pose_hands


def main() -> None:
    """Pose the named hands with varied shapes, sides and rotations, and keep joints and every 60th vertex."""
    model, rng = load_hand(), np.random.default_rng(0)
    pose = np.array(list(POSES.values()))
    pose[:, :3] = rng.normal(size=(len(pose), 3))
    shape = rng.uniform(-0.1, 0.1, (len(pose), len(model.shape_names)))
    side = np.arange(len(pose)) % 2
    vertices, joints = pose_hands(model, pose, shape, side)
    rows = np.arange(0, vertices.shape[1], 60)
    values = {"pose": pose, "shape": shape, "side": side, "rows": rows}
    path = Path(__file__).parent / "golden.npz"
    np.savez_compressed(path, **values, joints_mm=joints, vertices_mm=vertices[:, rows])
    print(f"wrote {path.name}: {len(pose)} hands")


if __name__ == "__main__":
    main()
