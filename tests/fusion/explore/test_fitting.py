"""Tables in a given width: nothing too wide, nothing cut without a sign, nothing left out unsaid."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fusion.explore.clusters.build import find_clusters
from fusion.explore.clusters.settings import Resampling, Settings
from fusion.explore.clusters.tables import clusters_table
from fusion.explore.fitting import Column, fitted
from fusion.explore.search.hits import Hit
from fusion.explore.search.terminal import hits_table
from fusion.explore.similar import Percentiles, nearest
from fusion.explore.similar.tables import nearest_frame, nearest_table
from fusion.explore.space import Space


def printed(what: object, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [24, 30, 40, 60, 200])
def test_lines_fit_and_columns_are_whole_cut_with_a_sign_or_named(width):
    columns = [
        Column("id", ["call-17", "call-1234567890-of-april"], least=10),
        Column("cosine", ["+0.812", "−0.100"], right=True),
        Column("text", ["I want [b]my[/b] money back", "电话里的声音很大声"], least=8, spare=1),
        Column("file", ["a.flac", "b.flac"], spare=2),
    ]
    table, missing = fitted(columns, width)
    lines = printed(table, width)
    assert len(lines) == 3  # no line is folded
    assert "+0.812" in lines[1]
    assert ("file" in missing) is not any("a.flac" in line for line in lines)
    for name in ("call-1234567890-of-april", "I want [b]my[/b] money back"):
        shown = any(name in line for line in lines)
        assert shown or "…" in "".join(lines) or "text" in missing


def hit(rank: int, *, id: str = "scot-f5-09-excited", **numbers: float) -> Hit:
    about = {
        "label": "excited",
        "speaker": "scot-f5",
        "text": "The customer service was wonderful today",
        "audio": f"/calls/{id}.flac",
    }
    return Hit(rank, id, 0.987654, 99.25, metadata=about, **numbers)


@pytest.mark.parametrize("numbers", [{}, {"keywords": 6.321, "fused": 0.0325}])
def test_hits_read_well_at_eighty_columns(numbers):
    lines = printed(hits_table([hit(rank, **numbers) for rank in range(1, 61)], caption="of 280 clips"), 80)
    assert len(lines) == 1 + 50 + 3  # headings, one line a hit, the caption, what is not shown, how many more
    assert max(map(len, lines)) <= 80
    for heading in ("rank", "id", "cosine", "percentile", "label", "text"):
        assert heading in lines[0]
    for value in ("scot-f5-09-excited", "+0.988", "excited", "…", *(("6.32",) if numbers else ())):
        assert value in lines[1]
    assert "not shown for want of room: " in lines[-2]
    assert "file" in lines[-2]
    assert lines[-1].startswith("… and 10 more")


def test_a_long_id_is_shown_whole_or_cut_with_a_sign():
    long = "e6b32c19f81380e95f7c9dbb7d3998fbd3676ca1feaaaa84" * 2
    [_, line, *_] = printed(hits_table([Hit(1, long, 0.5, 50.0)], caption=""), 80)
    assert "…" in line
    [_, line, *_] = printed(hits_table([Hit(1, long[:48], 0.5, 50.0)], caption=""), 80)
    assert long[:48] in line


@pytest.mark.parametrize("width", [80, 120])
def test_the_most_alike_and_clusters_fit_too(width, make_clips):
    about = {"text": ["The customer service was wonderful, and I shall say so to everybody I meet"] * 60}
    clips = make_clips(["angry"] * 20 + ["excited"] * 20 + ["a label of some length"] * 20, **about)
    space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
    percentiles = Percentiles.of(clips, space)
    frame = nearest_frame(nearest(clips.vectors[0], clips, space, k=4), clips, percentiles)
    lines = printed(nearest_table(frame, {"space": "centred-1", "random_pairs": 9}, width=width), width)
    assert max(map(len, lines)) <= width
    assert lines[1].rstrip().endswith("…")  # the text, and not without a sign
    found = find_clusters(clips, space, Settings(k=3, stability=Resampling(resamples=0)))
    lines = printed(clusters_table(found, width=width), width)
    assert len(lines) == 4  # a line a cluster
    assert "labels" in lines[0]
    assert max(map(len, lines)) <= width


def test_wide_terminals_show_all_of_it():
    lines = printed(hits_table([hit(1)], caption="of 280 clips", width=200), 200)
    for value in ("scot-f5 ", "The customer service was wonderful today", "scot-f5-09-excited.flac"):
        assert value in lines[1]
    assert lines[2:] == ["of 280 clips"]
