/**
 * Part sizes of an upload whose total size is unknown at its start: small at first, which keeps memory small, and in
 * the end ever larger, so that the 10,000 parts of S3 hold the largest object that it takes.
 */

const MIB = 2 ** 20;

/** Parts of one upload, at most; S3's own limit. */
export const MOST_PARTS = 10_000;

const SMALLEST_BYTES = 8 * MIB;
const LARGEST_BYTES = 5 * 1024 * MIB;

/** So many are of one size: 54 GiB with the smallest. */
const EVEN_PARTS = 7_000;
/** From there on the size doubles with each so many. */
const PARTS_PER_DOUBLING = 200;

/** The size of the part `number`, which counts from 1. With `expectedBytes` all parts have one size. */
export function partBytes(number: number, expectedBytes = 0): number {
  const even = Math.max(SMALLEST_BYTES, Math.ceil(expectedBytes / EVEN_PARTS / MIB) * MIB);
  const doublings = Math.ceil(Math.max(0, number - EVEN_PARTS) / PARTS_PER_DOUBLING);
  return Math.min(LARGEST_BYTES, even * 2 ** doublings);
}
