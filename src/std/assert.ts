/**
 * `@std/assert` for machines that cannot reach JSR: the assertions that this repository uses, with the call signatures
 * of the original, over `node:assert/strict`. Swap the alias in deno.json for `jsr:@std/assert@1` and nothing else changes.
 */
import nodeAssert from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- a class of errors may take any constructor arguments, as in @std/assert
type ErrorClass<E extends Error> = new (...args: any[]) => E;

/** Fails unless `condition` is truthy, and narrows its type. */
export function assert(condition: unknown, message = ""): asserts condition {
  nodeAssert.ok(condition, failureOf(message));
}

/** Fails unless both values are deeply and strictly equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, failureOf(message));
}

/** Fails if both values are deeply and strictly equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, failureOf(message));
}

/** Fails unless both are the same value (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, failureOf(message));
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (!actual.includes(expected)) {
    nodeAssert.fail(message ?? `${JSON.stringify(actual)} does not contain ${JSON.stringify(expected)}`);
  }
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  nodeAssert.match(actual, expected, failureOf(message));
}

/** Fails unless `actual` is an instance of `expectedType`, and narrows its type. */
export function assertInstanceOf<E extends Error>(actual: unknown, expectedType: ErrorClass<E>): asserts actual is E {
  nodeAssert.ok(actual instanceof expectedType, `Expected an instance of ${expectedType.name}, got ${String(actual)}`);
}

/** Fails unless `fn` throws an `errorClass` whose message contains `messageIncludes`; returns the error. */
export function assertThrows<E extends Error>(fn: () => unknown, errorClass: ErrorClass<E>, messageIncludes = ""): E {
  try {
    fn();
  } catch (error) {
    return checked(error, errorClass, messageIncludes);
  }
  return nodeAssert.fail(`Expected ${errorClass.name} to be thrown`);
}

/** Fails unless the promise of `fn` is rejected with an `errorClass` whose message contains `messageIncludes`; resolves to the error. */
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  messageIncludes = "",
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checked(error, errorClass, messageIncludes);
  }
  return nodeAssert.fail(`Expected a rejection with ${errorClass.name}`);
}

/** What to throw instead of node's own error; its types take no `string | undefined`. */
function failureOf(message: string | undefined): Error | undefined {
  return message ? new nodeAssert.AssertionError({ message }) : undefined;
}

function checked<E extends Error>(error: unknown, errorClass: ErrorClass<E>, messageIncludes: string): E {
  assertInstanceOf(error, errorClass);
  assertStringIncludes(error.message, messageIncludes);
  return error;
}
