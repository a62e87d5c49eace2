# SPDX-License-Identifier: MIT
"""Plots as SVG: a panel a series, side by side, all lines from zero to the largest."""

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 230, 170, 45
COLOURS = ("#2563eb", "#dc2626", "#16a34a", "#9333ea")


def short(x):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if x >= size:
            return f"{x / size:g}{unit}"
    return f"{x:.3g}"


def panel(left, name, title, lines):
    """lines: {what: [(value, figure), …]}, all of the same values. Figures are written at the line's points when there is one
    line, at its last point when there are several."""
    top = max(y for points in lines.values() for _, y in points) or 1
    values = [x for x, _ in next(iter(lines.values()))]
    bottom = MARGIN + PANEL_HEIGHT
    step = PANEL_WIDTH / max(1, len(values) - 1)
    parts = [f'<path d="M{left} {MARGIN}V{bottom}H{left + PANEL_WIDTH}" stroke="#888" fill="none"/>',
             f'<text x="{left + PANEL_WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">{name}</text>',
             f'<text x="{left}" y="{MARGIN - 26}" fill="#555">{title}</text>']
    for i, value in enumerate(values):
        parts.append(f'<text x="{left + i * step:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{short(value)}</text>')
    for number, (colour, (what, points)) in enumerate(zip(COLOURS, lines.items())):
        places = [(left + i * step, bottom - y / top * PANEL_HEIGHT) for i, (_, y) in enumerate(points)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
        for i, ((x, y), (_, figure)) in enumerate(zip(places, points)):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            if len(lines) == 1 or i == len(points) - 1:
                anchor, x = ("middle", x) if len(lines) == 1 else ("start", x + 6)
                parts.append(f'<text x="{x:.1f}" y="{y - 8 if len(lines) == 1 else y + 4:.1f}" text-anchor="{anchor}">'
                             f'{short(float(f"{figure:.2g}"))}</text>')
        if len(lines) > 1:
            parts.append(f'<text x="{left + 8}" y="{MARGIN - 8 + 14 * number}" fill="{colour}">{what}</text>')
    return "\n".join(parts)


def draw(path, panels):
    """panels: (name of the values, what the figures are, {what a line is: [(value, figure), …]}) each."""
    width = len(panels) * (PANEL_WIDTH + 2 * MARGIN)
    height = PANEL_HEIGHT + 2 * MARGIN + 10
    drawn = [panel(MARGIN + i * (PANEL_WIDTH + 2 * MARGIN), *p) for i, p in enumerate(panels)]
    with open(path, "w", encoding="ascii") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                   f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
                   + "\n".join(drawn) + "\n</svg>\n")
