"""Every head of conf/head goes through the same properties, and broken heads are caught by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from extractors.errors import InputError
from fusion.heads.base import Head, HeadOutput, Sequences, check_lengths, reads_sequences

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "conf" / "head").glob("*.yaml"))
CLASSES = 5
SUBSETS: list[dict[str, int]] = [
    {"speech": 11, "text": 7},
    {"speech": 11},
    {"text": 7},
    {"speech": 11, "text": 7, "face": 5},
]

FRAMES = 9  # the longest sequence of `data`

Features = dict[str, Tensor | Sequences]
Data = tuple[Features, dict[str, Tensor]]


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def build(request: pytest.FixtureRequest) -> Callable[..., Head]:
    return instantiate(OmegaConf.load(request.param))


@pytest.fixture(params=SUBSETS, ids="+".join)
def dims(request: pytest.FixtureRequest) -> dict[str, int]:
    return request.param


def make(build: Callable[..., Head], dims: Mapping[str, int]) -> Head:
    """In training mode with dropout off: BatchNorm and its kind show themselves only there."""
    torch.manual_seed(0)
    if getattr(build.func, "given_probabilities", False):  # type: ignore[attr-defined]
        dims = dict.fromkeys(dims, CLASSES)  # of each model, a score for each class
    head = build(dims=dims, num_classes=CLASSES).train()
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return head


def data(head: Head, rows: int = 8, seed: int = 1) -> Data:
    """All patterns of presence: row r has modality m where bit m of r is set; row 0 has nothing, the last all.

    For a head of sequences, of all lengths from one token to `FRAMES`, with rubbish in the padding.
    """
    generator = torch.Generator().manual_seed(seed)
    features: Features = {}
    for number, (m, dim) in enumerate(head.dims.items()):
        if head.needs_sequences:
            values = torch.randn(rows, FRAMES, dim, generator=generator)
            lengths = (torch.arange(rows) * 4 + number) % FRAMES + 1
            features[m] = Sequences(values, torch.arange(FRAMES) < lengths[:, None])
        else:
            features[m] = torch.randn(rows, dim, generator=generator)
    present = {m: torch.tensor([row >> column & 1 == 1 for row in range(rows)]) for column, m in enumerate(head.dims)}
    return features, present


def everything(present: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {m: torch.ones_like(flags) for m, flags in present.items()}


def take(values: Mapping[str, Tensor | Sequences], rows: Tensor) -> dict[str, Any]:
    return {
        m: Sequences(x.values[rows], x.mask[rows]) if isinstance(x, Sequences) else x[rows] for m, x in values.items()
    }


def changed(x: Tensor | Sequences, change: Callable[[Tensor], Tensor]) -> Any:
    """The same with other values, and for sequences the same mask."""
    return Sequences(change(x.values), x.mask) if isinstance(x, Sequences) else change(x)


def values_of(x: Tensor | Sequences) -> Tensor:
    return x.values if isinstance(x, Sequences) else x


def same(a: HeadOutput, b: HeadOutput, tolerance: float = 1e-5) -> bool:
    return all(torch.allclose(x, y, atol=tolerance, rtol=tolerance) for x, y in zip(a, b, strict=True))


# the properties -------------------------------------------------------------------------------------------------


def check_shapes(head: Head) -> None:
    features, present = data(head)
    logits, embedding, weights = head(features, present)
    assert logits.shape == (8, CLASSES)
    assert embedding.ndim == 2
    assert embedding.shape[0] == 8
    assert weights.shape == (8, len(head.dims))
    assert all(part.isfinite().all() for part in (logits, embedding, weights)), "also where nothing is present"


def check_weights(head: Head) -> None:
    features, present = data(head)
    mask = torch.stack([present[m] for m in head.modalities], dim=1)
    weights = head(features, present).weights
    assert (weights >= 0).all()
    assert (weights[~mask] == 0).all()
    assert torch.allclose(weights.sum(dim=1), mask.any(dim=1).float(), atol=1e-6)


def check_rows_do_not_meet(head: Head) -> None:
    features, present = data(head)
    together = head(features, present)
    for row in range(8):
        alone = head(take(features, torch.tensor([row])), take(present, torch.tensor([row])))
        assert same(alone, HeadOutput(*(part[row : row + 1] for part in together))), f"row {row} alone"
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    shuffled = head(take(features, order), take(present, order))
    assert same(shuffled, HeadOutput(*(part[order] for part in together))), "rows in another order"
    others, _ = data(head, seed=2)
    mixed = {
        m: changed(x, lambda values, m=m: torch.cat([values[:4], 100 * values_of(others[m])[4:]]))
        for m, x in features.items()
    }
    assert same(HeadOutput(*(p[:4] for p in head(mixed, present))), HeadOutput(*(p[:4] for p in together))), "company"


def check_order_of_dicts(head: Head) -> None:
    features, present = data(head)
    turned = head(dict(reversed(features.items())), dict(reversed(present.items())))
    assert same(turned, head(features, present), tolerance=0)


def check_absent_is_inert(head: Head) -> None:
    """Outputs and gradients are the same whatever an absent row holds: huge, NaN or infinite."""
    features, present = data(head)
    results = []
    for filler in (0.0, 1e30, torch.nan, torch.inf):
        filled = {
            m: torch.where(_there(x, present[m]), values_of(x), filler).requires_grad_() for m, x in features.items()
        }
        head.zero_grad()
        out = head({m: changed(x, lambda _, new=filled[m]: new) for m, x in features.items()}, present)
        (out.logits.square().sum() + out.embedding.sum()).backward()
        gradients = [p.grad.clone() for p in head.parameters() if p.grad is not None]
        for m, x in features.items():
            there, gradient = _there(x, present[m]).expand_as(filled[m]), filled[m].grad
            gradients.append(gradient[there])
            assert (gradient[~there] == 0).all(), "gradient into an absent row, or into padding"
        results.append((out, gradients))
    for out, gradients in results[1:]:
        assert same(out, results[0][0], tolerance=0)
        assert all(torch.equal(x, y) for x, y in zip(gradients, results[0][1], strict=True))


def _there(x: Tensor | Sequences, present: Tensor) -> Tensor:
    """What of `x` counts, in a shape that broadcasts over it."""
    return (x.mask & present[:, None])[:, :, None] if isinstance(x, Sequences) else present[:, None]


def check_each_modality_matters(head: Head) -> None:
    features, present = data(head)
    present = everything(present)
    base = head(features, present).logits
    for modality in head.modalities:
        turned = head({**features, modality: changed(features[modality], lambda x: x.flip(-1))}, present).logits
        assert ((turned - base).abs().amax(dim=1) > 1e-4).all(), f"{modality} changes nothing"


def check_gradient_reaches_all(head: Head) -> None:
    features, present = data(head)
    out = head(features, everything(present))
    head.zero_grad()
    nn.functional.cross_entropy(out.logits, torch.arange(8) % CLASSES).backward()
    idle = [name for name, p in head.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    assert not idle, f"no gradient reaches {idle}"


def check_kind_of_vectors(head: Head) -> None:
    features, present = data(head)
    wrong_kind: Features = {
        m: x.values.mean(dim=1)
        if isinstance(x, Sequences)
        else Sequences(x[:, None], torch.ones(8, 1, dtype=torch.bool))
        for m, x in features.items()
    }
    with pytest.raises(InputError, match="pooled") as caught:
        head(wrong_kind, present)
    assert len(caught.value.problems) == len(head.dims), "all modalities at once"
    with pytest.raises(InputError, match="expected"):
        head({m: changed(x, lambda values: values[..., :-1]) for m, x in features.items()}, present)
    with pytest.raises(InputError, match="got nothing"):
        head({}, present)


# of heads of sequences only


def check_padding_is_inert(head: Head) -> None:
    """However long the batch is made, and whatever the padding holds, a row says the same."""
    features, present = data(head)
    base = head(features, present)
    for more, filler in ((1, 0.0), (7, torch.nan), (23, 1e30)):
        longer = {
            m: Sequences(
                torch.cat([x.values, torch.full((8, more, x.values.shape[2]), filler)], dim=1),
                torch.cat([x.mask, torch.zeros(8, more, dtype=torch.bool)], dim=1),
            )
            for m, x in features.items()
        }
        assert same(head(longer, present), base), f"{more} frames of padding"
    for row in range(8):
        alone = take(features, torch.tensor([row]))
        cut = {m: Sequences(*(part[:, : max(int(x.mask.sum()), 2)] for part in x)) for m, x in alone.items()}
        answer = head(cut, take(present, torch.tensor([row])))
        assert same(answer, HeadOutput(*(part[row : row + 1] for part in base))), f"row {row} without padding"


def check_frames_are_told_apart(head: Head) -> None:
    """It reads sequences: neither a mean over frames, nor blind to their order."""
    features, present = data(head)
    present, longest = everything(present), torch.tensor([FRAMES - 1])
    base = head(features, present).logits
    for m, x in features.items():
        keep = x.mask.sum(dim=1) > longest
        assert keep.any()
        turned = head({**features, m: changed(x, lambda values: values.flip(1))}, present).logits
        assert ((turned - base)[keep].abs().amax(dim=1) > 1e-5).all(), f"{m}: the order of frames changes nothing"


def check_one_token_is_refused(head: Head) -> None:
    """A pooled vector with an axis more is no sequence, though a short text among others is one."""
    features, present = data(head)
    disguised = {m: Sequences(*(part[:, :1] for part in x)) for m, x in features.items()}
    with pytest.raises(InputError, match="one token") as caught:
        head(disguised, present)
    assert len(caught.value.problems) == len(head.dims)
    with pytest.raises(InputError, match="one token"):
        check_lengths({m: np.array([1, 0, 1]) for m in head.dims}, head.strides)
    check_lengths({m: np.array([1, 0, 1 + head.strides.get(m, 1)]) for m in head.dims}, head.strides)


def check_save_and_load(head: Head, again: Head, path: Path) -> None:
    features, present = data(head)
    with torch.no_grad():
        for parameter in again.parameters():
            parameter.zero_()
    save_file(head.state_dict(), path)
    again.load_state_dict(load_file(path))
    assert same(again.eval()(features, present), head.eval()(features, present), tolerance=0)


CHECKS = [
    check_shapes,
    check_weights,
    check_rows_do_not_meet,
    check_order_of_dicts,
    check_absent_is_inert,
    check_each_modality_matters,
    check_kind_of_vectors,
]
OF_GRADIENTS = [check_gradient_reaches_all]
OF_SEQUENCES = [check_padding_is_inert, check_frames_are_told_apart, check_one_token_is_refused]


@pytest.mark.parametrize(
    "check", CHECKS + OF_GRADIENTS + OF_SEQUENCES, ids=lambda check: check.__name__.removeprefix("check_")
)
def test_contract(build: Callable[..., Head], dims: dict[str, int], check: Callable[[Head], None]) -> None:
    head = make(build, dims)
    if check in OF_GRADIENTS and head.fits_itself:
        pytest.skip("takes no gradient steps")
    if check in OF_SEQUENCES and not head.needs_sequences:
        pytest.skip("reads pooled vectors")
    assert reads_sequences(build) == head.needs_sequences
    check(head)


def test_save_and_load(build: Callable[..., Head], dims: dict[str, int], tmp_path: Path) -> None:
    check_save_and_load(make(build, dims), make(build, dims), tmp_path / "head.safetensors")


def test_no_batch_statistics(build: Callable[..., Head], dims: dict[str, int]) -> None:
    kinds = {type(module).__name__ for module in make(build, dims).modules()}
    assert not {kind for kind in kinds if "BatchNorm" in kind or "InstanceNorm" in kind}


def test_single_rows_learn(build: Callable[..., Head], dims: dict[str, int]) -> None:
    """A row of each pattern of presence but the empty one is learnt by heart: the way to the logits is open."""
    head = make(build, dims)
    if head.fits_itself:
        pytest.skip("takes no gradient steps")
    features, present = data(head)
    keep = torch.stack(list(present.values())).any(dim=0).nonzero().squeeze(1)
    features, present, targets = take(features, keep), take(present, keep), torch.arange(len(keep)) % CLASSES
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(300):
        logits = head(features, present).logits
        if (logits.argmax(dim=1) == targets).all():
            return
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, targets).backward()
        optimizer.step()
    pytest.fail(f"predicts {logits.argmax(dim=1).tolist()} for {targets.tolist()}")


def test_configs_are_there() -> None:
    assert {"concat", "gated", "late", "cross_attention", "bottleneck"} <= {path.stem for path in CONFIGS}


def test_heads_are_of_like_size(build: Callable[..., Head]) -> None:
    """With vectors of emotion2vec+ large and all-MiniLM-L6-v2, so that a comparison is not one of sizes."""
    if not build.func.fits_itself:  # type: ignore[attr-defined]
        head = build(dims={"speech": 1024, "text": 384}, num_classes=4)
        assert 180_000 < sum(parameter.numel() for parameter in head.parameters()) < 320_000


# broken heads: each property is able to fail --------------------------------------------------------------------


class Broken(Head):
    """Does everything wrong that `fault` names, and the rest right."""

    def __init__(self, *, dims: Mapping[str, int], num_classes: int, fault: str) -> None:
        super().__init__(dims=dims, num_classes=num_classes)
        self.fault = fault
        self.layers = nn.ModuleDict({m: nn.Linear(d, 8) for m, d in dims.items()})
        self.classify = nn.Linear(8, num_classes)
        self.idle = nn.Linear(2, 2)

    def forward(self, features: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> HeadOutput:
        hidden = torch.zeros(len(next(iter(present.values()))), 8)
        for m in features if self.fault == "order" else self.dims:
            if self.fault == "multiplied mask":
                hidden = hidden + self.layers[m](features[m]) * present[m][:, None]
            elif self.fault == "leak" or (self.fault == "deaf" and m == "text"):
                hidden = hidden + self.layers[m](features[m].nan_to_num(0, 0, 0)) * float(self.fault == "leak")
            else:
                hidden = hidden + self.layers[m](torch.where(present[m][:, None], features[m], 0.0))
            if self.fault == "order":
                hidden = hidden.tanh()
        if self.fault == "across the batch":
            hidden = torch.softmax(hidden @ hidden.T, dim=-1) @ hidden
        mask = torch.stack(list(present.values()), dim=1).float()
        return HeadOutput(
            self.classify(hidden), hidden, mask if self.fault == "weights" else mask / mask.sum(1)[:, None]
        )


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("multiplied mask", check_absent_is_inert),
        ("leak", check_absent_is_inert),
        ("deaf", check_each_modality_matters),
        ("order", check_order_of_dicts),
        ("across the batch", check_rows_do_not_meet),
        ("weights", check_weights),
        ("idle parameters", check_gradient_reaches_all),
        ("weights of nothing", check_shapes),
    ],
)
def test_broken_heads_are_caught(fault: str, check: Callable[[Head], None]) -> None:
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        check(Broken(dims={"speech": 11, "text": 7}, num_classes=CLASSES, fault=fault))
