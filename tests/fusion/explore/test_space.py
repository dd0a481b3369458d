from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

from extractors import EmbeddingStore
from extractors.errors import InputError
from fusion.explore.space import KINDS, Space, space_of

DIM = 6


def vectors(rows: int = 200, seed: int = 0) -> np.ndarray:
    """A large mean in common, values of very different spread, two of them correlated."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, DIM))
    values[:, 1] += 2 * values[:, 0]
    return (50 + values * [1, 1, 10, 0.1, 1, 1]).astype(np.float32)


def fitted(kind: str) -> Space:
    return Space.fit(vectors(), kind=kind, fingerprint="f1")


@pytest.mark.parametrize("kind", KINDS)
def test_a_dot_product_is_a_cosine(kind):
    unit = fitted(kind).transform(vectors(50, seed=1))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(fitted(kind).transform(vectors(50, seed=1)[7]), unit[7], atol=1e-6)


def test_raw_cosines_of_a_common_mean_are_all_high_and_centred_ones_are_not():
    raw, centred = (fitted(kind).transform(vectors()) for kind in ("raw", "centred"))
    apart = ~np.eye(200, dtype=bool)
    assert (raw @ raw.T)[apart].min() > 0.9
    assert abs((centred @ centred.T)[apart].mean()) < 0.02


def test_standardized_values_count_alike_and_whitened_directions_too():
    moved = (vectors() - fitted("standardized").mean) * fitted("standardized").whitening
    np.testing.assert_allclose(moved.std(axis=0), 1, rtol=1e-4)
    white = fitted("whitened")
    covariance = np.cov((vectors() - white.mean) @ white.whitening, rowvar=False)
    raw = np.cov(vectors(), rowvar=False)
    assert np.linalg.cond(covariance) < np.linalg.cond(raw) / 100  # shrinkage keeps it from being the identity
    np.testing.assert_allclose(white.whitening, white.whitening.T, atol=1e-6)


def test_whitening_with_fewer_rows_than_values_is_finite():
    few = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    space = Space.fit(few, kind="whitened", fingerprint="f1")
    assert np.isfinite(space.whitening).all()
    np.testing.assert_allclose(np.linalg.norm(space.transform(few), axis=1), 1, atol=1e-5)


def test_a_value_that_never_changes_says_nothing():
    steady = np.concatenate([vectors(), np.full((200, 1), 7, np.float32)], axis=1)
    space = Space.fit(steady, kind="standardized", fingerprint="f1")
    other = steady[:3].copy()
    other[:, -1] = 1e6
    np.testing.assert_array_equal(space.transform(other), space.transform(steady[:3]))


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, (8, 4), elements=st.floats(-1e4, 1e4, width=32)), st.sampled_from(KINDS), st.floats(0.5, 9)
)
def test_any_finite_vectors_give_finite_directions_whatever_their_scale(values, kind, scale):
    space = Space.fit(values, kind=kind, fingerprint="f1")
    unit = space.transform(values)
    assert np.isfinite(unit).all()
    assert (np.linalg.norm(unit, axis=1) < 1 + 1e-4).all()
    loaded = space.transform(values.copy())
    np.testing.assert_array_equal(unit, loaded)


def test_the_mean_itself_has_no_direction():
    values = np.array([[1, 2], [3, 4]], np.float32)
    unit = Space.fit(values, kind="centred", fingerprint="f1").transform(np.array([2, 3], np.float32))
    assert unit.tolist() == [0, 0]


def test_statistics_of_many_rows_are_of_a_sample_that_is_always_the_same():
    many = np.random.default_rng(0).normal(size=(100_500, 2)).astype(np.float32)
    one, other = (Space.fit(many, fingerprint="f1") for _ in range(2))
    assert (one.rows, one.name) == (100_000, other.name)
    np.testing.assert_allclose(one.mean, many.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("kind", ["centred", "standardized", "whitened"])
def test_what_is_kept_is_what_comes_back(kind, tmp_path):
    space = fitted(kind)
    path = space.save(tmp_path / "store")
    assert path.name == f"{space.name}.safetensors"
    again = Space.load(tmp_path / "store", space.name)
    assert (again.kind, again.fingerprint, again.rows, again.name) == (kind, "f1", 200, space.name)
    np.testing.assert_array_equal(again.transform(vectors()), space.transform(vectors()))


def test_a_store_that_began_with_a_space_is_a_store(tmp_path):
    fitted("centred").save(tmp_path / "store")
    assert EmbeddingStore(tmp_path / "store").tables() == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        fitted("centred").save(tmp_path / "other")


def test_names_are_of_the_numbers_and_of_what_made_the_vectors():
    assert fitted("centred").name == fitted("centred").name
    names = {
        fitted("centred").name,
        fitted("whitened").name,
        Space.fit(vectors(), kind="centred", fingerprint="f2").name,
        Space.fit(vectors(seed=1), kind="centred", fingerprint="f1").name,
    }
    assert len(names) == 4


def test_space_of_keeps_and_finds_again(tmp_path):
    made = space_of(vectors(), "centred", fingerprint="f1", store=tmp_path / "store")
    found = space_of(vectors(seed=5), made.name, fingerprint="f1", store=tmp_path / "store")
    np.testing.assert_array_equal(found.mean, made.mean)  # of the first vectors, not of these
    assert space_of(vectors(), "raw", fingerprint="f1", store=tmp_path / "other").name == "raw"
    assert not (tmp_path / "other").exists()
    space_of(vectors(), "centred", fingerprint="f1", store=tmp_path / "third", keep=False)
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("centered", "expected raw, centred, standardized, whitened or a name, got 'centered'"),
        ("../../etc/passwd", "a name such as centred-3f2a9c11"),
        (None, "a name such as centred-3f2a9c11, got None"),
        ("centred-00000000", "keeps centred-"),
    ],
)
def test_spaces_that_are_not_there(name, words, tmp_path):
    fitted("centred").save(tmp_path)
    with pytest.raises(InputError) as refused:
        space_of(vectors(), name, fingerprint="f1", store=tmp_path)
    assert words in str(refused.value)


def test_statistics_of_another_model_are_refused(tmp_path):
    name = fitted("centred").name
    fitted("centred").save(tmp_path)
    with pytest.raises(InputError, match="statistics of other vectors"):
        space_of(vectors(), name, fingerprint="f2", store=tmp_path)


def test_damaged_and_renamed_files_are_refused(tmp_path):
    path = fitted("centred").save(tmp_path)
    name = path.stem
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is damaged"):
        Space.load(tmp_path, name)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="renamed or changed"):
        Space.load(tmp_path, name)
    save_file(load_file(fitted("whitened").save(tmp_path)), path)  # no metadata
    with pytest.raises(InputError, match="is damaged"):
        Space.load(tmp_path, name)
    path.rename(path.with_name("centred-00000000.safetensors"))
    Path(path.with_name("centred-00000000.safetensors")).write_bytes(whole)
    with pytest.raises(InputError, match="renamed or changed"):
        Space.load(tmp_path, "centred-00000000")


@pytest.mark.parametrize("kind", ["centred", "standardized", "whitened"])
def test_statistics_need_two_rows_and_raw_none(kind):
    with pytest.raises(InputError, match=f"{kind} needs the mean of some vectors"):
        Space.fit(vectors(1), kind=kind, fingerprint="f1")
    assert Space.fit(vectors(1), kind="raw", fingerprint="f1").transform(vectors(1)).shape == (1, DIM)


def test_another_kind_and_another_width():
    with pytest.raises(InputError, match="expected raw, centred"):
        Space.fit(vectors(), kind="centered", fingerprint="f1")
    with pytest.raises(InputError, match="expected vectors of 6 values, got 5"):
        fitted("centred").transform(np.ones((2, 5), np.float32))
