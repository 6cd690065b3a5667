"""`compare_runs(a, b)`: what changed between two runs, part by part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nlp_study.compare.rows import compare_rows
from nlp_study.compare.runs import Run
from nlp_study.labels import resolve_labels
from nlp_study.metrics import BASELINES
from nlp_study.schema import ALL_TOPICS, OUTLIER_TOPIC, Stance

if TYPE_CHECKING:
    import numpy as np

SHOWN_IDS = 10
"""Ids named in a summary; JSON has all of them."""


@dataclass(frozen=True)
class Part:
    """One part of a comparison: what it says in a line, rows to show, and everything for JSON.

    `missing` says why a part could not be compared; then nothing else is filled.
    """

    name: str
    summary: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    missing: str = ""
    is_changed: bool = False


def compare_runs(first: Run, second: Run, *, seed: int = 0) -> list[Part]:
    """Return what changed from the first run to the second.

    Parameters
    ----------
    seed : of the bootstrap behind the difference of two models.
    """
    return [
        compare_settings(first, second),
        compare_posts(first, second),
        compare_labels(first, second),
        compare_models(first, second, seed=seed),
        compare_predictions(first, second),
        compare_topics(first, second),
        compare_figures(first, second),
        compare_versions(first, second),
    ]


def flatten(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level: `stance.epochs`, `targets[0].name`."""
    if isinstance(settings, dict):
        items = [(f"{prefix}.{key}" if prefix else str(key), value) for key, value in settings.items()]
    elif isinstance(settings, list) and any(isinstance(item, dict) for item in settings):
        items = [(f"{prefix}[{i}]", value) for i, value in enumerate(settings)]
    else:
        return {prefix: settings}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat |= flatten(value, key)
    return flat


def compare_settings(first: Run, second: Run) -> Part:
    """Compare study files; where one is not known, the digests of the settings that stages depend on."""
    if first.settings is not None and second.settings is not None:
        a, b = flatten(first.settings), flatten(second.settings)
        if first.is_bundle or second.is_bundle:  # a bundle holds no contact
            for hidden in ("crawl.contact", "crawl.project_url"):
                a.pop(hidden, None)
                b.pop(hidden, None)
        rows = [
            {"setting": key, "first": _text(a.get(key)), "second": _text(b.get(key))}
            for key in sorted(a.keys() | b.keys())
            if a.get(key) != b.get(key)
        ]
        return Part("settings", f"{len(rows)} settings differ", rows, is_changed=bool(rows))
    prints = [
        {
            key.removeprefix("settings "): digest
            for record in run.records.values()
            for key, digest in record.fingerprint.items()
            if key.startswith("settings ")
        }
        for run in (first, second)
    ]
    rows = [
        {"setting": key, "first": prints[0].get(key), "second": prints[1].get(key)}
        for key in sorted(prints[0].keys() | prints[1].keys())
        if prints[0].get(key) != prints[1].get(key)
    ]
    summary = f"{len(rows)} settings differ, by their digests; name study files to see their values"
    return Part("settings", summary, rows, is_changed=bool(rows))


def compare_posts(first: Run, second: Run) -> Part:
    """Compare posts by id and by the digest of their text."""
    a, b = first.rows("posts"), second.rows("posts")
    if a is None or b is None:
        return _missing("data", first, second, a, b, "posts")
    found = compare_rows(_pick(a, "post_id", "text_digest"), _pick(b, "post_id", "text_digest"), ["post_id"])
    ids = {"added": found.added, "removed": found.removed, "changed": found.changed}
    rows = [{"posts": name, "n": len(keys), "first ids": _ids(keys)} for name, keys in ids.items() if keys]
    rows += [{"posts": "the same", "n": found.n_same, "first ids": ""}]
    summary = f"{len(a):,} and {len(b):,} posts: {len(found.added)} added, {len(found.removed)} removed, "
    summary += f"{len(found.changed)} with another text"
    details = {name: [key[0] for key in keys] for name, keys in ids.items()}
    return Part("data", summary, rows, details, is_changed=not found.is_equal)


def compare_labels(first: Run, second: Run) -> Part:
    """Compare gold labels, as training uses them, and count label rows."""
    a, b = first.rows("labels"), second.rows("labels")
    if a is None or b is None:
        return _missing("labels", first, second, a, b, "labels")
    gold_a, gold_b = _gold(a), _gold(b)
    rows = _count_moves(gold_a, gold_b)
    added, removed = len(gold_b.keys() - gold_a.keys()), len(gold_a.keys() - gold_b.keys())
    changed = sorted(pair for pair in gold_a.keys() & gold_b.keys() if gold_a[pair] != gold_b[pair])
    summary = f"{len(a):,} and {len(b):,} label rows; {len(gold_a):,} and {len(gold_b):,} pairs with a gold label: "
    summary += f"{added} added, {removed} removed, {len(changed)} changed"
    details = {
        "added": sorted(gold_b.keys() - gold_a.keys()),
        "removed": sorted(gold_a.keys() - gold_b.keys()),
        "changed": [[*pair, gold_a[pair], gold_b[pair]] for pair in changed],
    }
    return Part("labels", summary, rows, details, is_changed=bool(added or removed or changed))


def _gold(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    targets = {row["target"] for row in rows}
    gold, _ = resolve_labels(rows, targets=targets, stances=tuple(Stance))
    return {(label.post_id, label.target): str(label.stance) for label in gold}


def compare_predictions(first: Run, second: Run) -> Part:
    """Compare decided labels of the pairs that both runs predicted."""
    a, b = first.rows("predictions"), second.rows("predictions")
    if a is None or b is None:
        return _missing("predictions", first, second, a, b, "predictions")
    one = {(row["post_id"], row["target"]): row for row in a}
    two = {(row["post_id"], row["target"]): row for row in b}
    shared = sorted(one.keys() & two.keys())
    moved = [pair for pair in shared if one[pair]["stance"] != two[pair]["stance"]]
    rows = _count_moves(
        {pair: one[pair]["stance"] for pair in shared}, {pair: two[pair]["stance"] for pair in shared}, all_pairs=True
    )
    largest = max((_proba_gap(one[pair], two[pair]) for pair in shared), default=0.0)
    share = f" ({len(moved) / len(shared):.1%})" if shared else ""
    summary = f"{len(shared):,} pairs in both, {len(moved):,} with another label{share}; largest difference of a "
    summary += f"probability {largest:.3g}; {len(two) - len(shared)} added, {len(one) - len(shared)} removed"
    details = {"changed": [[*pair, one[pair]["stance"], two[pair]["stance"]] for pair in moved], "largest": largest}
    return Part("predictions", summary, rows, details, is_changed=bool(moved) or one.keys() != two.keys())


def _proba_gap(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    names = [name for name in a.keys() & b.keys() if name.startswith("proba_")]
    return max((abs((a[name] or 0.0) - (b[name] or 0.0)) for name in names), default=0.0)


def _count_moves(
    a: Mapping[tuple[str, str], str], b: Mapping[tuple[str, str], str], *, all_pairs: bool = False
) -> list[dict[str, Any]]:
    """Rows of a transition table: labels of the first run against those of the second; `–` where a pair has none."""
    pairs = a.keys() & b.keys() if all_pairs else a.keys() | b.keys()
    counts = Counter((a.get(pair, "–"), b.get(pair, "–")) for pair in pairs)
    names = [*(str(s) for s in Stance if any(str(s) in key for key in counts))]
    if not all_pairs:
        names.append("–")
    return [{"first": x, **{f"second: {y}": counts[x, y] for y in names}} for x in names] if counts else []


def compare_models(first: Run, second: Run, *, seed: int = 0) -> Part:
    """Compare models by id and by macro-F1 on the pairs that both held out with the same gold label.

    The difference comes with a paired bootstrap over the groups (authors) of the first run's evaluation.
    """
    records = [run.records.get("model") for run in (first, second)]
    names = [str(record.counts.get("model_id", "")) if record else "" for record in records]
    if not any(names):
        names = [_model_of(run) for run in (first, second)]
    rows = [
        {"measure": "model", "first": names[0] or None, "second": names[1] or None},
        *(
            {"measure": key, "first": _text(values[0]), "second": _text(values[1])}
            for key in ("n_labels", "encoder", "kind")
            if any(values := [record.counts.get(key) if record else None for record in records])
        ),
    ]
    a, b = first.rows("evaluations"), second.rows("evaluations")
    if not a or not b:
        found = _missing("model", first, second, a or None, b or None, "held-out predictions")
        return Part("model", found.missing, rows, is_changed=names[0] != names[1])
    scores = _compare_held_out(a, b, seed=seed)
    if scores is None:
        return Part("model", "the runs share no held-out pair", rows, is_changed=names[0] != names[1])
    rows.append({"measure": "macro-F1", "first": f"{scores['first']:.3f}", "second": f"{scores['second']:.3f}"})
    if predicted_alike(a, b):
        return Part("model", "the same held-out predictions", rows, scores, is_changed=names[0] != names[1])
    clear = "clear" if scores["low"] > 0 or scores["high"] < 0 else "not clear"  # whether 0 lies outside
    summary = f"macro-F1 {scores['difference']:+.3f} (95 % {scores['low']:+.3f} to {scores['high']:+.3f}, {clear}) on "
    summary += f"{scores['pairs']:,} pairs that both held out"
    return Part("model", summary, rows, scores, is_changed=True)


def predicted_alike(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the study's models of two evaluations held out the same pairs and decided them alike, seed by seed."""
    decided = [
        {
            (row["seed"], row["post_id"], row["target"]): row["predicted"]
            for row in rows
            if row["model"] not in BASELINES
        }
        for rows in (a, b)
    ]
    return decided[0] == decided[1]


def _model_of(run: Run) -> str:
    rows = run.rows("predictions")
    return str(rows[0]["model_id"]) if rows else ""


def _compare_held_out(
    a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], *, seed: int
) -> dict[str, Any] | None:
    import numpy as np

    from nlp_study.uncertainty import compare_macro_f1, macro_f1_of

    one, two = _held_out(a), _held_out(b)
    shared = sorted(pair for pair in one.keys() & two.keys() if one[pair][0]["gold"] == two[pair][0]["gold"])
    if not shared:
        return None
    labels = sorted(
        {row[name] for found in (one, two) for p in shared for row in found[p] for name in ("gold", "predicted")}
    )
    gold = np.array([labels.index(one[pair][0]["gold"]) for pair in shared])
    groups = [one[pair][0]["group"] or pair[0] for pair in shared]
    predicted = [_matrix(found, shared, labels) for found in (one, two)]
    difference = compare_macro_f1(gold, predicted[1], predicted[0], groups, n_stances=len(labels), seed=seed)

    def score(rows: np.ndarray) -> float:
        confusion = np.zeros((len(rows), len(labels), len(labels)))
        for i, row in enumerate(rows):
            np.add.at(confusion[i], (gold, row), 1)
        return float(macro_f1_of(confusion).mean())

    return {
        "pairs": len(shared),
        "first": score(predicted[0]),
        "second": score(predicted[1]),
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }


def _held_out(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["seed"]):
        if row["model"] not in BASELINES:
            found[row["post_id"], row["target"]].append(row)
    return found


def _matrix(
    found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], pairs: Sequence[tuple[str, str]], labels: list[str]
) -> np.ndarray:
    import numpy as np

    n_seeds = min(len(found[pair]) for pair in pairs)
    return np.array([[labels.index(found[pair][i]["predicted"]) for pair in pairs] for i in range(n_seeds)])


def compare_topics(first: Run, second: Run) -> Part:
    """Match topics by the segments that they share (Jaccard, best matching as a whole), outliers left out."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    a, b = first.rows("topic_assignments"), second.rows("topic_assignments")
    if a is None or b is None:
        return _missing("topics", first, second, a, b, "topics")
    members = [_members(a), _members(b)]
    words = [_words(first), _words(second)]
    ids = [sorted(found) for found in members]
    overlap = np.array([[_jaccard(members[0][x], members[1][y]) for y in ids[1]] for x in ids[0]]).reshape(
        len(ids[0]), len(ids[1])
    )
    rows_at, columns_at = linear_sum_assignment(-overlap)
    matched = {ids[0][i]: (ids[1][j], float(overlap[i, j])) for i, j in zip(rows_at, columns_at, strict=True)}
    matched = {x: (y, share) for x, (y, share) in matched.items() if share > 0}
    rows = [
        {
            "first": x,
            "second": matched[x][0] if x in matched else None,
            "shared": round(matched[x][1], 3) if x in matched else None,
            "words of first": words[0].get(x, ""),
            "words of second": words[1].get(matched[x][0], "") if x in matched else "",
        }
        for x in ids[0]
    ]
    taken = {y for y, _ in matched.values()}
    rows += [
        {"first": None, "second": y, "shared": None, "words of first": "", "words of second": words[1].get(y, "")}
        for y in ids[1]
        if y not in taken
    ]
    mean = sum(share for _, share in matched.values()) / max(1, len(ids[0]))
    summary = (
        f"{len(ids[0])} and {len(ids[1])} topics, {len(matched)} matched; {mean:.2f} of their segments are shared "
    )
    summary += "on average"
    is_changed = len(ids[0]) != len(ids[1]) or any(share < 1 for _, share in matched.values())
    return Part("topics", summary, rows, {"mean_shared": mean}, is_changed=is_changed)


def _members(rows: Sequence[Mapping[str, Any]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        if row["topic_id"] != OUTLIER_TOPIC:
            found[row["topic_id"]].add(row["segment_id"])
    return found


def _words(run: Run) -> dict[int, str]:
    return {row["topic_id"]: " ".join((row["words"] or [])[:5]) for row in run.rows("topics") or []}


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


_FIGURES = {
    "trends": (("month", "target", "stance", "topic_id"), "share", "share_low", "share_high"),
    "estimates": (
        ("target", "stance", "grain", "period", "group_kind", "group", "method"), "share", "low", "high",
    ),
}  # fmt: skip


def compare_figures(first: Run, second: Run) -> Part:
    """Compare monthly shares of all posts, and estimates where both runs have them: how many moved beyond an interval.

    A share moved clearly where each run's share lies outside of the other's interval.
    """
    rows: list[dict[str, Any]] = []
    counted: list[str] = []
    is_changed = False
    for table, (key, share, low, high) in _FIGURES.items():
        a, b = first.rows(table), second.rows(table)
        if a is None or b is None:
            if a is not None or b is not None or table == "trends":
                counted.append(_missing(table, first, second, a, b, table).missing)
            continue
        one, two = _figures(a, key), _figures(b, key)
        shared = [k for k in one if k in two and one[k][share] is not None and two[k][share] is not None]
        moved = [k for k in shared if abs(one[k][share] - two[k][share]) > 1e-12]
        clear = [
            k
            for k in moved
            if not (_inside(two[k][share], one[k], low, high) or _inside(one[k][share], two[k], low, high))
        ]
        is_changed = is_changed or bool(moved) or one.keys() != two.keys()
        largest = max((abs(one[k][share] - two[k][share]) for k in shared), default=0.0)
        counted.append(
            f"{table}: {len(shared):,} shares in both, {len(moved):,} moved (at most {largest:.3f}), {len(clear):,} beyond "
            f"both intervals; {len(two.keys() - one.keys())} added, {len(one.keys() - two.keys())} removed"
        )
        shown = sorted(clear or moved, key=lambda k: -abs(one[k][share] - two[k][share]))[:SHOWN_IDS]
        rows += [
            {
                "figure": " ".join(str(part) for part in (table, *k) if part not in ("", ALL_TOPICS)),
                "first": _with_interval(one[k], share, low, high),
                "second": _with_interval(two[k], share, low, high),
                "clear": "yes" if k in clear else "no",
            }
            for k in shown
        ]
    return Part("figures", "; ".join(counted), rows, is_changed=is_changed)


def _figures(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {tuple(row.get(k) for k in key): row for row in rows if row.get("topic_id", ALL_TOPICS) == ALL_TOPICS}


def _inside(value: float, row: Mapping[str, Any], low: str, high: str) -> bool:
    return row[low] is None or row[high] is None or row[low] <= value <= row[high]


def _with_interval(row: Mapping[str, Any], share: str, low: str, high: str) -> str:
    interval = f" ({row[low]:.3f} to {row[high]:.3f})" if row[low] is not None and row[high] is not None else ""
    return f"{row[share]:.3f}{interval}"


def compare_versions(first: Run, second: Run) -> Part:
    """Compare versions of packages that both runs tell of, and the code behind each stage."""
    shared = sorted(first.packages.keys() & second.packages.keys())
    rows: list[dict[str, Any]] = [
        {"what": name, "first": first.packages[name], "second": second.packages[name]}
        for name in shared
        if first.packages[name] != second.packages[name]
    ]
    code = [{r.stage: r.fingerprint.get("code") for r in run.records.values()} for run in (first, second)]
    stages = [s for s in code[0].keys() & code[1].keys() if code[0][s] and code[1][s] and code[0][s] != code[1][s]]
    n_packages = len(rows)
    rows += [{"what": f"code of {s}", "first": code[0][s], "second": code[1][s]} for s in sorted(stages)]
    summary = f"{n_packages} of {len(shared)} packages differ; the code of {len(stages)} stages does"
    return Part("versions", summary, rows, is_changed=bool(rows))


def _missing(name: str, first: Run, second: Run, a: Any, b: Any, what: str) -> Part:
    lacking = [run.name for run, rows in ((first, a), (second, b)) if rows is None]
    return Part(name, missing=f"no {what} in {' and '.join(lacking)}")


def _pick(rows: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in names} for row in rows]


def _ids(keys: Sequence[tuple[Any, ...]]) -> str:
    shown = " ".join(str(key[0]) for key in keys[:SHOWN_IDS])
    return shown + (f" … {len(keys) - SHOWN_IDS} more" if len(keys) > SHOWN_IDS else "")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value) if not isinstance(value, list) else ", ".join(map(str, value))
