import { BpfError } from '../libbpf/error.ts';
import { type BpfObject, closeObject, isWanted, leaveOut, loadObject, openObject } from '../libbpf/object.ts';
import { refuseLargeMaps } from '../maps/size.ts';
import { refusalOf } from './attach.ts';

/** An object whose maps are made and whose programs are in the kernel. */
export interface LoadedObject {
  object: BpfObject;
  /** Why programs are not in the kernel, by name. */
  refused: ReadonlyMap<string, string>;
}

/**
 * Loads an object without the programs that nothing can attach or that the kernel refuses: libbpf gives up at the first
 * of these, so that the object is opened anew without it. `configure` makes an opened object ready. Throws an Error when
 * it is not about a program.
 */
export function loadPrograms(
  name: string,
  elf: Buffer,
  configure: (object: BpfObject) => void,
): LoadedObject {
  const refused = new Map<string, string>();
  for (;;) {
    const object = openObject(name, elf);
    try {
      refuseLargeMaps(object);
      configure(object);
      for (const program of object.programs) {
        const refusal = refused.get(program.name) ?? refusalOf(program);
        if (refusal === undefined || !isWanted(program)) continue;
        refused.set(program.name, refusal);
        leaveOut(program);
      }
      loadObject(object);
      return { object, refused };
    } catch (error) {
      closeObject(object);
      const culprit = error instanceof BpfError ? error.program : undefined;
      if (culprit === undefined || refused.has(culprit)) throw error;
      refused.set(culprit, (error as BpfError).message);
    }
  }
}
