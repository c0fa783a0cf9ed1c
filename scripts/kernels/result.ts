/** What a virtual machine tells of a test that has ended, a line of JSON each. */
export interface Result {
  /** From the top of the repository. */
  file: string;
  name: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped or what is wrong. */
  reason?: string;
  seconds: number;
}

/** What a program's state is in the sidecar's own words. */
export interface Attachment {
  probe: string;
  program: string;
  problem?: string;
}

/** What a kernel's machine told. */
export interface Run {
  /** The kernel's release. */
  kernel: string;
  results: Result[];
  attachments: Attachment[];
  /** Why the machine did not come to its end. */
  problem?: string;
}
