"""bake_map: draws the world maps in `static/` from Natural Earth's outlines (public domain).

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python -m collector.web.bake_map package/countries-50m.json

Only who changes the maps runs it. Countries are named by ISO 3166-1; areas that have no code are drawn without a name.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from .projection import ATLANTIC, NORTH, SOUTH, VIEWS, XY, View

Line = list[XY]
STATIC: Final = Path(__file__).parent / "static"
NAMES: Final = Path(__file__).parent / "countries.json"
TOLERANCE: Final = 0.05
"""Degrees by which a simplified line may stray: 0.2 mm on a map that is 1 m wide."""
LEAST_AREA: Final = 60.0
"""Islands below this many square units are left out, except for a country's largest one."""
WITHOUT: Final = frozenset({"010"})
"""Antarctica: it would take a fifth of the map."""
OWN_NAMES: Final = {"TW": "Taiwan", "US": "United States", "CZ": "Czechia", "FK": "Falkland Islands"}
_ISO_3166: Final = """
AD020 AE784 AF004 AG028 AI660 AL008 AM051 AO024 AQ010 AR032 AS016 AT040 AU036 AW533 AX248 AZ031
BA070 BB052 BD050 BE056 BF854 BG100 BH048 BI108 BJ204 BL652 BM060 BN096 BO068 BQ535 BR076 BS044
BT064 BV074 BW072 BY112 BZ084 CA124 CC166 CD180 CF140 CG178 CH756 CI384 CK184 CL152 CM120 CN156
CO170 CR188 CU192 CV132 CW531 CX162 CY196 CZ203 DE276 DJ262 DK208 DM212 DO214 DZ012 EC218 EE233
EG818 EH732 ER232 ES724 ET231 FI246 FJ242 FK238 FM583 FO234 FR250 GA266 GB826 GD308 GE268 GF254
GG831 GH288 GI292 GL304 GM270 GN324 GP312 GQ226 GR300 GS239 GT320 GU316 GW624 GY328 HK344 HM334
HN340 HR191 HT332 HU348 ID360 IE372 IL376 IM833 IN356 IO086 IQ368 IR364 IS352 IT380 JE832 JM388
JO400 JP392 KE404 KG417 KH116 KI296 KM174 KN659 KP408 KR410 KW414 KY136 KZ398 LA418 LB422 LC662
LI438 LK144 LR430 LS426 LT440 LU442 LV428 LY434 MA504 MC492 MD498 ME499 MF663 MG450 MH584 MK807
ML466 MM104 MN496 MO446 MP580 MQ474 MR478 MS500 MT470 MU480 MV462 MW454 MX484 MY458 MZ508 NA516
NC540 NE562 NF574 NG566 NI558 NL528 NO578 NP524 NR520 NU570 NZ554 OM512 PA591 PE604 PF258 PG598
PH608 PK586 PL616 PM666 PN612 PR630 PS275 PT620 PW585 PY600 QA634 RE638 RO642 RS688 RU643 RW646
SA682 SB090 SC690 SD729 SE752 SG702 SH654 SI705 SJ744 SK703 SL694 SM674 SN686 SO706 SR740 SS728
ST678 SV222 SX534 SY760 SZ748 TC796 TD148 TF260 TG768 TH764 TJ762 TK772 TL626 TM795 TN788 TO776
TR792 TT780 TV798 TW158 TZ834 UA804 UG800 UM581 US840 UY858 UZ860 VA336 VC670 VE862 VG092 VI850
VN704 VU548 WF876 WS882 YE887 YT175 ZA710 ZM894 ZW716
"""
CODES: Final = {code[2:]: code[:2] for code in _ISO_3166.split()}
"""ISO 3166-1: alpha-2 by numeric code."""


def main(source: Path) -> None:
    """Write the maps and the names."""
    world = json.loads(source.read_text())
    arcs = [_simplified(line) for line in _arcs(world)]
    shapes = [shape for shape in world["objects"]["countries"]["geometries"] if shape.get("id") not in WITHOUT]
    for view in VIEWS:
        (STATIC / f"world-{view.name}.svg").write_text(_map(view, shapes, arcs))
    NAMES.write_text(json.dumps(_names(shapes, arcs), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n")


def _arcs(world: Any) -> Iterator[Line]:
    """The lines that countries are made of, in degrees. TopoJSON keeps them as differences."""
    (kx, ky), (dx, dy) = world["transform"]["scale"], world["transform"]["translate"]
    for arc in world["arcs"]:
        x = y = 0
        line = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            line.append((x * kx + dx, y * ky + dy))
        yield line


def _simplified(line: Line) -> Line:
    """Douglas and Peucker; a closed line is first cut where it is farthest from its start."""
    if len(line) < 4:
        return line
    if line[0] == line[-1]:
        far = max(range(len(line)), key=lambda at: _squared(line[0], line[at]))
        return _simplified(line[: far + 1])[:-1] + _simplified(line[far:])
    keep, spans = {0, len(line) - 1}, [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        worst, where = 0.0, 0
        for at in range(first + 1, last):
            if (distance := _from_line(line[at], line[first], line[last])) > worst:
                worst, where = distance, at
        if worst > TOLERANCE**2:
            keep.add(where)
            spans += [(first, where), (where, last)]
    return [line[at] for at in sorted(keep)]


def _squared(one: XY, other: XY) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2


def _from_line(point: XY, start: XY, end: XY) -> float:
    """Squared distance from a point to a straight line between two others."""
    length = _squared(start, end)
    if not length:
        return _squared(point, start)
    share = ((point[0] - start[0]) * (end[0] - start[0]) + (point[1] - start[1]) * (end[1] - start[1])) / length
    share = max(0.0, min(1.0, share))
    return _squared(point, (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))


def _rings(shape: Any, arcs: list[Line]) -> list[Line]:
    """The closed lines of a country, in degrees."""
    polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
    rings = []
    for ring in (ring for polygon in polygons for ring in polygon):
        line: Line = []
        for number in ring:
            part = arcs[number] if number >= 0 else arcs[~number][::-1]
            line += part[1:] if line else part
        rings.append(line)
    return rings


def _map(view: View, shapes: list[Any], arcs: list[Line]) -> str:
    countries = [
        f'<path id="{code}" d="{drawn}"/>' if (code := CODES.get(shape.get("id", ""), "")) else f'<path d="{drawn}"/>'
        for shape in shapes
        if (drawn := _drawn(view, _rings(shape, arcs)))
    ]
    shared = [arcs[number] for number, uses in _uses(shapes).items() if uses > 1]
    borders = "".join(_relative(line) for line in _open(view, shared))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {view.width} {view.height}">\n'
        f'<g id="land">\n{chr(10).join(sorted(countries))}\n</g>\n'
        f'<path id="borders" fill="none" d="{borders}"/>\n</svg>\n'
    )


def _uses(shapes: list[Any]) -> Counter[int]:
    """How many countries each line belongs to."""
    counts: Counter[int] = Counter()
    for shape in shapes:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        numbers = {number if number >= 0 else ~number for polygon in polygons for ring in polygon for number in ring}
        counts.update(numbers)
    return counts


def _drawn(view: View, rings: list[Line]) -> str:
    """A country's path: islands that nobody would see are left out."""
    projected = [[view.place(*at) for at in part] for ring in rings for part in _cut(view, ring)]
    areas = [abs(_area(line)) for line in projected]
    largest = max(areas, default=0)
    return "".join(
        _relative(line) + "z"
        for line, area in zip(projected, areas, strict=True)
        if len(line) > 2 and (area >= LEAST_AREA or area == largest)
    )


def _cut(view: View, ring: Line) -> list[Line]:
    """A ring in degrees from the middle of the view; one that reaches over the edge of the view is cut in two."""
    turned: Line = []
    for lon, lat in ring:
        here = view.turned(lon)
        if turned:
            before = turned[-1][0]
            here += 360 * round((before - here) / 360)
        turned.append((here, max(SOUTH, min(NORTH, lat))))
    low, high = min(lon for lon, _ in turned), max(lon for lon, _ in turned)
    if low >= -180 and high <= 180:
        return [turned]
    edge = 180.0 if high > 180 else -180.0
    inside, outside = _clipped(turned, edge, below=edge > 0), _clipped(turned, edge, below=edge < 0)
    return [part for part in (inside, [(lon - 2 * edge, lat) for lon, lat in outside]) if part]


def _clipped(ring: Line, edge: float, *, below: bool) -> Line:
    """The part of a ring on one side of a meridian (Sutherland and Hodgman)."""
    kept: Line = []
    for one, other in zip(ring, ring[1:] + ring[:1], strict=True):
        if (one[0] <= edge) == below:
            kept.append(one)
        if (one[0] <= edge) != (other[0] <= edge):
            share = (edge - one[0]) / (other[0] - one[0])
            kept.append((edge, one[1] + share * (other[1] - one[1])))
    return kept


def _open(view: View, shared: Iterable[Line]) -> Iterator[Line]:
    for line in shared:
        turned = [(view.turned(lon), lat) for lon, lat in line]
        if all(abs(one[0] - other[0]) < 180 for one, other in pairwise(turned)):
            yield [view.place(*at) for at in turned]


def _area(line: Line) -> float:
    """Signed area of a closed line."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(line, line[1:] + line[:1], strict=True)) / 2


def _relative(line: Line) -> str:
    """A line as path data in whole steps."""
    points = [(round(x), round(y)) for x, y in line]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    said = "".join(f"{x}{y}" if y < 0 else f"{x},{y}" for x, y in steps[:1])
    for x, y in steps[1:]:
        if (x, y) != (0, 0):
            said += (f"{x}" if x < 0 else f" {x}") + (f"{y}" if y < 0 else f",{y}")
    return f"M{points[0][0]},{points[0][1]}l{said}"


def _names(shapes: list[Any], arcs: list[Line]) -> dict[str, tuple[str, float, float]]:
    """Name, latitude and longitude by code: the middle of a country's largest part."""
    found = {}
    for shape in shapes:
        code = CODES.get(shape.get("id", ""))
        if code is None:
            continue
        parts = [part for ring in _rings(shape, arcs) for part in _cut(ATLANTIC, ring)]
        largest = max(parts, key=lambda part: abs(_area(part)))
        lon, lat = _middle(largest)
        found[code] = (OWN_NAMES.get(code, shape["properties"]["name"]), round(lat, 1), round(lon, 1))
    return found


def _middle(ring: Line) -> XY:
    """Centre of mass of a closed line."""
    area = _area(ring)
    if not area:
        return ring[0]
    pairs = [(a, b, a[0] * b[1] - b[0] * a[1]) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
    x = sum((a[0] + b[0]) * cross for a, b, cross in pairs) / (6 * area)
    y = sum((a[1] + b[1]) * cross for a, b, cross in pairs) / (6 * area)
    return x, y


if __name__ == "__main__":
    main(Path(sys.argv[1]))
