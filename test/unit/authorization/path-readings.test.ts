import { describe, expect, test, vi } from "vitest";
import { ReadPath, ReadPattern } from "../../../mesh-runtime/authorization/path-readings.ts";

/** Dots and spaces at the end of a segment, and a slash at the end of the path. */
const tails = 2;

describe("readings", () => {
  test("of a path are made once, however many patterns ask for them", () => {
    const path = new ReadPath("/Orders;v=1/", 0);
    expect(path.readings).toHaveLength(8);
    for (const reading of path.readings) expect(path.texts(reading)).toBe(path.texts(reading));
  });

  test("of a pattern are made once, however many paths are held against it", () => {
    const decode = vi.fn(decodeURIComponent);
    vi.stubGlobal("decodeURIComponent", decode);
    try {
      const pattern = new ReadPattern({ type: "exact", value: "/caf%C3%A9" });
      for (let times = 0; times < 3; times++) expect(pattern.fits(new ReadPath("/CAFE", 0), 4)).toBe(false);
      expect(decode).toHaveBeenCalledTimes(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("of a path are without a space at its end, whether characters are levelled or not", () => {
    expect(new ReadPath("/a%20", 0).texts(tails)).toEqual(["/a", "/a/"]);
    // An accent at the start of a suffix is one of its own only where nothing is levelled.
    const pattern = new ReadPattern({ type: "suffix", value: "%CC%81x" });
    expect(pattern.fits(new ReadPath("/a%CC%81x%20", 0), tails)).toBe(true);
  });

  test.each([
    ["/a/{**}", tails],
    ["/a/{**}/", tails],
    ["/a/{**}/b", 0],
    ["/a/{*}", 0],
  ])("of the template %s tell tails apart only where its end can be one", (value, differences) => {
    expect(new ReadPattern({ type: "template", value }).differences).toBe(differences);
  });
});
