"""What became of a transcript's cues, for people to read."""

from __future__ import annotations

from collections import Counter

from fusion.meeting.transcript import Transcript

PLACES = 3  # named for each reason


def account(transcript: Transcript) -> list[str]:
    """Lines that say how many cues came in, how many utterances came out, what was left out and why, and what is doubtful.

    >>> from fusion.meeting.transcript import LeftOut, Utterance
    >>> said = (Utterance("1", 0.0, 1.0, "yes", flags=("no_end",)),)
    >>> print(*account(Transcript(said, "otter", cues=2, left_out=(LeftOut("line 9", "no text"),))), sep="\\n")
    otter: 2 cues, 1 utterance, 1 left out
      left out, no text: 1 (line 9)
      flagged no_end: 1
    """
    kept, lost = len(transcript.utterances), len(transcript.left_out)
    parts = [f"{transcript.cues:,} cue{'s' * (transcript.cues != 1)}"]
    if transcript.splits:
        parts.append(f"{transcript.splits:,} more by splitting")
    if transcript.joins:
        parts.append(f"{transcript.joins:,} joined to others")
    parts += [f"{kept:,} utterance{'s' * (kept != 1)}", f"{lost:,} left out"]
    lines = [f"{transcript.format}: {', '.join(parts)}"]
    for reason, times in Counter(entry.reason for entry in transcript.left_out).most_common():
        places = [entry.place for entry in transcript.left_out if entry.reason == reason][:PLACES]
        more = ", …" if times > PLACES else ""
        lines.append(f"  left out, {reason}: {times:,} ({', '.join(places)}{more})")
    flags = Counter(flag for utterance in transcript.utterances for flag in utterance.flags)
    return lines + [f"  flagged {flag}: {times:,}" for flag, times in flags.most_common()]
