import type { Link } from '../../libbpf/link.ts';

/** Several links as one. It has no descriptor, because there are several. */
export function joinLinks(links: readonly Link[]): Link {
  return {
    ...(links.some(({ enable }) => enable) && {
      enable(on: boolean) {
        for (const link of links) link.enable?.(on);
      },
    }),
    close() {
      for (const link of links) link.close();
    },
  };
}
