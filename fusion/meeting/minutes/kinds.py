"""What an item is, by the heading it stands under, its first words, or its column's name."""

from __future__ import annotations

import re

from fusion.meeting.minutes.types import Kind

_TASKS = re.compile(
    r"\baction|next steps?\b|\bto-?\s?dos?\b|\btasks?\b|follow[- ]?ups?|assignments|aufgaben|nächste schritte|tareas|acciones"
    r"|próximos pasos|tâches|待办|待辦|行动项|行動項|任务|任務|下一步|アクション|タスク|hành động|công việc",
    re.IGNORECASE,
)
_DECISIONS = re.compile(
    r"decision|decided|resolution|agreed|agreements|beschl[uü]ss|entscheidung|decisiones|décisions?"
    r"|决定|決定|决议|決議|quyết định",
    re.IGNORECASE,
)
_META = re.compile(
    r"(attend(ees|ance)|participants?|present|absent|apologies|invitees|date|time|date (and|&) time|location|where|when"
    r"|duration|meeting (details|info|information|id|link)|metadata|teilnehmer|datum|participantes"
    r"|与会者|與會者|参会人员|出席者|参加者|日期|时间)\s*:?",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"[\W_]*(?P<word>[^\W\d_][\w -]{0,24}?)[*_]*\s*[:：]", re.IGNORECASE)
TIME_COLUMN = re.compile(r"time|stamp|zeit|hora\b|heure|时间|時間|時刻|thời gian|minute", re.IGNORECASE)
QUOTE_COLUMN = re.compile(
    r"transcript|quote|reference|segment|evidence|excerpt|zitat|cita|原文|引用|tham chiếu", re.IGNORECASE
)
DUE_COLUMN = re.compile(
    r"\bdue\b|deadline|date|status|priority|fällig|frist|截止|期限|hạn chót|\b(id|no\.?|nr\.?|#)\Z|#", re.IGNORECASE
)
TEXT_COLUMN = re.compile(
    r"task|action|item|decision|topic|point|description|detail|summary|discussion|note|what|aufgabe|thema|tarea|tâche"
    r"|任务|任務|事项|事項|内容|內容|công việc|nội dung",
    re.IGNORECASE,
)


def kind_of(text: str, section: tuple[str, ...], otherwise: Kind) -> Kind:
    """The kind that the item's own label says, else the nearest heading that says one, else `otherwise`.

    >>> kind_of("Open a ticket", ("Sync", "Action Items"), "bullet"), kind_of("Decision: blue", ("Notes",), "bullet")
    ('task', 'decision')
    >>> kind_of("Ann, Bob", ("Attendees",), "paragraph")
    'meta'
    """
    label = _PREFIX.match(text)
    for name in ([label["word"]] if label else []) + list(reversed(section)):
        if _META.fullmatch(name.strip(" *_")):
            return "meta"
        if name in section and len(name) > 60:  # a sentence, no heading of a list
            continue
        if _DECISIONS.search(name):
            return "decision"
        if _TASKS.search(name):
            return "task"
    return otherwise
