"""What tests of the annotation page have in common: a session whose joints are known, and a person who labels it."""

from shipped_session import write_cut

from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.geometry.camera import project


def make_session(folder):
    """A new session of twenty frames, its store, and the pixels (N, 21, 2) of its joints."""
    store = DepthStore(write_cut(folder / "sequence.zarr"))
    Session.create(folder / "session", store.path).close()
    uv_px = project(store.read("joints_mm").astype(float), store.read("camera").astype(float)[:, None])
    return folder / "session", store, uv_px


def label(person, store, uv_px, frame):
    """Click all joints of the frame that is shown, hidden ones with the other button; return the actions."""
    visible = store.read("visible", frame, frame + 1)[0]
    for joint in range(len(visible)):
        person.click(*uv_px[frame, joint], button="left" if visible[joint] else "right")
    person.wait(lambda: person.next_joint == "", "the last joint")
    return len(visible)


def go(person, frame):
    """Go to a frame by its number."""
    from selenium.webdriver.common.keys import Keys

    person.key(Keys.SHIFT, "g")
    person.wait(lambda: person.driver.switch_to.active_element.tag_name == "input", "the dialog")
    person.key(str(frame))
    person.key(Keys.ENTER)
    person.wait(lambda: person.frame == frame, f"frame {frame}")
    person.wait(lambda: not person.driver.find_elements("css selector", ".q-dialog"), "the dialog to close")


def faults(person):
    """What went wrong in the browser, but for a server that is gone, and for changes that it refuses."""
    lines = [line["message"] for line in person.driver.get_log("browser") if line["level"] == "SEVERE"]
    expected = "ERR_CONNECTION", "ERR_SOCKET", "WebSocket", "409"
    return [line for line in lines if not any(word in line for word in expected)]
