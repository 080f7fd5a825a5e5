/** What `tools/list` shows. Whatever is shown, every permitted public name stays callable. */
export const EXPOSURES = ['direct', 'agent', 'discovery', 'auto'] as const;
export type Exposure = (typeof EXPOSURES)[number];

/** `auto` shows everything until the visible list is longer than the threshold, then the discovery tools. */
export function settleExposure(
  exposure: Exposure,
  visibleTools: number,
  autoThreshold: number,
): Exclude<Exposure, 'auto'> {
  if (exposure !== 'auto') return exposure;
  return visibleTools > autoThreshold ? 'discovery' : 'direct';
}
