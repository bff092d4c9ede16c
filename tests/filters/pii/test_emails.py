"""E-mail addresses: found to their ends, and what only looks like one is left alone; all values belong to nobody."""

import pytest

EMAILS = [
    "email@example.com",
    "firstname.lastname@example.com",
    "email@subdomain.example.com",
    "firstname+lastname@example.com",
    "email@123.123.123.123",
    "email@[123.123.123.123]",
    "1234567890@example.com",
    "email@example-one.com",
    "_______@example.com",
    "email@example.museum",
    "email@example.co.jp",
    "NAME@MYSITE.COM",
    "o'neill@example.ie",
    "jörg.müller@example.de",
    "info@müller.de",
    "почта@пример.рф",
    "あいうえお@example.com",
    "user@xn--mller-kva.de",
]


@pytest.mark.parametrize("address", EMAILS)
@pytest.mark.parametrize("frame", ["{}", "Joe <{}>", "write to {}.", "“{}”", "mailto:{}?subject=x", "a@b,{};c", "{}\n"])
def test_an_email_address_is_found_to_its_ends(found_in, address, frame):
    assert found_in(frame.format(address)) == [(0, address, "email")]


@pytest.mark.parametrize(
    "text",
    [
        "plainaddress",
        "#@%^%#$@#$@#.com",
        "@example.com",
        "email.example.com",
        '"email"@example.com',
        "email.@example.com",
        "email@example",
        "email@-example.com",
        "email@example..com",
        "user@localhost",
        "root@10.0.0.1",
        "@mention",
        "see @numpy.array",
        "npm@10.2",
        "lodash@4.17.21",
        "@types/node@18.x",
        "icon@2x.png",
        "systemd-fsck@dev-sda1.service",
        "git@github.com:owner/name.git",
        "https://user@example.com/",
        "https://lore.kernel.org/r/2017.GA21175@kroah.com",
        "a" * 65 + "@example.com",
        "peter@print.local",
        "a @ b.com",
        "user@example.c",
    ],
)
def test_what_only_looks_like_an_email_address_is_left_alone(found_in, text):
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (".email@example.com", "email@example.com"),
        ("email..email@example.com", "email@example.com"),
        ("email@example@example.com", "example@example.com"),
        ("very.”@”.unusual.com@example.com", "unusual.com@example.com"),
        ("just”not”right@example.com", "right@example.com"),
        ("请联系foo@example.com吧", "foo@example.com"),
        ("?to=foo@example.com&x", "foo@example.com"),
        ("https://example.com/?to=foo@example.com", "foo@example.com"),
        ("foo@example.com.", "foo@example.com"),
    ],
)
def test_an_email_address_is_cut_out_of_what_sticks_to_it(matched, text, address):
    assert matched(text) == [address]
