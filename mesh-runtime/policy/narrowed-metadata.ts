import type { PolicyDocument } from "./documents.ts";
import type { Finding, Path } from "./source.ts";

/** The largest that annotations of one document are together, bytes: Kubernetes' own bound. */
const maxAnnotationBytes = 256 * 1024;

const domainOfKey = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const nameOfKey = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/;

/** Labels and annotations that Kubernetes has no room for. */
export function* narrowedMetadata({ metadata }: PolicyDocument): Generator<Finding> {
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    const path = ["metadata", "labels", key];
    if (!isKey(key)) yield wrongKey(path, key, "label");
    else if (value.length > 63 || !labelValue.test(value)) {
      yield {
        path,
        expected: "a value of at most 63 letters, digits, hyphens, underscores and dots",
        found: JSON.stringify(value.slice(0, 80)),
        message:
          "a label's value is at most 63 letters, digits, hyphens, underscores and dots that begin and end with a letter or digit; shorten it, or write an annotation",
      };
    }
  }
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    // Kubernetes takes the keys of annotations in any case.
    if (!isKey(key.toLowerCase())) yield wrongKey(["metadata", "annotations", key], key, "annotation");
    size += key.length + value.length;
  }
  if (size <= maxAnnotationBytes) return;
  yield {
    path: ["metadata", "annotations"],
    expected: `at most ${maxAnnotationBytes} bytes together`,
    found: `${size}`,
    message: `annotations are at most ${maxAnnotationBytes} bytes together; shorten them`,
  };
}

/** Kubernetes' qualified name: a name of at most 63 characters, with a domain and a slash before it at most. */
function isKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  if (name.length > 63 || !nameOfKey.test(name)) return false;
  return slash === -1 || (slash <= 253 && domainOfKey.test(key.slice(0, slash)));
}

const expectsKey = 'a key such as "app" or "example.com/app"';

const wrongKey = (path: Path, key: string, what: string): Finding => ({
  path,
  expected: expectsKey,
  found: JSON.stringify(key.slice(0, 80)),
  message: `Kubernetes takes no ${what} of this key; write ${expectsKey}`,
});
