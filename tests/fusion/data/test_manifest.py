"""read_manifest: what it accepts to the letter, and every problem it has to name, with its row."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from extractors.errors import InputError
from fusion.data.manifest import clips_of, read_manifest

GOOD = "id,text,label\n1,yes,calm\n2,no,calm\n3,yes,angry\n4,no,angry\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "m.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def problems_of(path: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read_manifest(path, **options)  # type: ignore[arg-type]
    return caught.value


RECORDS = [
    {"id": "001", "text": "NA", "label": "None", "speaker": "03", "start": "0.5", "end": "1.5"},
    {"id": "002", "text": "null", "label": "None", "speaker": "03", "start": "", "end": ""},
    {"id": "1e5", "text": 'a "b", c\nd', "label": "nan", "speaker": "", "start": "", "end": "2"},
    {"id": "true", "text": "2024-05-01", "label": "nan", "speaker": "NULL", "start": "1", "end": ""},
]


def write_records(folder: Path, suffix: str) -> Path:
    path = folder / f"m{suffix}"
    frame = pd.DataFrame(RECORDS)
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    elif suffix == ".parquet":
        frame.astype(object).where(frame != "", None).to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_says_the_same_to_the_letter(tmp_path: Path, suffix: str) -> None:
    frame = read_manifest(write_records(tmp_path, suffix))
    assert frame["id"].tolist() == ["001", "002", "1e5", "true"]
    assert frame["text"].tolist() == ["NA", "null", 'a "b", c\nd', "2024-05-01"]
    assert frame["label"].tolist() == ["None", "None", "nan", "nan"]
    assert frame["speaker"].isna().tolist() == [False, False, True, False]
    assert frame["speaker"].tolist()[::3] == ["03", "NULL"]
    np.testing.assert_array_equal(frame["start"], [0.5, np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(frame["end"], [1.5, np.nan, 2.0, np.nan])
    assert frame[["audio", "split", "group", "language"]].isna().all(axis=None)
    assert list(frame.columns) == [
        "id",
        "audio",
        "text",
        "label",
        "speaker",
        "split",
        "group",
        "start",
        "end",
        "language",
    ]


def test_numbers_in_parquet_and_jsonl_become_their_digits(tmp_path: Path, write: Callable[..., Path]) -> None:
    frame = pd.DataFrame({"id": [1, 2, 3, 4], "text": list("abcd"), "label": [1.0, 1.0, 2.0, 2.0]})
    frame["speaker"] = [7.0, np.nan, 8.0, 8.0]  # what pandas makes of whole numbers with a gap
    frame.to_parquet(tmp_path / "m.parquet", index=True)
    parquet = read_manifest(tmp_path / "m.parquet")
    lines = [{"id": i, "text": t, "label": k} for i, t, k in zip([1, 2, 3, 4], "abcd", [1, 1, 2, 2], strict=True)]
    jsonl = read_manifest(write("".join(json.dumps(line) + "\n" for line in lines), "m.jsonl"))
    for read in (parquet, jsonl):
        assert read["id"].tolist() == ["1", "2", "3", "4"]
        assert read["label"].tolist() == ["1", "1", "2", "2"]
    assert parquet["speaker"].fillna("-").tolist() == ["7", "-", "8", "8"]


def test_an_id_of_twenty_digits_keeps_them_all(write: Callable[..., Path]) -> None:
    ids = [12345678901234567890 + i for i in range(4)]
    lines = "".join(json.dumps({"id": i, "text": "x", "label": "ab"[i % 2]}) + "\n" for i in ids)
    assert read_manifest(write(lines, "m.jsonl"))["id"].tolist() == list(map(str, ids))


def test_byte_order_mark_and_spaces_around_names_mean_nothing(write: Callable[..., Path]) -> None:
    csv = write("\ufeffid, text ,label\r\n 1 ,  yes ,calm \r\n2,no,calm\r\n\r\n3,x,angry\r\n4,y, angry\r\n")
    frame = read_manifest(csv)
    assert frame["id"].tolist() == ["1", "2", "3", "4"]
    assert frame["label"].tolist() == ["calm", "calm", "angry", "angry"]
    assert frame["text"].tolist()[0] == "  yes "  # the words themselves are left alone
    jsonl = write("\ufeff" + '{"id": "1", "text": "x", "label": "a"}\n' * 1, "m.jsonl")
    assert read_manifest(jsonl, require_label=False)["id"].tolist() == ["1"]


def test_all_problems_come_together_with_their_rows(write: Callable[..., Path], wav: Callable[..., str]) -> None:
    wav("ok.wav", seconds=2.0)
    error = problems_of(
        write(
            "id,audio,text,label,start,end,emotoin\n"
            "a,ok.wav,hi,calm,,,\n"
            "a,ok.wav,hi,calm,,,\n"
            "b,gone.wav,hi,calm,,,\n"
            ",,,,,,\n"
            "c,,,angry,,,\n"
            "d,ok.wav,,angry,1.5,0.5,\n"
            "e,ok.wav,,angry,-1,x,\n"
            "f,ok.wav,,lonely,1,9,\n"
            "g,ok.wav,,,nan,inf,\n"
            ",ok.wav,,angry,2.5,,\n"
        )
    )
    message = str(error)
    for expected in (
        "unknown column 'emotoin'",
        "row 2 (line 3): id 'a' is that of row 1 already",
        "row 3 (line 4): gone.wav: no such file",
        "row 4 (line 5): is empty",
        "row 5 (line 6): neither audio nor text",
        "row 6 (line 7): end before start: 1.5 s to 0.5 s",
        "row 7 (line 8): start is negative: -1 s",
        "row 7 (line 8): end is 'x'; expected seconds",
        "row 8 (line 9): label 'lonely' has only one example",
        "row 8 (line 9): end is beyond ok.wav: 9 s of 2.000 s",
        "row 9 (line 10): no label",
        "row 9 (line 10): start is 'nan'; expected seconds",
        "row 9 (line 10): end is 'inf'; expected seconds",
        "row 10 (line 11): no id",
        "row 10 (line 11): start is beyond ok.wav: 2.5 s of 2.000 s",
        "Audio is looked for relative to the manifest",
    ):
        assert expected in message
    assert message.startswith("m.csv: 15 problems in 10 rows")
    assert error.exit_code == 2


def test_a_problem_in_many_rows_is_told_once_with_all_row_numbers(write: Callable[..., Path]) -> None:
    rows = "".join(f"{i},hi,{'calm' if i < 20 or i > 60 else ''}\n" for i in range(1, 101))
    error = problems_of(write("id,text,label\n" + rows + "x,hi,angry\ny,hi,angry\n"))
    assert "row 20 (line 21): no label" in error.problems
    assert "no label in 36 more rows: 25-60" in error.problems


def test_line_and_row_part_ways_at_quoted_breaks_and_blank_lines(write: Callable[..., Path]) -> None:
    error = problems_of(write('id,text,label\n1,"a\nb",calm\n\n2,x,calm\n2,y,angry\n3,z,angry\n'))
    assert error.problems == ("row 3 (line 6): id '2' is that of row 2 already",)


class TestColumns:
    def test_unknown_ones_are_refused_with_the_nearest_name(self, write: Callable[..., Path]) -> None:
        error = problems_of(write(GOOD.replace("text", "transcript").replace("label", "lable")))
        assert "unknown column 'lable'; did you mean 'label'?" in error.problems
        assert "unknown column 'transcript'; did you mean 'text'?" in error.problems
        assert "no column 'label' (is it 'lable'?)" in error.problems
        assert error.hint is not None
        assert "data.columns.label=emotion" in error.hint

    @pytest.mark.parametrize("extra", [["age"], "*", ["*"], "age"])
    def test_declared_ones_are_kept(self, write: Callable[..., Path], extra: object) -> None:
        path = write("id,text,label,age\n1,a,x,30\n2,b,x,\n3,c,y,40\n4,d,y,50\n")
        frame = read_manifest(path, extra_columns=extra)  # type: ignore[arg-type]
        assert frame["age"].fillna("-").tolist() == ["30", "-", "40", "50"]
        assert "unknown column 'age'" in problems_of(path).problems

    def test_declared_but_absent(self, write: Callable[..., Path]) -> None:
        assert "extra_columns: there is no column 'age'" in problems_of(write(GOOD), extra_columns=["age"]).problems

    def test_renaming_hides_what_stood_under_the_name(self, write: Callable[..., Path]) -> None:
        path = write("id,text,label,emotion\n1,a,9,x\n2,b,9,x\n3,c,9,y\n4,d,9,y\n")
        columns = {"label": "emotion", "speaker": "speaker", "id": "id"}
        assert read_manifest(path, columns=columns)["label"].tolist() == ["x", "x", "y", "y"]
        error = problems_of(path, columns={"label": "emoton", "lebel": "emotion"})
        assert (
            "columns: label is to be 'emoton', and there is no such column; there are id, text, label, emotion"
            in str(error)
        )
        assert "columns: 'lebel' is no column of a manifest; did you mean 'label'?" in error.problems

    def test_missing_id_says_what_an_id_is(self, write: Callable[..., Path]) -> None:
        error = problems_of(write("text,label\na,x\nb,x\nc,y\nd,y\n"))
        assert error.problems == ("no column 'id'",)
        assert "running number" in str(error.hint)

    def test_neither_audio_nor_text(self, write: Callable[..., Path]) -> None:
        error = problems_of(write("id,label,wav\n1,x,a\n2,x,b\n3,y,c\n4,y,d\n"))
        assert "neither a column 'audio' (is it 'wav'?) nor 'text'" in error.problems

    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_a_name_that_stands_twice(self, tmp_path: Path, write: Callable[..., Path], suffix: str) -> None:
        path = write("id,text,label,text\n1,a,x,b\n2,a,x,b\n3,a,y,b\n4,a,y,b\n")
        if suffix == ".parquet":
            import pyarrow as pa
            from pyarrow import parquet

            path = tmp_path / "m.parquet"
            columns = [["1", "2", "3", "4"], list("aaaa"), list("xxyy"), list("bbbb")]
            parquet.write_table(pa.table(columns, names=["id", "text", "label", "text"]), path)
        assert problems_of(path).problems == ("column 'text' stands 2 times: columns 2, 4",)


class TestBrokenFiles:
    def test_ragged_rows(self, write: Callable[..., Path]) -> None:
        error = problems_of(write("id,text,label\n1,a,x\n2,well, yes,x\n3,c\n4,d,y\n4,e,y\n"))
        assert error.problems == (
            "row 2 (line 3): expected 3 fields as in the header, got 4",
            "row 3 (line 4): expected 3 fields as in the header, got 2",
            "row 5 (line 6): id '4' is that of row 4 already",
        )  # and nothing of labels that occur once: the broken rows may hold the others
        assert str(error).startswith("m.csv: 3 problems in 5 rows")

    def test_other_encodings(self, write: Callable[..., Path]) -> None:
        error = problems_of(write(GOOD.replace("yes", "très").encode("latin-1")))
        assert "row 1 (line 2): not UTF-8: byte 0xe8 in column 'text'" in error.problems
        assert "row 3 (line 4): not UTF-8: byte 0xe8 in column 'text'" in error.problems
        assert "iconv -f WINDOWS-1252" in str(error.hint)
        wide = problems_of(write(GOOD.encode("utf-16")))
        assert "is UTF-16; expected UTF-8" in str(wide)

    def test_a_quote_that_is_never_closed(self, write: Callable[..., Path]) -> None:
        error = problems_of(write('id,text,label\n1,a,x\n2,"b,x\n3,c,y\n4,d,y\n'))
        assert 'row 2 (line 3): a quote (") is opened here and never closed' in error.problems

    def test_quotes_within_words_are_words(self, write: Callable[..., Path]) -> None:
        frame = read_manifest(write('id,text,label\n1,5" tall,x\n2,b,x\n3,"c ""d""",y\n4,d,y\n'))
        assert frame["text"].tolist() == ['5" tall', "b", 'c "d"', "d"]

    def test_broken_json_lines(self, write: Callable[..., Path]) -> None:
        good = [json.dumps({"id": str(i), "text": "a", "label": "xy"[i % 2]}) for i in range(4)]
        bad = ['{"id": "9"', "[1]", '{"id": "8", "text": ["a"]}', '{"id": "7", "id": "6"}', '{"id": "\\ud800"}']
        error = problems_of(write("\n".join([*good, "", *bad]) + "\n", "m.jsonl"))
        assert [problem.split(":")[0] for problem in error.problems] == [f"line {n}" for n in range(6, 11)]
        assert "line 6: not JSON" in error.problems[0]
        assert error.problems[1] == "line 7: expected an object, got a list"
        assert error.problems[2] == "line 8: 'text' holds a list; expected text or a number"
        assert error.problems[3] == "line 9: key 'id' stands twice"

    def test_rows_of_json_lines_are_named_by_line_where_blank_ones_stand_between(
        self, write: Callable[..., Path]
    ) -> None:
        lines = [json.dumps({"id": i, "text": "a", "label": "xy"[i % 2]}) for i in (0, 1, 2, 3, 3)]
        error = problems_of(write("\n".join([*lines[:4], "", lines[4]]), "m.jsonl"))
        assert error.problems == ("row 5 (line 6): id '3' is that of row 4 already",)

    def test_no_table_at_all(self, tmp_path: Path, write: Callable[..., Path]) -> None:
        write(GOOD, "calls.csv")
        error = problems_of(tmp_path / "cals.csv")
        assert "no such file" in str(error)
        assert error.hint == "That folder holds: calls.csv"
        assert "is a folder" in str(problems_of(tmp_path))
        assert "expected one of .csv" in str(problems_of(write(b"", "m.xlsx")))
        for name in ("e.csv", "e.jsonl"):
            assert "is empty" in str(problems_of(write(b"", name)))
        assert "not a Parquet file" in str(problems_of(write(b"PAR1 no", "m.parquet")))
        assert problems_of(write("id,text,label\n")).problems == ("no rows",)

    def test_semicolons(self, write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
        """As a spreadsheet writes them where the comma is the decimal mark."""
        path = write(GOOD.replace(",", ";"))
        with caplog.at_level(logging.INFO):
            assert len(read_manifest(path)) == 4
        assert f"{path.name}: its fields are separated by ';', and read so" in caplog.text
        assert len(read_manifest(path, delimiter=";")) == 4
        with pytest.raises(InputError, match="expected fields separated by ',', got ';'"):
            read_manifest(path, delimiter=",")
        path = write(GOOD.replace(",", ";").replace("label\n", "label\n\n").replace("2;", "1;"), "double.csv")
        assert problems_of(path).problems == ("row 2 (line 4): id '1' is that of row 1 already",)

    def test_semicolons_in_another_encoding_are_one_problem(self, write: Callable[..., Path]) -> None:
        rows = "".join(f"{row};schön {row};{'ruhig' if row % 2 else 'froh'}\n" for row in range(1, 251))
        error = problems_of(write(("id;text;label\n" + rows).encode("cp1252")))
        assert len(error.problems) == 1
        assert error.problems[0].startswith(
            "row 1 (line 2): not UTF-8: byte 0xf6 in column 'text'; so are 249 more rows"
        )
        assert "iconv -f WINDOWS-1252" in str(error.hint)

    def test_a_column_that_is_no_text(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"id": list("abcd"), "text": [["x"]] * 4, "label": list("xxyy")})
        frame.to_parquet(tmp_path / "m.parquet")
        error = problems_of(tmp_path / "m.parquet")
        assert "column 'text' holds object; expected text or numbers" in error.problems


class TestLabels:
    def test_one_class(self, write: Callable[..., Path]) -> None:
        assert problems_of(write("id,text,label\n1,a,x\n2,b,x\n")).problems == (
            "only one class: every label is 'x'; expected two or more",
        )

    def test_not_needed_for_prediction(self, write: Callable[..., Path]) -> None:
        frame = read_manifest(write("id,text\n1,a\n2,b\n"), require_label=False)
        assert frame["label"].isna().all()
        assert read_manifest(write("id,text,label\n1,a,x\n2,b,\n"), require_label=False)["label"].notna().tolist() == [
            True,
            False,
        ]

    def test_two_spellings_of_one_label_are_pointed_out(
        self, write: Callable[..., Path], caplog: pytest.LogCaptureFixture
    ) -> None:
        read_manifest(write("id,text,label\n1,a,Calm\n2,b,Calm\n3,c,calm\n4,d,calm\n"))
        assert "The labels 'Calm' and 'calm' are two classes" in caplog.text


def test_split_is_read_in_any_of_its_names(write: Callable[..., Path]) -> None:
    rows = "1,a,x,Train\n2,b,x,dev\n3,c,y,validation\n4,d,y,test\n5,e,y,\n"
    frame = read_manifest(write("id,text,label,split\n" + rows))
    assert frame["split"].fillna("-").tolist() == ["train", "val", "val", "test", "-"]
    error = problems_of(write("id,text,label,split\n" + rows + "6,f,y,fold3\n"))
    assert error.problems == ("row 6 (line 7): split is 'fold3'; expected train, val or test",)


class TestAudio:
    def test_is_relative_to_the_manifest_and_may_be_missing(
        self, write: Callable[..., Path], wav: Callable[..., str], tmp_path: Path
    ) -> None:
        wav("wav/ä b.wav")
        absolute = tmp_path / wav("c.wav")
        frame = read_manifest(write(f"id,audio,text,label\n1,wav/ä b.wav,,x\n2,,hi,x\n3,{absolute},,y\n4,c.wav,ho,y\n"))
        assert frame["audio"].fillna("-").tolist() == [str(tmp_path / "wav/ä b.wav"), "-", str(absolute), str(absolute)]
        clips = clips_of(frame)
        assert clips[0].audio == tmp_path / "wav/ä b.wav"
        assert (clips[0].text, clips[0].start, clips[1].audio, clips[1].text) == (None, None, None, "hi")

    def test_each_file_is_complained_about_once(self, write: Callable[..., Path]) -> None:
        rows = "".join(f"{i},gone.wav,,{'xy'[i % 2]}\n" for i in range(6)) + "e,empty.wav,,x\n"
        write(b"", "empty.wav")
        error = problems_of(write("id,audio,text,label\n" + rows))
        assert error.problems == (
            "row 1 (line 2): gone.wav: no such file (and in 5 more rows)",
            "row 7 (line 8): empty.wav: is empty (0 bytes)",
        )

    def test_may_be_left_unlooked_at(self, write: Callable[..., Path]) -> None:
        frame = read_manifest(write("id,audio,label\n1,a,x\n2,b,x\n3,c,y\n4,d,y\n"), check_audio=False)
        assert frame["audio"].str.endswith(("/a", "/b", "/c", "/d")).all()

    def test_spans_within_the_file(self, write: Callable[..., Path], wav: Callable[..., str]) -> None:
        wav("a.wav", seconds=3)
        rows = "1,a.wav,x,0,1\n2,a.wav,x,1,3.05\n3,a.wav,y,2.9,\n4,a.wav,y,,0.5\n"
        frame = read_manifest(write("id,audio,label,start,end\n" + rows))
        assert [(clip.start, clip.end) for clip in clips_of(frame)] == [(0, 1), (1, 3.05), (2.9, None), (None, 0.5)]


@pytest.mark.parametrize(
    ("name", "extra"), [("emodb", ["gender", "sentence"]), ("ravdess", ["intensity", "statement"])]
)
def test_real_manifests(shared_data: Path, name: str, extra: list[str]) -> None:
    path = shared_data / name / "manifest.csv"
    frame = read_manifest(path, extra_columns=extra)
    assert len(frame) == {"emodb": 339, "ravdess": 1440}[name]
    assert frame["speaker"].nunique() == {"emodb": 10, "ravdess": 24}[name]
    assert frame["speaker"].str.len().eq(2).all()  # "03" is not 3
    assert len(problems_of(path, check_audio=False).problems) == 2
