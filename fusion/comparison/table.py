"""A table as plain cells, and how Markdown and LaTeX write it: ready to be pasted into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", '"': r"''",
    "−": "$-$", "±": r"$\pm$", "–": "--", "†": r"$\dagger$", "Δ": r"$\Delta$", "χ²": r"$\chi^2$", "×": r"$\times$",
    "²": r"\textsuperscript{2}", "·": r"$\cdot$", "…": r"\ldots{}", "≥": r"$\geq$", " %": r"\,\%",
}  # fmt: skip
PAGE = 44  # printed lines of a table that fit a page with its caption and notes
ACROSS = 190  # characters of a line that can still be read when it is made as narrow as a page
_LATEX = re.compile("|".join(re.escape(key) for key in sorted(LATEX, key=len, reverse=True)))
_BEYOND = re.compile("[^\u0000-\u017f\u2000-\u206f]")  # neither Latin nor general punctuation
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word means nothing


@dataclass(frozen=True)
class Cell:
    """`text`, the `small` print under or behind it (an interval), and whether it is the best of its column."""

    text: str
    small: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """`lines` of cells under `columns`; the first column is words, the others are figures. `notes` stand beneath.

    name     : of files and anchors
    optional : places of columns that a narrow terminal leaves out, those of an entry together, the first entries first
    """

    name: str
    title: str
    columns: list[str]
    lines: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    optional: Sequence[tuple[int, ...]] = ()


def markdown(tables: Iterable[Table]) -> str:
    """GitHub's Markdown, the interval behind its value.

    >>> table = Table("t", "Results", ["", "UA"], [[Cell("a|b"), Cell("0.900", "0.800–0.950", bold=True)]])
    >>> print(markdown([table]))
    **Results**
    <BLANKLINE>
    |  | UA |
    |:--|--:|
    | a\\|b | **0.900** [0.800–0.950] |
    <BLANKLINE>
    """
    return "\n\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    lines = [f"**{escape_markdown(table.title)}**", "", _bar(map(escape_markdown, table.columns))]
    lines.append("|" + "|".join([":--"] + ["--:"] * (len(table.columns) - 1)) + "|")
    for line in table.lines:
        cells = []
        for cell in line:
            text = escape_markdown(cell.text)
            small = f" [{escape_markdown(cell.small)}]" if cell.small else ""
            cells.append((f"**{text}**" if cell.bold else text) + small)
        lines.append(_bar(cells))
    lines += [line for note in table.notes for line in ("", escape_markdown(note))]
    return "\n".join(lines) + "\n"


def _bar(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    >>> escape_markdown("head=low_rank *new* _x_")
    'head=low_rank \\\\*new\\\\* \\\\_x\\\\_'
    """
    return _MARKDOWN.sub(lambda found: "\\" + found[0], _one_line(text))


def latex(tables: Iterable[Table]) -> str:
    r"""booktabs, the interval in small print under its value, the notes beneath the table.

    A table wider than the text is made smaller until it fits. One longer than a page, or too wide to be read then, goes
    on in the next float.

    >>> table = Table("t", "Results", ["", "UA"], [[Cell("low_rank"), Cell("0.900", bold=True)]], ["5 % of it."])
    >>> print(latex([table]).split("footnotesize\n", 1)[1])
    \resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%
    \begin{tabular}{@{}lr@{}}
    \toprule
     & UA \\
    \midrule
    low\_rank & \textbf{0.900} \\
    \bottomrule
    \end{tabular}}
    <BLANKLINE>
    \vspace{4pt}
    \begin{minipage}{\textwidth}\footnotesize
    5\,\% of it.
    \end{minipage}
    \end{table*}
    <BLANKLINE>
    """
    text = "\n".join(part for table in tables for part in _floats(table))
    needs = "% needs \\usepackage{booktabs,graphicx}\n"
    if _BEYOND.search(text):
        needs += "% holds letters that pdflatex does not know: lualatex or xelatex, with a font that has them\n"
    return needs + text


def _floats(table: Table) -> Iterator[str]:
    """The table, or its parts: as many columns as can be read in one, and `PAGE` printed lines of them."""
    parts = [
        ([table.columns[place] for place in places], [[line[place] for place in places] for line in lines])
        for places in _across(table)
        for lines in _down(table.lines)
    ]
    for number, (columns, lines) in enumerate(parts, start=1):
        place = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        label = table.name if number == 1 else f"{table.name}-{number}"
        notes = table.notes if number == len(parts) else []
        yield _float(Table(label, table.title + place, columns, lines, notes))


def _across(table: Table) -> list[list[int]]:
    """Places of columns that stand side by side in one float, the first column in each."""
    cells = [list(column) for column in zip(*table.lines, strict=True)] or [[] for _ in table.columns]
    texts = [[name, *(cell.text for cell in column)] for name, column in zip(table.columns, cells, strict=True)]
    widths = [max(map(len, column)) + 1 for column in texts]
    blocks: list[list[int]] = [[0]]
    for place in range(1, len(widths)):
        if len(blocks[-1]) > 1 and sum(widths[taken] for taken in blocks[-1]) + widths[place] > ACROSS:
            blocks.append([0])
        blocks[-1].append(place)
    return blocks


def _down(lines: Sequence[list[Cell]]) -> list[list[list[Cell]]]:
    """Lines that stand in one float."""
    parts: list[list[list[Cell]]] = [[]]
    printed = 0
    for line in lines:
        height = 2 if any(cell.small for cell in line) else 1
        if printed + height > PAGE:
            parts.append([])
            printed = 0
        parts[-1].append(line)
        printed += height
    return parts


def _float(table: Table) -> str:
    lines = [
        r"\begin{table*}[t]",
        r"\centering",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', table.name)}}}",
        r"\setlength{\tabcolsep}{3pt}\footnotesize",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.columns) - 1)}@{{}}}}",
        r"\toprule",
        _row(map(escape_latex, table.columns)),
        r"\midrule",
    ]
    for number, line in enumerate(table.lines):
        texts = [rf"\textbf{{{escape_latex(cell.text)}}}" if cell.bold else escape_latex(cell.text) for cell in line]
        lines.append(_row(texts))
        if any(cell.small for cell in line):
            small = [rf"{{\scriptsize {_pointed(cell.small)}}}" if cell.small else "" for cell in line]
            gap = r"[2pt]" if number < len(table.lines) - 1 else ""
            lines.append(_row(small) + gap)
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if table.notes:
        lines += ["", r"\vspace{4pt}", r"\begin{minipage}{\textwidth}\footnotesize"]
        lines += [" ".join(escape_latex(note) for note in table.notes), r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _row(cells: Iterable[str]) -> str:
    line = " & ".join(cells)
    return ("{}" if line[:1] in ("[", "*") else "") + line + r" \\"  # or the \\ before would take it for its option


def _pointed(small: str) -> str:
    """Small print without the zeros before a point, or seven metrics would not fit across a page."""
    return escape_latex(re.sub(r"(?<![\d.])0\.", ".", small))


def escape_latex(text: str) -> str:
    r"""Text that LaTeX sets as it is.

    >>> escape_latex("50 % of a_b − {c} & more"), escape_latex("\\")
    ('50\\,\\% of a\\_b $-$ \\{c\\} \\& more', '\\textbackslash{}')
    """
    return _LATEX.sub(lambda found: LATEX[found[0]], _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def best_of(values: Sequence[float | None], texts: Sequence[str], *, lower: bool = False) -> list[bool]:
    """Which are the best; what prints alike is alike.

    >>> best_of([0.9, 0.91, None], ["0.90", "0.91", "–"]), best_of([0.101, 0.1012], ["0.10", "0.10"], lower=True)
    ([False, True, False], [True, True])
    """
    known = [value for value in values if value is not None]
    if len(values) < 2 or not known:
        return [False] * len(values)
    winner = texts[values.index(min(known) if lower else max(known))]
    return [text == winner and value is not None for value, text in zip(values, texts, strict=True)]
