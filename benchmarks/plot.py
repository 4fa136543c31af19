"""Plot the benchmark's results."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

Results = Mapping[str, Mapping[str, Mapping[str, float]]]


def draw(results: Results, path: Path) -> None:
    """Plot throughput and peak memory of every contender by size."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (speed, memory) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    sizes = [int(size) for size in results]
    for name in next(iter(results.values())):
        count = 2 if "at once" in name else 1
        style = "--" if "-dc" in name else "-"
        took = [results[str(size)][name] for size in sizes]
        rates = [count * size / one["wall"] for size, one in zip(sizes, took, strict=True)]
        speed.plot(sizes, rates, style, marker="o", label=name)
        memory.plot(sizes, [one["peak"] for one in took], style, marker="o", label=name)
    for axes, label in ((speed, "MB of JSON a second"), (memory, "peak memory, MiB")):
        axes.set(xscale="log", yscale="log", xlabel="MB of JSON in the package", ylabel=label)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.grid(visible=True, which="both", alpha=0.2)
    figure.legend(*speed.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)
