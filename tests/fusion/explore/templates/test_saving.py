from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.explore.space import KINDS, Space
from fusion.explore.templates import Templates, load_templates, save_templates


@pytest.fixture
def templates(make_clips) -> Templates:
    clips = make_clips(speaker=list("abcde") * 8)
    return Templates.fit(clips, space=Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint), kind="several")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_what_is_loaded(kind, make_clips, tmp_path):
    clips = make_clips(speaker=list("abcde") * 8)
    space = Space.fit(clips.vectors, kind=kind, fingerprint=clips.maker.fingerprint)
    templates = Templates.fit(clips, space=space, kind="medoid")
    save_templates(tmp_path / "t", templates)
    again = load_templates(tmp_path / "t")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["templates.json", "templates.safetensors"]
    for name in ("labels", "clips", "maker", "calibration", "calibrated", "kind", "measured", "shots"):
        assert getattr(again, name) == getattr(templates, name)
    assert again.space.name == space.name
    one, other = (found.score(clips.vectors, maker=clips.maker) for found in (templates, again))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert one.labels() == other.labels()


def test_saving_again_replaces_and_leaves_no_litter(templates, tmp_path):
    save_templates(tmp_path / "t", templates)
    about = tmp_path / "t" / "templates.json"
    about.write_text(about.read_text()[:200])  # damaged, and still to be known as ours
    save_templates(tmp_path / "t", templates)
    assert load_templates(tmp_path / "t").labels == ("a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_nothing_of_somebody_elses_is_replaced(templates, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "templates.json").write_text('{"dear": "all"}')
    for name in ("thesis", "file", "letters"):
        with pytest.raises(InputError, match="is there already and holds no templates"):
            save_templates(tmp_path / name, templates)
    assert (tmp_path / "thesis" / "thesis.txt").read_text() == "mine"


def test_what_lies_beside_templates_is_not_lost(templates, tmp_path):
    save_templates(tmp_path / "t", templates)
    (tmp_path / "t" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds more than templates\n  - notes\.txt"):
        save_templates(tmp_path / "t", templates)
    assert (tmp_path / "t" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_a_place_for_templates(templates, tmp_path):
    (tmp_path / "t").mkdir()
    save_templates(tmp_path / "t", templates)
    assert load_templates(tmp_path / "t").labels == ("a", "b")


def test_a_failed_save_leaves_what_was_there(templates, tmp_path, monkeypatch):
    save_templates(tmp_path / "t", templates)
    monkeypatch.setattr(
        "fusion.explore.templates.saving.json.dumps", lambda *_, **__: (_ for _ in ()).throw(OSError("full"))
    )
    with pytest.raises(OSError, match="full"):
        save_templates(tmp_path / "t", templates)
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert load_templates(tmp_path / "t").labels == ("a", "b")


def test_a_folder_without_templates(tmp_path):
    for name in ("nowhere", "."):
        with pytest.raises(InputError, match="holds no templates"):
            load_templates(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "newer Emofuse"),
        ({"labels": ["a"]}, "a label has no prototype"),
        ({"labels": ["a", "b", "c"]}, "a label has no prototype"),
        ({"kind": "median"}, "kind 'median'"),
        ({"clips": []}, "differ in number"),
        ({"maker": {"name": "toy", "modality": "speech", "dim": 9, "fingerprint": "f" * 32}}, "for 9 dims"),
        ({"maker": {"name": "toy"}}, "is damaged"),
        ({"space": {"name": "centred-00000000", "kind": "centred", "rows": 40}}, "not centred-00000000"),
        ({"calibration": {"heat": 3}}, "is damaged"),
    ],
)
def test_what_does_not_fit_is_refused(change, words, templates, tmp_path):
    folder = save_templates(tmp_path / "t", templates)
    about = json.loads((folder / "templates.json").read_text())
    (folder / "templates.json").write_text(json.dumps(about | change))
    with pytest.raises(InputError, match=words):
        load_templates(folder)


def test_damage_and_mixtures_are_refused(templates, make_clips, tmp_path):
    folder = save_templates(tmp_path / "t", templates)
    clips = make_clips(seed=9)
    space = Space.fit(clips.vectors, fingerprint=clips.maker.fingerprint)
    other = save_templates(tmp_path / "other", Templates.fit(clips, space=space, kind="several"))
    shutil.copy(other / "templates.safetensors", folder)
    with pytest.raises(InputError, match="is not the one that belongs to"):
        load_templates(folder)
    (folder / "templates.safetensors").unlink()
    with pytest.raises(InputError, match="is damaged"):
        load_templates(folder)
    (folder / "templates.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        load_templates(folder)
