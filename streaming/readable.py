"""Descriptions of streams as XML that others can read, whatever a sender put into them.

Liblsl writes and reads characters that XML forbids, such as those that firmware leaves behind
the name of an amplifier. Other parsers refuse the whole, and so the recording: pyxdf's does.
"""

from __future__ import annotations

import logging
import re
from xml.etree import ElementTree as ET

__all__ = ["readable_xml"]

logger = logging.getLogger(__name__)

_DEEPEST = 50
"""Levels of a description; those of amplifiers have up to six."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,20})|([0-9]{1,20}));")


def readable_xml(xml: str) -> str:
    """Return a stream's description with a blank for each character that XML forbids.

    Where it is no XML even then, or nested beyond all reason, what is under ``desc`` (channels,
    units) is left out, and that is said.

    Parameters
    ----------
    xml : str
        As `pylsl.StreamInfo.as_xml` writes it.

    Examples
    --------
    >>> readable_xml("<info><desc><amp>g.tec&#1;</amp></desc></info>")
    '<info><desc><amp>g.tec </amp></desc></info>'
    """
    xml = _FORBIDDEN.sub(" ", _REFERENCE.sub(_allowed, xml))
    try:
        root = ET.fromstring(xml)  # noqa: S314 - liblsl has read it already
        problem = "it is nested too deeply" if _depth(root) > _DEEPEST else ""
    except ET.ParseError as error:
        problem = str(error)
    if not problem:
        return xml
    head, _, rest = xml.partition("<desc>")
    logger.warning(
        "what a stream says of its channels is left out: it cannot be read (%s); mend it in "
        "the program that sends it, or state units with --unit",
        problem,
    )
    return f"{head}<desc />{rest.rpartition('</desc>')[2]}"


def _allowed(reference: re.Match[str]) -> str:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_allowed = code <= 0x10FFFF and not _FORBIDDEN.match(chr(code))
    return reference[0] if is_allowed else " "


def _depth(root: ET.Element) -> int:
    depth, level = 0, [root]
    while level:
        depth, level = depth + 1, [below for element in level for below in element]
    return depth
