"""`list_progress(...)`: how far each draw is labelled, and how sure the shares would be with the labels there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_study.labelling.draws import combine_probas, read_draws
from nlp_study.labelling.intake import draws_by_target, label_file, select_drawn
from nlp_study.labelling.plan import Period, name_period, plan_labels, read_frame
from nlp_study.labelling.sample import draws_folder
from nlp_study.labels import read_label_file
from nlp_study.schema import Label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlp_study.config import Study
    from nlp_study.store import Corpus


def read_drawn_labels(study: Study, path: Path | None = None) -> list[Label]:
    """Return the labels of drawn posts, each pair and annotator once, the last row counting.

    Parameters
    ----------
    path : the file that they were imported to; None: `label_file(study)`. Labels of other files were given for other draws.
    """
    path = path or label_file(study)
    found = {
        (row.post_id, row.target, row.annotator): row
        for row in (read_label_file(path) if path.is_file() else ())
        if isinstance(row, Label)
    }
    return select_drawn(found.values(), draws_by_target(study))


def list_progress(study: Study, labels: Iterable[Label]) -> list[dict[str, Any]]:
    """Return for each draw how many posts were drawn, are labelled, by two or more, and are left."""
    readers = Counter((row.post_id, row.target) for row in labels)
    rows = []
    for draw in read_draws(draws_folder(study)):
        done = [post_id for post_id in draw.drawn if readers[post_id, draw.target]]
        rows.append(
            {
                "draw": draw.name,
                "target": draw.target,
                "design": str(draw.design),
                "frame": len(draw.posts),
                "drawn": len(draw.drawn),
                "labelled": len(done),
                "by two or more": sum(readers[post_id, draw.target] > 1 for post_id in done),
                "left": len(draw.drawn) - len(done),
            }
        )
    return rows


def list_margins(
    study: Study, corpus: Corpus, labels: Iterable[Label], *, target: str, by: Period = Period.ALL
) -> list[dict[str, Any]]:
    """Return the expected margin of each stance with the labels of the draws for a target; empty without labels.

    Unequal probabilities cost as many labels as Kish's effective number, (sum w)² / sum w², falls short of the whole one
    (Kish 1965, section 11.7).

    Parameters
    ----------
    labels : of drawn posts, as `read_drawn_labels` returns them.
    by : the periods in which margins are wanted.
    """
    done = {row.post_id for row in labels if row.target == target}
    probas = combine_probas(read_draws(draws_folder(study), target=target), labelled=done)
    weights = [1 / probas[i] for i in done if probas.get(i)]
    if not weights:
        return []
    effective = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    frame = read_frame(corpus, target, [str(stance) for stance in study.study.stances])
    n_labels = Counter(name_period(row["published_at"], by) for row in frame if row["post_id"] in done)
    planned = plan_labels(
        study, corpus, target=target, n_labels=n_labels, by=by, weight_effect=len(weights) / effective
    )
    return [
        {
            "period": row.period,
            "stance": row.stance,
            "posts": row.n_posts,
            "labels": row.n_labels,
            "effective": round(row.n_labels * effective / len(weights), 1),
            "expected share": row.share,
            "margin ±": row.margin,
        }
        for row in planned
    ]
