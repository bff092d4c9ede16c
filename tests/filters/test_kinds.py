"""The registry of filters."""

import inspect

import pytest

from filters import kinds
from filters.kinds import filters


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("unicode", "rewrite"),
        ("word_count", "measure"),
        ("slop", "spans"),
        ("exact_duplicates", "duplicates"),
        ("near_duplicates", "duplicates"),
    ],
)
def test_a_decorated_function_is_registered_under_its_name_and_kind(name, kind):
    assert filters()[name].kind == kind


def test_a_decorated_function_is_returned_unchanged(monkeypatch):
    monkeypatch.setattr(kinds, "_REGISTRY", {})

    def mine(texts, offsets):
        """Say nothing."""

    assert kinds.measure(version=3)(mine) is mine
    assert kinds._REGISTRY["mine"] == kinds.Filter("mine", "measure", 3, mine)


@pytest.mark.parametrize("name", filters())
def test_every_filter_has_help_with_an_example(name):
    assert ">>>" in filters()[name].help
    assert filters()[name].help.partition("\n")[0].endswith((".", ",", ":"))


NEEDED = {"patterns": ["patterns"], "contamination": ["against"]}  # what a filter cannot guess


@pytest.mark.parametrize("name", filters())
def test_what_a_recipe_may_set_has_a_default_unless_it_cannot_be_guessed(name):
    parameters = inspect.signature(filters()[name].function).parameters.values()
    settings = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    assert [setting.name for setting in settings if setting.default is setting.empty] == NEEDED.get(name, [])


@pytest.mark.parametrize("name", [name for name, found in filters().items() if found.kind == "duplicates"])
def test_the_sets_of_a_duplicates_filter_take_what_the_filter_takes(name):
    found = filters()[name]
    assert [*inspect.signature(found.sets).parameters] == [*inspect.signature(found.function).parameters]
