"""Draws bits per weight against error as SVG, for rate.py."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, LEGEND = 860, 560, 70, 50, 40, 210
COLOURS = ["#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#e07a1f", "#0f8b8d", "#6b705c", "#b5179e",
           "#5f0f40", "#7f7f7f", "#2a9d8f", "#c9a227", "#264653", "#ef476f"]


def svg(title, rows):
    """A line for each contender through its points, and the bound 4^-bits."""
    most_bits = math.ceil(max(row["bits_per_weight"] for row in rows))
    least = math.floor(math.log10(min(row["relative_error"] for row in rows)))

    def place(bits, error):
        x = LEFT + bits / most_bits * (WIDTH - LEFT - LEGEND)
        y = TOP + math.log10(error) / least * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    def text(x, y, what, anchor="middle"):
        return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(what)}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             text(LEFT, 22, f"{title}: bits per weight and relative error", "start")]
    for bits in range(most_bits + 1):
        x, y = place(bits, 10 ** least).split(",")
        parts.append(f'<path d="M{x},{TOP} V{y}" stroke="#ddd"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 18, str(bits)))
    for power in range(least, 1):
        x, y = place(0, 10 ** power).split(",")
        parts.append(f'<path d="M{x},{y} H{WIDTH - LEGEND}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, float(y) + 4, f"{10 ** power:g}", "end"))
    bound = " L".join(place(b / 10, 4 ** (-b / 10)) for b in range(10 * most_bits + 1)
                      if 4 ** (-b / 10) >= 10 ** least)
    parts.append(f'<path d="M{bound}" fill="none" stroke="black" stroke-dasharray="4 3"/>')
    contenders = list(dict.fromkeys(row["contender"] for row in rows))
    for i, contender in enumerate(contenders):
        colour = COLOURS[i % len(COLOURS)]
        points = sorted((row["bits_per_weight"], row["relative_error"]) for row in rows
                        if row["contender"] == contender)
        line = " L".join(place(*point) for point in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-opacity="0.5"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'
                  for x, y in (place(*point).split(",") for point in points)]
        y = TOP + 18 * i
        parts.append(f'<circle cx="{WIDTH - LEGEND + 20}" cy="{y}" r="4" fill="{colour}"/>')
        parts.append(text(WIDTH - LEGEND + 30, y + 4, contender, "start"))
    y = TOP + 18 * len(contenders)
    parts.append(f'<path d="M{WIDTH - LEGEND + 12},{y} h14" stroke="black" stroke-dasharray="4 3"/>')
    parts.append(text(WIDTH - LEGEND + 30, y + 4, "bound, normal weights", "start"))
    return "\n".join(parts) + "\n</svg>\n"
