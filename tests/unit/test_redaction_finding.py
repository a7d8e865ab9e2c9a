"""What is found as personal data, and above all what is not: dates, times, amounts and ids say something to a model."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.privacy import personal_data
from workers.privacy.personal_data import find
from workers.privacy.phones import regions_of
from workers.privacy.redaction import redact


def found(text: str, *regions: str) -> list[tuple[str, str]]:
    return [(finding.kind, text[finding.start : finding.end]) for finding in find(text, regions)]


FOUND = (
    ("Mail john@x.org.", "EMAIL", "john@x.org"),
    ("<mailto:Ann.O'Brien+tag@mail.example.co.uk>", "EMAIL", "Ann.O'Brien+tag@mail.example.co.uk"),
    ("'john@x.org'", "EMAIL", "john@x.org"),
    ("(müller@bücher.example)", "EMAIL", "müller@bücher.example"),
    ("john@xn--bcher-kva.xn--p1ai", "EMAIL", "john@xn--bcher-kva.xn--p1ai"),
    ("card 4111 1111 1111 1111, 12/27", "CARD", "4111 1111 1111 1111"),
    ("3 4111-1111-1111-1111 2", "CARD", "4111-1111-1111-1111"),
    ("2025 4111 1111 1111 1111 123", "CARD", "4111 1111 1111 1111"),
    ("3782 822463 10005", "CARD", "3782 822463 10005"),
    ("6304000000000000", "CARD", "6304000000000000"),
    ("IBAN DE89 3704 0044 0532 0130 00 bitte", "IBAN", "DE89 3704 0044 0532 0130 00"),
    ("gb82west12345698765432", "IBAN", "gb82west12345698765432"),
    ("MT84MALT011000012345MTLCAST001S", "IBAN", "MT84MALT011000012345MTLCAST001S"),
    ("my ssn is 078-05-1120", "SSN", "078-05-1120"),
    ("Social Security Number: 078051120", "SSN", "078051120"),
    ("from 192.168.17.23:8080", "IP", "192.168.17.23"),
    ("from 2001:db8::17, port 80", "IP", "2001:db8::17"),
    ("[2001:0db8:0:0:0:ff00:42:8329]", "IP", "2001:0db8:0:0:0:ff00:42:8329"),
    ("::ffff:10.1.2.3", "IP", "::ffff:10.1.2.3"),
    ("sk-proj-abc_defghijklmnop1234", "KEY", "sk-proj-abc_defghijklmnop1234"),
    ("ghp_0123456789abcdefghij0123456789abcdef", "KEY", "ghp_0123456789abcdefghij0123456789abcdef"),
    ("AKIAIOSFODNN7EXAMPLE", "KEY", "AKIAIOSFODNN7EXAMPLE"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-d", "KEY", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-d"),
    ("Authorization: Bearer abcdefghijklmnop1234", "KEY", "abcdefghijklmnop1234"),
    ("postgres://bob:s3cr@t@db.example.com/x", "PASSWORD", "s3cr@t"),
    ("the Wi-Fi password is hunter2.", "PASSWORD", "hunter2"),
    ('{"api_key": "abcd1234"}', "PASSWORD", "abcd1234"),
    ('{"note": "{\\"token\\": \\"abcd1234\\"}"}', "PASSWORD", "abcd1234"),
    ("https://x.example/?access_token=abcd1234&page=2", "PASSWORD", "abcd1234"),
)

NOT_PERSONAL = (
    "due 2025-11-21, 2025-11-21 17:00, 2025-11-21T17:00:00Z, 2025-11-21 10:30-11:45, 20251121, 20251121T170000",
    "21.11.2025 um 17:30, 24.12. at 8, 21/11/2025, 11/21/25 10:00, 12-24-2025, 2025/11/21, call on 12 11 2025 at 5",
    "2025-11-21 2025-11-22 2025-11-23, from 2025-11-21 to 2025-12-01, 2019-2024, 2019 – 2024",
    "10:30:45, 9-17, 09:00-17:00, 17.30, at 5, on the 3rd at 9:30am, 1998",
    "$1,200,300.50, 1 250 000 EUR, 12 500 €, €1.250.000,00, 1.234.567,89 USD, 3000000 dollars, 99.999 %",
    "order 4155552671, invoice no. 4155552671, ref: 0301234567, #4155552671, order number 415-555-2671",
    "1763546400, 1763546400123, tracking 1Z999AA10123456784, ISBN 978-3-16-148410-0",
    "123e4567-e89b-12d3-a456-426614174000, 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "3.11.4, version 1.2.3.4, v10.0.0.1, 127.0.0.1, 0.0.0.0, ::1, ::, 00:1A:2B:3C:4D:5E, std::vector, 300.1.2.3",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, room 12, LH 400, 48.137154, 11.576124, zip 10001-1234, 10115 Berlin",
    "4111 1111 1111 1112, 0000 0000 0000 0000, DE89370400440532013001, 000-12-3456, 666-12-3456, 123-00-4567",
    "the password is old, a token of love, key: value, the secret is out, @john, a@b, john@localhost, x@y.1",
    "budget 1200000, population 8336817, 100 200 300, +10000000, 2 x 4, 1/2, 3/4",
    "token: 2025-11-21, passcode: 10:30, api key: [EMAIL_1]",
)


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_personal_data_is_found_to_its_last_character_and_no_further(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize("text", NOT_PERSONAL)
@pytest.mark.parametrize("regions", [(), ("US",), ("DE", "US"), ("GB",), ("IN",)])
def test_dates_amounts_and_ids_stay(text: str, regions: tuple[str, ...]) -> None:
    assert found(text, *regions) == []


PHONES = (
    ("call +1 212 555 0100 at 5", "US", "+1 212 555 0100"),
    ("(+49) 30 1234567", "DE", "(+49) 30 1234567"),
    ("+49 (0)30 1234567, Berlin", "US", "+49 (0)30 1234567"),
    ("tel:+12125550100", "DE", "+12125550100"),
    ("(212) 555-0100", "US", "(212) 555-0100"),
    ("415-555-2671 2 times", "US", "415-555-2671"),
    ("5 415-555-2671", "US", "415-555-2671"),
    ("1-800-555-0199.", "US", "1-800-555-0199"),
    ("212.555.0100", "DE", "212.555.0100"),
    ("212 555 0100 on 2025-11-21", "US", "212 555 0100"),
    ("my cell is 4155552671", "US", "4155552671"),
    ("Call Ann Smith 4155552671", "US", "4155552671"),
    ("call 555-0100", "US", "555-0100"),
    ("030 1234567", "DE", "030 1234567"),
    ("0171/1234567", "DE", "0171/1234567"),
    ("01711234567", "DE", "01711234567"),
    ("01 42 68 53 00", "FR", "01 42 68 53 00"),
    ("06.12.11.10.09", "FR", "06.12.11.10.09"),
    ("020 7946 0958", "GB", "020 7946 0958"),
    ("612 345 678", "ES", "612 345 678"),
    ("06 6982 1234", "IT", "06 6982 1234"),
    ("Handy: 0171 123 0456", "DE", "0171 123 0456"),
    ("212\u2011555\u20110100", "US", "212\u2011555\u20110100"),
    ("0049 30 1234567", "DE", "0049 30 1234567"),
)


@pytest.mark.parametrize(("text", "region", "value"), PHONES)
def test_phone_numbers_are_found_as_they_are_written_in_a_users_country(text: str, region: str, value: str) -> None:
    assert found(text, region) == [("PHONE", value)]


def test_two_numbers_beside_each_other_are_two() -> None:
    assert found("030 1234567 030 1234568", "DE") == [("PHONE", "030 1234567"), ("PHONE", "030 1234568")]
    assert found("415-555-2671, 212-555-0100", "US") == [("PHONE", "415-555-2671"), ("PHONE", "212-555-0100")]


@pytest.mark.parametrize(
    ("timezone", "language", "regions"),
    [
        ("Europe/Berlin", None, ("DE",)),
        ("Europe/Berlin", "en-US", ("DE", "US")),
        ("America/New_York", "en", ("US",)),
        ("UTC", "de-AT", ("AT",)),
        ("UTC", "de", ("DE",)),
        ("UTC", "zh-Hans-CN", ("CN",)),
        ("UTC", None, ()),
        ("UTC", "x" * 40, ()),
    ],
)
def test_the_country_is_that_of_the_zone_and_of_the_language(
    timezone: str, language: str | None, regions: tuple[str, ...]
) -> None:
    assert regions_of(timezone, language) == regions


def test_a_private_key_is_hidden_line_by_line_whether_quoted_or_cut_off() -> None:
    body = "MIIEowIBAAKCAQEA1234567890abcdef"
    whole = f"-----BEGIN RSA PRIVATE KEY-----\n> {body}\n> abc=\n-----END RSA PRIVATE KEY-----\nThe end"
    assert redact([whole]).texts[0].splitlines()[1:3] == ["> [KEY_1]", "> [KEY_2]"]
    assert redact([whole]).texts[0].endswith("-----END RSA PRIVATE KEY-----\nThe end")
    broken = f"-----BEGIN PRIVATE KEY-----\n{body}\n{body}\nThe end of it"
    assert redact([broken]).texts[0] == "-----BEGIN PRIVATE KEY-----\n[KEY_1]\n[KEY_1]\nThe end of it"


# --- as many as can be made -----------------------------------------------------------------------------------

WORDS = st.sampled_from(("", "my ", "it is ", "call ", "(", "2025-11-21 "))
AFTER = st.sampled_from(("", ".", ", and", ")", " 2025-11-21", " at 5"))


def luhn(digits: str) -> str:
    """`digits` with the check digit that makes them a card's."""
    doubled = [int(d) * 2 if place % 2 == 0 else int(d) for place, d in enumerate(reversed(digits))]
    return digits + str(-sum(d // 10 + d % 10 for d in doubled) % 10)


def iban(country: str, account: str) -> str:
    letters = "".join(str(int(c, 36)) for c in f"{account}{country}00")
    return f"{country}{98 - int(letters) % 97:02d}{account}"


@settings(deadline=None)
@given(WORDS, st.from_regex(r"[2-6][1-8]\d{13}", fullmatch=True), st.sampled_from((" ", "-", "")), AFTER)
def test_any_card_is_found(before: str, digits: str, gap: str, after: str) -> None:
    digits = luhn("".join(str(int(d)) for d in digits))
    value = gap.join(digits[at : at + 4] for at in range(0, 16, 4))
    kinds = [kind for kind, text in found(before + value + after, "US") if text == value]
    assert kinds == ["CARD"]


@settings(deadline=None)
@given(WORDS, st.from_regex(r"[0-9]{18}", fullmatch=True), st.booleans(), AFTER)
def test_any_iban_is_found_and_none_with_a_wrong_digit(before: str, account: str, spaced: bool, after: str) -> None:
    value = iban("DE", account)
    if spaced:
        value = " ".join(value[at : at + 4] for at in range(0, 22, 4))
    assert ("IBAN", value) in found(before + value + after, "DE")
    wrong = value[:-1] + str((int(value[-1]) + 1) % 10)
    assert "IBAN" not in dict(found(before + wrong + after, "DE"))


@settings(deadline=None)
@given(st.ip_addresses(), WORDS, AFTER)
def test_any_address_of_a_machine_is_found(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, before: str, after: str
) -> None:
    is_hidden = not address.is_loopback and not address.is_unspecified and any(c.isdigit() for c in str(address))
    assert (("IP", str(address)) in found(before + str(address) + after)) == is_hidden


@settings(deadline=None)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y", "call %Y-%m-%d", "%Y%m%d")),
    st.sampled_from(("DE", "US", "FR", "ES", "GB")),
)
def test_no_date_or_time_is_ever_hidden(moment: datetime, form: str, region: str) -> None:
    assert found(moment.strftime(form), region) == []


@settings(deadline=None)
@given(st.lists(st.sampled_from(("bearer ", "key: ", "sk-", "-----", "BEGIN ", "://", "::", "x", ".", " ", "\n"))))
def test_what_is_not_looked_through_has_nothing_in_it(parts: list[str]) -> None:
    text = "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(personal_data, "_POSSIBLE", re.compile(""))
        whole = find(text)
    assert find(text) == whole
