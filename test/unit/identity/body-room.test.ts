import fc from "fast-check";
import { expect, test } from "vitest";
import { type BodyPlace, BodyRoom, largestBody } from "../../../mesh-runtime/identity/body-room.ts";

const now = 1_800_000_000_000;
const until = now + 30_000;
/** What each body takes beyond its own bytes. */
const block = 4_096;
const limit = 100 * block;
const roomFor = (...senders: string[]) => {
  const room = new BodyRoom(limit);
  return { room, places: senders.map((sender) => room.place(sender, until)) };
};

test("no sender gets more than half of the room, and all together no more than all of it", () => {
  const { room, places } = roomFor("hog", "hog", "other", "third", "fourth");
  const [hog, more, other, third, fourth] = places;
  expect([hog?.take(49 * block, now), more?.take(1, now)]).toEqual([true, false]);
  // Of the 50 that are left, one other may have two thirds, and the next two thirds of the rest.
  expect([other?.take(33 * block, now), other?.take(32 * block, now)]).toEqual([false, true]);
  expect([third?.take(11 * block, now), third?.take(10 * block, now)]).toEqual([false, true]);
  expect(fourth?.take(2 * block, now)).toBe(true);
  expect(room.held).toBe(97 * block);
  hog?.leave();
  expect(more?.take(30 * block, now)).toBe(true);
});

test("the largest body that policy can ask for has room", () => {
  const room = new BodyRoom();
  const one = room.place("one", until);
  for (let sent = 0; sent < largestBody; sent += 4_096) expect(one.take(4_096, now)).toBe(true);
  expect(room.place("other", until).take(1_024 * 1_024, now)).toBe(true);
});

test("a body takes a block at least, so that the smallest pieces of many do not outgrow the room", () => {
  const { room } = roomFor();
  let open = 0;
  while (room.place(`sender ${open % 4}`, until).take(1, now)) open++;
  expect(open * block).toBeLessThanOrEqual(limit);
});

test("what a request was torn down with goes to who wants it once its proof has expired, and no sooner", () => {
  const { room, places } = roomFor("torn");
  const [torn] = places;
  torn?.kept.add(new Uint8Array(49 * block));
  expect(torn?.take(49 * block, now)).toBe(true);
  expect(room.place("torn", until + 1).take(1, until - 1)).toBe(false);
  expect(torn?.kept.pieces()).toHaveLength(1);
  expect(room.place("torn", until + 30_000).take(1, until)).toBe(true);
  expect([torn?.kept.pieces(), torn?.take(0, until), torn?.take(1, until)]).toEqual([[], false, false]);
  torn?.leave();
  expect(room.held).toBe(block + 1);
});

test("a clock that is set back keeps no place for longer than any proof lives", () => {
  const { room, places } = roomFor("torn");
  expect(places[0]?.take(49 * block, now)).toBe(true);
  expect(room.place("torn", until).take(1, now - 3_600_000)).toBe(true);
});

test("whatever is taken, left, or torn down in whatever order, the room knows of all that is kept, and comes free", () => {
  const step = fc.record({
    at: fc.nat(7),
    bytes: fc.nat(20_000),
    does: fc.constantFrom("take", "take", "take", "leave", "tear", "wait"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { room } = roomFor();
      let time = now;
      const kept = new Set<BodyPlace["kept"]>();
      const fresh = (at: number): BodyPlace => {
        const place = room.place(`sender ${at % 3}`, time + 30_000);
        kept.add(place.kept);
        return place;
      };
      const open = Array.from({ length: 8 }, (_, at) => fresh(at));
      for (const { at, bytes, does } of steps) {
        if (does === "wait") time += 10_000;
        else if (does === "tear") open[at] = fresh(at);
        else if (does === "take") {
          if (open[at]?.take(bytes, time)) open[at].kept.add(new Uint8Array(bytes));
        } else if (open[at] !== undefined) {
          open[at].leave();
          kept.delete(open[at].kept);
          open[at] = fresh(at);
        }
        const memory = [...kept].flatMap((each) => each.pieces()).reduce((sum, each) => sum + size(each), 0);
        expect(memory).toBeLessThanOrEqual(room.held);
        expect(room.held).toBeLessThanOrEqual(limit);
      }
      for (const place of open) place.leave();
      time += 30_000;
      const [late, later] = [room.place("late", time + 30_000), room.place("later", time + 30_000)];
      expect([late.take(limit, time), late.take(49 * block, time)]).toEqual([false, true]);
      expect([room.held, later.take(32 * block, time)]).toEqual([50 * block, true]);
    }),
    { seed: 7, numRuns: 200 },
  );
});

/** What a piece takes of memory, bytes. */
const size = ({ buffer }: Uint8Array): number => buffer.byteLength;
