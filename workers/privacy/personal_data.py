"""Where a text has personal data that a model provider need not see: found by form and checksum, never by guess. Pure.

It finds e-mail addresses, cards, IBANs, US social security numbers, IP addresses, keys, passwords and (phones.py) phone
numbers. It cannot find names, postal addresses or what is said in words, and must not hide dates, times or prices.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from workers.privacy.phones import Span, phone_spans

Kind = Literal["KEY", "PASSWORD", "EMAIL", "IBAN", "CARD", "SSN", "IP", "PHONE"]
KINDS: tuple[Kind, ...] = get_args(Kind)

VALUE_CHARACTERS_MAX = 8_192  # of one finding; what is cut to length has to look so far beyond the cut
_TAKEN = "\0"  # stands for what was found already, so that nothing is found in it again

# No value may have a quote, a backslash or a control character: then it reads the same in a text and in a JSON string.
_NOT_IN_VALUE = r"\s\"'`\\<>\x00-\x1f"  # nor what was taken

# All that can be found has a digit, an @, a long word or the dashes of a private key: most of what people say has none.
_POSSIBLE = re.compile(r"[\d@]|\S{14}|-----")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`text[start:end]` is the value. It holds no quote, no backslash and no control character."""

    start: int
    end: int
    kind: Kind


def find(text: str, regions: Sequence[str] = ()) -> list[Finding]:
    """In order, none overlapping. `regions` are countries (`DE`) whose way of writing phone numbers is known too."""
    if _POSSIBLE.search(text) is None:
        return []
    found: list[Finding] = []
    left = text
    for kind, spans in _DETECTORS:
        left = _take(kind, spans(left), left, found)
    left = _take("PHONE", phone_spans(left, regions), left, found)
    return sorted(found)


def _take(kind: Kind, spans: Iterable[Span], left: str, found: list[Finding]) -> str:
    """`left` without the spans, which are put down as found."""
    parts: list[str] = []
    last = 0
    for start, end in spans:
        if start < last:
            continue
        found.append(Finding(start, end, kind))
        parts += [left[last:start], _TAKEN * (end - start)]
        last = end
    return "".join([*parts, left[last:]]) if parts else left


# --- keys and passwords ---------------------------------------------------------------------------------------

_PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = "-----END "
_PEM_CUT = re.compile(r"(?:(?:[\s>]|\\[nr])*[A-Za-z0-9+/=]{20,})*")
_PEM_WORD = re.compile(rf"[^{_NOT_IN_VALUE}]+")

# Forms that issuers gave their keys so that they can be recognised, and what each has in it: to look for these first
# costs next to nothing.
_TOKEN_MARKS = (
    *("sk-", "sk_", "pk_", "rk_", "whsec_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-"),
    *("glrt-", "xox", "xapp-", "AKIA", "ASIA", "AIza", "ya29.", "SG.", "npm_", "hf_", "dop_v1_", "pypi-"),
    *("AGE-SECRET-KEY-1", "eyJ"),
)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"sk-[A-Za-z0-9_-]{16,256}"
    r"|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,256}"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|gl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|xapp-[A-Za-z0-9-]{10,255}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])|AIza[A-Za-z0-9_-]{30,60}|ya29\.[A-Za-z0-9_-]{20,2048}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}|npm_[A-Za-z0-9]{30,64}|hf_[A-Za-z0-9]{30,64}"
    r"|dop_v1_[a-f0-9]{64}|pypi-[A-Za-z0-9_-]{40,512}|AGE-SECRET-KEY-1[A-Z0-9]{20,80}"
    r"|eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}(?:\.[A-Za-z0-9_-]{0,2048}){0,3}"
    r")"
)
_SCHEME_WORDS = ("bearer", "basic")
_SCHEME_VALUE = re.compile(r"[ \t]+(?P<value>[A-Za-z0-9._~+/-]{16,4096}={0,2})")
_SECRET_WORDS = ("key", "secret", "token", "signature", "password", "passwort", "passphrase", "passcode", "pwd")
_SECRET_VALUE = re.compile(
    rf"(?:\\?[\"'])?(?:\s?[:=]\s?|\s(?:is|ist|lautet):?\s)(?:\\?[\"'`“])?(?P<value>[^{_NOT_IN_VALUE}&;,”]{{4,4096}})",
    re.IGNORECASE,
)
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_DATE = re.compile(r"\d{1,4}([-./])\d{1,2}(?:\1\d{1,4})?|\d{1,2}:\d{2}(?:[ap]m)?", re.IGNORECASE)
_URL_PASSWORD = re.compile(rf"://[^{_NOT_IN_VALUE}/:@]{{0,256}}:(?P<value>[^{_NOT_IN_VALUE}/]{{1,1024}})@")


def _key_spans(text: str) -> Iterator[Span]:
    yield from _in_order([*_pem_spans(text), *_token_spans(text)])


def _pem_spans(text: str) -> Iterator[Span]:
    """Word by word, so that lines stay lines and the marks that quote them stay outside."""
    for begin in _PEM_BEGIN.finditer(text):
        start = begin.end()
        end = text.find(_PEM_END, start, start + VALUE_CHARACTERS_MAX)
        following = _PEM_BEGIN.search(text, start, len(text) if end < 0 else end)
        if end < 0 or following is not None:
            cut = _PEM_CUT.match(text, start, start + VALUE_CHARACTERS_MAX)
            end = cut.end() if cut else start
        yield from (word.span() for word in _PEM_WORD.finditer(text, start, end))


def _token_spans(text: str) -> Iterator[Span]:
    if any(mark in text for mark in _TOKEN_MARKS):
        yield from (match.span() for match in _TOKEN.finditer(text))
    yield from (match.span("value") for match in _after(text, _SCHEME_WORDS, _SCHEME_VALUE))


def _after(text: str, words: Sequence[str], value: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Where `value` follows one of the words, in whatever case they are written."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text.translate(_LOWER)  # there are letters whose lower case is longer
    for word in words:
        at = lower.find(word)
        while at >= 0:
            at += len(word)
            if match := value.match(text, at):
                yield match
            at = lower.find(word, at)


def _url_password_spans(text: str) -> Iterator[Span]:
    return (match.span("value") for match in _URL_PASSWORD.finditer(text))


def _named_secret_spans(text: str) -> Iterator[Span]:
    """`password: hunter2`. A value without any digit is taken for a word: "the password is old"."""
    for match in _after(text, _SECRET_WORDS, _SECRET_VALUE):
        value = match.group("value").rstrip(".!?)]}")
        has_digit = any(character.isdigit() for character in value)
        if has_digit and _TAKEN not in value and not value.startswith(("[", "{")) and not _DATE.fullmatch(value):
            yield match.start("value"), match.start("value") + len(value)


def _in_order(spans: list[Span]) -> Iterator[Span]:
    """The longer of two that begin together first."""
    yield from sorted(spans, key=lambda span: (span[0], -span[1]))


# --- addresses ------------------------------------------------------------------------------------------------

_LOCAL_CHARACTERS_MAX = 64
_LOCAL = re.compile(r"[\w.%+'-]+")
_DOMAIN = re.compile(r"(?:\w(?:[\w-]{0,61}\w)?\.){1,8}(?:xn--[A-Za-z0-9-]{2,59}|[^\W\d_]{2,63})")
_IP4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}(?:\.\d{1,3}){3}(?!\.?\w)", re.ASCII)
_IP6_MIDDLE = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IP6_REST = re.compile(r"[0-9A-Fa-f:]{2,45}(?:\.\d{1,3}){0,3}(?![\w:])", re.ASCII)
_HEXADECIMAL = "0123456789abcdefABCDEF"
_IS_VERSION = re.compile(r"\b(?:version|release|firmware|build|v)[.: ]{0,2}\Z", re.IGNORECASE)


def _email_spans(text: str) -> Iterator[Span]:
    """From each @ to both sides, which takes no longer the more there is that is no address."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.match(text[max(0, at - _LOCAL_CHARACTERS_MAX) : at][::-1])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and (name := local.group()[::-1].lstrip(".'-%")):
            yield at - len(name), domain.end()
        at = text.find("@", domain.end() if domain else at + 1)


def _ip_spans(text: str) -> Iterator[Span]:
    yield from _in_order([*_ip4_spans(text), *_ip6_spans(text)])


def _ip4_spans(text: str) -> Iterator[Span]:
    for match in _IP4.finditer(text):
        is_version = _IS_VERSION.search(text[max(0, match.start() - 12) : match.start()])
        if not is_version and _is_somebodys_ip(match.group()):
            yield match.span()


def _ip6_spans(text: str) -> Iterator[Span]:
    """From two colons that belong together to both sides."""
    last = 0
    for middle in _IP6_MIDDLE.finditer(text):
        left = text[max(last, middle.start() - 4) : middle.start()]
        start = len(left.rstrip(_HEXADECIMAL)) - len(left) + middle.start()
        rest = _IP6_REST.match(text, start)
        if rest and not (start and (text[start - 1].isalnum() or text[start - 1] in "_:.")):
            last = rest.end()
            if _is_somebodys_ip(rest.group()):
                yield rest.span()


def _is_somebodys_ip(text: str) -> bool:
    """Whether it is an address that says something about a person's machine: not this host, nor any."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and any(c.isdigit() for c in text)


# --- numbers with a checksum or a form ------------------------------------------------------------------------

_GAP = r"[ \u00a0.-]{1,2}"
_CARD_FORMS = tuple(
    # Looked ahead only, so that a number beside a card does not swallow a part of it.
    re.compile(rf"(?=[2-6])(?<!\d)(?=({form})(?!\d))", re.ASCII)
    for form in (
        r"\d{13,19}",
        rf"\d{{4}}(?:{_GAP}\d{{4}}){{3}}{_GAP}\d{{3}}",
        rf"\d{{4}}(?:{_GAP}\d{{4}}){{3}}",
        rf"\d{{4}}{_GAP}\d{{6}}{_GAP}\d{{4,5}}",
        rf"\d{{8}}{_GAP}\d{{8}}",
        rf"\d{{6}}{_GAP}\d{{13}}",
    )
)
_CARD_RUN = re.compile(rf"\d(?:(?:{_GAP})?\d){{12,}}", re.ASCII)
_DOUBLED = str.maketrans("0123456789", "0246813579")
_SSN = re.compile(r"\d(?<![\w-]\d)(?<!9)\d{2}(?<!000)(?<!666)-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII)
_SSN_WORDS = ("ssn", "social security number", "social security no", "social security")
_SSN_VALUE = re.compile(r"\W{1,3}(?:is\s)?(?P<value>\d{3}[ .]?\d{2}[ .]?\d{4})(?!\d)", re.ASCII)

# Characters of an IBAN by country, as registered with SWIFT.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN_CHECK = re.compile(
    r"\d\d(?<=[A-Za-z]{2}\d\d)(?<![A-Za-z0-9][A-Za-z]{2}\d\d)(?=[ \u00a0.-]?[A-Za-z0-9])", re.ASCII
)
_IBAN_WRITTEN = re.compile(r"(?:[ \u00a0.-]?[A-Za-z0-9])+", re.ASCII)
_IBAN_WRITTEN_MAX = 68  # characters, with a gap after each


def _iban_spans(text: str) -> Iterator[Span]:
    for match in _IBAN_CHECK.finditer(text):
        start = match.start() - 2
        length = _IBAN_LENGTHS.get(text[start : match.start()].upper())
        written = _IBAN_WRITTEN.match(text, start, start + _IBAN_WRITTEN_MAX)
        if length is None or written is None:
            continue
        places = [place for place, c in enumerate(written.group()) if c.isalnum()][:length]
        end = start + places[-1] + 1
        is_whole = len(places) == length and not text[end : end + 1].isalnum()
        if is_whole and _is_iban("".join(written.group()[place] for place in places)):
            yield start, end


def _is_iban(characters: str) -> bool:
    """The check of ISO 13616: letters count from 10, country and check digits go to the end, modulo 97 it is 1."""
    return int("".join(str(int(c, 36)) for c in characters[4:] + characters[:4])) % 97 == 1


def _card_spans(text: str) -> Iterator[Span]:
    for run in _CARD_RUN.finditer(text):
        places = (form.finditer(text, *run.span()) for form in _CARD_FORMS)
        yield from _in_order([match.span(1) for found in places for match in found if _is_card(match.group(1))])


def _is_card(text: str) -> bool:
    """Luhn's check: from the right each second digit is doubled, its own digits added up."""
    digits = "".join(c for c in text if c.isdigit())
    total = sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return total % 10 == 0 and len(set(digits)) > 1


def _ssn_spans(text: str) -> Iterator[Span]:
    plain = [match.span() for match in _SSN.finditer(text)]
    named = [match.span("value") for match in _after(text, _SSN_WORDS, _SSN_VALUE)]
    yield from _in_order([*plain, *named])


# In this order: a key may be a password, what is part of a key is no address, and of a card no phone number.
_DETECTORS: tuple[tuple[Kind, Callable[[str], Iterable[Span]]], ...] = (
    ("PASSWORD", _url_password_spans),
    ("KEY", _key_spans),
    ("PASSWORD", _named_secret_spans),
    ("EMAIL", _email_spans),
    ("IBAN", _iban_spans),
    ("CARD", _card_spans),
    ("SSN", _ssn_spans),
    ("IP", _ip_spans),
)
