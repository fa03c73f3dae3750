// Names of layers: given by the user, or `<type>_<n>`. They become weight names, so they must not collide.
import type { Problem } from '../errors.js';

interface MaybeNamed {
  type: string;
  name?: string | undefined;
}

/** A name for every layer, in order. An unnamed one gets `<type>_<n>` with the type's next n (from 1) whose name no layer was given. */
export function nameLayers(layers: readonly MaybeNamed[]): string[] {
  const given = new Set(layers.flatMap(({ name }) => (name === undefined ? [] : [name])));
  const counts = new Map<string, number>();
  return layers.map(({ type, name }) => {
    if (name !== undefined) return name;
    for (;;) {
      const n = (counts.get(type) ?? 0) + 1;
      counts.set(type, n);
      const candidate = `${type}_${n}`;
      if (!given.has(candidate)) return candidate;
    }
  });
}

/** One problem for every layer whose name an earlier one has. @param layers by their path, such as `model.layers.2` */
export function checkLayerNames(layers: readonly { path: string; name: string }[]): Problem[] {
  const first = new Map<string, string>();
  return layers.flatMap(({ path, name }) => {
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, path);
    return earlier === undefined ? [] : [{ param: `${path}.name`, message: `the name "${name}" is also that of ${earlier}; layer names must differ` }];
  });
}
