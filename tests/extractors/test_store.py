from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from extractors.errors import InputError
from extractors.keys import KnownKeys, text_hash
from extractors.store import EmbeddingStore, StoreError
from extractors.types import Embedding

REPOSITORY = Path(__file__).resolve().parents[2]
DIM = 16


class Numbers:
    """An extractor whose vectors are known: number n -> (n, n, …). Only its description matters here."""

    name, modality, frame_rate = "numbers", "text", None

    def __init__(self, *, dim: int = DIM, fingerprint: str = "f1") -> None:
        self.dim, self.fingerprint = dim, fingerprint

    def describe(self):
        return {"name": self.name, "dim": self.dim}

    def extract(self, clips, *, frames=False):
        return [Embedding(np.full(self.dim, n, np.float32)) for n in clips]


def keys_of(numbers, fingerprint="f1"):
    return [EmbeddingStore.key(f"content {n}", None, None, fingerprint) for n in numbers]


def put(store, numbers, **settings):
    extractor = Numbers(**settings)
    return store.put(extractor, keys_of(numbers, extractor.fingerprint), extractor.extract(numbers))


@pytest.fixture
def store(tmp_path):
    return EmbeddingStore(tmp_path / "store")


def files(store):
    return sorted(path for path in store.path.glob("*.lance/**/*") if path.is_file())


# -- keys ---------------------------------------------------------------------------------------------------------


def test_a_key_is_the_content_the_span_and_the_extractor():
    base = EmbeddingStore.key("c", 1.0, 2.0, "f")
    assert base == EmbeddingStore.key("c", 1, 2, "f")
    others = [
        ("d", 1.0, 2.0, "f"),
        ("c", 1.0001, 2.0, "f"),
        ("c", 1.0, None, "f"),
        ("c", None, 2.0, "f"),
        ("c", 1.0, 2.0, "g"),
    ]
    assert len({base, *(EmbeddingStore.key(*other) for other in others)}) == 6
    assert len(base) == 48
    assert int(base, 16)


def test_a_span_that_is_no_number_has_no_key():
    with pytest.raises(ValueError, match="numbers of seconds"):
        EmbeddingStore.key("c", float("nan"), None, "f")


def test_texts_that_unicode_writes_in_two_ways_are_one():
    assert text_hash("Zürich") == text_hash("Zu\u0308rich") != text_hash("Zurich")


def test_known_keys_agree_with_a_set():
    stored, asked = keys_of(range(0, 3000, 2)), keys_of(range(3000))
    import pyarrow as pa

    assert KnownKeys(pa.array(stored)).contains(asked).tolist() == [n % 2 == 0 for n in range(3000)]
    assert not KnownKeys(pa.array([], pa.string())).contains(asked).any()


# -- rows ---------------------------------------------------------------------------------------------------------


def test_vectors_come_back_exactly_in_the_order_asked(store):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, DIM)).astype(np.float32)
    keys = keys_of(range(500))
    for first in range(0, 500, 100):
        part = slice(first, first + 100)
        assert store.put(Numbers(), keys[part], [Embedding(v) for v in vectors[part]]) == 100
    for asked in (rng.permutation(500), rng.integers(0, 500, 2000), rng.integers(0, 500, 7), np.array([3])):
        read = store.read_vectors([keys[i] for i in asked])
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, vectors[asked])


def test_has_tells_stored_from_missing_and_nonsense(store):
    assert store.has(keys_of([1])).tolist() == [False]
    put(store, [1, 2])
    assert store.has([*keys_of([2, 5, 1]), "nonsense", *keys_of([1], "f2")]).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_what_is_missing_is_named(store):
    with pytest.raises(KeyError, match="2 keys are not in"):
        store.read_vectors(keys_of([1, 2]))
    put(store, [1])
    with pytest.raises(KeyError, match=keys_of([2])[0]):
        store.read_vectors(keys_of([1, 2]))
    with pytest.raises(KeyError, match="frames of 1 keys"):
        next(store.read_frames(keys_of([1])))
    with pytest.raises(KeyError, match="no scores"):
        store.read_scores(keys_of([1]))


def test_putting_twice_changes_nothing(store):
    assert put(store, range(10)) == 10
    assert put(store, range(5, 15)) == 5
    assert store.tables()[0].rows == 15
    np.testing.assert_array_equal(store.read_vectors(keys_of(range(15)))[:, 0], range(15))


def test_one_key_twice_in_one_call_is_one_row(store):
    assert put(store, [1, 1, 2]) == 2
    assert store.tables()[0].rows == 2


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("float16", 5e-4)])
def test_frames_of_any_length_come_back_in_order(tmp_path, dtype, tolerance):
    store = EmbeddingStore(tmp_path / "store", frames_dtype=dtype)
    rng = np.random.default_rng(0)
    keys = keys_of(range(40))
    frames = [rng.standard_normal((rng.integers(1, 9), DIM)).astype(np.float32) for _ in keys]
    store.put(Numbers(), keys, [Embedding(f.mean(0), frames=f) for f in frames])
    asked = [*rng.permutation(40).tolist(), 5, 5]
    for i, read in zip(asked, store.read_frames([keys[i] for i in asked]), strict=True):
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, frames[i], rtol=tolerance, atol=0 if tolerance == 0 else 1e-7)


def test_frames_are_read_a_few_at_a_time(store, monkeypatch):
    monkeypatch.setattr("extractors.lance_tables.FRAMES_AT_ONCE", 3 * 5 * DIM * 4)  # three clips of five frames
    keys = keys_of(range(20))
    store.put(
        Numbers(), keys, [Embedding(np.full(DIM, n, np.float32), np.full((5, DIM), n, np.float32)) for n in range(20)]
    )
    assert [int(frames[0, 0]) for frames in store.read_frames(keys[::-1])] == list(range(19, -1, -1))


def test_frames_are_added_to_a_row_that_had_none_and_never_taken_away(store):
    put(store, [1, 2])
    assert store.has(keys_of([1, 2]), frames=True).tolist() == [False, False]
    with_frames = Embedding(np.full(DIM, 1, np.float32), frames=np.ones((3, DIM), np.float32))
    assert store.put(Numbers(), keys_of([1]), [with_frames]) == 0
    assert store.has(keys_of([1, 2]), frames=True).tolist() == [True, False]
    put(store, [1, 2])
    assert store.has(keys_of([1, 2]), frames=True).tolist() == [True, False]
    assert store.tables()[0].rows == 2
    assert next(store.read_frames(keys_of([1]))).shape == (3, DIM)


def test_scores_and_their_labels(store):
    keys, labels = keys_of(range(3)), ("angry", "sad")
    scores = np.random.default_rng(0).random((3, 2), dtype=np.float32)
    store.put(Numbers(), keys, [Embedding(np.ones(DIM, np.float32), scores=s, labels=labels) for s in scores])
    np.testing.assert_array_equal(store.read_scores(keys[::-1]), scores[::-1])
    assert store.tables()[0].labels == labels


def test_extractors_have_tables_of_their_own_and_describe_themselves(store):
    put(store, range(3))
    put(store, range(5), dim=4, fingerprint="f2")
    first, second = sorted(store.tables(), key=lambda table: table.dim)
    assert (first.fingerprint, first.dim, first.rows, first.name) == ("f2", 4, 5, "numbers")
    assert (second.fingerprint, second.dim, second.rows, second.describe) == (
        "f1",
        DIM,
        3,
        {"name": "numbers", "dim": DIM},
    )
    with pytest.raises(InputError, match="different widths"):
        store.read_vectors([*keys_of([1]), *keys_of([1], "f2")])


@pytest.mark.parametrize(
    ("embedding", "problem"),
    [
        (Embedding(np.full(DIM, np.nan, np.float32)), "not finite"),
        (Embedding(np.ones(DIM - 1, np.float32)), "expected"),
        (Embedding(np.ones((1, DIM), np.float32)), "expected"),
        (Embedding(np.ones(DIM, np.float32), frames=np.ones((2, DIM + 1), np.float32)), "frames"),
        (Embedding(np.ones(DIM, np.float32), frames=np.full((2, DIM), np.inf, np.float32)), "finite"),
    ],
)
def test_wrong_numbers_are_refused_and_nothing_of_the_call_is_kept(store, embedding, problem):
    good = Embedding(np.ones(DIM, np.float32))
    with pytest.raises(ValueError, match=problem):
        store.put(Numbers(), keys_of([1, 2]), [good, embedding])
    assert not store.has(keys_of([1, 2])).any()


def test_keys_of_another_extractor_are_refused(store):
    with pytest.raises(ValueError, match="not of numbers"):
        store.put(Numbers(), keys_of([1], "f2"), Numbers().extract([1]))


# -- wrong paths --------------------------------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_write(store):
    assert store.tables() == []
    store.compact()
    assert store.read_vectors([]).shape[0] == 0
    assert not store.path.exists()


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        EmbeddingStore(tmp_path / "x")


def test_a_folder_of_other_things_is_no_store(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        EmbeddingStore(tmp_path)


def test_another_width_under_the_same_fingerprint_is_refused(store):
    put(store, [1])
    with pytest.raises(InputError, match="vectors of 16 values"):
        put(store, [2], dim=8)


def test_frames_of_another_dtype_are_refused(store):
    frames = [Embedding(np.ones(DIM, np.float32), frames=np.ones((3, DIM), np.float32))]
    store.put(Numbers(), keys_of([1]), frames)
    with pytest.raises(InputError, match="frames_dtype=float32"):
        EmbeddingStore(store.path, frames_dtype="float16").put(Numbers(), keys_of([2]), frames)
    with pytest.raises(InputError, match="one of float32, float16"):
        EmbeddingStore(store.path, frames_dtype="int8")


class Narrow(Numbers):
    frames_dim = 3


def test_frames_need_not_be_as_wide_as_vectors(store):
    one, two = (Embedding(np.ones(DIM, np.float32), frames=np.full((n, 3), n, np.float32)) for n in (2, 5))
    store.put(Narrow(), keys_of([1, 2]), [one, two])
    assert [frames.tolist() for frames in store.read_frames(keys_of([2, 1]))] == [[[5] * 3] * 5, [[2] * 3] * 2]
    assert store.read_vectors(keys_of([1])).shape == (1, DIM)
    assert store.tables()[0].frames_dim == 3
    with pytest.raises(ValueError, match=r"expected \(frames, 3\)"):
        store.put(Narrow(), keys_of([3]), [Embedding(np.ones(DIM, np.float32), frames=np.ones((2, DIM), np.float32))])


def test_an_extractor_may_come_to_have_frames_of_another_width(store):
    """A store that was filled before keeps its vectors, and takes the frames."""
    put(store, [1, 2, 3])
    narrow = [Embedding(np.full(DIM, n, np.float32), frames=np.full((4, 3), n, np.float32)) for n in (2, 4)]
    store.put(Narrow(), keys_of([2, 4]), narrow)
    store.compact()
    assert store.read_vectors(keys_of([1, 2, 3, 4]))[:, 0].tolist() == [1, 2, 3, 4]
    assert [frames[0, 0] for frames in store.read_frames(keys_of([4, 2]))] == [4, 2]
    assert store.has(keys_of([1, 2]), frames=True).tolist() == [False, True]
    wide = [Embedding(np.ones(DIM, np.float32), frames=np.ones((4, DIM), np.float32))]
    with pytest.raises(InputError, match="frames of 3 values from numbers; they now are of 16"):
        store.put(Numbers(), keys_of([5]), wide)


def test_frames_located_once_are_read_at_any_place(store):
    keys = keys_of(range(30))
    store.put(
        Numbers(), keys, [Embedding(np.ones(DIM, np.float32), frames=np.full((1 + n % 4, DIM), n)) for n in range(30)]
    )
    located = store.locate_frames(keys[5:])
    assert located.lengths.tolist() == [1 + n % 4 for n in range(5, 30)]
    index = np.array([24, 0, 3, 3])
    found = store.read_located(located, index)
    assert [(len(frames), frames[0, 0]) for frames in found] == [(1 + n % 4, n) for n in (29, 5, 8, 8)]
    assert store.read_located(located, index[:0]) == []
    with pytest.raises(ValueError, match="one extractor"):
        store.locate_frames([*keys, *keys_of([1], "f2")])


def test_a_damaged_table_is_said_to_be(store):
    put(store, [1])
    for manifest in store.path.glob("*.lance/_versions/*.manifest"):
        manifest.write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be read"):
        store.has(keys_of([1]))


# -- tidying up ---------------------------------------------------------------------------------------------------


def test_compaction_merges_and_removes_and_keeps_every_row(store):
    for n in range(30):
        put(store, [n])
    before = len(files(store))
    store.compact()
    assert len(files(store)) < 10 < before
    np.testing.assert_array_equal(store.read_vectors(keys_of(range(30)))[:, 0], range(30))
    store.compact()
    assert put(store, [30]) == 1


def test_a_reader_under_way_is_not_disturbed(store):
    for n in range(6):
        frames = np.full((4, DIM), n, np.float32)
        store.put(Numbers(), keys_of([n]), [Embedding(frames[0], frames=frames)])
    reader = store.read_frames(keys_of(range(6)))
    assert next(reader)[0, 0] == 0
    put(store, [7])
    store.compact()  # merges, but leaves the old files to the reader
    assert len(list(store.path.glob("*.lance/_versions/*.manifest"))) > 2
    assert [frames[0, 0] for frames in reader] == [1, 2, 3, 4, 5]
    put(store, [8])
    store.compact()
    assert len(list(store.path.glob("*.lance/_versions/*.manifest"))) <= 2


def test_a_large_table_is_not_rewritten_for_one_row(store, monkeypatch):
    monkeypatch.setattr("extractors.lance_tables.FRAGMENT_WORTH", 1000)
    put(store, range(1000))
    for n in range(5):
        put(store, [1000 + n])
    before = files(store)
    store.compact()
    assert files(store) == before


# -- other processes ----------------------------------------------------------------------------------------------

WRITER = """
    import sys, json
    sys.path.insert(0, {tests!r})
    import numpy as np
    from test_store import *
    store = EmbeddingStore({path!r})
"""


def start(store, code):
    head = WRITER.format(tests=str(Path(__file__).parent), path=str(store.path))
    script = textwrap.dedent(head) + textwrap.dedent(code)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", script], env=environment, **pipes)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.slow
def test_processes_may_make_and_fill_the_same_table_at_once(store):
    code = """
        print("ready", flush=True)
        sys.stdin.readline()
        for first in range(0, 400, 20):
            put(store, range(first, first + 20))
            if first % 100 == 0: store.compact()
    """
    writers = [start(store, code) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n", writer.stderr.read().decode()
    for writer in writers:
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        finish(writer)
    assert store.tables()[0].rows == 400  # nothing lost, nothing twice
    np.testing.assert_array_equal(store.read_vectors(keys_of(range(400)))[:, 0], range(400))


def test_a_writer_killed_at_any_moment_leaves_whole_commits(store):
    code = """
        for first in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0, 10**6, 10):
            put(store, range(first, first + 10))
            print(first + 10, flush=True)
    """
    said = 0
    for _ in range(2):
        writer = start(store, code)
        for _ in range(25):
            said = max(said, int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        rows = store.tables()[0].rows
        assert rows >= said
        assert rows % 10 == 0
        np.testing.assert_array_equal(store.read_vectors(keys_of(range(rows)))[:, 0], range(rows))
    store.compact()
    assert store.tables()[0].rows == rows
    assert not list(store.path.glob(".new-*"))


def test_a_full_disk_is_named_and_loses_nothing(store):
    """A limit on the size of files stands in for the disk: the kernel refuses the write in the same way."""
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        put(store, range(10))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        try:
            put(store, range(10, 40_000))
        except StoreError as error:
            print(json.dumps([str(error), error.exit_code]))
    """
    message, code = json.loads(finish(start(store, code)))
    assert "no space left" in message
    assert code == 1
    assert store.tables()[0].rows == 10
    assert put(store, range(20)) == 10


@pytest.mark.slow
def test_a_hundred_thousand_vectors(store):
    vectors = np.random.default_rng(0).standard_normal((100_000, 64), dtype=np.float32)
    keys = keys_of(range(100_000))
    for first in range(0, 100_000, 10_000):
        part = slice(first, first + 10_000)
        store.put(Numbers(dim=64), keys[part], [Embedding(vector) for vector in vectors[part]])
    assert store.has(keys).all()
    assert store.known("f1").contains(keys).all()
    np.testing.assert_array_equal(store.read_vectors(keys[::-1]), vectors[::-1])
