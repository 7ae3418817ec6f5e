"""Pictures as SVG text: a few shapes, in a fixed order, with fixed numbers, so
that the same data give the same bytes everywhere. Colours are chosen to stay
apart in grey print.
"""

from html import escape

INK = "#1b1b1b"
PALE = "#f4f1ea"        # ground of boxes
BLUE = "#c7dcf0"
ORANGE = "#f5c48a"
GREEN = "#cfe6c4"
RED = "#a3262a"
GREY = "#6b6b6b"
SANS = "DejaVu Sans, Verdana, sans-serif"
MONO = "DejaVu Sans Mono, Menlo, monospace"
WIDE, WIDE_MONO = 0.56, 0.61    # of a letter, in sizes: not to run over


def width(text, size=12, mono=False):
    return len(text) * size * (WIDE_MONO if mono else WIDE)


def wrap(text, room, size=12, mono=False):
    """The lines of `text` that fit into `room`."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and width(longer, size, mono) > room:
            lines.append(line)
            longer = word
        line = longer
    return lines + [line]


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


class Picture:
    """Collects shapes; str() is the file."""

    def __init__(self, wide, high, title):
        self.wide, self.high, self.title = wide, high, title
        self.parts = []

    def add(self, tag, body=None, **attributes):
        words = "".join(
            f' {name.rstrip("_").replace("_", "-")}='
            f'"{number(v) if isinstance(v, (int, float)) else escape(v)}"'
            for name, v in attributes.items() if v is not None)
        self.parts.append(f"<{tag}{words}/>" if body is None else
                          f"<{tag}{words}>{escape(body)}</{tag}>")

    def text(self, x, y, body, size=12, mono=False, bold=False,
             anchor="start", fill=INK):
        self.add("text", body, x=x, y=y, font_size=size, fill=fill,
                 font_family=MONO if mono else SANS, text_anchor=anchor,
                 font_weight="bold" if bold else None)

    def block(self, x, y, room, body, size=12, **style):
        """Wrapped text from the base line `y` down; the next base line."""
        for line in wrap(body, room, size, style.get("mono", False)):
            self.text(x, y, line, size, **style)
            y += size * 1.35
        return y

    def box(self, x, y, wide, high, fill=PALE, stroke=INK, round_=4,
            dash=None):
        self.add("rect", x=x, y=y, width=wide, height=high, rx=round_,
                 fill=fill, stroke=stroke, stroke_width=1,
                 stroke_dasharray=dash)

    def label(self, x, y, wide, high, body, fill=PALE, size=12, **style):
        """A box with a line in its middle."""
        self.box(x, y, wide, high, fill)
        self.text(x + wide / 2, y + high / 2 + size * 0.36, body, size,
                  anchor="middle", **style)

    def line(self, x1, y1, x2, y2, stroke=INK, dash=None, wide=1.2):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke,
                 stroke_width=wide, stroke_dasharray=dash)

    def arrow(self, *points, stroke=INK, dash=None):
        """Through (x, y), (x, y), ...; the head is at the last."""
        self.add("polyline", points=" ".join(
            f"{number(x)},{number(y)}" for x, y in points), fill="none",
            stroke=stroke, stroke_width=1.4, stroke_dasharray=dash,
            marker_end="url(#head)")

    def curve(self, x1, y1, cx, cy, x2, y2, stroke=INK):
        self.add("path", d=f"M{number(x1)},{number(y1)} Q{number(cx)},"
                 f"{number(cy)} {number(x2)},{number(y2)}", fill="none",
                 stroke=stroke, stroke_width=1.4, marker_end="url(#head)")

    def __str__(self):
        size = f"{number(self.wide)} {number(self.high)}"
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
            f'width="{number(self.wide)}" height="{number(self.high)}">',
            f"<title>{escape(self.title)}</title>",
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" '
            'markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0,0 L10,5 L0,10 z" fill="{INK}"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *self.parts, "</svg>", ""])
