from __future__ import annotations

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import extractors.decode
from extractors import progress, writer
from extractors.audio import load_audio
from extractors.batching import WINDOW
from extractors.errors import InputError, MissingExtraError
from extractors.pipeline import TooManyFailuresError, extract_to_store
from extractors.store import EmbeddingStore
from extractors.types import Clip, Embedding
from tests.extractors.energy import EnergyExtractor, write_clips

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path):
    return EmbeddingStore(tmp_path / "store")


def run(clips, extractor, store, **settings):
    return extract_to_store(clips, extractor, store, **{"progress": False, "workers": 2, **settings})


def expected(clips, extractor):
    """(clips, dim), one clip at a time, with no store and no batch."""
    return np.stack([extractor.extract([load_audio(c.audio, c.start, c.end)])[0].vector for c in clips])


class Refusing(EnergyExtractor):
    """Computes nothing, ever."""

    def extract(self, clips, *, frames=False):
        raise AssertionError("nothing was to be computed")


# -- what it does -------------------------------------------------------------------------------------------------


def test_every_clip_gets_its_own_vector_in_the_order_given(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 60, longest=1.5)
    summary = run(clips, EnergyExtractor(), store, batch_budget=5)
    assert (summary.new, summary.reused, summary.failed, summary.absent) == (60, 0, (), 0)
    np.testing.assert_array_equal(store.read_vectors(summary.keys), expected(clips, EnergyExtractor()))
    assert summary.audio_seconds == pytest.approx(sum(len(load_audio(c.audio)) for c in clips) / 16_000)
    assert 0 < summary.encoder_seconds < summary.seconds


def test_a_second_run_computes_nothing(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 20)
    first = run(clips, EnergyExtractor(), store)
    second = run(clips, Refusing(), EmbeddingStore(store.path))
    assert (second.new, second.reused, second.keys) == (0, 20, first.keys)
    assert second.audio_seconds == second.encoder_seconds == 0


def test_only_what_is_new_is_computed(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 20)
    run(clips[:15], EnergyExtractor(), store)
    extractor = EnergyExtractor()
    summary = run(clips, extractor, store)
    assert (summary.new, summary.reused, extractor.computed) == (5, 15, 5)


def test_renaming_costs_nothing(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 5)
    first = run(clips, EnergyExtractor(), store)
    (tmp_path / "wav").rename(tmp_path / "moved")
    moved = [replace(c, id=f"other {c.id}", audio=tmp_path / "moved" / c.audio.name) for c in clips]
    assert run(moved, Refusing(), store).keys == first.keys


def test_a_changed_setting_never_reuses(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 5)
    plain = run(clips, EnergyExtractor(), store)
    squared = run(clips, EnergyExtractor(power=2.0), store)
    assert squared.new == 5
    np.testing.assert_allclose(store.read_vectors(squared.keys), store.read_vectors(plain.keys) ** 2, rtol=1e-6)


def test_the_same_content_twice_is_computed_once(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 4)
    (tmp_path / "copy.wav").write_bytes(clips[0].audio.read_bytes())
    extractor = EnergyExtractor()
    again = [*clips, Clip("copy", audio=tmp_path / "copy.wav"), replace(clips[1], id="repeat")]
    summary = run(again, extractor, store)
    assert (summary.new, summary.reused, extractor.computed) == (4, 2, 4)
    assert summary.keys[4:] == [summary.keys[0], summary.keys[1]]


def test_spans_of_one_file_are_apart_and_the_file_is_hashed_once(tmp_path, store, monkeypatch):
    [whole] = write_clips(tmp_path / "wav", 1, shortest=3, longest=3.1)
    spans = [replace(whole, id=str(i), start=0.5 * i, end=0.5 * i + 0.5) for i in range(6)]
    hashed = []
    real = extractors.decode.content_hash
    monkeypatch.setattr("extractors.decode.content_hash", lambda path: hashed.append(path) or real(path))
    summary = run([whole, *spans], EnergyExtractor(), store)
    assert len(set(summary.keys)) == summary.new == 7
    assert len(hashed) == 1
    np.testing.assert_array_equal(store.read_vectors(summary.keys), expected([whole, *spans], EnergyExtractor()))


def test_clips_without_the_modality_are_absent(tmp_path, store):
    [clip] = write_clips(tmp_path / "wav", 1)
    summary = run([Clip("words", text="yes"), clip, Clip("nothing")], EnergyExtractor(), store)
    assert (summary.new, summary.absent) == (1, 2)
    assert summary.keys[0] is summary.keys[2] is None


class Letters(EnergyExtractor):
    """A text extractor: how many letters, how many vowels."""

    name, modality, dim = "letters", "text", 2

    def _embed(self, text, frames):
        rows = np.array([[letter.isalpha(), letter in "aeiouü"] for letter in text], np.float32)
        return Embedding(rows.sum(0), frames=rows if frames else None)


def test_texts_are_the_same_however_unicode_writes_them(store):
    texts = ["Zürich", "Zu\u0308rich", "", "  ", None, "yes"]
    summary = run([Clip(str(i), text=text) for i, text in enumerate(texts)], Letters(), store)
    assert (summary.new, summary.reused, summary.absent, summary.audio_seconds) == (2, 1, 3, 0)
    assert summary.keys[0] == summary.keys[1]
    np.testing.assert_array_equal(store.read_vectors([summary.keys[0], summary.keys[5]]), [[6, 2], [3, 1]])


def test_frames_are_kept_on_request_and_missed_where_they_are_not(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 6)
    run(clips[:3], EnergyExtractor(), store)
    summary = run(clips, EnergyExtractor(), store, frames=True)
    assert (summary.new, summary.reused) == (6, 0)
    assert run(clips, Refusing(), store, frames=True).reused == run(clips, Refusing(), store).reused == 6
    for clip, frames in zip(clips, store.read_frames(summary.keys), strict=True):
        wanted = EnergyExtractor().extract([load_audio(clip.audio)], frames=True)[0].frames
        np.testing.assert_array_equal(frames, wanted)


def test_an_extractor_without_frames_says_so(tmp_path, store):
    class Pooled(EnergyExtractor):
        def extract(self, clips, *, frames=False):
            return super().extract(clips)

    with pytest.raises(InputError, match="gives no frames"):
        run(write_clips(tmp_path / "wav", 2), Pooled(), store, frames=True)


def test_nothing_to_do_is_done(store):
    summary = run([], EnergyExtractor(), store)
    assert (summary.new, summary.keys) == (0, [])
    assert not store.path.exists()


# -- what fails ---------------------------------------------------------------------------------------------------


def test_failed_clips_are_listed_with_reasons_and_have_no_vector(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 40)
    clips[3].audio.write_bytes(b"this is no audio")
    clips[7].audio.unlink()
    clips[9] = replace(clips[9], start=100.0)
    clips[11] = replace(clips[11], end=float("nan"))
    extractor = EnergyExtractor()
    summary = run(
        [*clips, replace(clips[3], id="again")], extractor, store, max_failed=0.2, failures_path=tmp_path / "f.csv"
    )
    assert [f.id for f in summary.failed] == ["clip 3", "clip 7", "clip 9", "clip 11", "again"]
    assert summary.new == extractor.computed == 36
    assert [i for i, key in enumerate(summary.keys) if key is None] == [3, 7, 9, 11, 40]
    with (tmp_path / "f.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f.id for f in summary.failed]
    assert rows[0]["path"] == str(clips[3].audio)
    assert "not audio" in rows[0]["reason"] == rows[4]["reason"]
    assert "no such file" in rows[1]["reason"].lower()
    assert "beyond" in rows[2]["reason"]
    assert "numbers of seconds" in rows[3]["reason"]
    assert store.tables()[0].rows == 36


def test_above_max_failed_the_run_stops_as_soon_as_it_is_certain(tmp_path, store):
    good = write_clips(tmp_path / "wav", 5)
    missing = [Clip(f"gone {i}", audio=tmp_path / f"gone {i}.wav") for i in range(1000)]
    with pytest.raises(TooManyFailuresError, match=r"101 of 1,005 clips failed; max_failed=0.1 allows 100") as caught:
        run([*good, *missing], EnergyExtractor(), store, max_failed=0.1, failures_path=tmp_path / "f.csv")
    assert caught.value.exit_code == 2
    assert "gone 0" in caught.value.problems[0]
    assert str(tmp_path / "f.csv") in str(caught.value)
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 102
    assert run(good, EnergyExtractor(), store, max_failed=0).failed == ()


def test_max_failed_is_of_the_clips_that_have_the_modality(tmp_path, store):
    clips = [*write_clips(tmp_path / "wav", 9), Clip("gone", audio=tmp_path / "gone.wav")]
    texts = [Clip(f"text {i}", text="yes") for i in range(90)]
    with pytest.raises(TooManyFailuresError, match="1 of 10 clips"):
        run([*clips, *texts], EnergyExtractor(), store, max_failed=0.05)
    assert store.tables()[0].rows == 9  # what went well is kept
    assert len(run([*clips, *texts], EnergyExtractor(), store, max_failed=0.1).failed) == 1
    with pytest.raises(TooManyFailuresError):
        run(iter([*clips, *texts]), EnergyExtractor(), store, max_failed=0.05)


def test_settings_that_cannot_be_are_named_together(store):
    with pytest.raises(InputError) as caught:
        run([], EnergyExtractor(), store, max_failed=5, workers=0, batch_budget=-1)
    assert [problem.split()[0] for problem in caught.value.problems] == ["max_failed", "workers", "batch_budget"]


class Delicate(EnergyExtractor):
    """Raises where a clip of a batch is quiet; calls it NaN where one is very quiet."""

    def extract(self, clips, *, frames=False):
        if any(0.01 < np.std(samples) < 0.03 for samples in clips):
            raise RuntimeError("too quiet\nfor me")
        return super().extract(clips, frames=frames)

    def _embed(self, samples, frames):
        found = super()._embed(samples, frames)
        return Embedding(found.vector * np.nan) if np.std(samples) < 0.01 else found


def test_one_bad_clip_of_a_batch_fails_alone(tmp_path, store):
    import soundfile

    clips = write_clips(tmp_path / "wav", 32)
    noise = np.random.default_rng(1).normal(0, 1, 8000)
    soundfile.write(clips[5].audio, 0.02 * noise, 16_000)
    soundfile.write(clips[20].audio, 0.005 * noise, 16_000)
    summary = run(clips, Delicate(), store, max_failed=0.1)
    assert [(f.id, f.reason) for f in summary.failed] == [
        ("clip 5", "RuntimeError: too quiet for me"),
        ("clip 20", "ValueError: the vector is not finite"),
    ]
    good = [i for i in range(32) if i not in (5, 20)]
    assert summary.new == 30
    vectors = store.read_vectors([summary.keys[i] for i in good])
    np.testing.assert_array_equal(vectors, expected([clips[i] for i in good], EnergyExtractor()))


def test_running_out_of_memory_halves_the_batches_and_goes_on(tmp_path, store):
    sizes = []

    def watch(clips):
        sizes.append(len(clips))
        if sum(map(len, clips)) > 2 * 16_000:
            raise MemoryError

    clips = write_clips(tmp_path / "wav", 100, shortest=0.2, longest=0.25)
    summary = run(clips, EnergyExtractor(watch=watch), store, batch_budget=8)
    assert (summary.new, summary.failed) == (100, ())
    assert max(sizes[: len(sizes) // 2]) > 30
    assert max(sizes[len(sizes) // 2 :]) <= 10  # the lesson was kept


def test_wrong_numbers_of_embeddings_are_no_embeddings(tmp_path, store):
    class Forgetful(EnergyExtractor):
        def extract(self, clips, *, frames=False):
            return super().extract(clips)[1:]

    with pytest.raises(TooManyFailuresError, match="gave 0 embeddings for 1 clips"):
        run(write_clips(tmp_path / "wav", 3), Forgetful(), store)
    assert store.tables() == []


def test_a_missing_package_is_not_a_failed_clip(tmp_path, store):
    def watch(clips):
        raise MissingExtraError("torchcodec", "codec")

    with pytest.raises(MissingExtraError):
        run(write_clips(tmp_path / "wav", 3), EnergyExtractor(watch=watch), store, max_failed=1.0)


def test_what_the_manifest_raises_comes_out(store):
    def manifest():
        yield Clip("a", text="a")
        raise OSError("the network went away")

    with pytest.raises(OSError, match="went away"):
        run(manifest(), Letters(), store)


# -- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_stays_flat_however_long_the_manifest(tmp_path, store, monkeypatch):
    """However slow the encoder, decoding stays a bounded way ahead, and so does the reading of the manifest."""
    budget, workers, count = 2.0, 2, 400
    [clip] = write_clips(tmp_path / "wav", 1, shortest=300, longest=300.1)
    decoded = encoded = asked = 0
    ahead = []

    def load(path, start, end):
        nonlocal decoded
        decoded += 1
        ahead.append(decoded - encoded)
        return load_audio(path, start, end)

    def watch(clips):
        nonlocal encoded
        time.sleep(0.02)
        encoded += len(clips)
        unread.append(asked - encoded)

    def manifest():
        nonlocal asked
        for i in range(count):
            asked += 1
            yield replace(clip, id=str(i), start=0.5 * i, end=0.5 * i + 0.5)

    unread = []
    monkeypatch.setattr("extractors.decode.load_audio", load)
    summary = run(manifest(), EnergyExtractor(watch=watch), store, batch_budget=budget, workers=workers)
    assert summary.new == count
    limit = (WINDOW + 2) * budget / 0.5 + 4 * workers + 1  # the window, a batch waiting, a batch computing, look ahead
    assert max(ahead) <= limit < count / 4
    assert max(unread) <= limit + 3 * extractors.decode.CHUNK


def test_long_files_are_not_decoded_many_at_a_time(tmp_path, store, monkeypatch):
    clips = write_clips(tmp_path / "wav", 12, shortest=4, longest=4.1)
    monkeypatch.setattr("extractors.decode.LOOK_AHEAD", 4.0)
    busy, most = 0, []

    def load(path, start, end):
        nonlocal busy
        busy += 1
        most.append(busy)
        time.sleep(0.01)
        busy -= 1
        return load_audio(path, start, end)

    monkeypatch.setattr("extractors.decode.load_audio", load)
    assert run(clips, EnergyExtractor(), store, workers=8).new == 12
    assert max(most) <= 2


# -- kill, interrupt, race, full disk -----------------------------------------------------------------------------

SCRIPT = """
    import sys, json, signal, resource
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from energy import EnergyExtractor
    from extractors import writer
    from extractors.pipeline import extract_to_store
    from extractors.store import EmbeddingStore
    from extractors.types import Clip
    writer.COMMIT_SECONDS = 0.1
    clips = [Clip(path.stem, audio=path) for path in sorted(Path({wav!r}).glob("*.wav"))]
    store = EmbeddingStore({store!r})
"""


def start(store, wav, code):
    head = SCRIPT.format(tests=str(Path(__file__).parent), wav=str(wav), store=str(store.path))
    script = textwrap.dedent(head) + textwrap.dedent(code)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, **pipes)


def rows(store):
    return sum(table.rows for table in store.tables())


def wait_for_rows(store, process, count):
    for _ in range(600):
        if rows(store) >= count:
            return
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.05)
    raise AssertionError("the process wrote nothing")


SLOW_RUN = "extract_to_store(clips, EnergyExtractor(delay=0.02), store, batch_budget=0.5, workers=1)"


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 200)
    before = 0
    for _ in range(2):
        process = start(store, tmp_path / "wav", SLOW_RUN)
        wait_for_rows(store, process, before + 15)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = rows(store)
    assert 30 <= before < 200
    extractor = EnergyExtractor()
    summary = run(clips, extractor, store)
    assert extractor.computed == summary.new == 200 - before  # nothing that was kept is computed again
    assert summary.reused == before
    assert rows(store) == 200  # nothing lost, nothing twice
    np.testing.assert_array_equal(store.read_vectors(summary.keys), expected(clips, EnergyExtractor()))


def test_ctrl_c_keeps_what_is_done(tmp_path, store):
    write_clips(tmp_path / "wav", 200)
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs inherit a deaf ear
    process = start(store, tmp_path / "wav", heard + "import logging; logging.basicConfig()\n" + SLOW_RUN)
    wait_for_rows(store, process, 10)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert b"KeyboardInterrupt" in err
    kept = int(err.decode().split("interrupted; ")[1].split()[0])
    assert rows(store) == kept >= 10


@pytest.mark.slow
def test_two_processes_share_the_work_of_one_store(tmp_path, store):
    clips = write_clips(tmp_path / "wav", 60)
    code = """
        print("ready", flush=True)
        sys.stdin.readline()
        clips = clips[::{step}]
        summary = extract_to_store(clips, EnergyExtractor(delay=0.005), store, batch_budget=1, workers=1)
        print(json.dumps([summary.new, summary.keys]))
    """
    processes = [start(store, tmp_path / "wav", code.format(step=step)) for step in (1, -1)]
    for process in processes:
        assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    results = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        results.append(json.loads(out))
    assert results[0][1] == results[1][1][::-1]
    assert rows(store) == 60
    np.testing.assert_array_equal(store.read_vectors(results[0][1]), expected(clips, EnergyExtractor()))


def test_a_full_disk_in_the_middle_ends_the_run_and_loses_nothing(tmp_path, store):
    """A limit on the size of files stands in for the disk: the kernel refuses the write in the same way."""
    clips = write_clips(tmp_path / "wav", 40)
    code = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        extract_to_store(clips[:20], EnergyExtractor(), store, progress=False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        extract_to_store(clips, EnergyExtractor(), store, progress=False)
    """
    process = start(store, tmp_path / "wav", code)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"StoreError: store: no space left in" in err
    summary = run(clips, EnergyExtractor(), store)
    assert (summary.new, summary.reused) == (20, 20)


# -- what is said -------------------------------------------------------------------------------------------------


def test_the_summary_reads_well(tmp_path, store):
    clips = [*write_clips(tmp_path / "wav", 20), Clip("words", text="yes")]
    text = str(run(clips, EnergyExtractor(), store))
    assert text.startswith("energy: 20 new, 0 reused, 0 failed, 1 without speech in ")
    assert "× real time" in text
    assert "texts/s" in str(run([Clip("a", text="yes")], Letters(), store))
    assert str(run(clips, Refusing(), store)).startswith("energy: 0 new, 20 reused, 0 failed, 1 without speech in 0")


def test_without_a_terminal_progress_goes_to_the_log(tmp_path, store, monkeypatch, caplog, capfd):
    monkeypatch.setattr(progress, "LOG_EVERY", 0.0)
    clips = write_clips(tmp_path / "wav", 30)
    with caplog.at_level(logging.INFO, logger="extractors.progress"):
        run(clips, EnergyExtractor(), store, batch_budget=2, progress=True)
    assert caplog.messages[-1].startswith("energy: 30 of 30, ")
    assert "audio s/s" in caplog.messages[-1]
    assert "left" in caplog.messages[-1]
    assert capfd.readouterr().err == ""


def test_commits_come_every_few_seconds_and_at_the_end(tmp_path, store, monkeypatch):
    commits = []
    real = EmbeddingStore.put
    monkeypatch.setattr(EmbeddingStore, "put", lambda self, *args: commits.append(len(args[1])) or real(self, *args))
    clips = write_clips(tmp_path / "wav", 40)
    monkeypatch.setattr(writer, "COMMIT_SECONDS", 60.0)
    run(clips[:20], EnergyExtractor(), store, batch_budget=1)
    assert commits == [20]
    commits.clear()
    monkeypatch.setattr(writer, "COMMIT_SECONDS", 0.05)
    run(clips, EnergyExtractor(delay=0.01), store, batch_budget=1)
    assert sum(commits) == 20
    assert len(commits) >= 2
