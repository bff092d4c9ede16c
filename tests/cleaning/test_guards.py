"""Guards: a step that removes more than its share stops the run, and a looser guard goes on where it stopped."""

import pytest

from pipeline.errors import TooMuchRemoved
from pipeline.stages.clean import clean

TEXTS = ["a", "a b", "a b c", "a b c d"]


def guarded(most, low=3):
    return {"word_count": {"min": low, "max_removed": most}}


def test_a_step_that_removes_more_than_its_share_stops_with_one_line(documents, run_with):
    with pytest.raises(TooMuchRemoved) as stopped:
        clean(documents(TEXTS, shards=2), "sample", run_with(1), steps=[guarded(0.3)])
    assert str(stopped.value) == (
        "word_count removes 2 of 4 documents (50.0%), and max_removed is 0.3. "
        "`prep plan` shows which; change its bounds, or raise max_removed."
    )


def test_what_was_stopped_is_not_published(documents, run_with, store):
    with pytest.raises(TooMuchRemoved):
        clean(documents(TEXTS), "sample", run_with(1), steps=[guarded(0.3)])
    assert store.list("clean") == []


@pytest.mark.parametrize("most", [0.5, 0.6, 1, None])
def test_a_step_that_removes_just_its_share_or_less_does_not_stop(cleaned, most):
    assert cleaned(TEXTS, [guarded(most)]).manifest.rows["removed"] == 2


def test_a_share_of_nothing_stops_at_the_first_document(documents, run_with):
    with pytest.raises(TooMuchRemoved, match="removes 1 of 4"):
        clean(documents(TEXTS), "sample", run_with(1), steps=[guarded(0, low=2)])


def test_a_share_is_of_what_came_to_the_step(documents, run_with):
    steps = [{"word_count": {"min": 3}}, {"word_count": {"max": 3, "max_removed": 0.4}}]
    with pytest.raises(TooMuchRemoved, match="removes 1 of 2"):
        clean(documents(TEXTS), "sample", run_with(1), steps=steps)


def test_a_share_is_of_all_shards_together(cleaned):
    assert cleaned(TEXTS, [guarded(0.5)], shards=4).manifest.rows["removed"] == 2


@pytest.mark.parametrize(
    ("contents", "step"),
    [
        (["a", "a", "b"], {"exact_duplicates": {"max_removed": 0.3}}),
        (["a b", "a b", "b"], {"near_duplicates": {"max_removed": 0.3}}),
        (["m", "m\nb", "m"], {"recurring_lines": {"documents": 2, "max_removed": 0.3}}),
        (["as an ai language model", "b"], {"slop": {"max_removed": 0.3}}),
        (["as an ai language model", "b"], {"slop": {"action": "strip_line", "max_removed": 0.3}}),
    ],
)
def test_steps_of_every_kind_have_a_guard(documents, run_with, contents, step):
    with pytest.raises(TooMuchRemoved, match=next(iter(step))):
        clean(documents(contents, shards=2), "sample", run_with(1), steps=[step])


def test_a_step_to_which_nothing_comes_does_not_stop(cleaned):
    steps = [{"word_count": {"min": 9}}, {"exact_duplicates": {"max_removed": 0}}, guarded(0)]
    assert cleaned(TEXTS, steps).manifest.rows["kept"] == 0


@pytest.mark.parametrize("guarded_step", range(5))
def test_with_a_looser_guard_a_stopped_run_goes_on_to_the_bytes_of_an_undisturbed_one(
    documents, planted, run_with, guarded_step
):
    pages = [f"menu\nx y z {number % 3}" for number in range(9)]
    parent = documents([*planted(20), *TEXTS, *pages, "menu\nmenu", "As an AI language model"], shards=3)
    steps = [
        ("word_count", {"min": 2}),
        ("slop", {}),
        ("recurring_lines", {"documents": 8, "normalize": False}),
        ("exact_duplicates", {}),
        ("near_duplicates", {}),
    ]
    undisturbed = clean(parent, "undisturbed", run_with(1), steps=[{name: own} for name, own in steps])
    tight, loose = (
        [{name: {**own, "max_removed": most} if at == guarded_step else own} for at, (name, own) in enumerate(steps)]
        for most in (0, 1)
    )
    with pytest.raises(TooMuchRemoved, match=steps[guarded_step][0]):
        clean(parent, "stopped", run_with(1), steps=tight)
    again = clean(parent, "stopped", run_with(2), steps=loose)
    assert again.manifest.files == undisturbed.manifest.files
    assert again.manifest.counts == undisturbed.manifest.counts


def test_of_several_guards_the_first_in_the_recipe_speaks(documents, run_with):
    steps = [{"word_count": {"max": 3, "max_removed": 0.1}}, {"word_count": {"min": 2, "max_removed": 0.1}}]
    with pytest.raises(TooMuchRemoved, match="removes 1 of 4"):
        clean(documents(TEXTS), "sample", run_with(1), steps=steps)
