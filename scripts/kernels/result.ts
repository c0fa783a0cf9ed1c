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
