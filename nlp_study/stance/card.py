"""The model card of a trained classifier: what it is, what it was trained on, how good it is, what it is not for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlp_study.metrics import score_evaluations

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import Study
    from nlp_study.stance.model import TrainedStance
    from nlp_study.stance.pairs import Pair
    from nlp_study.stance.train import FitHistory


def write_card(
    study: Study, pairs: Sequence[Pair], evaluations: pa.Table, model: TrainedStance, history: FitHistory
) -> str:
    """Return the model card in Markdown, with the figures of the evaluation."""
    per_class = Counter(str(pair.stance) for pair in pairs)
    sources = ", ".join(f"{s.name} ({s.path})" for s in study.sources) or "imported by hand"
    targets = ", ".join(target.name for target in study.targets)
    share = history.n_tokens_read / history.n_tokens_total if history.n_tokens_total else 1.0
    lines = [
        "---",
        "language: id",
        "library_name: transformers",
        f"base_model: {model.config.encoder}",
        "pipeline_tag: text-classification",
        "---",
        "",
        f"# {model.model_id}",
        "",
        f"Stance of Indonesian opinion articles toward: {targets}. Labels: {', '.join(model.config.stances)}.",
        "",
        "## Training",
        "",
        f"- encoder: `{model.config.encoder}`; mean over tokens, mean over windows of {model.config.window_tokens} tokens, "
        "one linear layer",
        f"- labels: {history.n_labels} pairs ({', '.join(f'{k} {v}' for k, v in per_class.most_common())}); {sources}",
        f"- posts read in training: {share:.1%} of their tokens (classification reads all)",
        f"- seed {model.config.seed}; {history.epochs:g} epochs; stopped on {history.n_stopping} pairs of other authors; "
        f"kept: {history.kept}",
        f"- loss on those: {_figure(history.loss_at_start)} with the linear head, {_figure(history.loss_at_best)} tuned",
        f"- {history.seconds:g} s",
        "",
        "## Evaluation",
        "",
        *_figures(study, evaluations),
        "",
        "## Use",
        "",
        "`nlp-study classify` with `stance.model` set to this folder; the encoder alone loads with",
        "`transformers.AutoModel.from_pretrained`, the linear layer is `head.safetensors`.",
        "",
        "## Limits and licence",
        "",
        "Predictions are of a (post, target) pair, for posts like those it was trained on; they are wrong as often as the",
        "table says, and wrong differently from class to class. Do not use them to judge a person.",
        "The model is bound by the licences of the encoder and of the labelled posts; see their cards and datasheets.",
        "",
    ]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _figures(study: Study, evaluations: pa.Table) -> list[str]:
    if not evaluations.num_rows:
        return ["Not evaluated; run `nlp-study evaluate`."]
    scores = score_evaluations(evaluations, [str(stance) for stance in study.study.stances])
    head = [
        "Authors never shared between training and test.",
        "",
        "| model | macro-F1 | accuracy | pairs |",
        "|---|---|---|---|",
    ]
    return [*head, *(f"| {s.model} | {s.macro_f1:.3f} | {s.accuracy:.3f} | {s.n_pairs} |" for s in scores)]
