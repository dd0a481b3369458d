"""Several processes, as several GPUs would be: they end with the same weights, and see all rows between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, sys
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
tests, out = Path(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(tests))
from conftest import _part as part, _toy_fold, _toy_table
from fusion.data.sequences import ArraySequences
from fusion.training import fit_fold, predict_logits

table, fold = _toy_table(), _toy_fold()
for m, vectors in table.features.items():  # of many lengths, each frame the row's vector
    frames = [np.repeat(vector[None], 2 + row % 7, axis=0) for row, vector in enumerate(vectors)]
    table.sequences[m] = ArraySequences([f if there else None for f, there in zip(frames, table.present[m])])
results = []
# several times in one process, as every run does
for modalities, head in ((["speech", "text"], "gated"), (["text"], "gated"), (["speech", "text"], "cross_attention")):
    fitted = fit_fold(
        table, fold, modalities=modalities, head=part("head", head, width=16), loss=part("loss", "weighted"),
        optimizer=part("optimizer", "adamw", lr=1e-2), batch_size=8, modality_dropout=0.3, run_dir=out / modalities[0],
        trainer=part("trainer", "ddp", max_epochs=12, accelerator="cpu", devices=2),
        callbacks=part("callbacks", "early_stopping", resume__every_seconds=0.0),
    )
    rows = fold.test[table.present["text"][fold.test]]
    right = predict_logits(fitted.model, table, rows).argmax(axis=1) == table.targets[rows]
    total = sum(float(t.double().abs().sum()) for t in fitted.model.state_dict().values())
    results.append({"total": total, "history": fitted.history, "accuracy": float(right.mean())})
(out / f"rank{os.environ.get('LOCAL_RANK', 0)}.json").write_text(json.dumps(results))
"""


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    script = tmp_path / "train_two.py"
    script.write_text(SCRIPT)
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "NODE_RANK")}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second, "every process holds the same model and knows the same figures"
    assert [fit["accuracy"] > 0.7 for fit in first] == [True, True, True]
    assert (tmp_path / "speech" / "last.ckpt").is_file()
