"""The model card of a trained classifier: what it is, what it was trained on, how good it is, what it is not for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import TYPE_CHECKING

from nlp_study import __version__
from nlp_study.metrics import BASELINES, ModelScore, score_evaluations

if TYPE_CHECKING:
    import pyarrow as pa

    from nlp_study.config import LabelFile, Source, StanceSettings, Study
    from nlp_study.stance.model import TrainedStance
    from nlp_study.stance.pairs import Pair
    from nlp_study.stance.probe import StanceProbe
    from nlp_study.stance.reader import StanceReader
    from nlp_study.stance.train import FitHistory

_LIMITS = (
    "Predictions are of a (post, target) pair, for posts like those it was trained on; they are wrong as often as the",
    "table says, and wrong differently from class to class. Do not use them to judge a person.",
    "The model is bound by the licences of the encoder (see its card) and of the data named above; where one is not",
    "stated, ask before you pass the model on.",
)
_HIDDEN_SETTINGS = ("encoder", "model", "folds", "seeds")


def write_card(
    study: Study, pairs: Sequence[Pair], evaluations: pa.Table, model: TrainedStance, history: FitHistory
) -> str:
    """Return the model card in Markdown, with the figures of the evaluation, the settings and the licences of the data."""
    head = [
        "---",
        "language: id",
        "library_name: transformers",
        f"base_model: {model.config.encoder}",
        "pipeline_tag: text-classification",
        "---",
        "",
    ]
    use = [
        "`nlp-study classify` with `stance.model` set to this folder; the encoder alone loads with",
        "`transformers.AutoModel.from_pretrained`, the linear layer is `head.safetensors`.",
    ]
    training = [*_training(model, history), "", *_settings(study.stance)]
    body = _page(study, model.model_id, model.config.stances, _data(study, pairs, history), training, evaluations, use)
    return "\n".join([*head, *body])


def write_probe_card(
    study: Study,
    pairs: Sequence[Pair],
    evaluations: pa.Table,
    model_id: str,
    reader: StanceReader,
    probe: StanceProbe,
    *,
    share_read: float,
    seconds: float,
) -> str:
    """Return the model card of linear layers on an encoder that stays as it is."""
    data = [
        *_sources(study),
        f"- {len(pairs)} pairs of a post and a target ({_per_label(pairs)})",
        f"- read of a post: title, sentences around each mention of the target, windows that name it, the first and the "
        f"last: {share_read:.1%} of the tokens of these posts",
    ]
    training = [
        f"- encoder `{reader.encoder.name}`, reader `{reader.name or 'none'}`; logistic regression on the vectors",
        f"- words and word pairs beside them, {len(probe.bag.terms)} that at least two authors use; toward other targets the "
        "vectors decide alone"
        if probe.bag
        else "- words do not count",
        "- weighed and calibrated on held-out authors: labels are decided with all classes counting alike, probabilities "
        "follow how often each label occurs",
        f"- {seconds:g} s",
    ]
    use = ["`nlp-study classify` with `stance.model` set to this folder. Encoder and reader are named, not copied."]
    return "\n".join(_page(study, model_id, probe.stances, data, training, evaluations, use))


def _page(
    study: Study,
    model_id: str,
    stances: Sequence[str],
    data: Sequence[str],
    training: Sequence[str],
    evaluations: pa.Table,
    use: Sequence[str],
) -> list[str]:
    """Return the lines that every card has, in the same order."""
    targets = ", ".join(target.name for target in study.targets)
    sections = {
        "Data": data,
        "Training": [*training, "", f"Made with {_versions()}."],
        "Evaluation": _figures(study, evaluations),
        "Use": use,
        "Limits and licence": _LIMITS,
    }
    lines = [
        f"# {model_id}",
        "",
        f"Stance of Indonesian opinion articles toward: {targets}. Labels: {', '.join(stances)}.",
        "",
    ]
    for title, section in sections.items():
        lines += [f"## {title}", "", *section, ""]
    return lines


def _data(study: Study, pairs: Sequence[Pair], history: FitHistory) -> list[str]:
    share = history.n_tokens_read / history.n_tokens_total if history.n_tokens_total else 1.0
    return [
        *_sources(study),
        f"- {history.n_labels} pairs of a post and a target ({_per_label(pairs)})",
        f"- read in training: {share:.1%} of the posts' tokens (classification reads all)",
    ]


def _per_label(pairs: Sequence[Pair]) -> str:
    return ", ".join(f"{k} {v}" for k, v in Counter(str(pair.stance) for pair in pairs).most_common())


def _sources(study: Study) -> list[str]:
    posts = [f"- posts: {source.name} (`{source.path}`), licence: {_licence(source)}" for source in study.sources]
    labels = [f"- labels: `{file.path}`, licence: {_licence(file)}" for file in study.labels]
    return [*(posts or ["- posts: imported by hand, licence: not stated"]), *labels]


def _licence(entry: Source | LabelFile) -> str:
    return entry.licence or "not stated"


def _training(model: TrainedStance, history: FitHistory) -> list[str]:
    lines = [
        f"- encoder: `{model.config.encoder}`; mean over tokens, mean over windows of {model.config.window_tokens} tokens, "
        "one linear layer",
        f"- seed {model.config.seed}; {history.epochs:g} epochs; kept: {history.kept}",
        f"- {history.seconds:g} s on {history.device}, {history.n_processes} "
        f"process{'es' if history.n_processes > 1 else ''}, {history.precision}",
    ]
    if history.n_stopping:
        lines.append(
            f"- stopped on {history.n_stopping} pairs of other authors; loss on those: {_figure(history.loss_at_start)} with "
            f"the linear head, {_figure(history.loss_at_best)} tuned"
        )
    if history.batch_size:
        lines.append(f"- {history.batch_size} posts a step in all processes")
    if history.resumed_at:
        lines.append(f"- interrupted, went on after epoch {history.resumed_at:g}; the seconds are those since then")
    if history.loss_by_epoch:
        on = "the stopping pairs" if history.n_stopping else "the training pairs"
        losses = ", ".join(f"{epoch}: {loss:.3f}" for epoch, loss in history.loss_by_epoch.items())
        lines.append(f"- loss on {on} by epoch: {losses}")
    return lines


def _settings(settings: StanceSettings) -> list[str]:
    shown = settings.model_dump(mode="json", exclude=set(_HIDDEN_SETTINGS))
    return ["| setting | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in shown.items())]


def _versions() -> str:
    found = [f"nlp-study {__version__}", f"Python {python_version()}"]
    for package in ("torch", "transformers", "accelerate", "tokenizers", "scikit-learn"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _figures(study: Study, evaluations: pa.Table) -> list[str]:
    if not evaluations.num_rows:
        return ["Not evaluated; run `nlp-study evaluate`."]
    stances = [str(stance) for stance in study.study.stances]
    scores = score_evaluations(evaluations, stances)
    lines = [
        f"Authors never shared between training and test; {study.stance.folds} folds, {_count(scores[0].n_seeds, 'seed')}. "
        "± is the standard deviation over seeds.",
        "",
        "| model | macro-F1 | ± | accuracy | pairs |",
        "|---|---|---|---|---|",
        *(
            f"| {s.model} | {s.macro_f1:.3f} | {s.macro_f1_spread:.3f} | {s.accuracy:.3f} | {s.n_pairs} |"
            for s in scores
        ),
    ]
    for score in scores:
        if score.model not in BASELINES:
            lines += ["", *_per_class(score), "", *_confusion(score, stances)]
    targets = sorted(set(evaluations["target"].to_pylist()))
    for target in targets if len(targets) > 1 else []:
        found = [s for s in score_evaluations(evaluations, stances, target=target) if s.model not in BASELINES]
        lines += ["", *(f"{target}: macro-F1 {s.macro_f1:.3f} on {s.n_pairs} pairs" for s in found)]
    return lines


def _per_class(score: ModelScore) -> list[str]:
    head = [f"`{score.model}` by label:", "", "| label | precision | recall | F1 | pairs |", "|---|---|---|---|---|"]
    rows = [
        f"| {stance} | {found.precision:.3f} | {found.recall:.3f} | {found.f1:.3f} | {found.support} |"
        for stance, found in score.per_class.items()
    ]
    return [*head, *rows]


def _confusion(score: ModelScore, stances: Sequence[str]) -> list[str]:
    head = [
        "Rows gold, columns predicted, all seeds:",
        "",
        f"| | {' | '.join(stances)} |",
        f"|---{'|---' * len(stances)}|",
    ]
    rows = [f"| {gold} | {' | '.join(str(score.confusion[gold][p]) for p in stances)} |" for gold in stances]
    return [*head, *rows]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
