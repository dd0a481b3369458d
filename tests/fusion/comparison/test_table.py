from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from fusion.comparison.table import Cell, Table, best_of, escape_latex, escape_markdown, latex, markdown

HOSTILE = [
    "a|b",
    "50 % & $x_1$ #{~^}",
    "\\input{x}",
    "<script>",
    "*bold* _it_ `code` [l](u)",
    "two\nlines",
    'say "no" − ±',
]


def table(*names: str) -> Table:
    lines = [[Cell(name), Cell("0.900", "0.8–0.95", bold=True), Cell("12")] for name in names]
    return Table("t_1", "Title & more", ["", "UA", "n"], lines, ["5 % of it."])


def test_every_line_of_markdown_has_as_many_cells_as_the_header():
    lines = [line for line in markdown([table(*HOSTILE)]).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(HOSTILE)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}
    assert "**0.900** [0.8–0.95]" in lines[2]
    assert "\\<script\\>" in markdown([table(*HOSTILE)])


def test_every_line_of_latex_has_as_many_cells_as_the_header():
    text = latex([table(*HOSTILE)])
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    assert len(body) == 2 * len(HOSTILE)  # figures and small print
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {2}
    assert all(r"\\" in line for line in body)
    assert r"\textbf{0.900}" in body[0]
    assert text.count(r"\begin{") == text.count(r"\end{")


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_nothing_that_latex_would_obey_is_left(text):
    escaped = escape_latex(text)
    words = r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|ldots)\{\}"
    own = words + r"|\\textsuperscript\{2\}|\$\\?[A-Za-z^2-]+\$|\\[&%$#_{},]"
    assert not set("\\{}$&#^_~%") & set(re.sub(own, "", escaped))


@given(st.text(alphabet="ab_|*`<>[]\\ \n", max_size=20))
def test_markdown_is_one_line_without_bare_marks(text):
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    assert not re.search(r"[`*\[\]<>|]", re.sub(r"\\[\\`*\[\]<>|~_]", "", escaped))


def test_the_best_is_bold_and_what_prints_alike_is_alike():
    assert best_of([0.5, 0.7, 0.7], ["0.500", "0.700", "0.700"]) == [False, True, True]
    assert best_of([0.5, 0.7], ["0.500", "0.700"], lower=True) == [True, False]
    assert best_of([0.5], ["0.500"]) == [False]
    assert best_of([None, None], ["–", "–"]) == [False, False]
