/** Of the 255 bytes that a name may have. */
const longest = 200;
const keptOfLonger = 120;

/**
 * The name of a hook's directory: slashes become hyphens, and other bytes that are no letter, digit or underscore an equals
 * sign and two hexadecimal digits, for names in a bpffs have no dots. No two hooks have the same.
 */
export function directoryName(hook: string): string {
  const name = hook.replace(/[^A-Za-z0-9_/]/gu, encode).replaceAll('/', '-');
  if (name.length <= longest) return name;
  // Loaded only here, for it takes memory.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return `${name.slice(0, keptOfLonger)}==${createHash('sha256').update(hook).digest('hex')}`;
}

function encode(character: string): string {
  return [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');
}
