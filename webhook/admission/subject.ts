import type { ObjectReference } from '../kubernetes/events.ts';
import { isObject } from './pod.ts';
import type { AdmissionRequest } from './review.ts';

/**
 * What an Event about a pod that is being created is put on, for the pod has no uid yet: the controller that creates
 * it, else the pod by its name. Nothing for a pod whose name is yet to be made; who creates that by hand reads warnings.
 */
export function eventSubject({ namespace, object }: AdmissionRequest): ObjectReference | undefined {
  const metadata = isObject(object) && isObject(object.metadata) ? object.metadata : {};
  const owners = (Array.isArray(metadata.ownerReferences) ? metadata.ownerReferences : []).filter(
    isReference,
  );
  const owner = owners.find(({ controller }) => controller === true) ?? owners[0];
  if (owner) {
    const { apiVersion, kind, name, uid } = owner;
    return { apiVersion, kind, namespace, name, uid };
  }
  const { name } = metadata;
  return typeof name === 'string' && name !== ''
    ? { apiVersion: 'v1', kind: 'Pod', namespace, name }
    : undefined;
}

interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: unknown;
}

function isReference(value: unknown): value is OwnerReference {
  return (
    isObject(value) &&
    ['apiVersion', 'kind', 'name', 'uid'].every((field) => typeof value[field] === 'string')
  );
}
