"""`compile_sql(query) -> str`: a query as one SELECT over the table `tokens`.

The index answers queries; this says the same in SQL, for `nlp-study kwic --sql`, for joining hits with other tables, and as
the reference that tests hold the index against. Repetitions are written out, so long ones have no SQL.
"""

from __future__ import annotations

import re
from itertools import product

from nlp_study.concordance import cql
from nlp_study.errors import StudyError

MOST_VARIANTS = 64
"""Sequences of fixed length that a query may stand for."""
_COLUMNS = {"space": "CASE WHEN space_after THEN 'yes' ELSE 'no' END"} | {
    name: f"coalesce({name}, '')" for name in ("feats", "deprel", "ent")
}


class NoSqlError(StudyError):
    """A query stands for too many sequences to write them out."""


def compile_sql(query: cql.Query, *, longest: bool = False) -> str:
    """Return a SELECT with `post_id`, `position` and `n_tokens` of every hit, in the order of the text.

    Raises
    ------
    NoSqlError : the query stands for more than `MOST_VARIANTS` sequences.
    """
    variants = [variant for variant in dict.fromkeys(_expand(query.pattern)) if variant]
    names = sorted({name for variant in variants for part in variant for name in _names(part)} | {"sentence"})
    token = "struct_pack(" + ", ".join(f"{name} := {_COLUMNS.get(name, name)}" for name in names) + ")"
    ahead = [f"lead({token}, {i}) OVER post AS t{i}" for i in range(1, max(map(len, variants)))]
    columns = ",\n    ".join(["post_id", "position", f"{token} AS t0", *ahead])
    selects = [_select(variant, within_sentence=query.within_sentence) for variant in variants]
    hits = "\n  UNION ALL\n".join(selects)
    end = "max" if longest else "min"
    return (
        f"WITH places AS (\n  SELECT {columns}\n  FROM tokens WINDOW post AS (PARTITION BY post_id ORDER BY position)\n)\n"
        f"SELECT post_id, position, {end}(n_tokens) AS n_tokens\nFROM (\n{hits}\n)\n"
        "GROUP BY post_id, position\nORDER BY post_id, position"
    )


def _names(condition: cql.Condition) -> set[str]:
    match condition:
        case cql.Compare(attribute):
            return {attribute}
        case cql.Not(part):
            return _names(part)
        case cql.All(parts) | cql.Either(parts):
            return {name for part in parts for name in _names(part)}


def _expand(pattern: cql.Pattern) -> list[tuple[cql.Condition, ...]]:
    """Return the sequences of conditions that a pattern stands for."""
    found: list[tuple[cql.Condition, ...]] = []
    match pattern:
        case cql.Token(condition):
            found = [(condition,)]
        case cql.Sequence(parts):
            lists = [_expand(part) for part in parts]
            _check_number([len(variants) for variants in lists])
            found = [sum(chosen, ()) for chosen in product(*lists)]
        case cql.Branch(parts):
            found = [variant for part in parts for variant in _expand(part)]
        case cql.Repeat(part, least, most):
            inner = _expand(part)
            for times in range(least, most + 1):
                _check_number([len(found)], [len(inner)] * times)
                found += [sum(chosen, ()) for chosen in product(inner, repeat=times)]
    _check_number([len(found)])
    return found


def _check_number(*factors: list[int]) -> None:
    for numbers in factors:
        total = 1
        for number in numbers:
            total *= number
            if total > MOST_VARIANTS:
                raise NoSqlError(
                    f"in SQL the query would be more than {MOST_VARIANTS} sequences",
                    remedy="lower its repetitions or alternatives; without --sql it runs as it is",
                )


def _select(variant: tuple[cql.Condition, ...], *, within_sentence: bool) -> str:
    last = f"t{len(variant) - 1}"
    conditions = [f"{last} IS NOT NULL", *(_condition(part, f"t{i}") for i, part in enumerate(variant))]
    if within_sentence:
        conditions.append(f"{last}.sentence = t0.sentence")
    return f"  SELECT post_id, position, {len(variant)} AS n_tokens FROM places WHERE {' AND '.join(conditions)}"


def _condition(condition: cql.Condition, table: str) -> str:
    match condition:
        case cql.Not(part):
            return f"NOT {_condition(part, table)}"
        case cql.All(parts):
            return "(" + " AND ".join(_condition(part, table) for part in parts) + ")" if parts else "true"
        case cql.Either(parts):
            return "(" + " OR ".join(_condition(part, table) for part in parts) + ")"
        case cql.Compare(attribute, value, is_regex, ignore_case):
            column = f"{table}.{attribute}"
            if not is_regex and not ignore_case:
                return f"({column} = {_quote(value)})"
            pattern = cql.whole_regex(value if is_regex else re.escape(value), ignore_case=ignore_case)
            return f"regexp_matches({column}, {_quote(pattern)})"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
