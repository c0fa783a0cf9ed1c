/** The part of ffi-napi below its public calls, which declares no types; see call.ts. */
declare module 'ffi-napi/lib/bindings.js' {
  const bindings: {
    /** Calls `fn` as `cif` says, with the values that `values` points to; the result goes to `result`. */
    ffi_call(cif: Buffer, fn: Buffer, result: Buffer, values: Buffer): void;
  };
  export default bindings;
}
