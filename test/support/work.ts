/** Copies byte by byte: exactly `count` write calls. */
export const writing = (count: number) => [
  'dd',
  'if=/dev/zero',
  'of=/dev/null',
  'bs=1',
  `count=${count}`,
  'status=none',
];
