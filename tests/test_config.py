from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from nlp_study.config import Study, load_study
from nlp_study.errors import ConfigError
from nlp_study.template import write_template

GOOD = write_template("coba")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_template_is_valid_and_sets_the_name(tmp_path):
    study = load_study(write(tmp_path, GOOD))
    assert study.study.name == "coba"
    assert study.root == tmp_path.resolve()
    assert study.data_dir == tmp_path.resolve() / "data"


def test_template_values_are_the_defaults(tmp_path):
    study = load_study(write(tmp_path, GOOD))
    for section in ("encoder", "segments", "stance", "topics", "paths"):
        assert getattr(study, section) == type(getattr(study, section))(), section


def test_template_documents_every_key():
    """A setting that the template does not show is one nobody will find."""
    shown = tomllib.loads(
        GOOD.replace("# [[labels]]", "[[labels]]")
        .replace("# path =", "path =")
        .replace("# columns", "columns")
        .replace("# where", "where")
        .replace("# licence =", "licence =")
    )
    for name, field in Study.model_fields.items():
        section = shown[name][0] if isinstance(shown[name], list) else shown[name]
        inner = [
            a
            for a in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(a, type) and issubclass(a, BaseModel)
        ]
        if name == "crawl":  # its keys are those of CrawlSettings; the template shows the one that everybody needs
            assert set(section) == {"contact"}
            continue
        assert set(inner[0].model_fields) == set(section), name


def test_every_setting_has_a_description():
    for field in Study.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                assert all(f.description for f in inner.model_fields.values()), inner


def test_the_default_study_is_valid():
    study = load_study(Path(__file__).parents[1])
    assert study.targets[0].id == "demokratisasi ekonomi digital"
    assert study.targets[0].definition_id and study.study.question_id


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("epochs = 0 ", "epoch = 4 "), ["stance.epoch = 4", "unknown key", "did you mean «epochs»"]),
        (("folds = 5 ", "folds = 1 "), ["stance.folds = 1", "greater than or equal to 2"]),
        (('format = "csv"', 'format = "xml"'), ["sources[0].format", '"xml"', "text-dump"]),
        (
            ('stances = ["favor", "against", "neutral", "irrelevant"]', 'stances = ["favor", "pro"]'),
            ["study.stances[1]", '"pro"', "against"],
        ),
        (
            ('stances = ["favor", "against", "neutral", "irrelevant"]', 'stances = ["favor", "favor"]'),
            ["study.stances", "twice"],
        ),
        (('name = "coba"', 'name = "Coba Lagi"'), ["study.name", "lower-case"]),
        (("min_words = 60", "min_words = 600"), ["segments", "min_words (600)"]),
        (('title_en = "Title of the study"', ""), ["study.title_en", "missing"]),
        (("seed = 20240618", 'seed = "tujuh"'), ["study.seed", '"tujuh"', "integer"]),
    ],
)
def test_wrong_keys_are_named_with_value_and_remedy(tmp_path, change, expected):
    assert change[0] in GOOD
    with pytest.raises(ConfigError) as caught:
        load_study(write(tmp_path, GOOD.replace(*change, 1)))
    for part in expected:
        assert part in str(caught.value)
    assert caught.value.remedy


def test_all_problems_are_listed_at_once(tmp_path):
    text = GOOD.replace("folds = 5 ", "folds = 0 ").replace("epochs = 0 ", "epochs = -1 ")
    with pytest.raises(ConfigError, match="2 problems"):
        load_study(write(tmp_path, text))


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(ConfigError, match="nlp-study init"):
        load_study(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_study(write(tmp_path, "[study\n"))
    path = tmp_path / "study.toml"
    path.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_study(path)


def test_a_target_id_stands_once(tmp_path):
    again = '\n[[targets]]\nid = "my target"\nname = "x"\n'
    with pytest.raises(ConfigError, match="stands twice"):
        load_study(write(tmp_path, GOOD + again))


def test_digest_changes_with_its_own_keys_only(tmp_path):
    one = load_study(write(tmp_path, GOOD))
    two = load_study(
        write(tmp_path, GOOD.replace("Judul penelitian", "Judul lain").replace("folds = 5 ", "folds = 4 "))
    )
    assert one.digest("study") != two.digest("study")
    assert one.digest("study.seed") == two.digest("study.seed")
    assert one.digest("targets.aliases") == two.digest("targets.aliases")
    assert one.digest("stance") != two.digest("stance")
    assert one.digest("topics") == two.digest("topics")


def test_study_is_frozen(tmp_path):
    study = load_study(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        study.stance.epochs = 9
