"""ELAN's .eaf: XML from outside, so no entity and no document type is let in; milliseconds in time slots; a tier a speaker.

Flags set here
    interpolated : a time slot has no value; it lies between its neighbours, evenly, as ELAN draws it
"""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from extractors.errors import InputError
from fusion.meeting.transcripts.clock import milliseconds
from fusion.meeting.transcripts.cue import Cue, Raw
from fusion.meeting.transcripts.source import Source


def matches(source: Source) -> bool:
    """Whether its root is ELAN's."""
    head = source.text[:4000]
    return head.lstrip().startswith("<") and ("<ANNOTATION_DOCUMENT" in head or "<!DOCTYPE" in head)


def read(source: Source) -> Raw:
    """All annotations with times of their own; those that hang on others (translations, glosses) are left out.

    >>> from pathlib import Path
    >>> text = '''<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="500"/>
    ... <TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="1500"/></TIME_ORDER><TIER TIER_ID="t1" PARTICIPANT="Ann"><ANNOTATION>
    ... <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b"><ANNOTATION_VALUE>So.</ANNOTATION_VALUE>
    ... </ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>'''
    >>> [(c.start, c.end, c.speaker, c.text) for c in read(Source(Path("a.eaf"), data=text.encode())).cues]
    [(0.5, 1.5, 'Ann', 'So.')]
    """
    root = parse_xml(source.text, source.name)
    slots, guessed = _slots(root)
    raw = Raw([], tool="elan")
    for tier in root.iter("TIER"):
        speaker = tier.get("PARTICIPANT") or tier.get("TIER_ID")
        depends = tier.get("PARENT_REF") is not None
        for annotation in tier.iter():
            if annotation.tag not in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
                continue
            name = annotation.get("ANNOTATION_ID")
            references = [annotation.get("TIME_SLOT_REF1", ""), annotation.get("TIME_SLOT_REF2", "")]
            start, end = (slots.get(reference) for reference in references)
            cue = Cue(f"annotation {name}", start, end, annotation.findtext("ANNOTATION_VALUE") or "", speaker, name)
            if depends or annotation.tag == "REF_ANNOTATION":
                cue.dropped = "hangs on an annotation of another tier"
            if guessed.intersection(references):
                cue.flags = ("interpolated",)
            raw.cues.append(cue)
    return raw


def parse_xml(text: str, name: str) -> Element:
    """The root of an XML document that declares nothing: neither entities nor a document type, ELAN's have none.

    Raises InputError for those (a few lines of them can ask for gigabytes, or for other files) and for broken XML.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> int:
        raise InputError(f"{name}: it declares a document type or entities; no transcript needs them, none are read")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", text, count=1)  # its encoding is that of the bytes, long decoded
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
        return builder.close()
    except expat.ExpatError as error:
        raise InputError(f"{name}: broken XML: {error}", hint="Is the file complete?") from None


def _slots(root: Element) -> tuple[dict[str, float], set[str]]:
    """Seconds by slot; those without a value lie evenly between their neighbours, and are named in the second."""
    order = [(slot.get("TIME_SLOT_ID", ""), milliseconds(slot.get("TIME_VALUE"))) for slot in root.iter("TIME_SLOT")]
    known = [at for at, (_, value) in enumerate(order) if value is not None]
    slots = {name: value for name, value in order if value is not None}
    guessed: set[str] = set()
    for left, right in pairwise(known):
        first, last = order[left][1], order[right][1]
        for at in range(left + 1, right):
            if first is not None and last is not None:
                slots[order[at][0]] = round(first + (last - first) * (at - left) / (right - left), 6)
                guessed.add(order[at][0])
    return slots, guessed
