"""The flow of a recipe: sections -> stages; flags stand over the recipe."""

from dataclasses import replace
from unittest import mock

import pytest

from pipeline.artifacts import Store
from pipeline.configs_folder import configs_folder
from pipeline.engine.local import Local
from pipeline.errors import PrepError, RecipeError, UsageError
from pipeline.flow import clean_all, ingest_all, problems_of, recipe_for, run_recipe, tokenize_all, with_slop_lists
from pipeline.recipe import Recipe, load
from pipeline.run import Run, Silent
from pipeline.trace import Trace
from pipeline.traced import Traced


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text("body\nThe mill stands by the river.\nAs an AI language model I cannot.\n")
    (tmp_path / "notes.txt").write_text("A note.")
    return Run(Store("store"), Local(1), Heard())


def recipe(text):
    with open("recipe.yaml", "w") as file:  # noqa: PTH123
        file.write(text)
    return load("recipe.yaml")


def ingested(run, name="posts"):
    (made,) = ingest_all(Recipe("x", {}), run, name=name, sources=["posts.csv"], flags={"text_column": "body"})
    return made


def cleaned(run, text, refs=(), slop_lists=(), name=None):
    return list(clean_all(recipe(text), run, refs=refs, name=name, slop_lists=slop_lists))


def test_a_section_with_sources_makes_one_artifact_by_the_recipes_name(run):
    (made,) = ingest_all(
        recipe("name: town\ningest: {sources: [posts.csv], text_column: body}"), run, name=None, sources=(), flags={}
    )
    assert made.manifest.name == "town"


def test_a_recipe_without_name_is_named_by_its_file(run):
    (made,) = ingest_all(recipe("ingest: {sources: notes.txt}"), run, name=None, sources=(), flags={})
    assert made.manifest.name == "recipe"


def test_a_section_of_data_sets_makes_an_artifact_each_and_clean_takes_each_in_turn(run):
    told = "ingest: {a: {sources: notes.txt}, b: {sources: posts.csv, text_column: body}}\nclean: {a: [unicode], b: [unicode]}"
    assert [made.manifest.name for made in ingest_all(recipe(told), run, name=None, sources=(), flags={})] == ["a", "b"]
    assert [made.manifest.name for made in cleaned(run, told)] == ["a", "b"]


def test_flags_stand_over_the_recipe(run):
    told = recipe("ingest: {sources: [nope.csv], text_column: nope}")
    (made,) = ingest_all(told, run, name="mine", sources=["posts.csv"], flags={"text_column": "body"})
    assert (made.manifest.name, made.manifest.rows["kept"]) == ("mine", 2)


def test_problems_keep_their_lines_under_flags(run):
    with pytest.raises(RecipeError) as caught:
        list(ingest_all(recipe("ingest:\n  sources: [x]\n  tabel: y\n"), run, name=None, sources=(), flags={"format": "csv"}))
    assert str(caught.value) == "recipe.yaml: 1 problem\n  line 3: ingest: no setting 'tabel'. Did you mean 'table'?"


def test_a_recipe_without_the_section_of_the_stage_is_refused(run):
    with pytest.raises(RecipeError) as caught:
        list(ingest_all(recipe("name: x"), run, name=None, sources=(), flags={}))
    assert str(caught.value).endswith("ingest: the section is missing; it needs at least {sources: [...]}")
    ingested(run)
    with pytest.raises(RecipeError, match="clean: no steps for 'posts'"):
        cleaned(run, "name: x")


def test_sections_that_are_no_mapping_are_refused(run):
    with pytest.raises(RecipeError, match=r"tokenize: its settings are a mapping like {tokenizer: \.\.\.}, not 7"):
        cleaned_then_tokenized(run, "clean: [unicode]\ntokenize: 7")
    with pytest.raises(RecipeError, match="clean: a list of steps is needed, like `- unicode`"):
        cleaned(run, "clean: unicode", slop_lists=["refusals"])


def cleaned_then_tokenized(run, told):
    ingested(run)
    cleaned(run, told)
    tokenize_all(recipe(told), run, refs=(), name=None, flags={"vocab_size": 300})


def test_without_refs_the_newest_of_the_stage_before_is_taken_and_named(run):
    ingested(run, "old")
    newest = ingested(run, "new")
    (made,) = cleaned(run, "clean: [unicode]")
    assert made.manifest.parents == [newest.ref]
    assert run.progress.lines[-1:] == [f"from {newest.ref}"]


def test_a_named_parent_is_taken(run):
    old = ingested(run, "old")
    ingested(run, "new")
    (made,) = cleaned(run, "clean: [unicode]", refs=["old"], name="mine")
    assert (made.manifest.parents, made.manifest.name) == ([old.ref], "mine")


def test_a_parent_of_another_stage_is_refused(run):
    ingested(run)
    (made,) = cleaned(run, "clean: [unicode]")
    with pytest.raises(UsageError) as caught:
        cleaned(run, "clean: [unicode]", refs=[made.ref])
    assert str(caught.value) == f"{made.ref} is no ingest artifact. `prep list ingest` shows those there are."


def test_without_any_parent_the_stage_before_is_asked_for(run):
    with pytest.raises(PrepError) as caught:
        cleaned(run, "clean: [unicode]")
    assert str(caught.value) == "store holds no ingest artifact yet. Run `prep ingest` first."


def test_a_changed_bound_makes_another_artifact_and_the_same_none(run):
    ingested(run)
    one, same, other = (cleaned(run, f"clean: [word_count: {{min: {low}}}]")[0] for low in (1, 1, 7))
    assert one.ref == same.ref != other.ref
    assert f"{one.ref}: already there, nothing to do" in run.progress.lines


def test_slop_lists_of_the_command_line_stand_in_place_of_the_recipes(run):
    ingested(run)
    (made,) = cleaned(run, "clean:\n  - unicode\n  - slop: {lists: [stock], max: 3}\n", slop_lists=["refusals"])
    (step,) = [step for step in made.manifest.recipe["steps"] if step["filter"] == "slop"]
    assert step["bounds"]["max"] == 3
    assert [count["lists"] for count in made.manifest.counts if count["filter"] == "slop"] == [["refusals"]]


def test_slop_comes_first_where_the_recipe_has_none():
    assert with_slop_lists(["unicode"], ["mine.txt"]) == [{"slop": {"lists": ["mine.txt"]}}, "unicode"]
    assert with_slop_lists(["slop"], ["mine.txt"]) == [{"slop": {"lists": ["mine.txt"]}}]


def test_every_problem_of_all_sections_is_told_before_anything_runs(run):
    told = recipe(
        "ingest:\n  sources: [posts.csv]\n  text_colum: body\n"
        "clean:\n  - unicod\n  - near_duplicates: {treshold: 0.7, keep: longst}\n  - word_count\n"
        "train: {learning_rat: 1}\n"
    )
    with pytest.raises(RecipeError) as caught:
        list(run_recipe(told, run))
    assert str(caught.value).splitlines() == [
        "recipe.yaml: 8 problems",
        "  line 8: train: the section 'tokenize' is missing, whose artifact it takes",
        "  line 3: ingest: no setting 'text_colum'. Did you mean 'text_column'?",
        "  line 5: clean, step 1: no filter 'unicod'. Did you mean 'unicode'?",
        "  line 6: clean, step 2, near_duplicates: no setting 'treshold'. Did you mean 'threshold'?",
        "  line 6: clean, step 2, near_duplicates: keep: input should be 'first', 'longest' or 'best(MEASURE)', not 'longst'",
        "  line 7: clean, step 3, word_count: set a bound: min, max or both",
        "  line 8: train: no setting 'learning_rat'. Did you mean 'learning_rate'?",
        "  train: 'model' is missing",
    ]
    assert run.store.list() == []


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*.yaml")), ids=lambda path: path.name)
def test_a_recipe_that_ships_has_no_problem(path):
    told = load(path)
    missing = [] if told.section("ingest") else ["ingest: the section is missing; it needs at least {sources: [...]}"]
    assert problems_of(told) == missing


def test_a_stage_without_config_uses_the_recipe_that_ships_and_says_so(run):
    assert recipe_for("clean", None, run).where == str(configs_folder() / "clean.yaml")
    assert run.progress.lines == ["no --config: using clean.yaml, which ships with prep"]


def test_a_stage_whose_flags_say_enough_needs_no_recipe(run):
    assert recipe_for("tokenize", None, run, settled=True) == Recipe("the command line", {})
    assert recipe_for("ingest", None, run) == Recipe("the command line", {})
    assert run.progress.lines == []


def test_one_name_for_several_artifacts_is_refused(run):
    ingested(run), ingested(run, "more")
    with pytest.raises(UsageError, match="--name is for one artifact"):
        cleaned(run, "clean: [unicode]", refs=["posts", "more"], name="same")


def test_a_parent_named_twice_is_taken_once(run):
    ingested(run)
    assert len(cleaned(run, "clean: [unicode]", refs=["ingest/posts", "posts"])) == 1


def test_a_data_set_that_was_not_cleaned_is_not_left_out_silently(run):
    told = "ingest:\n  posts: {sources: posts.csv}\n  other: {sources: posts.csv}\nclean: [unicode]\n"
    ingested(run)
    with pytest.raises(PrepError, match=r"ingest/other is not there yet\. Run `prep ingest` first, or name REFs\."):
        cleaned(run, told)


class Learns(Local):
    """Keeps what it is told to expect."""

    def __init__(self):
        super().__init__(1)
        self.told = []

    def expect(self, *, little):
        self.told.append(little)


def test_the_engine_learns_before_each_stage_whether_it_is_given_little(run, tmp_path):
    engine = Learns()
    run = replace(run, engine=engine)
    text = "ingest: {sources: [notes.txt, {path: posts.csv, text_column: body}]}\nclean: [unicode]"
    list(run_recipe(recipe(text), run))
    assert engine.told == [True, True, True]
    (tmp_path / "more.txt").write_bytes(b"word " * 10**6)
    list(ingest_all(recipe("ingest: {sources: [notes.txt, more.txt]}"), run, name=None, sources=(), flags={}))
    list(ingest_all(Recipe("x", {}), run, name="x", sources=["more.txt"], flags={}))
    assert engine.told[3:] == [False, False]


def test_a_traced_engine_learns_it_too_and_one_that_cannot_is_left_alone(run, tmp_path):
    engine = Learns()
    replace(run, engine=Traced(engine, Trace(tmp_path / "trace.json", []))).expect(little=True)
    replace(run, engine=mock.Mock(spec=["map", "workers"])).expect(little=True)
    assert engine.told == [True]
