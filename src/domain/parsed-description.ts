/** The parts of a description that is written like a docstring (`Args:`, `Returns:`, `Raises:` on lines of their own). */
export interface ParsedDescription {
  /** What stands before all parts. */
  main: string;
  args: string | null;
  returns: string | null;
  raises: string | null;
}

const PARTS: ReadonlyMap<string, keyof ParsedDescription> = new Map([
  ...(['args', 'arguments', 'parameters', 'params'] as const).map(word => [word, 'args'] as const),
  ...(['returns', 'return'] as const).map(word => [word, 'returns'] as const),
  ...(['raises', 'raise', 'throws'] as const).map(word => [word, 'raises'] as const),
]);

export function parseDescription(description: string): ParsedDescription {
  const found: ParsedDescription = { main: '', args: null, returns: null, raises: null };
  let part: keyof ParsedDescription = 'main';
  let lines: string[] = [];
  const close = () => {
    const text = lines.join('\n').trim();
    found[part] = part === 'main' ? text : [found[part] ?? '', text].filter(piece => piece !== '').join('\n');
    lines = [];
  };
  for (const line of description.split('\n')) {
    const [, word = '', rest = ''] = /^\s*([A-Za-z]+):(.*)$/.exec(line) ?? [];
    const next = PARTS.get(word.toLowerCase());
    if (next === undefined) {
      lines.push(line.trim());
      continue;
    }
    close();
    part = next;
    lines.push(rest.trim());
  }
  close();
  return found;
}
