"""Which parameters of a classifier learn, and how fast."""

from __future__ import annotations

import re
from typing import Any

import torch

from nlp_study.stance.model import StanceClassifier


def freeze_layers(encoder: torch.nn.Module, n_layers: int) -> None:
    """Freeze the word embeddings and the pooler always, and the `n_layers` lowest layers with all embeddings if above 0.

    Word embeddings hold most parameters of a small encoder and some hundred posts touch few of them; the pooler is not read.
    """
    for name, parameter in encoder.named_parameters():
        frozen = "word_embeddings" in name or name.startswith("pooler.") or (n_layers > 0 and _depth(name) <= n_layers)
        parameter.requires_grad_(not frozen)


def parameter_groups(classifier: StanceClassifier, *, learning_rate: float, layer_decay: float) -> list[dict[str, Any]]:
    """Return optimizer groups in which each layer learns `layer_decay` times as fast as the one above.

    Biases and norms are not decayed (as in the BERT reference implementation).
    """
    named = [(name, p) for name, p in classifier.encoder.named_parameters() if p.requires_grad]
    top = max((d for d in (_depth(name) for name, _ in named) if d < 10**6), default=0)
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        rate = learning_rate * layer_decay ** max(0, top - _depth(name))
        decay = 0.0 if name.endswith("bias") or "norm" in name.lower() else 0.01
        groups.setdefault((rate, decay), []).append(parameter)
    listed = [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]
    head = {"params": list(classifier.head.parameters()), "lr": learning_rate, "weight_decay": 0.0}
    return [*listed, head]


def freeze_unread(classifier: StanceClassifier, batch: dict[str, torch.Tensor]) -> None:
    """Freeze what a pass does not read, such as heads of the pre-training: processes would wait for its gradients forever.

    Parameters
    ----------
    batch : labelled posts as `collate_windows` returns them; one is enough.
    """
    device = classifier.head.weight.device
    batch = {name: (value.float() if value.is_floating_point() else value).to(device) for name, value in batch.items()}
    classifier.eval()  # draws no dropout: random numbers stay as the seed has them
    classifier(**batch)["loss"].backward()
    for parameter in classifier.parameters():
        parameter.requires_grad_(parameter.grad is not None)
    classifier.zero_grad(set_to_none=True)


def _depth(name: str) -> int:
    """Layer of a parameter: 0 for embeddings, 1 for the lowest layer; parameters behind the layers count as highest."""
    match = re.search(r"(?:^|\.)(?:layer|layers|h|block)\.(\d+)\.", name)
    if match:
        return int(match.group(1)) + 1
    return 0 if "embed" in name else 10**6
