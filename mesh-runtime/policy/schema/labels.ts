import { checked, type Fault, type Schema } from "./fields.ts";
import { texts } from "./texts.ts";

/** The largest that annotations of one document are together, bytes: Kubernetes' own bound. */
const maxAnnotationBytes = 256 * 1024;

const subdomainOfKey = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const nameOfKey = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/;

const expectsKey = 'a key such as "app" or "example.com/app"';

/** Kubernetes' qualified name: a name of at most 63 characters, with a domain and a slash before it at most. */
function isKey(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  if (name.length > 63 || !nameOfKey.test(name)) return false;
  return slash === -1 || (slash <= 253 && subdomainOfKey.test(key.slice(0, slash)));
}

const wrongKey = (key: string, what: string): Fault => ({
  path: [key],
  expected: expectsKey,
  found: JSON.stringify(key.slice(0, 80)),
  message: `Kubernetes takes no ${what} of this key; write ${expectsKey}`,
});

/** `metadata.labels`, with the bounds that Kubernetes has for them. */
export const labels = (): Schema<Readonly<Record<string, string>>> =>
  checked(texts(), function* (given): Generator<Fault> {
    for (const [key, value] of Object.entries(given)) {
      if (!isKey(key)) yield wrongKey(key, "label");
      else if (value.length > 63 || !labelValue.test(value)) {
        yield {
          path: [key],
          expected: "a value of at most 63 letters, digits, hyphens, underscores and dots",
          found: JSON.stringify(value.slice(0, 80)),
          message:
            "a label's value is at most 63 letters, digits, hyphens, underscores and dots that begin and end with a letter or digit; shorten it, or write an annotation",
        };
      }
    }
  });

/** `metadata.annotations`, as far as Kubernetes judges them: keys in any case, values of any text. */
export const boundedAnnotations = (): Schema<Readonly<Record<string, string>>> =>
  checked(texts(), function* (given): Generator<Fault> {
    let size = 0;
    for (const [key, value] of Object.entries(given)) {
      if (!isKey(key.toLowerCase())) yield wrongKey(key, "annotation");
      size += key.length + value.length;
    }
    if (size <= maxAnnotationBytes) return;
    yield {
      path: [],
      expected: `at most ${maxAnnotationBytes} bytes together`,
      found: `${size}`,
      message: `annotations are at most ${maxAnnotationBytes} bytes together; shorten them`,
    };
  });
