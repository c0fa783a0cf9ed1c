import { environment } from '../contract/pod.ts';

/** Who this pod is, as the downward API tells it. */
export interface Identity {
  namespace: string;
  pod: string;
  uid: string;
  node: string;
  /** Whether the pod is on its node's network. */
  hostNetwork: boolean;
  /** Whether the administrator lets programs of the pod run for the whole node. */
  nodeWide: boolean;
  /** Whether the administrator has the sidecar give up, once its probes are attached, what a change would need. */
  attachOnly: boolean;
  /** The user's own programs that are nothing without their metric spec. */
  programsWithSpec: readonly string[];
}

/** Throws an Error that names the variable that is missing. */
export function readIdentity(env: NodeJS.ProcessEnv): Identity {
  const required = (name: string): string => {
    const value = env[name];
    if (!value)
      throw new Error(`environment variable ${name} is not set: the webhook sets it from the downward API`);
    return value;
  };
  return {
    namespace: required(environment.namespace),
    pod: required(environment.pod),
    uid: required(environment.uid),
    node: required(environment.node),
    hostNetwork: env[environment.hostNetwork] === 'true',
    nodeWide: env[environment.nodeWide] === 'true',
    attachOnly: env[environment.attachOnly] === 'true',
    programsWithSpec: env[environment.programsWithSpec]?.split(',') ?? [],
  };
}
