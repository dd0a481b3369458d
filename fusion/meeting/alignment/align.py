"""Items of the minutes to where they were talked about: citation, then retrieval, then the section, else nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

from extractors.types import Extractor
from fusion.meeting.alignment.cited import Cited
from fusion.meeting.alignment.retrieval import Hit, Retrieval
from fusion.meeting.alignment.sections import section_ranges
from fusion.meeting.alignment.types import Aligned, Evidence
from fusion.meeting.minutes.tokens import count_words
from fusion.meeting.minutes.types import Minutes, MinutesItem
from fusion.meeting.transcript import Transcript

log = logging.getLogger(__name__)

# Both were set by own against foreign sentences: benchmarks/minutes_alignment.py
COSINE = 0.32  # of all-MiniLM-L6-v2; other encoders have other scales
LEXICAL = 0.13  # TF-IDF similarity, where there is no encoder
SAID = 0.55  # cosine with one utterance that is nearly the statement; of foreign sentences none was above 0.43
FEW = 5  # words; a shorter item is looked for with the words of what it stands under


def align(
    minutes: Minutes,
    transcript: Transcript,
    *,
    encoder: Extractor | None,
    top: int = 3,
    min_cosine: float = COSINE,
    min_lexical: float = LEXICAL,
    min_said: float = SAID,
    citation_offset_s: float | None = None,
    sections: bool = True,
) -> list[Aligned]:
    """Evidence for each item, in the order of the minutes: at most `top` stretches, best first, or a reason for none.

    1. what the item cites: a quote (80 % of it, word for word or nearly), else a time (30 s from it, or its span)
    2. hybrid retrieval (`Retrieval`); an item whose best stretches all stay under `min_cosine` (`min_lexical` without an
       encoder), and that no single utterance nearly says (`min_said`), was not talked about here, as far as can be told
    3. the range of its section, if that is known and at most ten minutes long
    4. nothing: `abstained` says why

    `citation_offset_s` is added to cited times; None takes the transcript's own `offset_s`, for minutes that were made
    from that transcript as it was before it was shifted.

    >>> from fusion.meeting.minutes import parse_minutes
    >>> from fusion.meeting.transcript import Utterance
    >>> said = Utterance("7", 12.0, 16.0, "the remote control should cost twenty five euros", speaker="Ann")
    >>> minutes = parse_minutes("- Ann: the remote control costs 25 euros\\n- Servers migrate tomorrow")
    >>> for one in align(minutes, Transcript((said,), "csv"), encoder=None):
    ...     print([(found.utterance_ids, found.method) for found in one.evidence], one.abstained)
    [(('7',), 'retrieval')] None
    [] nothing in the transcript is like it (TF-IDF 0.00, at least 0.13 needed)
    """
    if citation_offset_s is None:  # topics were made from this transcript as it is now
        citation_offset_s = 0.0 if minutes.format == "topics" else transcript.offset_s
    cited = Cited(transcript, offset_s=citation_offset_s)
    aligned = [_by_citation(item, cited, top) for item in minutes.items]
    wanted = [n for n, one in enumerate(aligned) if not one.evidence and one.abstained is None]
    if wanted and transcript.utterances:
        index = Retrieval(transcript, encoder=encoder)
        found = index.search([query(aligned[n].item) for n in wanted], top=top)
        for n, hits in zip(wanted, found, strict=True):
            aligned[n] = _by_retrieval(aligned[n], hits, index, transcript, min_cosine, min_lexical)
        lost = [n for n in wanted if not aligned[n].evidence]
        said = index.search_said([query(aligned[n].item) for n in lost], least=min_said, top=top)
        for n, hits in zip(lost, said, strict=True):
            if hits:
                evidence = tuple(_evidence(hit, index, transcript) for hit in hits)
                aligned[n] = replace(aligned[n], evidence=evidence, abstained=None)
    elif wanted:
        aligned = [one if one.evidence else replace(one, abstained="the transcript is empty") for one in aligned]
    if sections:
        ranges = section_ranges(minutes, aligned, cited)
        aligned = [_by_section(one, ranges.get(one.item.section)) for one in aligned]
    return aligned


def query(item: MinutesItem) -> str:
    """What an item is looked for by: its words without its times, and those of what it stands under if it is short."""
    text = item.text
    for citation in item.citations:
        if citation.kind == "time":
            text = (
                text.replace(f"({citation.text})", " ").replace(f"[{citation.text}]", " ").replace(citation.text, " ")
            )
    text = " ".join(text.split()) or item.text
    if count_words(text) < FEW:
        above = item.context[-1:] or item.section[-1:]
        text = " ".join([*above, text])
    return text


def _by_citation(item: MinutesItem, cited: Cited, top: int) -> Aligned:
    evidence, notes = cited.evidence(item.citations)
    if not evidence and item.kind == "meta":
        return Aligned(item, (), "names people or a date, says nothing about the talk", tuple(notes))
    return Aligned(item, tuple(evidence[:top]), None, tuple(notes))


def _by_retrieval(
    one: Aligned, hits: list[Hit], index: Retrieval, transcript: Transcript, min_cosine: float, min_lexical: float
) -> Aligned:
    enough = [hit.lexical >= min_lexical if hit.cosine is None else hit.cosine >= min_cosine for hit in hits]
    if any(enough):  # the best stays the best: of a hit's two similarities its words may be the better
        kept = [hit for rank, hit in enumerate(hits) if rank == 0 or enough[rank]]
        return replace(one, evidence=tuple(_evidence(hit, index, transcript) for hit in kept))
    if not hits:
        return replace(one, abstained="the transcript has no words")
    if index.encoder is None:
        got, needed, name = max(hit.lexical for hit in hits), min_lexical, "TF-IDF"
    else:
        got, needed, name = max(hit.cosine or 0.0 for hit in hits), min_cosine, "cosine"
    return replace(
        one, abstained=f"nothing in the transcript is like it ({name} {got:.2f}, at least {needed:.2f} needed)"
    )


def _evidence(hit: Hit, index: Retrieval, transcript: Transcript) -> Evidence:
    numbers = dict.fromkeys(piece.number for piece in index.pieces[hit.window.first : hit.window.last + 1])
    ids = tuple(transcript.utterances[number].id for number in numbers)
    near = hit.cosine if hit.said is None else hit.said
    score = hit.lexical if near is None else near
    span = hit.window.start_s, hit.window.end_s
    return Evidence(ids, *span, round(min(score, 1.0), 4), "retrieval", cosine=hit.cosine, lexical=hit.lexical)


def _by_section(one: Aligned, evidence: Evidence | None) -> Aligned:
    if one.evidence or evidence is None or one.item.kind == "meta":
        return one
    notes = (*one.notes, one.abstained) if one.abstained else one.notes
    return replace(one, evidence=(evidence,), abstained=None, notes=notes)
