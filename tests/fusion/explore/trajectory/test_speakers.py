from __future__ import annotations

import json

import numpy as np
import pytest

from extractors.errors import InputError
from fusion.explore.trajectory import trajectory
from fusion.explore.trajectory.tables import summary
from fusion.explore.trajectory.voices import per_step, speakers_of
from fusion.meeting.transcript import Transcript, Utterance


def said(*spans: tuple[float, float, str | None]) -> Transcript:
    utterances = [Utterance(str(n), a, b, "words", who) for n, (a, b, who) in enumerate(spans)]
    return Transcript(tuple(utterances), "test", has_speakers=True)


def test_rows_belong_to_whose_utterance_their_middle_lies_in():
    names, owner = speakers_of(said((0.0, 0.05, "Ann"), (0.06, 0.1, "Bo"), (0.08, 0.09, "Ann"), (1, 2, None)), 7, 50.0)
    assert names == ("Ann", "Bo")
    # middles at 10, 30, 50, 70, 90, 110, 130 ms
    assert owner.tolist() == [0, 0, -1, 1, 1, -1, -1]
    assert per_step(np.array([0, 0, 1, 1, 1, -1, -1]), 4.0, 2, 1.0).tolist() == [0, 1]


def test_one_who_changes_while_another_does_not(acoustic, tone):
    """Ann's tone rises after 24 s; Bo hums on, and the turns themselves are no changes."""
    turns, spans = [], []
    for turn in range(8):
        ann = turn % 2 == 0
        turns.append(tone((130 if turn < 4 else 260) if ann else 90, 6, seed=turn))
        spans.append((6.0 * turn, 6.0 * turn + 6.0, "Ann" if ann else "Bo"))
    found = trajectory(np.concatenate(turns), acoustic, transcript=said(*spans))
    strongest = next(change for change in found.changes if change.rank == 1)
    assert strongest.speaker == "Ann"
    assert 17.5 <= strongest.time_s <= 24.5  # Bo speaks from 18 to 24
    assert not [
        change for change in found.changes if change.speaker == "Bo" and change.evidence > strongest.evidence / 3
    ]
    rows = json.loads(summary(found))["speakers"]
    assert [row["speaker"] for row in rows] == ["Ann", "Bo"]
    assert rows[0]["speech_s"] == pytest.approx(24, abs=0.6)


def test_a_transcript_of_another_recording(acoustic, tone, caplog):
    wave = tone(120, 6)
    for transcript in (said((900.0, 910.0, "Ann")), said()):
        with pytest.raises(InputError, match="no utterance of the transcript lies within the recording"):
            trajectory(wave, acoustic, transcript=transcript)
    trajectory(wave, acoustic, transcript=said((0.0, 3.0, "Ann"), (60.0, 70.0, "Bo")))
    assert "ends at 6.0 s, the transcript goes on (1 of 2 utterances begin later)" in caplog.text
    caplog.clear()
    trajectory(wave, acoustic, transcript=said((0.0, 6.4, "Ann")))
    assert not caplog.text


def test_who_is_left_out_is_a_gap(encoder, speech):
    only = said((0.0, 3.0, "Ann"), (9.0, 11.0, "Ann"))
    found = trajectory(speech, encoder, transcript=only, utterances_only=True)
    times = found.times[found.speech]
    assert ((times < 3.0) | ((times >= 9.0) & (times < 11.0))).all()
    assert np.isnan(found.scores[200:440]).all()
    with pytest.raises(InputError, match="no utterance of the transcript lies within"):
        trajectory(speech, encoder, transcript=said((900.0, 910.0, "Ann")), utterances_only=True)
