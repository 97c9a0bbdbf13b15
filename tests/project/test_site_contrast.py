"""Every colour of a text is readable on every paper it may stand on, light and dark."""

import re
from pathlib import Path

import pytest
from django.conf import settings

SHEET = (Path(settings.BASE_DIR) / "static/carillon/carillon.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)", SHEET
    )
}
STATES = [
    "queued",
    "sending",
    "sent",
    "delivered",
    "failed",
    "expired",
    "cancelled",
    "suppressed",
]
PAIRS = [
    *((text, paper) for text in ("ink", "ink-2", "ink-3") for paper in ("paper", "paper-2")),
    *((text, paper) for text in ("accent", *STATES) for paper in ("paper", "paper-2")),
    ("on-accent", "accent"),
    ("accent", "accent-soft"),
    *(("ink", soft) for soft in ("accent-soft", "failed-soft", "expired-soft")),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "paper"), PAIRS)
def test_text_stands_out_by_at_least_four_and_a_half_to_one(text, paper, theme):
    lighter, darker = sorted(
        (luminance(TOKENS[text][theme]), luminance(TOKENS[paper][theme])), reverse=True
    )
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
