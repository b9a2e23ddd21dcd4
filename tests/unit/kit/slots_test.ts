import { assertEquals, assertRejects } from "@std/assert";
import { Slots } from "../../../src/kit/slots.ts";

Deno.test("Slots lets so many work at once, in the order in which they came, and no more", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const works = [0, 1, 2, 3].map(() => Promise.withResolvers<number>());
  const done = works.map(({ promise }, index) =>
    slots.use(() => {
      begun.push(index);
      return promise;
    })
  );
  assertEquals(begun, [0, 1]);
  works[1]?.resolve(11);
  assertEquals(await done[1], 11);
  assertEquals(begun, [0, 1, 2]);
  works[2]?.resolve(12);
  await done[2];
  assertEquals(begun, [0, 1, 2, 3]);
  for (const { resolve } of works) resolve(0);
  await Promise.all(done);
});

Deno.test("Slots gives a place back when the work throws", async () => {
  const slots = new Slots(1);
  for (let time = 0; time < 2; time++) {
    await assertRejects(() => slots.use(() => Promise.reject(new Error("broken"))), Error, "broken");
    await assertRejects(
      () =>
        slots.use(() => {
          throw new Error("at once");
        }),
      Error,
      "at once",
    );
  }
  assertEquals(await slots.use(() => 7), 7);
});
