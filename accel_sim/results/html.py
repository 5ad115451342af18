"""What every report page is made of: the skeleton, facts, cells, headings of columns, energies as text."""

from collections.abc import Iterable
from html import escape
from importlib import resources

import pandas as pd

ENERGY_UNITS = (("pJ", 1.0), ("nJ", 1e3), ("µJ", 1e6), ("mJ", 1e9), ("J", 1e12))


def document(
    title: str, header: str, sections: dict[str, tuple[str, str]], *, version: str, defs: str = "", end: str = "",
    scripts: tuple[str, ...] = ("page.js",),
) -> str:  # fmt: skip
    """The whole page. title: text; header, defs, end: markup at the head, before and behind the sections; sections:
    id -> (heading, markup), the empty ones left out; the first is where the skip link leads."""
    shown = {key: pair for key, pair in sections.items() if pair[1]}
    links = "".join(f'<li><a href="#{key}">{heading}</a></li>' for key, (heading, _) in shown.items())
    bodies = "\n".join(
        f'<section id="{key}" aria-labelledby="h-{key}"><h2 id="h-{key}">{heading}</h2>{body}</section>'
        for key, (heading, body) in shown.items()
    )
    code = "".join(f"<script>{asset(name)}</script>" for name in scripts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{asset('page.css')}</style></head>\n"
        f"<body><a class=skip href=#{next(iter(shown))}>Skip to the summary</a><header>{header}</header>\n"
        f"<nav aria-label=Sections><ul>{links}</ul></nav>\n{defs}<main>{bodies}</main>\n"
        f"<footer class=soft>accel-sim {escape(version)}. Bars, dots and cells "
        "say their values when pointed at or focused; arrow keys move between them.</footer>"
        f'{end}<div id="tip" role="status" hidden></div>{code}</body></html>\n'
    )


def asset(name: str) -> str:
    """The text of a file that lies beside this one (style sheet, script)."""
    return resources.files("accel_sim.results").joinpath(name).read_text(encoding="utf-8")


def facts(found: Iterable[tuple[str, str, str]]) -> str:
    """(name, value, what stands below it) as a grid."""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in found
    )
    return f"<dl class=facts>{cells}</dl>"


def heads(columns: Iterable[tuple[str, bool]]) -> str:
    """Headings that sort; each with whether its column holds numbers."""
    return "".join(
        f"<th scope=col{' class=n' if numeric else ''}><button type=button>{escape(heading).replace('.', '.<wbr>')}"
        "</button></th>"
        for heading, numeric in columns
    )


def sorting(name: str, head: str, rows: str) -> str:
    """A table that sorts, below the heading of the section ``name``."""
    return (
        f"<div class=wide tabindex=0 role=region aria-labelledby=h-{name}><table class=sorts><thead><tr>{head}"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def tools(word: str, kind: str, options: Iterable[str], noun: str, columns: tuple[int | str, int]) -> str:
    """The filters of the table in the section ``table``; columns: where the word ('': anywhere) and the kind stand."""
    kinds = "".join(f"<option>{escape(option)}</option>" for option in options)
    return (
        f"<div class=tools><label>{word} <input id=filter type=search autocomplete=off data-of='{columns[0]}'></label>"
        f"<label>{kind} <select id=kind data-of={columns[1]}><option value=''>all</option>{kinds}</select></label>"
        f"<span id=count data-noun={noun} role=status class=soft></span><span id=said role=status class=soft></span>"
        "</div>"
    )


def cell(value: str | float, factor: float, form: str | None) -> str:
    """form: of value / factor; None for text."""
    if form is None or isinstance(value, str):
        return f"<td>{escape(str(value))}</td>"
    if pd.isna(value):
        return "<td class=n data-v=''></td>"
    return f'<td class=n data-v="{float(value):.12g}">{value / factor:{form}}</td>'


def joules(pj: float) -> str:
    """Picojoules in the largest unit of which there is one."""
    unit, factor = energy_unit(pj)
    return f"{pj / factor:,.4g} {unit}"


def energy_unit(pj: float) -> tuple[str, float]:
    """(name, pJ in it) of the largest unit of which there is one."""
    return next((pair for pair in reversed(ENERGY_UNITS) if pj >= pair[1]), ENERGY_UNITS[0])
