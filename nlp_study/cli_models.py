"""Commands that make and measure models: train, tune, evaluate, models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlp_study.cli_options import (
    DEFAULT_STUDY,
    ForceOption,
    FormatOption,
    OutputOption,
    StudyOption,
    announce,
    open_study,
    print_scores,
    run_up_to,
)
from nlp_study.errors import ConfigError
from nlp_study.stance.protocols import Protocol
from nlp_study.tables import TableFormat, print_table

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

EncoderOption = Annotated[
    str,
    typer.Option(help="Encoder to fine-tune: hub name, folder, or e5-small-id; by default the study's or profile's."),
]
ProfileOption = Annotated[
    str, typer.Option(help="cpu: the study's settings. gpu: for IndoBERT base. gpu-large: for IndoBERT large.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog="Examples:  nlp-study train   ·   nlp-study train --profile gpu-large   ·   nlp-study train --profile gpu "
        "--encoder indolem/indobertweet-base-uncased   ·   torchrun --nproc-per-node 4 -m nlp_study.cli train --profile gpu"
    )(train)
    app.command(
        epilog="Examples:  nlp-study tune --trials 20   ·   nlp-study tune --profile gpu --trials 100 --timeout 480   ·   "
        "nlp-study tune --encoder e5-small-id --folds 3 --format csv"
    )(tune)
    app.command(
        epilog="Examples:  nlp-study evaluate   ·   nlp-study evaluate --protocol target   ·   "
        "nlp-study evaluate --curve   ·   nlp-study evaluate --format json"
    )(evaluate)
    models = typer.Typer(no_args_is_help=True, help="Models trained so far: list, show, compare.")
    models.command("list", epilog="Example:  nlp-study models list --format csv")(list_models)
    models.command("show", epilog="Example:  nlp-study models show my-study-e5-small-id-1a2b3c4d")(show_model)
    models.command("compare", epilog="Example:  nlp-study models compare FIRST SECOND")(compare_models)
    app.add_typer(models, name="models")


def evaluate(
    study: StudyOption = DEFAULT_STUDY,
    protocol: Annotated[
        Protocol,
        typer.Option(help="author: folds of authors. target: each target by the others. time: future by past."),
    ] = Protocol.AUTHOR,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    curve: Annotated[bool, typer.Option("--curve", help="Also with an eighth, a quarter, half of the labels.")] = False,
    force: ForceOption = False,
) -> None:
    """Measure the classifier beside its baselines, on labels that it has not seen.

    Under every protocol no author, text or near-duplicate stands in training and test. Intervals come from resampling
    authors. Protocol author fills the table evaluations; the others are kept under data/protocols.
    """
    from nlp_study.schema import TableName
    from nlp_study.stance.evaluate import evaluate_protocol

    opened, corpus = open_study(study)
    if protocol is Protocol.AUTHOR:
        run_up_to("evaluate", opened, corpus, force=force)
        evaluations = corpus.read(TableName.EVALUATIONS)
    else:
        with _imported(opened, corpus):
            evaluations = evaluate_protocol(opened, corpus, protocol, force=force)
    if not curve:
        print_scores(evaluations, opened, format=format, output=output)
        return
    if protocol is not Protocol.AUTHOR:
        raise ConfigError("a learning curve is measured on folds of authors", remedy="leave --protocol out")
    from nlp_study.stance.curve import describe_curve, measure_curve

    table = measure_curve(opened, corpus, force=force)
    print_table(table, format, output=output, title="macro-F1 by number of labels, authors disjoint")
    typer.echo(describe_curve(table), err=format is not TableFormat.TABLE)


def train(
    study: StudyOption = DEFAULT_STUDY,
    encoder: EncoderOption = "",
    profile: ProfileOption = "cpu",
    evaluate: Annotated[bool, typer.Option(help="Measure it on author-disjoint folds first.")] = True,
    name: Annotated[str, typer.Option(help="Folder name of the model; by default study, encoder and a digest.")] = "",
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Fine-tune an encoder on the labels and save it.

    The model gets a card with its figures; older models stay, and so do the study's tables. A killed run goes on where it
    was. With torchrun or accelerate, all GPUs of a machine train together. With tensorboard installed, models/.runs has the
    curves.
    """
    from nlp_study.stance.processes import joined_processes
    from nlp_study.stance.profiles import apply_profile
    from nlp_study.stance.standalone import train_standalone

    opened, corpus = open_study(study)
    chosen = apply_profile(opened, profile, encoder=encoder)
    with joined_processes(), _imported(opened, corpus):
        folder, evaluations = train_standalone(chosen, corpus, evaluate=evaluate, name=name)
        if evaluations.num_rows:
            print_scores(evaluations, opened, format=format)
        shown = _shown(folder, opened)
        typer.echo(
            f'model: {shown}\nto classify with it, set in the study file:  [stance] model = "{shown}"',
            err=format is not TableFormat.TABLE,
        )


def tune(
    study: StudyOption = DEFAULT_STUDY,
    encoder: EncoderOption = "",
    profile: ProfileOption = "cpu",
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; those of earlier runs count.")] = 20,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="Start no trial after so many minutes.")] = None,
    folds: Annotated[int, typer.Option(min=1, help="Folds a trial is measured on, of stance.folds.")] = 1,
    name: Annotated[str, typer.Option(help="Name of the search; by default study, encoder and a digest.")] = "",
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Search for settings under [stance] that classify held-out authors best.

    Learning rate, layer decay, frozen layers, epochs, batch and windows are tried by optuna; a trial that lags behind the
    median is ended early. The search is kept under models/.search and goes on where it was killed. The figure of the best
    trial flatters it, for it was chosen by that figure: measure the settings again with `nlp-study train`.
    """
    from nlp_study.stance.processes import require_one_process
    from nlp_study.stance.profiles import apply_profile
    from nlp_study.stance.search import list_trials, search_settings

    require_one_process("tune")
    opened, corpus = open_study(study)
    chosen = apply_profile(opened, profile, encoder=encoder)
    with _imported(opened, corpus):
        found = search_settings(
            chosen, corpus, n_trials=trials, timeout_s=60 * timeout if timeout else None, n_folds=folds, name=name
        )
    print_table(list_trials(found.trials), format, output=output, title=f"best trials of {found.name}")
    typer.echo(
        f"best: trial {found.best.number}, macro-F1 {found.best.macro_f1:.3f} on held-out authors\n"
        f"settings to paste into the study file: {_shown(found.settings_file, opened)}",
        err=format is not TableFormat.TABLE,
    )


def list_models(
    study: StudyOption = DEFAULT_STUDY, format: FormatOption = TableFormat.TABLE, output: OutputOption = None
) -> None:
    """List the models under paths.models, the newest last, with their held-out figures."""
    from nlp_study.stance.registry import list_registry

    opened, corpus = open_study(study)
    print_table(list_registry(opened, corpus), format, output=output)


def show_model(
    model: Annotated[str, typer.Argument(help="Folder name of the model, or its first characters.")],
    study: StudyOption = DEFAULT_STUDY,
) -> None:
    """Print a model's card."""
    from nlp_study.stance.registry import find_model

    opened, _ = open_study(study)
    typer.echo((find_model(opened, model) / "README.md").read_text(encoding="utf-8"))


def compare_models(
    first: Annotated[str, typer.Argument(help="Folder name of a model.")],
    second: Annotated[str, typer.Argument(help="Folder name of another.")],
    study: StudyOption = DEFAULT_STUDY,
    format: FormatOption = TableFormat.TABLE,
    output: OutputOption = None,
) -> None:
    """Compare two models on the held-out pairs that both have, with an interval for the difference."""
    from nlp_study.stance.registry import compare_registry

    opened, _ = open_study(study)
    print_table(compare_registry(opened, first, second), format, output=output)


@contextmanager
def _imported(study: Study, corpus: Corpus) -> Iterator[None]:
    """Import what has changed and hold the corpus; of several processes the main one does, the others wait."""
    from nlp_study.pipeline import find_stage, run_stages
    from nlp_study.stance.processes import is_main, wait_for_all

    with corpus.lock() if is_main() else nullcontext():
        if is_main():
            run_stages(study, corpus, only=[find_stage("import").name], announce=announce)
        wait_for_all()
        yield


def _shown(path: Path, study: Study) -> Path:
    return path.relative_to(study.root) if path.is_relative_to(study.root) else path
