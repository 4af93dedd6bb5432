// Evaluations over a time, as bars.

import type { UsagePoint } from "../api/types";

const [width, height, steps] = [240, 40, 24];

export function Sparkline({ from, to, points }: { from: string; to: string; points: UsagePoint[] }) {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const bars = new Array<number>(steps).fill(0);
  for (const p of points) {
    const i = Math.min(steps - 1, Math.max(0, Math.floor(((Date.parse(p.at) - start) / (end - start)) * steps)));
    bars[i]! += p.evaluations;
  }
  const most = Math.max(...bars, 1);
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={`Evaluations by hour, at most ${most}`}>
      {bars.map((n, i) => {
        const tall = n === 0 ? 1 : Math.max(2, (n / most) * height);
        return <rect x={(i * width) / steps + 1} y={height - tall} width={width / steps - 2} height={tall} rx="1" class={n === 0 ? "none" : ""} />;
      })}
    </svg>
  );
}
