// The capability version: one number in which both sides say what they understand. It travels in `/key?v=`, in
// the Noise initiation (and so in the prologue), and in every register and map request.

/** The version this code claims: everything up to client release 1.98, but no in-band disco keys (144). */
export const CAPABILITY_VERSION = 138

/** The first version that speaks Noise; servers answer `/key` with nothing useful below it. */
export const NOISE_CAPABILITY_VERSION = 39

/** The lowest version a Headscale of 2026 lets in. */
export const MINIMUM_CAPABILITY_VERSION = 113
