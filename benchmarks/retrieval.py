"""What an encoder's vectors are worth without training: retrieval, and templates of a few clips, on EmoDB and RAVDESS.

    python benchmarks/retrieval.py [--speech acoustic] [--corpora emodb ravdess] [--draws 20]
    python benchmarks/retrieval.py --speech emotion2vec_plus_large --set speech.device=cuda

Every comparison is in each of the spaces: raw, centred, standardized and whitened. Everything leaves one speaker out: a
query's own speaker is neither in what is searched, nor among the clips that templates are made of, nor in the statistics
of the space, which are of all clips of the other speakers and need no labels. What is left is a scripted corpus: all
speakers say the same sentences, and a clip may be found for its words; `nearest_same_words` says how often.

retrieval : mean average precision over all clips as queries (a hit has the query's label) with an interval bootstrapped
            over speakers, and the share of hits among the ten nearest. `chance` is a random order.
few_shot  : accuracy of templates made of 1, 2, 5, 10 and 20 clips a label, drawn from the other speakers, and of logistic
            regression on the same clips; mean and standard deviation over the draws.
calibrated: at 20 clips a label, the expected calibration error of `emofuse templates` before and after its temperature, and
            what its threshold for 90 % of the answers does.

Needs the corpora at $EMOFUSE_DATA (see conf/data/*.yaml). Writes results/retrieval_ENCODER.json.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from machine import RESULTS, describe_machine, write_json
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, recall_score

from fusion.configuration import conf_folder, register_resolvers
from fusion.evaluation.metrics import ece, ece_uncalibrated, total_sums
from fusion.evaluation.scored import Scored
from fusion.explore.collection import Collection
from fusion.explore.opening import open_vectors
from fusion.explore.space import KINDS, Space
from fusion.explore.templates.heldout import SCALE
from fusion.explore.templates.prototypes import make_prototypes
from fusion.explore.templates.rejecting import Reject
from fusion.explore.templates.templates import Templates

log = logging.getLogger("benchmarks.retrieval")

SHOTS = (1, 2, 5, 10, 20)
BOOTSTRAP = 2000
NEAREST = 10
Ints = NDArray[np.int64]


def main() -> None:
    """Embed, measure, log and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", default="acoustic", help="a name of conf/speech")
    parser.add_argument("--corpora", nargs="+", default=["emodb", "ravdess"])
    parser.add_argument(
        "--set", nargs="*", default=[], dest="settings", help="settings of the encoder: speech.device=cuda"
    )
    parser.add_argument("--store", help="an embedding store to keep the vectors in; default: a temporary one")
    parser.add_argument("--draws", type=int, default=20, help="times that the few clips are drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        found = {
            corpus: _measure(_collection(corpus, options, folder), options.draws, options.seed)
            for corpus in options.corpora
        }
    settings = "".join(f" --set {setting}" for setting in options.settings)
    command = f"python benchmarks/retrieval.py --speech {options.speech}{settings} --draws {options.draws}"
    content = {
        "what": "retrieval and few-shot templates on acted speech, the query's speaker always left out",
        "command": command,
        "speech": options.speech,
        "draws": options.draws,
        "seed": options.seed,
        "machine": describe_machine(["numpy", "scikit-learn", "librosa", "torch", "funasr"]),
        "corpora": found,
    }
    log.info("\n%s", tables(found))
    write_json(options.out or RESULTS / f"retrieval_{options.speech}.json", content)


def _collection(corpus: str, options: argparse.Namespace, folder: str) -> Collection:
    register_resolvers()
    overrides = [
        f"data={corpus}",
        f"speech={options.speech}",
        f"store.path={options.store or folder}",
        *options.settings,
    ]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("similar", overrides=overrides)
    return open_vectors(cfg).collect().labelled()


def _measure(clips: Collection, draws: int, seed: int) -> dict[str, Any]:
    names, targets = np.unique(np.array(clips.column("label"), dtype=str), return_inverse=True)
    speakers = np.unique(np.array(clips.column("speaker"), dtype=str), return_inverse=True)[1]
    targets = targets.astype(np.int64)
    log.info("%d clips, %d labels, %d speakers", len(clips), len(names), len(set(speakers)))
    return {
        "clips": len(clips),
        "labels": names.tolist(),
        "speakers": int(speakers.max()) + 1,
        "retrieval": _retrieval(clips, targets, speakers, seed),
        "few_shot": _few_shot(clips, targets, speakers, draws, seed),
        "calibrated": _calibrated(clips, names.tolist(), speakers, min(draws, 5), seed),
    }


def _left_out(clips: Collection, speakers: Ints) -> Iterator[tuple[Ints, Ints, dict[str, Space]]]:
    """Each speaker's rows, the others' rows, and the spaces of the others."""
    for speaker in range(speakers.max() + 1):
        here, others = np.flatnonzero(speakers == speaker), np.flatnonzero(speakers != speaker)
        known = clips.vectors[others]
        yield here, others, {kind: Space.fit(known, kind=kind, fingerprint=clips.maker.fingerprint) for kind in KINDS}


def _retrieval(clips: Collection, targets: Ints, speakers: Ints, seed: int) -> dict[str, Any]:
    texts = np.array(clips.column("text"), dtype=str)
    found: dict[str, dict[str, NDArray[Any]]] = {
        kind: {name: np.zeros(len(clips)) for name in ("map", "nearest", "words")} for kind in [*KINDS, "chance"]
    }
    random = np.random.default_rng(seed)
    words_by_chance = np.zeros(len(clips))
    for here, others, spaces in _left_out(clips, speakers):
        hits = targets[here, None] == targets[others]  # (queries, searched)
        same = texts[here, None] == texts[others]
        words_by_chance[here] = same.mean(axis=1)
        for kind in [*KINDS, "chance"]:
            if kind == "chance":
                cosines = random.random(hits.shape)
            else:
                space = spaces[kind]
                cosines = space.transform(clips.vectors[here]) @ space.transform(clips.vectors[others]).T
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
            found[kind]["map"][here] = [
                average_precision_score(hit, row) for hit, row in zip(hits, cosines, strict=True)
            ]
            found[kind]["nearest"][here] = np.take_along_axis(hits, order, axis=1).mean(axis=1)
            found[kind]["words"][here] = np.take_along_axis(same, order[:, :1], axis=1)[:, 0]
    return {
        kind: {
            "map": _with_interval(values["map"], speakers, seed),
            "hits_of_10": round(float(values["nearest"].mean()), 4),
            "nearest_same_words": round(float(values["words"].mean()), 4),
        }
        for kind, values in found.items()
    } | {"same_words_by_chance": round(float(words_by_chance.mean()), 4)}


def _with_interval(values: NDArray[np.float64], speakers: Ints, seed: int) -> dict[str, float]:
    """The mean with its 95 % interval, speakers drawn anew."""
    sums, counts = np.bincount(speakers, weights=values), np.bincount(speakers)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (BOOTSTRAP, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"value": round(float(values.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _few_shot(clips: Collection, targets: Ints, speakers: Ints, draws: int, seed: int) -> dict[str, Any]:
    """system -> shots -> accuracy and UA over the draws, every clip answered once a draw."""
    systems = [
        *(f"mean, {kind}" for kind in KINDS),
        "medoid, standardized",
        "several, standardized",
        "logistic regression",
    ]
    answers = {name: np.zeros((len(SHOTS), draws, len(clips)), np.int64) for name in systems}
    for here, others, spaces in _left_out(clips, speakers):
        units = {kind: space.transform(clips.vectors) for kind, space in spaces.items()}
        scaled = (clips.vectors - spaces["standardized"].mean) * spaces["standardized"].whitening
        for draw in range(draws):
            order = np.random.default_rng([seed, draw, int(speakers[here[0]])]).permutation(others)
            for place, shots in enumerate(SHOTS):
                few = np.concatenate([order[targets[order] == label][:shots] for label in range(targets.max() + 1)])
                for name in systems:
                    answers[name][place, draw, here] = _answers(name, few, here, targets, units, scaled)
    return {
        name: {
            str(shots): {
                "accuracy": _spread((given[place] == targets).mean(axis=1)),
                "ua": _spread(np.array([recall_score(targets, row, average="macro") for row in given[place]])),
            }
            for place, shots in enumerate(SHOTS)
        }
        for name, given in answers.items()
    }


def _answers(
    name: str, few: Ints, here: Ints, targets: Ints, units: dict[str, Any], scaled: NDArray[np.float32]
) -> NDArray[np.int64]:
    if name == "logistic regression":
        return LogisticRegression(max_iter=2000).fit(scaled[few], targets[few]).predict(scaled[here])
    kind, space = name.split(", ")
    prototypes = make_prototypes(units[space][few], targets[few], kind=kind, each=3)  # type: ignore[arg-type]
    return prototypes.cosines(units[space][here])[0].argmax(axis=1)


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    return {
        "mean": round(float(values.mean()), 4),
        "sd": round(float(values.std(ddof=1)) if len(values) > 1 else 0.0, 4),
    }


def _calibrated(clips: Collection, names: list[str], speakers: Ints, draws: int, seed: int) -> dict[str, Any]:
    """At 20 clips a label: expected calibration error before and after, and what is left of the errors by the threshold."""
    before, after, answered, right = [], [], [], []
    labels = np.array(clips.column("label"), dtype=str)
    for draw in range(draws):
        parts = []
        for here, others, spaces in _left_out(clips, speakers):
            order = np.random.default_rng([seed, draw, int(speakers[here[0]])]).permutation(others)
            few = np.concatenate([order[labels[order] == name][: SHOTS[-1]] for name in names])
            templates = Templates.fit(clips.take(few), space=spaces["standardized"], reject=Reject(coverage=0.9))
            scores = templates.score(clips.vectors[here], maker=clips.maker)
            logits = SCALE * scores.cosines.astype(np.float64)
            plain = np.exp(logits - logits.max(axis=1, keepdims=True))
            parts.append(
                Scored(
                    ids=[clips.ids[row] for row in here],
                    targets=np.array([names.index(label) for label in labels[here]]),
                    probabilities=scores.probabilities,
                    uncalibrated=plain / plain.sum(axis=1, keepdims=True),
                    uncertain=scores.uncertain,
                )
            )
        scored = Scored.concatenate(parts)
        sums = total_sums(scored)
        assert scored.uncertain is not None
        kept = ~scored.uncertain
        before.append(float(ece_uncalibrated(sums)))
        after.append(float(ece(sums)))
        answered.append(float(kept.mean()))
        right.append([float(scored.correct.mean()), float(scored.correct[kept].mean())])
    return {
        "clips_a_label": SHOTS[-1],
        "draws": draws,
        "ece_before": _spread(np.array(before)),
        "ece_after": _spread(np.array(after)),
        "answered": _spread(np.array(answered)),
        "accuracy": _spread(np.array(right)[:, 0]),
        "accuracy_answered": _spread(np.array(right)[:, 1]),
    }


def tables(found: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| mAP, another speaker's clips | " + " | ".join(KINDS) + " | chance |",
        "|---|" + "---|" * (len(KINDS) + 1),
    ]
    for corpus, entry in found.items():
        cells = [entry["retrieval"][kind]["map"] for kind in [*KINDS, "chance"]]
        shown = [f"{cell['value']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]" for cell in cells]
        lines.append(f"| {corpus} | {' | '.join(shown)} |")
    for corpus, entry in found.items():
        lines += ["", f"| {corpus}, UA with clips a label | " + " | ".join(map(str, SHOTS)) + " |"]
        lines.append("|---|" + "---|" * len(SHOTS))
        for system, by_shots in entry["few_shot"].items():
            cells = [by_shots[str(shots)]["ua"] for shots in SHOTS]
            lines.append(
                f"| {system} | " + " | ".join(f"{cell['mean']:.3f} ± {cell['sd']:.3f}" for cell in cells) + " |"
            )
        held = entry["calibrated"]
        lines.append(
            f"\n{corpus}, 20 clips a label: ECE {held['ece_before']['mean']:.3f} → {held['ece_after']['mean']:.3f}; "
            f"accuracy {held['accuracy']['mean']:.3f}, of the {held['answered']['mean']:.0%} answered "
            f"{held['accuracy_answered']['mean']:.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
