from __future__ import annotations

import pytest

from fusion.evaluation.verdict import better_single, primary, verdict

TEST = {"fusion": {"ua": {"value": 0.7}}, "speech": {"ua": {"value": 0.6}}, "text": {"ua": {"value": 0.5}}}
INTERVAL = {"level": 0.95, "unit": "speaker", "units": 12}


@pytest.mark.parametrize(
    ("low", "high", "answer", "words"),
    [
        (0.01, 0.2, "yes", "Fusion helps: UA 0.700 against 0.600 with speech alone"),
        (-0.2, -0.01, "no", "Fusion does not help: "),
        (-0.1, 0.2, "not shown", "may be chance (95 % interval −0.100 to +0.200, 12 speakers)"),
        (0.0, 0.2, "not shown", "Not shown"),  # touching zero is not above it
        (None, None, "not shown", "too little data"),
    ],
)
def test_the_interval_decides(low, high, answer, words):
    found = verdict(TEST, {"ua": {"value": 0.1, "low": low, "high": high}}, "speech", INTERVAL)
    assert found["fusion_helps"] == answer
    assert words in found["sentence"]


def test_utterances_do_not_speak_of_new_speakers():
    interval = INTERVAL | {"unit": "utterance"}
    found = verdict(TEST, {"ua": {"value": 0.1, "low": 0.05, "high": 0.15}}, "speech", interval)
    assert found["sentence"].endswith("Speakers are too few or unknown to say this of new ones.")


def test_one_modality_has_nothing_to_be_compared_with():
    found = verdict({"text": TEST["text"]}, None, None, INTERVAL)
    assert found == {
        "fusion_helps": None,
        "sentence": "Only text (UA 0.500) was trained: there is no fusion to compare.",
    }


def test_fusion_meets_the_stronger_rival():
    assert better_single({"fusion": 0.7, "speech": 0.6, "text": 0.65}) == "text"
    assert better_single({"speech": 0.6}) is None
    assert better_single({"fusion": 0.6}) is None
    assert primary(["text", "fusion", "speech"]) == "fusion"


def test_a_gain_on_a_leaking_split_is_not_called_a_gain():
    ua = {"ua": {"value": 0.1, "low": 0.05, "high": 0.15}}
    assert verdict(TEST, ua, "speech", INTERVAL)["fusion_helps"] == "yes"
    found = verdict(TEST, ua, "speech", INTERVAL, leaked=True)
    assert found["fusion_helps"] == "not shown"
    assert "this split leaks" in found["sentence"]
