import type { Pod } from './pod.ts';

export interface Reason {
  /** What the reason means, for `--help` and the docs. */
  meaning: string;
  /** Whether somebody should act: then the API server's client gets a warning. */
  warn: boolean;
  /** Whether only a cluster has it, and no manifest in a file. */
  cluster?: true;
}

/** Why a pod is admitted without a sidecar. Log, metric label, warning and CLI use these names and no others. */
export const skipReasons = {
  'not-requested': { meaning: 'no annotation asks for a sidecar', warn: false },
  disabled: { meaning: 'the annotation bpf.sh/inject is "false"', warn: false },
  'already-injected': { meaning: 'the sidecar is there', warn: false },
  'invalid-annotation': { meaning: 'a bpf.sh/ annotation is unknown or malformed', warn: true },
  'misplaced-annotation': {
    meaning: 'a bpf.sh/ annotation is on the workload instead of its pod template',
    warn: true,
  },
  'namespace-disabled': {
    meaning: 'the namespace has the label bpf.sh/injection=disabled',
    warn: true,
    cluster: true,
  },
  'namespace-unknown': { meaning: "the namespace's labels are not known yet", warn: true, cluster: true },
  'pod-security': {
    meaning: 'a Pod Security label of the namespace refuses the sidecar',
    warn: true,
    cluster: true,
  },
  'programs-not-allowed': {
    meaning: "the pod asks for a user's own programs, which its namespace may not have",
    warn: true,
  },
  'programs-unknown': { meaning: 'the BPF resources are not known yet', warn: true, cluster: true },
  'program-missing': { meaning: 'there is no BPF resource of that name', warn: true, cluster: true },
  'program-invalid': { meaning: 'a BPF resource that the pod names is invalid', warn: true, cluster: true },
  'port-conflict': { meaning: "a container uses the sidecar's port", warn: true },
  'name-taken': { meaning: "a container or volume has one of the sidecar's names", warn: true },
  'sidecar-changed': { meaning: 'the sidecar is there, and differs from the one to inject', warn: true },
  'restart-policy-removed': {
    meaning: 'the sidecar has lost its restartPolicy: Always, and was taken out',
    warn: true,
  },
  windows: { meaning: 'the pod runs on Windows', warn: true },
  'user-namespace': { meaning: 'the pod has a user namespace, in which eBPF is not permitted', warn: true },
  'sandboxed-runtime': { meaning: 'the pod runs in a sandbox with a kernel of its own', warn: true },
  'mirror-pod': { meaning: 'the pod mirrors a static pod, which the kubelet runs from a file', warn: true },
  'malformed-pod': { meaning: 'the pod does not have the shape of a pod', warn: true },
  'not-a-pod': { meaning: 'the object is no pod and has no pod template', warn: true },
  'unsupported-operation': { meaning: 'the request is not the creation of a pod', warn: true, cluster: true },
  'unsupported-version': {
    meaning: 'the AdmissionReview is not of admission.k8s.io/v1',
    warn: true,
    cluster: true,
  },
} as const satisfies Record<string, Reason>;

export type SkipReason = keyof typeof skipReasons;

const mistakes: readonly SkipReason[] = [
  'invalid-annotation',
  'programs-not-allowed',
  'program-missing',
  'program-invalid',
];

/** Whether the reason is what the pod's annotations ask for, so that the administrator may want the pod refused. */
export function isMistake(reason: SkipReason): boolean {
  return mistakes.includes(reason);
}

/** A pod left as it is; each message is one sentence without a full stop. */
export interface Skip {
  inject: false;
  reason: SkipReason;
  messages: string[];
  /** Whether a sidecar that is there has to be taken out, because the application would not start. */
  takeOut?: Pod;
}

/** What whoever creates the pod is told. */
export function warningsOf({ reason, messages }: Skip): string[] {
  return skipReasons[reason].warn
    ? messages.map((message) => `bpf-sidecar not injected (${reason}): ${message}`)
    : [];
}

/** Messages are cut at 400 characters: they quote a pod that the API server has not validated yet. */
export function skip(reason: SkipReason, ...messages: string[]): Skip {
  return { inject: false, reason, messages: messages.map((message) => message.slice(0, 400)) };
}
