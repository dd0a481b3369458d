from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.comparison.table import PAGE, Cell, Table, best_of, escape_latex, escape_markdown, latex, markdown

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


def test_no_line_of_latex_begins_with_what_the_line_before_would_take_for_its_option():
    text = latex([Table("t", "t", ["[a]", "UA"], [[Cell("[x]"), Cell("1")], [Cell("*y"), Cell("2")]])])
    assert not [line for line in text.splitlines() if line.startswith(("[", "*"))]
    assert "{}[x] & 1" in text


def test_letters_that_pdflatex_lacks_are_told():
    told = "lualatex"
    assert told in latex([table("张伟")])
    assert told not in latex([table("Zoë Weiß", *HOSTILE)])


def test_a_table_longer_than_a_page_goes_on_in_the_next_float():
    names = [f"s{number}" for number in range(PAGE)]
    floats = latex([table(*names)]).split(r"\begin{table*}")[1:]
    assert len(floats) == 2
    assert all(part.count(r"\scriptsize") == PAGE // 2 for part in floats)
    assert [r"(1 of 2)" in floats[0], r"(2 of 2)" in floats[1]] == [True, True]
    assert [r"5\,\% of it." in part for part in floats] == [False, True]
    labels = re.findall(r"\\label\{(.*?)\}", "".join(floats))
    assert labels == ["tab:t-1", "tab:t-1-2"]


def test_a_table_too_wide_to_be_read_goes_on_in_the_next_float_with_its_names():
    columns = ["", *(f"UA, head={number:014}" for number in range(16))]
    wide = Table("w", "w", columns, [[Cell("first"), *(Cell(f"{number}") for number in range(16))]])
    floats = latex([wide]).split(r"\begin{table*}")[1:]
    assert len(floats) == 3
    lines = [re.search(r"^first & (.*) \\\\$", part, re.MULTILINE)[1].split(" & ") for part in floats]
    assert [cell for line in lines for cell in line] == [f"{number}" for number in range(16)]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_latex_sets_it_within_the_page(tmp_path):
    wide = Table("w", "Wide", [""] + ["UA, head=low_rank"] * 16, [[Cell("[a]")] + [Cell("0.900 ± 0.010")] * 16] * 100)
    (tmp_path / "t.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
        + latex([table(*HOSTILE), wide])
        + r"\end{document}"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "Float too large" not in done.stdout


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
