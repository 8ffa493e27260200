"""A chart is the same bytes for the same figures: the golden file is what a person has looked at."""

from pathlib import Path
from xml.etree import ElementTree

from chart import Bar, chart, number

GOLDEN = Path(__file__).parent / "golden" / "chart.svg"
BARS = [
    Bar("uvicorn raw", 75.6, 59.2, 86.3),
    Bar("covet", 21.5, 15.3, 24.1, ours=True),
    Bar("<fastapi & co>", 1092.5, 856.1, 1310.3),
]


def test_golden() -> None:
    assert chart("typed: CPU", "64 connections", BARS) == GOLDEN.read_text()


def test_order_of_the_input_does_not_matter() -> None:
    assert chart("t", "s", BARS) == chart("t", "s", BARS[::-1])


def test_is_xml_and_fits() -> None:
    root = ElementTree.fromstring(chart("a < b", "c & d", BARS))
    width = float(root.attrib["viewBox"].split()[2])
    for line in root.iter("{http://www.w3.org/2000/svg}line"):
        assert 0 <= float(line.attrib["x1"]) <= float(line.attrib["x2"]) < width


def test_without_bars() -> None:
    ElementTree.fromstring(chart("nothing", "", []))
    ElementTree.fromstring(chart("zero", "", [Bar("a", 0, 0, 0)]))


def test_numbers() -> None:
    assert [number(v) for v in (0.04, 7.25, 99.94, 100.0, 12345.6)] == ["0.0", "7.2", "99.9", "100", "12,346"]
