"""A run as one HTML file that needs nothing else: no network, no library; equal runs give equal bytes."""

from collections.abc import Iterator
from html import escape

import pandas as pd

from accel_sim.host import yaml_io
from accel_sim.reports.run_files import RunFiles
from accel_sim.results import html, plots, style, svg
from accel_sim.values.cause_style import BOUND_STYLE, CAUSE_STYLE
from accel_sim.values.causes import CAUSES, Slots, bound, sentence

#: heading, column of layers.csv, factor, format; None: text
COLUMNS = (
    ("layer", "layer", 1, None), ("kind", "kind", 1, None), ("MACs", "macs_nominal", 1, ",.0f"),
    ("effectual", "macs_effectual", 1, ",.0f"), ("cycles", "cycles", 1, ",.0f"),
    ("array", "array_cycles", 1, ",.0f"), ("util. %", "utilization", 0.01, ".1f"),
    ("µJ", "energy_pj", 1e6, ",.3f"), ("read kB", "dram_read_bytes", 1e3, ",.1f"),
    ("written kB", "dram_write_bytes", 1e3, ",.1f"), ("weights %", "weight_density", 0.01, ".1f"),
    ("inputs %", "input_density", 0.01, ".1f"),
)  # fmt: skip
#: id of a section -> its heading
SECTIONS = {
    "summary": "Summary", "table": "Layers", "cycles": "Cycles", "energy": "Energy", "roofline": "Roofline",
    "lanes": "Lanes", "mapping": "Mapping", "config": "Configuration", "figures": "Sources",
}  # fmt: skip


def render(run: RunFiles) -> str:
    """The whole page."""
    energy = plots.energy_table(run.actions)
    styles = BOUND_STYLE | style.component_styles(energy)
    bodies = {
        "summary": _summary(run), "table": _table(run), "cycles": _cycles(run), "energy": _energy(energy),
        "roofline": _roofline(run), "lanes": _lanes(run), "mapping": _mapping(run), "config": _config(run),
        "figures": _sources(run),
    }  # fmt: skip
    header = (
        f"<h1>{escape(run.summary['network'])} <span class=soft>on</span> "
        f"{escape(run.summary['hardware'])}</h1>{_line(run)}"
    )
    return html.document(
        run.name, header, {key: (SECTIONS[key], body) for key, body in bodies.items()},
        version=str(run.provenance.get("package_version", "")), defs=svg.patterns(styles),
    )  # fmt: skip


def _line(run: RunFiles) -> str:
    description = run.config.get("hardware", {}).get("description") or ""
    return f"<p class=soft>{escape(str(description))}</p>"


def _summary(run: RunFiles) -> str:
    total = run.summary
    each = f"{total['energy_pj'] / max(1, total['macs_nominal']):.3g} pJ per MAC"
    moved = total["dram_read_bytes"] + total["dram_write_bytes"]
    most = bound(Slots.of(run.cycles))
    facts = [
        ("cycles", f"{total['cycles']:,}", f"{total['time_s'] * 1e3:.4g} ms"),
        ("energy", html.joules(total["energy_pj"]), each),
        ("utilisation", f"{100 * total['utilization']:.1f} %", "effectual lane-slots"),
        ("DRAM traffic", f"{svg.short(moved)}B", f"{svg.short(total['dram_read_bytes'])}B of it read"),
        ("MACs", svg.short(total["macs_nominal"]), f"{svg.short(total.get('macs_effectual', 0))} effectual"),
        ("layers", f"{len(run.layers)}", f"data: {total.get('data', '?')}"),
    ]
    if most is not None:
        facts.insert(3, ("bound by", most.name, f"{100 * most.cause_share:.0f} % of slots: {most.cause}"))
    notes = "".join(f"<p class=note>{escape(str(text))}</p>" for text in run.provenance.get("warnings", []))
    check = total.get("check")
    if isinstance(check, dict):
        notes += f"<p>Checked: the outputs of {check.get('layers')} layers equal the reference.</p>"
    return html.facts(facts) + notes


def _table(run: RunFiles) -> str:
    columns = [column for column in COLUMNS if column[1] in run.layers]
    heads = html.heads((heading, form is not None) for heading, _, _, form in columns)
    rows = "".join(
        f"<tr>{''.join(html.cell(row[name], factor, form) for _, name, factor, form in columns)}</tr>"
        for row in run.layers.to_dict("records")
    )
    meaning = (
        "array: cycles the array alone needs; util.: effectual of all lane-slots; read, written: the outermost memory; "
        "weights, inputs: share that is not zero."
    )
    tools = html.tools("Layer contains", "Kind", sorted(set(run.layers.kind)), "layers", (0, 1))
    return f"<p class=soft>{meaning}</p>{tools}{html.sorting('table', heads, rows)}"


def _cycles(run: RunFiles) -> str:
    table = plots.cycles_table(run.cycles)
    if table.empty:
        return ""
    whole = table.sum()
    legend = svg.keys(((part, f"{100 * whole[part] / whole.sum():.1f} %") for part in table), CAUSE_STYLE)
    most, styles = table.sum(axis=1).max(), CAUSE_STYLE
    suffix, factor = next((pair for pair in reversed(svg.UNITS) if most >= pair[1]), svg.UNITS[0])
    axis = f"{suffix} cycles".strip(), factor
    bars = svg.bars("cycles", "Cycles by cause, one bar per layer", table, styles, axis, "{:,.0f} cycles".format)
    share, label = table.div(table.sum(axis=1) / 100, axis=0), "Share of each layer's cycles by cause"
    shares = svg.bars("shares", label, share, styles, ("%", 1.0), "{:.2f} %".format)
    return (
        f"<p class=soft>Where the lane-slots of each layer went, in cycles.</p>{legend}<figure>{bars}</figure>"
        f"<h3>as a share of each layer</h3><figure>{shares}</figure>"
    )


def _energy(table: pd.DataFrame) -> str:
    if table.empty:
        return ""
    styles, whole = style.component_styles(table), table.sum()
    chip = table.drop(columns=[part for part in ("dram", "background") if part in table])
    legend = svg.keys(((part, f"{100 * whole[part] / whole.sum():.1f} %") for part in table), styles)
    figures = []
    for name, what, part in (("energy", "all components", table), ("chip", "on chip alone", chip)):
        if part.empty or part.to_numpy().sum() <= 0:
            continue
        axis = html.energy_unit(float(part.sum(axis=1).max()))
        label = f"Energy by component, {what}, one bar per layer"
        drawn = svg.bars(name, label, part, styles, axis, html.joules)
        figures.append(f"<h3>{what}: {html.joules(float(part.to_numpy().sum()))}</h3><figure>{drawn}</figure>")
    return legend + "".join(figures)


def _roofline(run: RunFiles) -> str:
    drawn = svg.roofline(run.roofs, run.ports)
    if not drawn:
        return ""
    layers = run.roofs.bound.value_counts(sort=False)
    legend = svg.keys(((bound, f"{count} layers") for bound, count in layers.items()), BOUND_STYLE)
    return (
        "<p class=soft>Each layer as it ran, under the roofs of this machine (Williams, Waterman and Patterson, 2009): "
        "one of the array, one of each port of each level. The area of a dot is its cycles, its colour what bounds it "
        f"by its lane-slots. {escape(sentence(Slots.of(run.cycles)))}.</p>{legend}<figure>{drawn}</figure>"
    )


def _lanes(run: RunFiles) -> str:
    table = plots.by_cause(run.cycles, "lane_slots")
    table = table.loc[table.sum(axis=1) > 0, [cause for cause in CAUSES if table[cause].sum() > 0]]
    if table.empty:
        return ""
    drawn = svg.heat(table.div(table.sum(axis=1), axis=0), "Share of lane-slots by layer and cause, in percent")
    return f"<p class=soft>Percent of each layer's lane-slots in each state.</p><figure>{drawn}</figure>"


def _mapping(run: RunFiles) -> str:
    return f"<details><summary>Loop nest of every layer</summary><pre tabindex=0>{escape(run.mapping)}</pre></details>"


def _config(run: RunFiles) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(key.replace('_', ' '))}</th><td class=hash>{text}</td></tr>"
        for key, value in run.provenance.items()
        if key != "warnings" and (text := _plain(value))
    )
    tree = escape(yaml_io.dump(run.config))
    return (
        f"<details open><summary>What determined this run</summary><div class=wide><table>{rows}</table></div>"
        "</details>"
        f"<details><summary>config.yaml, whole: running it again gives the same bytes</summary><pre tabindex=0>{tree}"
        "</pre></details>"
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(key))}: {escape(str(each))}" for key, each in value.items())
    if isinstance(value, list):
        return "<br>".join(escape(str(each)) for each in value)
    return escape(str(value))


def _sources(run: RunFiles) -> str:
    """Each energy figure once, with its source; counts and energy over all layers."""
    rows = "".join(_source_rows(run.actions))
    columns = ("component", 0), ("action", 0), ("bits", 1), ("count", 1), ("pJ each", 1), ("energy", 1), ("source", 0)
    heads = html.heads((name, bool(numeric)) for name, numeric in columns)
    return (
        "<p class=soft>Every figure that energy was made of: counted actions times pJ, and where the pJ come from.</p>"
        + html.sorting("figures", heads, rows)
    )


def _source_rows(actions: pd.DataFrame) -> Iterator[str]:
    by = ["component", "action", "bits", "pj_each", "source"]
    whole = actions.groupby(by, dropna=False, sort=False)[["count", "energy_pj"]].sum().reset_index()
    for row in whole.to_dict("records"):
        yield (
            f"<tr><td>{escape(str(row['component']))}</td><td>{escape(str(row['action']))}</td>"
            + html.cell(row["bits"], 1, ".0f") + html.cell(row["count"], 1, ",.0f")
            + html.cell(row["pj_each"], 1, ".6g")
            + f'<td class=n data-v="{row["energy_pj"]:.12g}">{html.joules(row["energy_pj"])}</td>'
            + f"<td>{escape(str(row['source']))}</td></tr>"
        )  # fmt: skip
