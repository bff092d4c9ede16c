"""Addresses, card numbers and IBANs: documented examples, and digits that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.pii.numbers import luhn

IPS = ["163.36.107.25", "114.35.103.54", "57.120.21.121", "13.83.69.70", "29.116.31.158", "193.163.229.23", "211.160.67.46"]
IPS += ["4.132.211.142", "214.70.227.4", "35.88.121.75", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", IPS)
@pytest.mark.parametrize("frame", ["{}", "({})", "from {}, at", "{}\n", "<{}>.", "IP={}", "http://{}/", "{},"])
def test_a_public_ip_address_is_found(found_in, address, frame):
    assert found_in(frame.format(address)) == [(0, address, "ip")]


@pytest.mark.parametrize(
    "text",
    [
        *("999.999.999.999.", "108.0.0.01", "0.1.2.3", "00.0000.00.00", "192.168.l.1", "912.456.123.123", ".3.3.3.0"),
        *(
            "172.16.0.9",
            "172.31.254.254",
            "127.0.0.2",
            "10.0.1.5",
            "10.255.255.254",
            "192.168.1.2",
            "169.254.1.1",
            "100.64.0.1",
        ),
        *(
            "224.0.0.251",
            "255.255.255.0",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "2001:db8::1",
            "fe80::1",
            "::1",
            "ff02::fb",
        ),
        *("v91.0.44.124", "version 91.40.44.124", "Chrome/91.40.44.124", "pkg-91.40.44.124.jar", "x==91.40.44.124", "1.2.3.4"),
        *("38.17.6.2. Security", "Section 143.6.5.5", "1.3.6.1.4.1", "91.40.44.124.5", "91.40.44.124-rc1", "8.8.8.0/24"),
        *("2001:30:45", "2040:c600", "std::cout", "2009:4:Sunday", "2a00:1450::/32", "Specification:\n9.6.4.6 @Deprecated"),
        *("12:30:45.123", "aa:bb:cc:dd:ee:ff", "1.2.3", "163.36.107.256"),
    ],
)
def test_private_addresses_versions_sections_and_networks_are_no_public_ip_address(found_in, text):
    assert found_in(text) == []


CARDS = ["4111111111111111", "4012888888881881", "5555555555554444", "5105105105105100", "2223003122003222"]
CARDS += ["378282246310005", "371449635398431", "6011111111111117", "3530111333300000", "30569309025904", "6759649826438453"]
CARDS += ["4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005", "3056 930902 5904", "4222 2222 2222 2"]


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("frame", ["{}", "card {}.", "Visa:{},", "“{}”", "{}\n"])
def test_a_card_number_is_found(found_in, number, frame):
    assert found_in(frame.format(number)) == [(0, number, "card")]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "4111111111111112",
            "1234567812345670",
            "0.4111111111111111",
            "-4111111111111111",
            "x4111111111111111",
            "41111111111111111",
        ),
        *(
            "4111 11111 1111 111",
            "4111 1111-1111 1111",
            "4111 1111 1111 1111 1",
            "4111111111111111L",
            "4694047833775013803L",
            "4917610000000001",
        ),
        *(
            "1700000000000",
            "20170515161709",
            "/20150927164805/",
            "id=4111111111111111",
            "4222222222222",
            "411111111111",
            "41111111111111111111",
        ),
    ],
)
def test_digits_without_the_check_digit_or_in_longer_numbers_are_no_card_number(found_in, text):
    assert found_in(text) == []


IBANS = ["GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"]
IBANS += [
    "FR14 2004 1010 0505 0001 3M02 606",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "SK31 1200 0000 1987 4263 7541",
    "CH93 0076 2011 6238 5295 7",
]


@pytest.mark.parametrize("account", IBANS)
@pytest.mark.parametrize("frame", ["{}", "IBAN: {}.", "({})", "{} BIC", "{}\n"])
def test_an_iban_is_found(found_in, account, frame):
    assert found_in(frame.format(account)) == [(0, account, "iban")]


@pytest.mark.parametrize(
    "text",
    [
        *("GB82WEST12345698765431", "GB82WEST1234569876543", "XX82WEST12345698765432", "AGB82WEST12345698765432"),
        *(
            "gb82west12345698765432",
            "GB82WEST123456987654321",
            "GB82  WEST 1234 5698 7654 32",
            "OV5640 SENSOR DRIVER FOR LINUX",
        ),
    ],
)
def test_an_account_with_a_wrong_checksum_length_or_country_is_no_iban(found_in, text):
    assert found_in(text) == []


@given(st.text(alphabet="0123456789", min_size=1, max_size=18))
def test_exactly_one_check_digit_passes(digits):
    assert sum(luhn(digits + check) for check in "0123456789") == 1
