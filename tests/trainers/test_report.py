import base64
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("matplotlib")

from trainers.account import Account, Ancestor, Sample, Source
from trainers.history import Pace, Point
from trainers.report import report
from trainers.verdict import Facts, Finding, Verdict

POINTS = [
    *(Point(step, step / 40, "train", 3 - step / 40, 1e-4, 1.0, 900 * step) for step in range(1, 41)),
    *(Point(step, step / 40, "validation", 3 - step / 50, None, None, 900 * step) for step in (0, 20, 40)),
]
PACES = [Pace(step, 0.5, 1000, 2 << 30) for step in range(1, 41)]
FOUND = Verdict((Finding("overfit", 0.8, "It rose by <0.2>.", ("Keep step 20 & stop.",), {}, (20,)),))
ACCOUNT = Account(
    name="wiki",
    base_model="mistralai/Mistral-7B-v0.3",
    settings={"adapter": "qlora", "learning_rate": 2e-4, "lora_target_modules": ["q_proj", "v_proj"]},
    facts=Facts(supervised_tokens=36_000, validation_tokens=4_000, text_bytes=3 << 20),
    lineage=(
        Ancestor("tokenize/wiki@1", {"in": 12, "kept": 10}),
        Ancestor("ingest/wiki@0", {"in": 12, "kept": 12}, (Source("a.csv", "ab" * 32, 2048),), 3),
    ),
    run={"device": "cuda", "dtype": "bfloat16"},
    memory={"base model": 4 << 30, "total": 6 << 30},
    samples=(Sample("Hi", "Yes?", "Hello."),),
)
HOSTILE = '<script>alert("1")</script>&\'"'


class Checked(HTMLParser):
    """Reads a page, and keeps its tags, links and text; every tag that opens must close."""

    void = ("meta", "img", "source", "br")

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.said, self.open = set(), [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "srcset", "href")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split())


WRITTEN = report(POINTS, PACES, FOUND, ACCOUNT)


def page():
    return Checked(WRITTEN)


def test_the_verdict_stands_at_the_top_with_its_advice():
    text = page().text
    assert text.index("It rose by <0.2>. Keep step 20 & stop.") < text.index("Curves")


def test_a_command_in_an_advice_is_set_as_code():
    finding = Finding("underfit", 0.8, "It falls.", ("Raise `prep train --epochs`, or <wait>.",), {})
    written = report(POINTS, PACES, Verdict((finding,)), ACCOUNT)
    assert "<li>Raise <code>prep train --epochs</code>, or &lt;wait&gt;.</li>" in written


def test_every_tag_that_opens_closes():
    assert page().open == []


def test_the_page_needs_nothing_from_elsewhere():
    found = page()
    assert [link.split(",")[0] for link in found.links] == ["data:image/png;base64"] * 2
    assert not found.tags & {"script", "link", "iframe"}
    assert "url(" not in WRITTEN


def test_light_and_dark_have_pictures_of_their_own():
    light, dark = (base64.b64decode(link.split(",")[1]) for link in page().links)
    assert light.startswith(b"\x89PNG")
    assert dark.startswith(b"\x89PNG")
    assert light != dark


@pytest.mark.parametrize(
    "said",
    [
        "learning_rate 0.0002",
        "lora_target_modules q_proj, v_proj",
        "text 3.0 MiB",
        "tokens per second 2,000",
        "memory, measured peak 2.00 GiB",
        "memory, estimated: base model 4.00 GiB",
        "device cuda",
        "a.csv (2.0 KiB, sha256 abababababab) and 2 more",
        "10 of 12 rows",
        "prompt Hi base model Yes? trained Hello.",
        "validation 3.0000 2.2000 40 2.2000 3",
        "adapter for mistralai/Mistral-7B-v0.3, trained on tokenize/wiki@1",
    ],
)
def test_the_page_says(said):
    assert said in page().text


def test_whatever_comes_from_outside_is_escaped():
    verdict = Verdict((Finding("overfit", 0.8, HOSTILE, (HOSTILE,), {}),))
    account = Account(
        HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, Facts(1), HOSTILE, (Ancestor(HOSTILE, {}, (Source(HOSTILE, HOSTILE, 1),), 1),),
        None, {HOSTILE: HOSTILE}, {HOSTILE: 1}, (Sample(HOSTILE, HOSTILE, HOSTILE),),
    )  # fmt: skip
    found = Checked(report(POINTS, PACES, verdict, account))
    assert "script" not in found.tags
    assert found.open == []
    assert found.text.count("alert(") == 17


def test_what_is_not_known_has_no_heading():
    bare = Checked(report(POINTS[:1], [], Verdict(()), Account("a", "b", {}, Facts(0)))).text
    assert not re.search(r"Samples|Lineage|Settings|Speed|Run|Data", bare)
