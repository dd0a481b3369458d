"""Speakers written into the text, as "Name: text": found where names recur, left alone where they do not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST, MOST_WORDS = 48, 6  # characters; "Lastname, Firstname (Department)" fits
LONGEST_HAN = 12
SHARE_OF_CUES = 0.25  # of all cues must begin with a name before any does; Zoom leaves it out where a speaker goes on
SHARE_FOR_ONCE = 0.8  # of all cues; then what looks like a name is one though it comes once
SHORT_FILE, SHARE_IN_FEW = 20, 0.5  # cues; in fewer nobody speaks often
FEW, EVER_NEW = 5, 0.75  # above so many named cues, at most that share of them may be different names
LABEL = re.compile(
    r"[\[(]?\s*((?:speaker|spk|sprecher|channel|participant|unknown|guest)[ _-]?\d*)\s*[\])]?", re.IGNORECASE
)
BRACKETED = re.compile(r"\[([^\[\]]{1,48})\]$|\(([^()]{1,48})\)$|【([^【】]{1,48})】$")
LETTER = re.compile(r"[^\W\d_]")
HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
SENTENCE = re.compile(r"[?!;…\"“”「」，。！？<>=/\\@#%]|\.\.|\w{4,}\.")
LEADING_MARK = re.compile(r"^(?:>>|[-–•])\s*")
PARTICLES = set("al bin da de del della den der di do dos du e el i la le ten ter und van von y zu".split())  # noqa: SIM905
NO_NAMES = set(  # words that a colon follows all the same
    """note notes warning question questions answer example summary update agenda action actions todo task tasks reminder
    remember re fwd fw ps cc subject date time total step point points item items topic topics title problem solution
    result results conclusion conclusions reason issue issues idea fact tip hint spoiler disclaimer translation
    transcript translator caption captions language kind region style music applause laughter http https ftp mailto
    one two three first second third next last finally also but and so or well okay ok yes no meaning namely i.e e.g
    注意 备注 问题 答案 例如 比如 总结 时间 议题 主题 结论 原因 首先 其次 最后 地点 日期 第一 第二 第三 注 问 答""".split()  # noqa: SIM905
)


def split_name(line: str) -> tuple[str, str] | None:
    """(name, rest) where `line` begins with something short that could be a name, and a colon; else None.

    Whether it is one depends on the other cues: see `speaker_names`.

    >>> split_name("Ann Lee: so: yes"), split_name("[SPEAKER_00]: hi"), split_name("李四：比例是 3:1")
    (('Ann Lee', 'so: yes'), ('SPEAKER_00', 'hi'), ('李四', '比例是 3:1'))
    >>> split_name("10:30 is fine"), split_name("https://x.org: see"), split_name("Note: this"), split_name("so here's: x")
    (None, None, None, ("so here's", 'x'))
    """
    head = LEADING_MARK.sub("", line.lstrip())[: LONGEST + 4]
    found = re.search("[:：]", head)
    if found is None:
        return None
    rest = LEADING_MARK.sub("", line.lstrip())[found.end() :]
    name = head[: found.start()].strip()
    bracketed = BRACKETED.match(name)
    if bracketed:
        name = next(part for part in bracketed.groups() if part).strip()
    if found.group() == ":" and rest[:1].strip() and not HAN.search(name):
        return None  # a time, a ratio, an address: a name's colon is followed by a space
    return (name, rest.strip()) if _possible(name) else None


def speaker_names(texts: Sequence[Sequence[str]]) -> frozenset[str]:
    """The names that speak in these cues (each a list of lines); empty where the file names nobody.

    A prefix is a name where it recurs or is written like one, in a file that names speakers throughout.

    >>> sorted(speaker_names([["Ann Lee: hello"], ["bob: hi"], ["still bob"], ["bob: so here is the thing: no"]]))
    ['Ann Lee', 'bob']
    >>> speaker_names([["We have options."], ["Python: no."], ["Well then."], ["Right."], ["Fine."]])
    frozenset()
    """
    prefixes = [[found[0] for line in lines[:4] if (found := split_name(line))] for lines in texts]
    counted = Counter(name for names in prefixes for name in names)
    names = {name for name, times in counted.items() if times > 1}
    likely = names | {name for name in counted if _written_like_a_name(name)}
    share = SHARE_IN_FEW if len(texts) < SHORT_FILE else SHARE_FOR_ONCE
    if sum(not likely.isdisjoint(found) for found in prefixes) >= share * len(texts):
        names = likely  # nearly every cue names its speaker: so does the one of somebody who speaks once
    named = sum(not names.isdisjoint(found) for found in prefixes)
    if named < max(SHARE_OF_CUES * len(texts), 1):
        return frozenset()
    occurrences = sum(counted[name] for name in names)
    if occurrences > FEW and len(names) > EVER_NEW * occurrences:
        return frozenset()  # ever new ones: headings, not people
    return frozenset(names)


def _possible(name: str) -> bool:
    if not name or len(name) > LONGEST or not LETTER.search(name):
        return False
    lower = name.casefold()
    if lower in NO_NAMES or lower.split()[0] in {"http", "https", "www"} or SENTENCE.search(name):
        return False
    han = HAN.findall(name)
    if han and len("".join(han)) > LONGEST_HAN:
        return False
    outside = re.sub(r"\([^()]*\)", " ", name)
    return len(outside.split()) <= MOST_WORDS


def _written_like_a_name(name: str) -> bool:
    if LABEL.fullmatch(name):
        return True
    words: Iterable[str] = re.sub(r"\([^()]*\)", " ", name).replace(",", " ").replace("-", " ").split()
    return all(
        word[0].isupper() or not word[0].isalpha() or bool(HAN.match(word)) or word in PARTICLES for word in words
    )
