"""Makes the samples: files as CVAT, Label Studio and labelme export them, by their documentation.

`python tests/annotate/exchange/make_samples.py` writes them anew. They are of the joints root, mid and tip and of
pictures of 32 x 32 pixels. In each, by the tool's own pixels: in crop_000000.png root is at (4.5, 5.5), mid hidden at
(10.25, 20.5) and tip absent; in crop_000002.png root is at (0, 32), tip hidden at (16, 8) and nearer than root;
crop_000003.png has a box or nothing; cat.png is of another set; crop_000004.png nobody has labelled.
"""

import json
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"

CVAT = """\
<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>hands</name>
      <size>5</size>
      <mode>annotation</mode>
      <labels>
        <label>
          <name>hand</name>
          <type>skeleton</type>
          <attributes>
          </attributes>
        </label>
      </labels>
    </task>
    <dumped>2025-03-01 10:00:00.000000+00:00</dumped>
  </meta>
  <image id="0" name="crop_000000.png" width="32" height="32">
    <skeleton label="hand" source="manual" z_order="0">
      <points label="root" source="manual" outside="0" occluded="0" points="4.50,5.50">
      </points>
      <points label="mid" source="manual" outside="0" occluded="1" points="10.25,20.50">
      </points>
      <points label="tip" source="manual" outside="1" occluded="0" points="3.00,3.00">
      </points>
    </skeleton>
  </image>
  <image id="1" name="crop_000002.png" width="32" height="32">
    <points label="root" source="manual" occluded="0" points="0.00,32.00" z_order="0">
    </points>
    <points label="tip" source="manual" occluded="1" points="16.00,8.00" z_order="0">
      <attribute name="nearer_than">root</attribute>
    </points>
    <box label="hand" source="manual" occluded="0" xtl="0.00" ytl="0.00" xbr="32.00" ybr="32.00" z_order="0">
    </box>
  </image>
  <image id="2" name="crop_000003.png" width="32" height="32">
    <box label="hand" source="manual" occluded="0" xtl="0.00" ytl="0.00" xbr="32.00" ybr="32.00" z_order="0">
    </box>
  </image>
  <image id="3" name="cat.png" width="640" height="480">
    <points label="root" source="manual" occluded="0" points="300.00,200.00" z_order="0">
    </points>
  </image>
  <image id="4" name="crop_000004.png" width="32" height="32">
  </image>
</annotations>
"""


def task(number, image, annotations, **data):
    """A task of Label Studio, imported by an upload or from another place."""
    return {"id": number, "data": {"image": image, **data}, "annotations": annotations, "predictions": [], "project": 3}


def annotation(number, result, minute, cancelled=False):
    times = {"created_at": "2025-03-01T10:00:00.000000Z", "updated_at": f"2025-03-01T10:{minute:02d}:00.000000Z"}
    return {"id": number, "completed_by": 1, "result": result, "was_cancelled": cancelled, **times, "task": 1}


def region(name, x, y, kind, from_name, *said, size=(32, 32)):
    value = {"x": x, "y": y, "width": 1.5, kind: list(said)}
    width, height = size
    where = {"original_width": width, "original_height": height, "image_rotation": 0, "origin": "manual"}
    return {**where, "value": value, "id": name, "from_name": from_name, "to_name": "image", "type": kind}


def joint(name, x, y, label, size=(32, 32)):
    return region(name, x, y, "keypointlabels", "joint", label, size=size)


def label_studio():
    first = [
        joint("aB3dE", 14.0625, 17.1875, "root"),
        joint("cD4fG", 32.03125, 64.0625, "mid"),
        region("cD4fG", 32.03125, 64.0625, "choices", "visibility", "occluded"),
    ]
    second = [
        joint("eF5hI", 0, 100, "root"),
        region("eF5hI", 0, 100, "choices", "visibility", "visible"),
        joint("gH6jK", 50, 25, "tip"),
        region("gH6jK", 50, 25, "choices", "visibility", "occluded"),
        {"from_id": "eF5hI", "to_id": "gH6jK", "type": "relation", "direction": "left", "labels": ["nearer"]},
        {"from_id": "eF5hI", "to_id": "gH6jK", "type": "relation", "direction": "right", "labels": ["bone"]},
    ]
    wrong = [joint("iJ7kL", 90, 90, "root")]
    box = {"type": "rectanglelabels", "id": "kL8mN", "from_name": "box", "to_name": "image"}
    box["value"] = {"x": 0, "y": 0, "width": 100, "height": 100, "rotation": 0, "rectanglelabels": ["hand"]}
    several = [annotation(1, wrong, 5), annotation(2, first, 20), annotation(3, wrong, 30, cancelled=True)]
    return [
        task(1, "/data/upload/3/1a2b3c4d-crop_000000.png", several) | {"file_upload": "1a2b3c4d-crop_000000.png"},
        task(2, "/data/local-files/?d=hands/crop_000002.png", [annotation(4, second, 6)], camera="left"),
        task(3, "s3://hands/crop_000003.png", [annotation(5, [box], 7)]),
        task(4, "https://a.org/cat.png?signed=1", [annotation(6, [joint("mN9oP", 1, 2, "root", (640, 480))], 8)]),
        task(5, "/data/upload/3/5e6f7a8b-crop_000004.png", []),
    ]


def point(label, u_px, v_px, flags, **more):
    shape = {"label": label, "points": [[u_px, v_px]], "group_id": None, "description": "", "shape_type": "point"}
    return {**shape, "flags": flags, "mask": None, **more}


def labelme():
    box = {"label": "hand", "points": [[0, 0], [32, 32]], "group_id": 1, "shape_type": "rectangle", "flags": {}}
    shapes = {
        "crop_000000.png": [
            point("root", 4.5, 5.5, {"occluded": False}),
            point("mid", 10.25, 20.5, {"occluded": True}),
        ],
        "crop_000002.png": [
            box,
            point("root", 0, 32, {}),
            point("tip", 16, 8, {"occluded": True, "blurred": False}, nearer_than=["root"]),
        ],
        "crop_000003.png": [],
        "cat.png": [point("root", 300, 200, {})],
    }
    return {
        f"{Path(name).stem}.json": {
            "version": "5.5.0", "flags": {}, "shapes": found, "imagePath": name, "imageData": None,
            "imageHeight": 480 if name == "cat.png" else 32, "imageWidth": 640 if name == "cat.png" else 32,
        }
        for name, found in shapes.items()
    }  # fmt: skip


def samples():
    """Name -> text of each sample."""
    made = {"cvat.xml": CVAT, "label_studio.json": json.dumps(label_studio(), indent=2) + "\n"}
    return made | {f"labelme/{name}": json.dumps(content, indent=2) + "\n" for name, content in labelme().items()}


if __name__ == "__main__":
    for name, text in samples().items():
        path = SAMPLES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
