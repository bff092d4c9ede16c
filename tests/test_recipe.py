"""Recipes: YAML -> checked sections; every problem at once, with its line and the nearest right word."""

from pathlib import Path
from typing import Literal

import pytest

from pipeline.configs_folder import configs_folder
from pipeline.errors import RecipeError, did_you_mean
from pipeline.recipe import check, fields_of, load, unknown_sections


def loaded(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return load(path)


def refused(tmp_path, text):
    with pytest.raises(RecipeError) as caught:
        loaded(tmp_path, text)
    return str(caught.value).replace(str(tmp_path), "").splitlines()


def toy(
    text: str,
    *,
    threshold: float = 0.7,
    keep: Literal["first", "longest"] = "first",
    words: int,
    lists: list[str] | None = None,
):
    """Look at a text."""


FIELDS = fields_of(toy)


def test_the_settings_of_a_function_are_its_keyword_only_parameters():
    assert fields_of(toy) == {
        "threshold": (float, 0.7),
        "keep": (Literal["first", "longest"], "first"),
        "words": (int, ...),
        "lists": (list[str] | None, None),
    }


def test_defaults_are_filled_in():
    assert check(FIELDS, {"words": 5}, "toy") == ({"threshold": 0.7, "keep": "first", "words": 5, "lists": None}, [])


def test_a_whole_number_is_a_float_where_one_is_asked_for():
    assert check(FIELDS, {"words": 5, "threshold": 1}, "toy")[0]["threshold"] == 1.0


def test_all_problems_are_told_at_once_and_each_setting_once():
    settings, problems = check(FIELDS, {"treshold": 1, "keep": "longst", "lists": [1, 2], "zzz": 1}, "toy")
    assert settings == {}
    assert problems == [
        "toy: no setting 'treshold'. Did you mean 'threshold'?",
        "toy: no setting 'zzz'. There are: threshold, keep, words, lists.",
        "toy: keep: input should be 'first' or 'longest', not 'longst'",
        "toy: 'words' is missing",
        "toy: lists: input should be a valid string, not [1, 2]",
    ]


@pytest.mark.parametrize("value", ["0.7", True, None])
def test_a_value_of_another_type_is_not_converted(value):
    assert check({"threshold": (float, 0.7)}, {"threshold": value}, "toy")[1] == [
        f"toy: threshold: input should be a valid number, not {value!r}"
    ]


def test_settings_that_are_no_mapping_are_told_how_they_look():
    assert check({"lists": (list[str], [])}, "refusals", "slop") == (
        {},
        ["slop: its settings are a mapping like {lists: ...}, not 'refusals'"],
    )


def test_a_function_without_settings_says_that_it_has_none():
    assert check({}, {"x": 1}, "toy")[1] == ["toy: no setting 'x'. It has none."]


def test_problems_of_a_file_name_their_lines(tmp_path):
    recipe = loaded(tmp_path, "clean:\n\ntrain:\n  words: 5\n  treshold: 1\n  keep: longst\n")
    assert check(FIELDS, recipe.section("train"), "train")[1] == [
        "line 5: train: no setting 'treshold'. Did you mean 'threshold'?",
        "line 6: train: keep: input should be 'first' or 'longest', not 'longst'",
    ]


def test_checked_values_are_plain_python(tmp_path):
    recipe = loaded(tmp_path, "train: {words: 0x5, threshold: 2e-4, lists: [on, 'yes']}\n")
    settings, _ = check(FIELDS, recipe.section("train"), "train")
    assert settings == {"threshold": 0.0002, "keep": "first", "words": 5, "lists": ["on", "yes"]}
    assert {type(value) for value in settings.values()} == {float, str, int, list}


def test_unknown_sections_are_told_with_line_and_nearest_name(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: x\nclaen: []\nzzz: 1\n")
    assert unknown_sections(load(tmp_path / "recipe.yaml")) == [
        "line 2: no section 'claen'. Did you mean 'clean'?",
        "line 3: no section 'zzz'. There are: name, ingest, clean, tokenize, train",
    ]


def test_what_is_no_yaml_is_told_with_its_line(tmp_path):
    assert refused(tmp_path, "clean:\n  - [unicode\n") == [
        "/recipe.yaml: 1 problem",
        "  line 3: not YAML: expected ',' or ']', but got '<stream end>'",
    ]


@pytest.mark.parametrize("text", ["", "- unicode\n", "clean"])
def test_a_recipe_that_is_no_mapping_is_told_its_keys(tmp_path, text):
    assert refused(tmp_path, text) == [
        "/recipe.yaml: 1 problem",
        "  a recipe is a mapping with the keys name, ingest, clean, tokenize, train.",
    ]


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    assert refused(tmp_path, "name: a\nname: b\n")[1].startswith("  line 2: not YAML: found duplicate key")


def test_a_recipe_that_is_not_there_or_not_utf_8_is_told(tmp_path):
    with pytest.raises(
        RecipeError, match=r"nope\.yaml: 1 problem\n  cannot be read \(No such file or directory\). Check the path."
    ):
        load(tmp_path / "nope.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match="not YAML: 'utf-8' codec"):
        load(tmp_path / "latin.yaml")


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*.yaml")), ids=lambda path: path.name)
def test_a_recipe_that_ships_says_at_its_top_what_it_is_for(path):
    assert path.read_text().startswith("# ")
    assert load(path).sections


def test_configs_lie_beside_the_package():
    assert (configs_folder() / "clean.yaml").is_file()
    assert configs_folder() == Path(__file__).parent.parent / "configs"


@pytest.mark.parametrize(("word", "hint"), [("unicod", " Did you mean 'unicode'?"), ("q", "")])
def test_the_nearest_word_is_offered_if_it_is_near(word, hint):
    assert did_you_mean(word, ["unicode", "slop"]) == hint


@pytest.mark.parametrize("given", [None, {}])
def test_where_nothing_is_set_every_default_counts_and_what_has_none_is_missing(given):
    assert check({"a": (int, 1), "b": (str | None, None)}, given, "x") == ({"a": 1, "b": None}, [])
    assert check({"a": (int, 1), "b": (str, ...)}, given, "x") == ({}, ["x: 'b' is missing"])
