"""A table as plain cells, and how Markdown and LaTeX write it: ready to be pasted into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", '"': r"''",
    "−": "$-$", "±": r"$\pm$", "–": "--", "†": r"$\dagger$", "Δ": r"$\Delta$", "χ²": r"$\chi^2$", "×": r"$\times$",
    "²": r"\textsuperscript{2}", "·": r"$\cdot$", "…": r"\ldots{}", "≥": r"$\geq$", " %": r"\,\%",
}  # fmt: skip
_LATEX = re.compile("|".join(re.escape(key) for key in sorted(LATEX, key=len, reverse=True)))
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

    >>> table = Table("t", "Results", ["", "UA"], [[Cell("low_rank"), Cell("0.900", bold=True)]], ["5 % of it."])
    >>> print(latex([table]).split("footnotesize\n", 1)[1])
    \begin{tabular}{@{}lr@{}}
    \toprule
     & UA \\
    \midrule
    low\_rank & \textbf{0.900} \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    \vspace{4pt}
    \begin{minipage}{\textwidth}\footnotesize
    5\,\% of it.
    \end{minipage}
    \end{table*}
    <BLANKLINE>
    """
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex(table) for table in tables)


def _latex(table: Table) -> str:
    lines = [
        r"\begin{table*}[t]",
        r"\centering",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', table.name)}}}",
        r"\setlength{\tabcolsep}{3pt}\footnotesize",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.columns) - 1)}@{{}}}}",
        r"\toprule",
        " & ".join(map(escape_latex, table.columns)) + r" \\",
        r"\midrule",
    ]
    for number, line in enumerate(table.lines):
        texts = [rf"\textbf{{{escape_latex(cell.text)}}}" if cell.bold else escape_latex(cell.text) for cell in line]
        lines.append(" & ".join(texts) + r" \\")
        if any(cell.small for cell in line):
            small = [rf"{{\scriptsize {_pointed(cell.small)}}}" if cell.small else "" for cell in line]
            gap = r"[2pt]" if number < len(table.lines) - 1 else ""
            lines.append(" & ".join(small) + rf" \\{gap}")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        lines += ["", r"\vspace{4pt}", r"\begin{minipage}{\textwidth}\footnotesize"]
        lines += [" ".join(escape_latex(note) for note in table.notes), r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


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
