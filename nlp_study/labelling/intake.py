"""`import_labels(...)`: decisions of annotators become rows of a label file, each with its probability of being labelled.

The file is append-only: a changed decision is a new row, and of several rows of one annotator for a pair the last counts.
When a further draw, or the rest of an unfinished one, changes a probability, the rows concerned are stated again with it.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_study.errors import ConfigError
from nlp_study.labelling.annotations import Annotation, read_annotations
from nlp_study.labelling.draws import Draw, combine_probas, read_draws
from nlp_study.labelling.sample import draws_folder
from nlp_study.labelling.texts import read_stance, read_version
from nlp_study.labels import LABEL_COLUMNS, read_label_file
from nlp_study.schema import Failure, Label, TableName
from nlp_study.store import write_file

if TYPE_CHECKING:
    from nlp_study.config import Study
    from nlp_study.store import Corpus

STAGE = "label import"
LABEL_FILE = "drawn.csv"
"""Labels of drawn posts, apart from labels that came otherwise: their probabilities describe the draws."""
_SAME = 1e-9

Key = tuple[str, str, str]
"""Post, target, annotator."""


@dataclass
class IntakeCounts:
    """What an import did: `added` new decisions, `changed` ones that replace another, `known` ones that were there already,
    `empty` tasks without a decision, `restated` earlier rows whose probability changed. `failures` could not be used."""

    added: int = 0
    changed: int = 0
    known: int = 0
    empty: int = 0
    restated: int = 0
    failures: list[Failure] = field(default_factory=list)


def label_file(study: Study) -> Path:
    """Return the file that labels of drawn posts go to: `drawn.csv` beside the study's first label file."""
    folder = study.resolve(study.labels[0].path).parent if study.labels else study.root
    return folder / LABEL_FILE


def draws_by_target(study: Study) -> dict[str, list[Draw]]:
    """Return the study's draws for each target that has some."""
    draws: dict[str, list[Draw]] = defaultdict(list)
    for draw in read_draws(draws_folder(study)):
        draws[draw.target].append(draw)
    return dict(draws)


def import_labels(
    study: Study,
    corpus: Corpus,
    paths: Sequence[Path],
    *,
    to: Path | None = None,
    annotator: str = "",
    names: Mapping[str, str] | None = None,
    guideline: str | None = None,
    without_draw: bool = False,
) -> IntakeCounts:
    """Read files of annotation tools and append their decisions to a label file.

    A row that cannot be used is a failure and the rest goes on; importing a file twice changes nothing.

    Parameters
    ----------
    to : the label file; None: `label_file(study)`.
    annotator : of files that name nobody.
    names : how annotators of the tools shall be called, such as {"ls-7": "ani"}.
    guideline : version of the codebook; None: the one that the codebook beside the label file states.
    without_draw : accept posts that no draw holds; their labels have no probability and count in no corrected share.

    Raises
    ------
    DataError : a file is missing or of no known format.
    StoreError : the label file cannot be written; it is unchanged then.
    """
    path = to or label_file(study)
    draws = draws_by_target(study)
    counts = IntakeCounts()
    known: dict[Key, Label] = {}
    for row in read_label_file(path) if path.is_file() else ():
        if isinstance(row, Label):
            known[row.post_id, row.target, row.annotator] = row
    fresh: dict[Key, Label] = {}
    checker = _Checker(study, corpus, draws, names or {}, annotator, without_draw)
    version = guideline if guideline is not None else read_version(path.parent)
    for annotation in (found for given in paths for found in read_annotations(given)):
        if not annotation.problem and not annotation.label:
            counts.empty += 1
            continue
        try:
            label = checker.check(annotation)
        except ValueError as error:
            counts.failures.append(Failure(STAGE, annotation.where, str(error), annotation.post_id or None))
            continue
        key = (label.post_id, label.target, label.annotator)
        before = fresh.get(key) or known.get(key)
        if before is not None and before.stance == label.stance:
            counts.known += 1
            continue
        counts.added += before is None
        counts.changed += before is not None
        fresh[key] = replace(label, guideline=version)
    rows = list(fresh.values())
    rows += [label for key, label in known.items() if key not in fresh]
    weighed = weigh_labels(rows, draws)
    new = weighed[: len(fresh)]
    restated = [
        after
        for before, after in zip(rows[len(fresh) :], weighed[len(fresh) :], strict=True)
        if abs((after.sampling_proba or 0) - (before.sampling_proba or 0)) > _SAME
    ]
    counts.restated = len(restated)
    if new or restated:
        append_labels(path, [*new, *restated])
    return counts


def weigh_labels(labels: Sequence[Label], draws: Mapping[str, Sequence[Draw]]) -> list[Label]:
    """Return the labels with the probability that the draws give their posts, see `combine_probas`.

    Labels that were not given for a draw keep theirs, see `select_drawn`.

    Parameters
    ----------
    draws : draws by target.
    """
    mine = select_drawn(labels, draws)
    probas = {
        target: combine_probas(made, labelled={label.post_id for label in mine if label.target == target})
        for target, made in draws.items()
    }
    chosen = set(map(id, mine))
    return [
        replace(label, sampling_proba=probas[label.target][label.post_id]) if id(label) in chosen else label
        for label in labels
    ]


def select_drawn(labels: Iterable[Label], draws: Mapping[str, Sequence[Draw]]) -> list[Label]:
    """Return the labels that were given because a draw took their post.

    A row with probability 1 on a post that the draws take with less was made for every post, not for a draw.

    Parameters
    ----------
    draws : draws by target.
    """
    full = {target: combine_probas(made) for target, made in draws.items()}
    drawn = {target: {post_id for draw in made for post_id in draw.drawn} for target, made in draws.items()}
    return [
        label
        for label in labels
        if label.post_id in drawn.get(label.target, ())
        and (label.sampling_proba != 1 or full[label.target][label.post_id] > 1 - _SAME)
    ]


def append_labels(path: Path, labels: Iterable[Label]) -> None:
    """Append rows to a label file in one rename; columns that the file does not have are left out.

    Raises
    ------
    StoreError : the file cannot be written; it is unchanged then.
    """
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    buffer = io.StringIO()
    columns: Sequence[str] = next(csv.reader(before.splitlines()), []) or LABEL_COLUMNS
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", restval="", lineterminator="\n")
    if not before:
        writer.writeheader()
    elif not before.endswith("\n"):
        buffer.write("\n")
    for label in sorted(labels, key=lambda row: (row.annotator, row.target, row.post_id)):
        row = {name: "" if value is None else value for name, value in asdict(label).items()}
        row["stance"] = str(label.stance)
        row["labelled_at"] = label.labelled_at.isoformat() if label.labelled_at else ""
        row["sampling_proba"] = "" if label.sampling_proba is None else f"{label.sampling_proba:.12g}"
        writer.writerow(row)
    write_file(path, before + buffer.getvalue())


class _Checker:
    """Turns annotations into labels, or says why not."""

    def __init__(
        self,
        study: Study,
        corpus: Corpus,
        draws: Mapping[str, Collection[Draw]],
        names: Mapping[str, str],
        annotator: str,
        without_draw: bool,
    ) -> None:
        self._stances = study.study.stances
        self._targets = [target.id for target in study.targets]
        self._posts = set(corpus.read(TableName.POSTS, columns=["post_id"])["post_id"].to_pylist())
        self._drawn = {target: {i for draw in made for i in draw.drawn} for target, made in draws.items()}
        self._names, self._annotator, self._without_draw = names, annotator, without_draw

    def check(self, found: Annotation) -> Label:
        """Return the label; a ValueError says what is wrong with the row."""
        if found.problem:
            raise ValueError(found.problem)
        if not found.post_id:
            raise ValueError("names no post; keep the column post_id in the tool")
        if found.post_id not in self._posts:
            raise ValueError(f"no post {found.post_id} in the study")
        target = found.target or (self._targets[0] if len(self._targets) == 1 else "")
        if target not in self._targets:
            raise ValueError(f"target «{found.target}» is none of {', '.join(self._targets)}")
        stance = read_stance(found.label)
        if stance is None or stance not in self._stances:
            raise ValueError(f"label «{found.label}» is outside the set {', '.join(self._stances)}")
        person = self._names.get(found.annotator, found.annotator) or self._annotator
        if not person:
            raise ValueError("nobody is named as annotator; give --annotator NAME")
        if found.post_id not in self._drawn.get(target, ()) and not self._without_draw:
            raise ValueError(
                "no draw holds this post, so its label has no probability; --without-draw takes it all the same"
            )
        return Label(found.post_id, target, stance, person, labelled_at=found.labelled_at)


def read_names(items: Iterable[str]) -> dict[str, str]:
    """Return `FROM=TO` items as a mapping of annotators' names.

    Raises
    ------
    ConfigError : an item has no equals sign, or an empty side.
    """
    names = {}
    for item in items:
        before, equals, after = item.partition("=")
        if not equals or not before.strip() or not after.strip():
            raise ConfigError(f"--rename {item!r} is no FROM=TO", remedy="for example --rename ls-7=ani")
        names[before.strip()] = after.strip()
    return names
