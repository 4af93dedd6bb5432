// Evaluations over a time, drawn as stacked bars by uPlot, which comes with this file.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Stack } from "../reading/usage";
import { theme } from "../state/theme";

export interface UsageChartOptions {
  stack: Stack;
  label: string;
  /** Where the last time ends, in seconds of Unix time. */
  end: number;
  /** The times that the axis may name, in seconds apart. */
  apart: number[];
  /** How a time on the axis is written. */
  written: (seconds: number) => string;
  /** Called with the place of the time that is pointed at. */
  pointed: (at: number | undefined) => void;
}

const height = 180;

export function UsageChart(options: UsageChartOptions) {
  const host = useRef<HTMLDivElement>(null);
  const { stack, label, end } = options;
  useEffect(() => {
    let chart = draw(host.current!, options);
    const again = () => {
      chart.destroy();
      chart = draw(host.current!, options);
    };
    const size = new ResizeObserver(() => host.current && chart.setSize({ width: host.current.clientWidth, height }));
    size.observe(host.current!);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    const ended = theme.subscribe(() => queueMicrotask(again)); // after the document has the new one
    return () => {
      ended();
      dark.removeEventListener("change", again);
      size.disconnect();
      chart.destroy();
    };
  }, [stack, end]);
  return <div ref={host} class="usage-chart" role="img" aria-label={label} />;
}

function draw(host: HTMLElement, { stack, end, apart, written, pointed }: UsageChartOptions): uPlot {
  const colours = host.ownerDocument.defaultView!.getComputedStyle(host);
  const [ink, line, font] = [colours.color, colours.borderTopColor, `12px ${colours.fontFamily}`];
  // The largest is the lowest: the sum of all is drawn first, and what is below covers it.
  const order = stack.names.map((_, i) => i).reverse();
  const sums = order.map((last) => stack.times.map((_, t) => stack.counts.slice(0, last + 1).reduce((sum, row) => sum + row[t]!, 0)));
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const chart = new uPlot({
    width: host.clientWidth, height, padding: [8, 8, 0, 0], legend: { show: false }, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: true, range: [stack.times[0] ?? 0, end] }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } },
    axes: [
      { ...axis, size: 28, grid: { show: false }, incrs: apart, values: (_, splits) => splits.map(written) },
      { ...axis, size: 52, incrs: [1, 2, 5].flatMap((n) => Array.from({ length: 15 }, (_, i) => n * 10 ** i)).sort((a, b) => a - b), values: (_, splits) => splits.map((n) => short.format(n)) },
    ],
    series: [{}, ...order.map((part) => ({ fill: colourOf(host, part), width: 0, points: { show: false }, paths: uPlot.paths.bars!({ align: 1, size: [0.85, 48], gap: 0 }) }))],
    hooks: { setCursor: [(u) => pointed(u.cursor.idx ?? undefined)] },
  }, [stack.times, ...sums], host);
  chart.root.setAttribute("aria-hidden", "true");
  return chart;
}

const short = new Intl.NumberFormat("en", { notation: "compact" });

/** The colour of a part, as the styles have it now. */
function colourOf(host: HTMLElement, part: number): string {
  const probe = host.appendChild(host.ownerDocument.createElement("i"));
  probe.className = `part-${part}`;
  const colour = host.ownerDocument.defaultView!.getComputedStyle(probe).backgroundColor;
  probe.remove();
  return colour;
}
