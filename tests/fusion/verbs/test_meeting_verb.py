"""`emofuse meeting`, by the command: from the bundled meeting to its report, and the wrong things a tired user does."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import extractors.audio
from extractors import AcousticExtractor, SentenceTransformerExtractor
from fusion.meeting.minutes import strip_annotations
from tests.fusion.random_bundle import save_random_bundle

SAMPLE = Path(str(files("fusion"))).parent / "samples" / "meeting"
PURPOSE = "purpose=own_recordings"
WIDE = ("modality=both", "per_person=true", "acknowledge_restrictions=true")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A head with random weights over the real acoustic and text encoders."""
    both = [AcousticExtractor(), SentenceTransformerExtractor()]
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    return save_random_bundle(folder, both, ("angry", "content", "sad"), (0.3, 0.3, 0.4))


@pytest.fixture
def meeting(emofuse, bundle, tmp_path, monkeypatch):
    """The command on the bundled meeting's words, with further arguments."""
    monkeypatch.setenv("EMOFUSE_STORE", str(tmp_path / "store"))

    def run(*arguments: str, transcript: str | Path = SAMPLE / "call.vtt", purpose: str = PURPOSE):
        return emofuse(
            "meeting", f"transcript={transcript}", f"bundle={bundle}", purpose, "output=out", "rules=null", *arguments
        )

    return run


def result(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out" / "meeting.json").read_text())


def test_the_default_looks_at_words_and_shows_nobody_alone(meeting, tmp_path):
    status, said, errors = meeting()
    assert status == 0, errors
    found = result(tmp_path)
    assert found["manners"]["modality"] == "text"
    assert found["method"]["modalities"] == ["text"]
    assert found["coverage"]["utterances"] == 29
    assert found["overall"]["probabilities"] is not None
    assert not any(u["probabilities"] for u in found["utterances"])
    assert {u["speaker"] for u in found["utterances"]} == {"Speaker A", "Speaker B"}
    assert found["topics"]  # by change of content
    assert "29 cues, 29 utterances, 0 left out" in said + errors
    assert not (tmp_path / "out" / "minutes.annotated.md").exists()


def test_with_everything_on(meeting, bundle, tmp_path, monkeypatch):
    minutes = SAMPLE / "minutes.md"
    opened: list[str] = []
    open_audio = extractors.audio.open_audio
    monkeypatch.setattr(extractors.audio, "open_audio", lambda path: opened.append(str(path)) or open_audio(path))
    status, _, errors = meeting(f"audio={SAMPLE / 'call.flac'}", f"minutes={minutes}", "window_s=15", *WIDE)
    assert status == 0, errors
    assert opened == [str(SAMPLE / "call.flac")], "nothing is decoded twice"
    found = result(tmp_path)
    assert found["method"]["modalities"] == ["speech", "text"]
    assert found["coverage"]["estimated_s"] == pytest.approx(found["coverage"]["speech_s"])
    assert all(abs(sum(u["probabilities"].values()) - 1) < 1e-3 for u in found["utterances"])
    assert all(u["valence_speech"] is not None or u["valence_text"] is not None for u in found["utterances"])
    assert found["duration_s"] == pytest.approx(72, abs=1)
    server = next(item for item in found["items"] if "server" in item["text"])  # nobody spoke of it
    assert server["evidence"][0]["method"] == "section"
    assert (server["valence"], server["probabilities"], server["counted"]) == (None, None, 0)
    assert server["withheld"] == "not found in what was said"
    good = next(item for item in found["items"] if "Ben: the sun" in item["text"])
    assert good["evidence"][0]["start_s"] < 15
    copy = (tmp_path / "out" / "minutes.annotated.md").read_text()
    assert strip_annotations(copy).startswith(minutes.read_text())
    assert "often wrong" in copy
    line = next(line for line in copy.splitlines() if "server" in line)
    assert re.search(r"⟦not found in what was said; its section is around 0:\d\d⟧", line), line
    assert found["method"]["model"].endswith(f"/{bundle.parent.name}")  # a number alone would say little
    assert any(note.startswith("Not anonymous: the names of 2 of 2 speakers stand in") for note in found["notes"])
    names = {"report.html", "meeting.json", "utterances.csv", "alerts.json", "captions.vtt", "timeline.png", "ABOUT.md"}
    assert names <= {path.name for path in (tmp_path / "out").iterdir()}
    assert minutes.read_bytes() == (SAMPLE / "minutes.md").read_bytes()  # never in place
    assert "shifted" not in " ".join(found["notes"])


def test_a_shifted_transcript_is_told_of_and_not_shifted(meeting, tmp_path):
    status, _, errors = meeting(f"audio={_padded(tmp_path)}", "modality=text")
    assert status == 0, errors
    found = result(tmp_path)
    assert any(re.search(r"shifted: \+(19\.9|20\.\d) s would fit", note) for note in found["notes"])
    assert found["utterances"][0]["start_s"] == pytest.approx(1.0)


def _padded(folder: Path) -> Path:
    samples, rate = soundfile.read(SAMPLE / "call.flac")
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(20 * rate)
    soundfile.write(folder / "late.wav", np.concatenate([quiet, samples]), rate)
    return folder / "late.wav"


def test_people_are_left_out_before_anything_is_estimated(meeting, tmp_path):
    status, _, errors = meeting("exclude_speakers=[Ben]", "per_person=true", "acknowledge_restrictions=true")
    assert status == 0, errors
    found = result(tmp_path)
    assert {u["speaker"] for u in found["utterances"]} == {"Speaker A"}
    assert "cheerful" not in (tmp_path / "out" / "report.html").read_text()


def test_a_person_alone_is_not_shown_as_a_pool(meeting, tmp_path):
    assert meeting("exclude_speakers=[Ben]")[0] == 0
    assert result(tmp_path)["overall"]["withheld"] == "too few people to hide among"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["modality=both"], "acknowledge_restrictions=true"),
        (["per_person=true"], "acknowledge_restrictions=true"),
        (["modality=speech", "acknowledge_restrictions=true"], "expected a recording, audio="),
        (["modality=loud"], "expected text, speech, both"),
        (["audio=nothing.wav"], "no such file"),
        (["minutes=nothing.md"], "cannot read the minutes"),
        (["valence=nothing"], "there is no map 'nothing'"),
        (["rules=nothing"], "there is no set 'nothing'"),
        (["bundle=null"], "needs a trained model of words"),
        (["notify.url=https://example.org/x"], "16 characters"),
        (["min_utterances=0"], "count from 1"),
        (["min_utterances=five"], "expected a whole number"),
        (["per_person=true", "acknowledge_restrictions=nope"], "expected true or false"),
        (["exclude_speakers=Ben"], "expected a list of names"),
        (["exclude_speakers=null"], "expected a list of names"),
        (["exclude_speakers=[Bem]"], "is it 'ben'?"),
        (["speaker_map=[Ben]"], "expected names with names"),
        (["offset=soon"], "a number of seconds"),
        (["window_s=0"], "expected seconds from 1"),
        (["longest_s=long"], "expected seconds from 1"),
        ([f"minutes={SAMPLE / 'call.vtt'}"], "got captions"),
        ([f"minutes={SAMPLE / 'call.flac'}"], "is a recording"),
        ([f"rttm={SAMPLE / 'call.vtt'}"], "not a line of it is RTTM"),
        (["output=/proc/nowhere"], "output=/proc/nowhere cannot be written"),
        (["anonymize=false"], "did you mean anonymise?"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(meeting, tmp_path, arguments, says):
    status, _, errors = meeting(*arguments)
    assert status == 2
    assert says in errors
    assert not (tmp_path / "out").exists()


def test_columns_and_names_come_from_the_command_line(meeting, tmp_path):
    rows = [f"{n},{n + 1.5},hello there {n},SPEAKER_0{n % 2}" for n in range(12)]
    (tmp_path / "x.csv").write_text("\n".join(["Begin,Stopp,Words,Who", *rows]))
    status, _, errors = meeting(
        "columns={start: Begin, end: Stopp, text: Words, speaker: Who}",
        "speaker_map={SPEAKER_00: Anna Lee, SPEAKER_01: O'Hara}",
        "anonymise=false", "acknowledge_restrictions=true", transcript=tmp_path / "x.csv",
    )  # fmt: skip
    assert status == 0, errors
    assert {u["speaker"] for u in result(tmp_path)["utterances"]} == {"Anna Lee", "O'Hara"}
    assert result(tmp_path)["utterances"][0]["end_s"] == 1.5


def test_a_file_name_that_says_who_speaks_is_no_title(meeting, tmp_path):
    path = tmp_path / "2026-03-02_Anna_and_me.vtt"
    path.write_bytes((SAMPLE / "call.vtt").read_bytes())
    assert meeting(transcript=path)[0] == 0
    assert result(tmp_path)["title"] == "meeting"
    assert meeting("title=Sales, Q3", transcript=path)[0] == 0  # its own files of before are replaced
    assert result(tmp_path)["title"] == "Sales, Q3"


def test_what_was_left_out_of_the_minutes_is_told(meeting, tmp_path):
    (tmp_path / "m.md").write_text("- the weather\n\n<div>\nsecret plan\n</div>\n\n- the picnic\n")
    assert meeting(f"minutes={tmp_path / 'm.md'}")[0] == 0
    assert any("HTML" in note for note in result(tmp_path)["notes"])


def test_files_of_others_and_inputs_are_not_written_over(meeting, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine")
    status, _, errors = meeting()
    assert status == 2
    assert "files of other origin" in errors
    assert (out / "report.html").read_text() == "mine"
    (out / "report.html").unlink()
    assert meeting()[0] == 0
    before = (out / "captions.vtt").read_bytes()
    status, _, errors = meeting(transcript=out / "captions.vtt")
    assert status == 2
    assert "would be written over" in errors
    assert (out / "captions.vtt").read_bytes() == before


def test_voices_of_a_team_stay_refused_whatever_is_set(meeting):
    status, _, errors = meeting(
        f"audio={SAMPLE / 'call.flac'}", *WIDE, "purpose.voice=acknowledged", purpose="purpose=team_meetings"
    )
    assert status == 2
    assert "refused for team_meetings" in errors


def test_a_purpose_is_required_and_voices_of_teams_are_refused(emofuse, meeting, bundle):
    status, _, errors = emofuse("meeting", f"transcript={SAMPLE / 'call.vtt'}", f"bundle={bundle}")
    assert status == 2
    for name in ("customer_calls: how customers", "team_meetings: meetings of people at work (words only"):
        assert f"purpose={name}" in errors
    assert "RESPONSIBLE_USE.md" in errors
    assert "OPTION" not in errors  # Hydra's own words
    status, said, errors = emofuse("meeting", "--help")
    assert (status, errors) == (0, "")
    assert "team_meetings" in said
    assert "transcript" in said
    status, _, errors = meeting(*WIDE, f"audio={SAMPLE / 'call.flac'}", purpose="purpose=team_meetings")
    assert status == 2
    assert "voices are refused" in errors


def test_a_recording_shorter_than_its_transcript_is_refused(meeting, tmp_path):
    samples, rate = soundfile.read(SAMPLE / "call.flac")
    soundfile.write(tmp_path / "cut.wav", samples[: 30 * rate], rate)
    status, _, errors = meeting(f"audio={tmp_path / 'cut.wav'}", *WIDE)
    assert status == 2
    assert "ends after its recording" in errors


def test_no_speaker_at_all_is_a_smaller_result(meeting, tmp_path):
    path = tmp_path / "call.srt"
    cues = [f"{n}\n00:00:{2 * n:02},000 --> 00:00:{2 * n + 1:02},500\nThis was a bad day {n}.\n" for n in range(1, 12)]
    path.write_text("\n".join(cues))
    status, _, errors = meeting(transcript=path)
    assert status == 0, errors
    found = result(tmp_path)
    assert found["overall"]["withheld"] == "too few people to hide among"
    assert any("names no speakers" in note for note in found["notes"])


def test_who_spoke_when_is_enough_for_voices_and_too_little_for_words(meeting, tmp_path):
    path = tmp_path / "call.rttm"
    path.write_text("".join(f"SPEAKER call 1 {3 * n} 2.5 <NA> <NA> s{n % 2} <NA> <NA>\n" for n in range(20)))
    status, _, errors = meeting(transcript=path)
    assert status == 2
    assert "has no words" in errors
    voices = ("modality=speech", "acknowledge_restrictions=true", f"audio={SAMPLE / 'call.flac'}")
    status, _, errors = meeting(*voices, transcript=path)
    assert status == 0, errors
    assert result(tmp_path)["overall"]["counted"] == 20
    assert result(tmp_path)["topics"] == []


def test_html_in_names_and_zero_second_cues_do_no_harm(meeting, tmp_path):
    rows = [(n, n + (0 if n == 3 else 2), "<img src=x onerror=alert(1)>", "so bad") for n in range(0, 40, 3)]
    pd.DataFrame(rows, columns=["start", "end", "speaker", "text"]).to_csv(tmp_path / "x.csv", index=False)
    status, _, errors = meeting(
        "per_person=true", "anonymise=false", "acknowledge_restrictions=true", transcript=tmp_path / "x.csv"
    )
    assert status == 0, errors
    assert "<img" not in (tmp_path / "out" / "report.html").read_text()


def test_labels_without_a_valence_are_a_smaller_result_or_an_error(meeting, tmp_path):
    map_ = tmp_path / "mine.yaml"
    map_.write_text("bored: -1\n")
    status, _, errors = meeting(f"valence={map_}")
    assert status == 2
    assert "no label of angry, content, sad" in errors


def test_a_webhook_hears_of_the_files_and_of_no_estimate(meeting, tmp_path, monkeypatch):
    got = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("EMOFUSE_NOTIFY_SECRET", "sixteen letters or more")
    status, _, errors = meeting(f"notify.url=http://127.0.0.1:{server.server_address[1]}/")
    server.shutdown()
    server.server_close()
    assert status == 0, errors
    (message,) = got
    assert message["event"] == "meeting.completed"
    assert "report.html" in message["files"]
    assert not {"overall", "valence", "probabilities"} & set(message)


def test_from_python_in_ten_lines(bundle, tmp_path):
    from extractors import EmbeddingStore
    from fusion.meeting import Manners, enrich, open_estimator, publish, read_transcript, write_outputs
    from fusion.meeting.manners import named_purpose
    from fusion.valence import load_valence

    manners = Manners(named_purpose("own_recordings"))
    estimator = open_estimator(bundle=bundle, modality=manners.modality)
    meeting = enrich(
        read_transcript(SAMPLE / "call.vtt"),
        manners=manners,
        estimator=estimator,
        valence=load_valence("default", labels=estimator.labels),
        store=EmbeddingStore(tmp_path / "store"),
    )
    assert write_outputs(publish(meeting), tmp_path / "out")["report.html"].is_file()
    assert meeting.overall.utterances == 29
