"""The report, as a browser shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from fusion.meeting.conversation import converse
from fusion.meeting.estimate import Estimate
from fusion.meeting.manners import Manners
from fusion.meeting.meeting import Coverage, Item, Topic, publish
from fusion.meeting.outputs.report import audio_url, render, write_report
from fusion.meeting.outputs.words import not_found, says
from fusion.meeting.pooling import pool
from fusion.meeting.transcript import Utterance
from fusion.valence import ValenceMap

EVIL = "</script><img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>{{7*7}}\u2028&amp;"


def wide(meeting, **changes):
    manners = Manners(meeting.manners.purpose, per_person=True, acknowledged=True)
    return publish(replace(meeting, manners=manners, **changes))


class Anchors(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if attributes.get("href", "").startswith("#") else []


def test_every_link_leads_to_a_row_and_no_id_is_there_twice(meeting, tmp_path):
    for shown in (publish(meeting), wide(meeting)):
        found = Anchors(render(shown, tmp_path))
        assert len(found.links) >= 3
        assert {link[1:] for link in found.links} <= set(found.ids)
        assert len(set(found.ids)) == len(found.ids)


def test_the_order_is_the_one_agreed_on(meeting, tmp_path):
    page = render(wide(meeting), tmp_path)
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["overview", "alerts", "timeline", "speakers", "topics", "minutes", "transcript", "method"]
    assert page.index("often wrong") < page.index('<section id="overview"')


def test_by_default_no_estimate_of_a_single_utterance_is_in_the_page(meeting, tmp_path):
    page = render(publish(meeting), tmp_path)
    assert "<meter" not in page
    assert 'data-label="angry"' not in page
    assert 'section id="speakers"' not in page
    assert "so late" not in page  # an alert's quote is one person's


def test_a_browser_opens_it_without_an_error_or_a_request(browser, meeting, tmp_path):
    for number, shown in enumerate((publish(meeting), wide(meeting))):
        path = write_report(shown, tmp_path / f"report{number}.html")
        page = browser.open(path)
        assert page.errors == []
        assert [url for url in page.requests if not url.startswith("data:")] == [path.as_uri()]
        assert page.eval("document.querySelectorAll('#rows tbody tr').length") == 20


def test_nothing_that_people_wrote_runs_or_becomes_markup(browser, meeting, tmp_path):
    first = meeting.estimates[0]
    said = replace(first, utterance=replace(first.utterance, text=EVIL, speaker=EVIL, flags=(EVIL,)), reason=EVIL)
    topics = tuple(replace(topic, name=EVIL) for topic in meeting.topics)
    speakers = tuple(replace(pooled, name=EVIL) for pooled in meeting.speakers)
    alerts = tuple(replace(alert, rule=EVIL, scope="speaker", scope_value=EVIL) for alert in meeting.alerts)
    purpose = replace(meeting.manners.purpose, about=EVIL, note=EVIL)
    evil = replace(
        wide(meeting),
        title=EVIL,
        estimates=(said, *meeting.estimates[1:]),
        topics=topics,
        speakers=speakers,
        alerts=alerts,
        notes=(EVIL,),
        manners=Manners(purpose, per_person=True, acknowledged=True),
        method=replace(meeting.method, model=EVIL, versions={EVIL: EVIL}),
    )
    plain = Anchors(render(wide(meeting), tmp_path))
    written = Anchors(render(evil, tmp_path))
    assert written.tags.count("script") == plain.tags.count("script") == 1
    assert "img" not in written.tags
    page = browser.open(write_report(evil, tmp_path / "evil.html"))
    assert page.errors == []
    assert page.eval("document.title") != "run"
    assert page.eval("document.querySelector('h1').textContent") == EVIL
    assert page.eval("document.querySelector('#u1 td:nth-child(3)').textContent").startswith(EVIL)


def test_a_click_on_a_point_goes_to_its_row(browser, meeting, tmp_path):
    page = browser.open(write_report(wide(meeting), tmp_path / "report.html"))
    page.eval(
        "document.querySelectorAll('svg a rect')[25].parentElement.dispatchEvent(new MouseEvent('click',{bubbles:true}))"
    )
    page.wait(lambda: page.eval("document.querySelectorAll('tr:target').length") == 1)


def test_the_filter_shows_what_fits_and_a_point_brings_its_row_back(browser, meeting, tmp_path):
    page = browser.open(write_report(wide(meeting), tmp_path / "report.html"))
    visible = "Array.from(document.querySelectorAll('#rows tbody tr')).filter(row => !row.hidden).length"
    page.eval("s=document.getElementById('filter-speaker'); s.value='b'; s.dispatchEvent(new Event('input'))")
    assert page.eval(visible) == 10
    assert page.eval("document.getElementById('filter-count').textContent") == "10 of 20"
    page.eval("location.hash = '#u1'")  # a row of speaker a
    page.wait(lambda: page.eval(visible) == 20)


def test_a_row_plays_its_span_where_the_audio_is_beside_the_report(browser, meeting, tmp_path):
    tone = 0.1 * np.sin(np.arange(16_000 * 12) / 20)
    soundfile.write(tmp_path / "the call #1.wav", tone, 16_000)
    shown = wide(meeting, audio=tmp_path / "the call #1.wav")
    page = browser.open(write_report(shown, tmp_path / "report.html"))
    page.wait(lambda: page.eval("document.querySelectorAll('.play:not([hidden])').length") == 20)
    page.eval("document.querySelector('#u2 .play').click()")
    page.wait(lambda: page.eval("document.getElementById('recording').currentTime") >= 5.0)
    assert page.eval("document.querySelector('tr.playing').id") == "u2"
    assert page.errors == []


def test_without_the_audio_there_is_nothing_to_press(browser, meeting, tmp_path):
    page = browser.open(write_report(wide(meeting, audio=tmp_path / "gone.wav"), tmp_path / "report.html"))
    assert page.eval("document.querySelectorAll('.play:not([hidden])').length") == 0


def test_audio_is_named_relative_to_the_report(tmp_path):
    assert audio_url(tmp_path / "a b.wav", tmp_path / "out") == "../a%20b.wav"


@pytest.mark.parametrize("count", [0, 1])
def test_one_utterance_and_none_make_a_report(browser, meeting, tmp_path, count):
    said = meeting.estimates[:count]
    few = wide(
        meeting,
        estimates=said,
        speakers=(),
        topics=(),
        windows=(),
        items=(),
        alerts=(),
        duration_s=4.0 * count,
        conversation=converse([e.utterance for e in said], 4.0 * count),
        coverage=Coverage(count, count, 0, 0, 4.0 * count, 0.0),
    )
    page = browser.open(write_report(few, tmp_path / "few.html"))
    assert page.errors == []
    assert page.eval("document.querySelectorAll('section').length") == 5


@pytest.mark.slow
def test_twelve_speakers_in_four_hours_open(browser, meeting, tmp_path):
    values = ValenceMap("mine", {"angry": -1.0, "happy": 1.0})
    rng = np.random.default_rng(0)
    rows = []
    for number in range(4800):
        angry = float(rng.uniform())
        said = Utterance(str(number), 3.0 * number, 3.0 * number + 2.5, f"words {number}", f"Speaker {number % 12}")
        named = {"angry": angry, "happy": 1 - angry}
        rows.append(Estimate(said, named, values(named), confidence=max(named.values()), weight=2.0))
    speakers = tuple(
        pool([e for e in rows if e.utterance.speaker == f"Speaker {n}"], values, scope="speaker", name=f"Speaker {n}")
        for n in range(12)
    )
    talk = converse([e.utterance for e in rows], 14_400.0)
    long = wide(meeting, estimates=tuple(rows), speakers=speakers, duration_s=14_400.0, conversation=talk)
    path = write_report(long, tmp_path / "long.html")
    assert path.stat().st_size < 8e6
    page = browser.open(path)
    assert page.errors == []
    assert page.eval("document.querySelectorAll('#rows tbody tr').length") == 4800
    assert page.eval("document.querySelectorAll('#speakers tbody tr').length") == 12


def test_a_statement_placed_by_its_section_alone_has_no_number(meeting, tmp_path):
    found = meeting.items[0]
    [evidence] = found.aligned.evidence
    aligned = replace(found.aligned, evidence=(replace(evidence, start_s=40.0, method="section"),))
    page = render(wide(meeting, items=(Item(aligned, found.pooled),)), tmp_path)
    minutes = page.split('<section id="minutes">')[1].split("</section>")[0]
    assert "not found in what was said; its section is around 0:40" in minutes
    assert "valence" not in minutes
    assert not_found(Item(aligned, found.pooled)) in minutes


def test_alerts_name_what_their_figures_are_of_and_whom_once(meeting, tmp_path):
    alerts = tuple(replace(one, scope="speaker", scope_value="Speaker B") for one in meeting.alerts[:1])
    page = render(wide(meeting, alerts=alerts), tmp_path)
    assert "smoothed over time its peak is 0.90, its mean 0.80" in page
    assert "(warning, Speaker B)" in page


def test_alerts_lie_behind_windows_and_curve_and_topics_beside_each_other(meeting, tmp_path):
    topics = tuple(
        Topic(name, (span,), meeting.overall) for name, span in (("Complaints", (18.0, 42.0)), ("Losses", (30.0, 42.0)))
    )
    page = render(wide(meeting, topics=topics), tmp_path)
    assert page.rindex('class="alert-box') < page.index('class="band') < page.index('class="curve')
    boxes = re.findall(r'class="topic" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', page)
    (x, y, wide_, high), (x2, y2, wide2, _) = (map(float, box) for box in boxes)
    assert x + wide_ == pytest.approx(x2 + wide2)  # both to their ends
    assert x2 > x
    assert y2 >= y + high


def test_counts_have_no_decimals_and_parameters_are_no_test_figure(meeting, tmp_path):
    metrics = {
        "ua": {"value": 0.96, "low": 0.91, "high": 1.0},
        "n": 60,
        "parameters": 234884.0,
        "per_class": [{"a": 1}],
    }
    page = render(wide(meeting, method=replace(meeting.method, metrics=metrics)), tmp_path)
    assert "<dt>ua, on its own test data</dt><dd>0.960 (0.910 to 1.000)</dd>" in page
    assert "<dt>n, on its own test data</dt><dd>60</dd>" in page
    assert "<dt>parameters of the model</dt><dd>234,884</dd>" in page
    assert "per_class" not in page


def test_an_interval_without_a_width_is_not_shown(meeting):
    alike = replace(meeting.overall, valence=1.0, interval=(1.0, 1.0), counted=5)
    assert says(alike) == "valence +1.00, its 5 utterances agree"
    assert says(replace(alike, interval=(0.9, 1.0))) == "valence +1.00 (+0.90 to +1.00)"
