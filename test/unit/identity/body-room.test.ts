import fc from "fast-check";
import { expect, test } from "vitest";
import { BodyRoom } from "../../../mesh-runtime/identity/body-room.ts";

test("no sender gets more than half of the room, and all together no more than all of it", () => {
  const room = new BodyRoom(100);
  const [hog, other, third] = ["hog", "other", "third"].map((sender) => room.place(sender));
  expect([hog?.take(50), hog?.take(1), room.place("hog").take(1)]).toEqual([true, false, false]);
  expect([other?.take(50), third?.take(1)]).toEqual([true, false]);
  other?.leave();
  expect([third?.take(50), room.held]).toEqual([true, 100]);
});

test("whatever is taken and left in whatever order, the room holds what has not been left, and is empty at the end", () => {
  const step = fc.record({ place: fc.nat(5), bytes: fc.nat(40), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const room = new BodyRoom(100);
      const places = Array.from({ length: 6 }, (_, at) => room.place(`sender ${at % 3}`));
      const own = places.map(() => 0);
      for (const { place: at, bytes, leaves } of steps) {
        if (leaves) {
          places[at]?.leave();
          own[at] = 0;
        } else if (places[at]?.take(bytes)) own[at] = (own[at] ?? 0) + bytes;
        expect(room.held).toBe(own.reduce((sum, each) => sum + each, 0));
        expect(room.held).toBeLessThanOrEqual(100);
      }
      for (const place of places) place.leave();
      expect(room.held).toBe(0);
    }),
    { seed: 7, numRuns: 200 },
  );
});
