/** What the sidecar tells people of itself at `/`, in the words of which the text and the page in the browser are made. */
export interface Report {
  version: string;
  namespace: string;
  pod: string;
  uid: string;
  node: string;
  /** Names of the containers that are there, as far as kubelet has told them. */
  containers: string[];
  /** Unix time in seconds at which this process began. */
  started: number;
  /** Whether every probe is attached or has failed for good. */
  settled: boolean;
  probes: ProbeReport[];
  /** What concerns no single probe. */
  notes: string[];
  /** One sentence for each thing that does not work. */
  problems: string[];
}

export interface ProbeReport {
  name: string;
  /** Why it is not attached, else what it consists of. */
  state: string;
  /** With all its programs. */
  attached: boolean;
  /** Why its files as they are now are not accepted. */
  rejected?: string;
  /** What of its spec has no effect. */
  remark?: string;
  programs: ProgramReport[];
  /** The names of its metrics. */
  metrics: readonly string[];
}

export interface ProgramReport {
  name: string;
  /** As written in SEC(). */
  section: string;
  /** `attached`, with a remark where its counts are approximate, or why it is not. */
  state: string;
  attached: boolean;
}
