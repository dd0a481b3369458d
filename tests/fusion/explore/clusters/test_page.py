"""The page in a real browser: hostile names, hovering, searching, playing, and twenty thousand points."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fusion.explore.clusters.build import find_clusters
from fusion.explore.clusters.files import write_all
from fusion.explore.clusters.page import page_of
from fusion.explore.clusters.settings import Resampling, Settings
from fusion.explore.space import Space

HOSTILE = '</script><img src=x onerror="document.title=1">&amp;'


def found_in(clips, **settings):
    space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
    return find_clusters(clips, space, Settings(stability=Resampling(resamples=0), **settings))


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


@pytest.fixture
def page_path(make_groups, tmp_path: Path) -> Path:
    """Ninety clips; the first three are spans of a recording, the fourth's file is gone."""
    time = np.arange(3 * 16_000) / 16_000
    soundfile.write(tmp_path / "a call #1.wav", 0.1 * np.sin(2 * np.pi * 220 * time).astype(np.float32), 16_000)
    clips = make_groups(
        audio=[str(tmp_path / "a call #1.wav")] * 3 + [str(tmp_path / "gone.wav")] + [None] * 86,
        start=[0.5, 1.0, None, *[None] * 87],
        end=[0.9, 1.5, None, *[None] * 87],
        text=[HOSTILE, "你好", "שלום", *["plain words"] * 87],
        label=[HOSTILE, *["sad"] * 89],
        speaker=[HOSTILE, *["ann"] * 89],
    )
    write_all(tmp_path / "out", found_in(clips, k=3))
    return tmp_path / "out" / "clusters.html"


def test_everything_is_escaped_and_nothing_is_fetched(browser, page_path) -> None:
    page = browser.open(page_path)
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith("data:")] == [page_path.as_uri()]
    assert page.eval("document.querySelectorAll('img').length") == 0
    assert page.eval("document.title") == "Clusters of 90 clips"
    assert page.eval("document.querySelectorAll('#keys button').length") == 3
    assert page.eval("document.querySelectorAll('tbody tr').length") == 3
    assert "plain words" in json.dumps(data_of(page_path.read_text())["texts"])


def test_hovering_shows_a_clip_and_a_click_plays_its_span(browser, page_path) -> None:
    page = browser.open(page_path)
    page.eval(
        """(() => {
          const canvas = document.getElementById('map'), box = canvas.getBoundingClientRect();
          for (let clientX = box.left; clientX < box.right; clientX += 3)
            for (let clientY = box.top; clientY < box.bottom; clientY += 3) {
              canvas.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY }));
              if (document.querySelector('#tip b')?.textContent === 'clip 0') { window.spot = { clientX, clientY }; return; }
            }
        })()"""
    )
    assert page.eval("document.getElementById('tip').textContent").startswith("clip 0cluster 1 · " + HOSTILE)
    page.eval(
        """(() => {
          const canvas = document.getElementById('map');
          canvas.setPointerCapture = () => {};
          for (const kind of ['pointerdown', 'pointerup'])
            canvas.dispatchEvent(new PointerEvent(kind, { ...window.spot, pointerId: 1 }));
        })()"""
    )
    page.wait(lambda: page.eval("document.getElementById('audio').currentTime >= 0.5"))
    page.wait(lambda: page.eval("(a => a.paused && a.currentTime >= 0.9)(document.getElementById('audio'))"))
    assert page.eval("document.getElementById('audio').currentTime") < 1.5  # the span is over, the file is not
    assert page.errors == []


def test_searching_and_switching_off(browser, page_path) -> None:
    page = browser.open(page_path)
    page.eval(
        "(() => { const f = document.getElementById('find'); f.value = '你好'; f.dispatchEvent(new Event('input')); })()"
    )
    assert page.eval("document.getElementById('count').textContent") == "1 of 90"
    page.eval("document.querySelector('#keys button').click()")
    assert page.eval("document.querySelector('#keys button').getAttribute('aria-pressed')") == "false"
    assert page.errors == []


def test_files_that_are_gone_cannot_be_played(page_path) -> None:
    data = data_of(page_path.read_text())
    assert data["files"] == ["../a%20call%20%231.wav"]
    assert data["file"][:4] == [0, 0, 0, None]
    assert data["end"][:3] == [0.9, 1.5, None]


def test_twenty_thousand_points_are_drawn_at_once(browser, make_groups, tmp_path) -> None:
    clips = make_groups((9_000, 7_000, 5_000), noise=0.8)
    page_file = tmp_path / "many.html"
    page_file.write_text(page_of(found_in(clips, k=3, mini_batch=True), tmp_path))
    assert len(data_of(page_file.read_text())["ids"]) == 20_000
    assert "20,000 of 21,000 clips are drawn" in page_file.read_text()
    page = browser.open(page_file)
    took = page.eval(
        """new Promise(done => { const began = performance.now(); window.dispatchEvent(new Event('resize'));
          requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))); })"""
    )
    assert took < 2_000  # ms
    assert page.errors == []


def test_of_more_clips_than_are_drawn_the_nearest_stay(make_groups, tmp_path) -> None:
    found = found_in(make_groups((300, 200, 10)), k=3)
    data = data_of(page_of(found, tmp_path, most=40))
    assert len(data["ids"]) == 40
    wanted = {found.collection.ids[row] for cluster in found.clusters for row in cluster.nearest}
    assert wanted <= set(data["ids"])
