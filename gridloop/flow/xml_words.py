"""What the XML libraries say of a file (English only, after names as long as addresses), in the user's language and with how to mend it."""

from __future__ import annotations

import re

from gridloop.kernel.texts import Words

LONGEST = 200  # characters of the libraries' own words
# their sentences → ours; what a group caught goes into the sentence
SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Document is empty", "flow.xml_empty"),
    (r"Start tag expected", "flow.xml_none"),
    (r"Extra content at the end of the document", "flow.xml_extra"),
    (r"Premature end of data in tag (?P<tag>\S+) line (?P<began>\d+)", "flow.xml_open"),
    (r"Opening and ending tag mismatch: (?P<tag>\S+) line (?P<began>\d+) and (?P<found>\S+)", "flow.xml_mismatch"),
    (r"Comment (not terminated|must not contain)|Double hyphen within comment", "flow.xml_comment"),
    (r"EntityRef|Entity '.*' not defined", "flow.xml_amp"),
    (r"Unescaped '<'", "flow.xml_less"),
    (r"Attribute (?P<name>\S+) redefined", "flow.xml_twice"),
    (r"AttValue|attributes construct error|Specification mandates value", "flow.xml_quotes"),
    (r"Namespace prefix (?P<name>\S+) ", "flow.xml_prefix"),
    (r"(?i)encoding|not proper UTF-8|PCDATA invalid Char|invalid character", "flow.xml_utf8"),
    (r"The attribute '(?P<name>[^']+)' is required but missing", "flow.missing"),
    (r"The attribute '(?P<name>[^']+)' is not allowed", "flow.unknown_attribute"),
    (r"Element '(?P<tag>[^']+)': This element is not expected", "flow.xml_place"),
    (r"Element '(?P<tag>[^']+)': Character content", "flow.xml_text"),
    (r"Element '(?P<tag>[^']+)': Missing child element", "flow.xml_child"),
    (r"attribute '(?P<name>[^']+)': '(?P<value>[^']*)' is not a valid value of .* 'xs:(ID|IDREF|NCName|QName)'", "flow.xml_id"),
    (r"attribute '(?P<name>[^']+)': '(?P<value>[^']*)' is not a valid value of .* '(xs:)?(?P<expected>[^']+)'", "flow.attribute"),
    (r"attribute '(?P<name>[^']+)': .*The value '(?P<value>[^']*)' is not an element of the set \{(?P<expected>.*)\}", "flow.attribute"),
)
_SENTENCES = tuple((re.compile(sentence), key) for sentence, key in SENTENCES)
_NAMESPACE, _PLACE = re.compile(r"\{[^{}']*[:/][^{}']*\}"), re.compile(r",? line \d+, column \d+( \(.*\))?$")


def plain(said: str) -> str:
    """The libraries' words without the addresses of namespaces and without the place, which is told with every fault."""
    first = (said.splitlines() or [""])[0].strip()
    words = _PLACE.sub("", _NAMESPACE.sub("", first)).rstrip(". ")
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def words_of(said: str) -> Words:
    """In our words."""
    for sentence, key in _SENTENCES:
        if (found := sentence.search(plain(said))) is not None:
            return Words(key, tuple(found.groupdict().items()))
    return Words("flow.xml_other")
