"""The registry of filters."""

import inspect
import subprocess
import sys

import pytest

from filters import kinds
from filters.kinds import ELSEWHERE, filters, named


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


@pytest.mark.parametrize("name", filters())
def test_a_filter_is_looked_for_in_its_own_module(name):
    assert f"{filters()[name].function.__module__}.".startswith(f"filters.{ELSEWHERE.get(name, name)}.")


def test_a_filter_is_found_without_the_modules_of_others():
    code = "import sys\nfrom filters.kinds import named\nprint(named('exact_duplicates').kind, 'filters.pii' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "duplicates False\n"
    )


def test_a_filter_whose_module_is_not_noted_is_found_among_all_modules(monkeypatch):
    monkeypatch.delitem(ELSEWHERE, "exact_duplicates")
    assert named("exact_duplicates") is filters()["exact_duplicates"]


@pytest.mark.parametrize("name", ["no_such_filter", "no.such.filter", "", "kernels"])
def test_a_name_of_no_filter_finds_none(name):
    assert named(name) is None
