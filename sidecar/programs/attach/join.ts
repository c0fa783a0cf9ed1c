import type { Link } from '../../libbpf/link.ts';

/** Several links as one. It has no descriptor, because there are several. */
export function joinLinks(links: readonly Link[]): Link {
  return {
    close() {
      for (const link of links) link.close();
    },
  };
}
