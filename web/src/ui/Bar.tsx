// How much of a limit is used; the hatched end is the part in which it was throttled. Both in per mille.
export function Bar({ value, throttled = 0 }: { value: number; throttled?: number }) {
  const used = Math.min(1000, value || 0) / 10;
  const hatched = used * Math.min(1, (throttled || 0) / 1000);
  return (
    <span className="bar" aria-hidden="true">
      <b style={{ width: `${used - hatched}%` }} />
      <u style={{ width: `${hatched}%` }} />
    </span>
  );
}
