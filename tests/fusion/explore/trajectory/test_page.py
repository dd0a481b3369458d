"""The page in a real browser: what stands where on its canvas."""

from __future__ import annotations

import pytest

from fusion.explore.trajectory import trajectory
from fusion.explore.trajectory.page import page_of
from fusion.meeting.transcript import Transcript, Utterance

LONG = "Ann-Katharina Müller-Lüdenscheidt of the board"
DRAWN = """(() => {
  const canvas = CanvasRenderingContext2D.prototype, write = canvas.fillText, found = [];
  canvas.fillText = function (text, x, y) {
    if (this.canvas.id === 'course') {
      found.push({ text, align: this.textAlign, x, y, wide: this.measureText(text).width,
        turned: this.getTransform().b !== 0 });
    }
    write.call(this, text, x, y);
  };
  window.dispatchEvent(new Event('resize'));
  canvas.fillText = write;
  return found;
})()"""


@pytest.mark.parametrize("kind", ["acoustic", "scores"])
def test_names_stand_in_the_margin_and_times_are_round(browser, acoustic, encoder, speech, tmp_path, kind) -> None:
    half = len(speech) / 32_000
    spoken = Transcript((Utterance("1", 0, half, "a", "Ben"), Utterance("2", half, 2 * half, "b", LONG)), "test")
    found = trajectory(speech, acoustic if kind == "acoustic" else encoder, transcript=spoken, changes=None)
    path = tmp_path / "trajectory.html"
    path.write_text(page_of(found, tmp_path))
    page = browser.open(path)
    drawn = page.eval(DRAWN)
    assert page.errors == []
    at = {one["text"]: one for one in drawn}

    left = at["0:00"]["x"]  # where the bars begin
    cut = next(text for text in at if text.startswith("Ann-Kath"))
    assert cut.endswith("…")
    for name in ("Ben", cut):
        assert at[name]["align"] == "right"
        assert at[name]["x"] - at[name]["wide"] >= 0
        assert at[name]["x"] < left

    times = [one["text"] for one in drawn if ":" in one["text"]]
    assert times in (["0:00", "0:02", "0:04", "0:06", "0:08", "0:10", "0:12", "0:14"], ["0:00", "0:05", "0:10", "0:15"])
    axis = "place in space (sd)" if kind == "acoustic" else "score (estimated)"
    assert at[axis]["turned"]
    assert ("valence" in at) == (kind == "scores")
