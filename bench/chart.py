"""Bar charts as SVG: the same bytes for the same figures, readable on light and on dark ground."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 760
LABELS = 180
VALUES = 150
ROW = 24
TOP = 56
BOTTOM = 14
STYLE = """
.t{font:600 15px system-ui,sans-serif;fill:#1f2328}.s{font:12px system-ui,sans-serif;fill:#59636e}
.l{font:13px system-ui,sans-serif;fill:#1f2328}.b{fill:#8c959f}.o{fill:#0969da}.w{stroke:#1f2328;stroke-width:1.2}
@media(prefers-color-scheme:dark){.t,.l{fill:#f0f6fc}.s{fill:#9198a1}.b{fill:#656c76}.o{fill:#4493f8}.w{stroke:#f0f6fc}}
"""


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    least: float
    most: float
    ours: bool = False


def number(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def chart(title: str, subtitle: str, bars: list[Bar]) -> str:
    """Bars from the least to the greatest, each with a line from the least to the greatest round."""
    bars = sorted(bars, key=lambda b: (b.value, b.label))
    scale = (WIDTH - LABELS - VALUES) / (max((b.most for b in bars), default=1.0) or 1.0)
    height = TOP + ROW * len(bars) + BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="t" x="8" y="22">{escape(title)}</text>',
        f'<text class="s" x="8" y="42">{escape(subtitle)}</text>',
    ]
    for i, b in enumerate(bars):
        y = TOP + ROW * i
        middle = y + ROW / 2
        kind = "o" if b.ours else "b"
        least, most = LABELS + scale * b.least, LABELS + scale * b.most
        out += [
            f'<text class="l" x="{LABELS - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(b.label)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{y + 4}" width="{scale * b.value:.1f}" height="{ROW - 8}" rx="2"/>',
            f'<line class="w" x1="{least:.1f}" x2="{most:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
            f'<text class="l" x="{most + 8:.1f}" y="{middle + 4:.1f}">{number(b.value)}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])
